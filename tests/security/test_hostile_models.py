"""Models made to do harm, through the commands that read them: refused, and nothing was executed.

`canary` is what an attack makes; every attack is shown to work where nobody looks at it first.
"""

import contextlib
import io
import json
import os
import pathlib
import pickle
import pickletools
import resource
import struct
import sys
import zipfile

import numpy as np
import pytest
import tensorflow as tf

from finetune import bert_config
from finetune.checkpoints import checkpoint
from finetune.errors import UserError
from finetune.sources import from_huggingface, saved_model
from finetune.sources.torch_file import TorchFile
from scripts import convert_checkpoint
from tests.conftest import TINY, vocabulary
from tests.sources.test_torch_file import NUMBERS, pickled, tensor


@pytest.fixture
def canary(tmp_path, monkeypatch):
    """A file that is not there; attacks run in tmp_path, so that they name it "canary"."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.delitem(sys.modules, "evil", raising=False)
    (tmp_path / "evil.py").write_text("class Evil:\n    def __new__(cls, *_, **__):\n"
                                      "        open('canary', 'w').close()\n")
    return tmp_path / "canary"


@pytest.fixture
def model(tmp_path):
    """A folder in the Hugging Face layout; pytorch_model.bin is still to come."""
    folder = tmp_path / "model"
    folder.mkdir()
    words = vocabulary(False)
    (folder / "config.json").write_text(json.dumps(
        {**TINY, "model_type": "bert", "vocab_size": len(words)}))
    (folder / "vocab.txt").write_text("\n".join(words) + "\n")
    return folder


def torch_zip(path, content, arrays=()):
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("archive/data.pkl", content)
        for key, array in enumerate(arrays):
            archive.writestr(f"archive/data/{key}", array.tobytes())


# ---- pickles. Each is a program that makes the canary, by other opcodes of the pickle machine.

RUN = b"S'touch canary'\n"
OPEN = b"cbuiltins\nopen\n(S'canary'\nS'w'\ntR"
PICKLES = {
    "reduce": b"cos\nsystem\n(" + RUN + b"tR.",
    "inst": b"(" + RUN + b"ios\nsystem\n.",
    "obj": b"(cos\nsystem\n" + RUN + b"o.",
    "newobj": b"\x80\x02cevil\nEvil\n)\x81.",
    "newobj_ex": b"\x80\x04cevil\nEvil\n)}\x92.",
    "stack_global": b"\x80\x04\x8c\x02os\x8c\x06system\x93(" + RUN + b"tR.",
    "eval": b"cbuiltins\neval\n(S'open(\"canary\", \"w\")'\ntR.",
    "exec": b"cbuiltins\nexec\n(S'open(\"canary\", \"w\")'\ntR.",
    "open": OPEN + b".",
    "popen": b"csubprocess\ncheck_call\n((lS'touch'\naS'canary'\natR.",
    "dotted_name": b"\x80\x04\x8c\x07pathlib\x8c\x0aPath.touch\x93"
                   b"\x8c\x07pathlib\x8c\x04Path\x93(S'canary'\ntR\x85R.",
    "two_pickles_deep": b"cpickle\nloads\n(\x8e" + struct.pack("<Q", len(OPEN) + 1) + OPEN
                        + b".tR.",
    "value_of_a_dict": b"}S'weight'\ncos\nsystem\n(" + RUN + b"tRs.",
    "key_of_a_dict": b"}cos\nsystem\n(" + RUN + b"tRI1\ns.",
    "thrown_away": b"cos\nsystem\n(" + RUN + b"tR0}.",
    "builtins_of_python_2": b"\x80\x02c__builtin__\neval\n(S'open(\"canary\", \"w\")'\ntR.",
    "state_of_an_object": b"\x80\x02ccollections\nOrderedDict\n)R}S'x'\n" + OPEN + b"sb.",
    "after_good_tensors": pickled({"w": tensor("FloatStorage", "0", 12, 0, (12,), (1,))})[:-1]
                          + b"0" + OPEN + b".",
    "storage_id": b"\x80\x02" + OPEN + b"Q.",
}


class Careless(pickle.Unpickler):
    """A reader that imports what it is asked to, as torch.load did for years."""

    def find_class(self, module, name):
        return (lambda *_: None) if module.startswith("torch") else super().find_class(module, name)

    def persistent_load(self, pid):
        return pid


@pytest.mark.parametrize("attack", PICKLES)
def test_attack_by_pickle(attack, model, canary):
    torch_zip(model / "pytorch_model.bin", PICKLES[attack], [NUMBERS])
    with pytest.raises(UserError) as caught:
        from_huggingface.convert(str(model), "made")
    assert "refused, and nothing of it was run" in str(caught.value)
    assert not canary.exists()
    assert sorted(os.listdir()) == ["evil.py", "model"]
    assert "evil" not in sys.modules
    Careless(io.BytesIO(PICKLES[attack])).load()
    assert canary.exists()


def test_attack_by_pickle_says_so_through_the_script(model, canary, capfd):
    torch_zip(model / "pytorch_model.bin", PICKLES["reduce"])
    assert convert_checkpoint.main(["from-huggingface", str(model), "made"]) == 2
    assert "asks for os.system, which tensors do not need: refused" in capfd.readouterr().err
    assert not canary.exists()


@pytest.mark.parametrize("attack", PICKLES)
def test_attack_by_pickle_that_is_no_zip(attack, model, canary):
    (model / "pytorch_model.bin").write_bytes(PICKLES[attack])
    with pytest.raises(UserError, match="is no whole file of torch.save"):
        from_huggingface.convert(str(model), "made")
    assert not canary.exists()


@pytest.mark.parametrize("name", ["model.safetensors", "model.safetensors.index.json",
                                  "pytorch_model.bin.index.json"])
def test_attack_by_pickle_under_another_name(name, model, canary):
    (model / name).write_bytes(PICKLES["reduce"])
    with pytest.raises(UserError):
        from_huggingface.convert(str(model), "made")
    assert not canary.exists()


def test_code_that_config_json_asks_for_is_not_looked_at(model, canary):
    config = json.loads((model / "config.json").read_text())
    config["auto_map"] = {"AutoModel": "modeling_evil.Evil", "AutoConfig": "modeling_evil.Evil"}
    (model / "config.json").write_text(json.dumps({**config, "trust_remote_code": True}))
    (model / "modeling_evil.py").write_text("open('canary', 'w')")
    random = np.random.default_rng(0)
    from safetensors.numpy import save_file

    from finetune.sources import huggingface
    ours = bert_config.BertConfig.from_dict(
        {**TINY, "vocab_size": config["vocab_size"]}, "config.json")
    shapes = bert_config.variable_shapes(ours)
    save_file({theirs: np.ascontiguousarray(
        random.standard_normal(shapes[name][::-1] if turned else shapes[name]).astype(np.float32))
        for name, (theirs, turned) in huggingface.tensor_names(ours).items()},
        model / "model.safetensors")
    from_huggingface.convert(str(model), "made")
    assert (canary.parent / "made" / "bert_config.json").exists()
    assert not canary.exists()


# ---- numbers that lie


def test_a_zip_that_announces_more_than_it_holds_gives_no_memory_away(tmp_path):
    """as_strided would copy what lies behind the file's bytes in memory into the weights."""
    path, many = tmp_path / "pytorch_model.bin", 1 << 20
    torch_zip(path, pickled({"w": tensor("FloatStorage", "0", many, 0, (many,), (1,))}), [NUMBERS])
    content = bytearray(path.read_bytes())
    at = content.rindex(b"PK\x01\x02")
    assert content[at + 46:].startswith(b"archive/data/0")
    struct.pack_into("<L", content, at + 24, 4 * many)  # file_size in the directory
    path.write_bytes(content)
    with pytest.raises(UserError, match="w: is damaged: data/0 ends after 48 bytes"):
        TorchFile(str(path)).read("w")


@pytest.mark.parametrize("index", [1 << 20, 1 << 27, (1 << 32) - 1])
@pytest.mark.parametrize("opcode", ["r", "p"])
def test_a_few_bytes_do_not_take_the_memory(index, opcode, tmp_path):
    number = struct.pack("<L", index) if opcode == "r" else b"%d\n" % index
    torch_zip(tmp_path / "x.bin", b"\x80\x02}" + opcode.encode() + number + b".")
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(UserError, match="it numbers more objects than it can hold"):
        TorchFile(str(tmp_path / "x.bin"))
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 100_000  # KB


def test_what_torch_writes_numbers_few_objects():
    names = {f"layer.{number}": tensor("FloatStorage", "0", 12, 0, (12,), (1,))
             for number in range(500)}
    for each in (pickletools.optimize(pickled(names)), pickled(names)):
        highest = max((argument for opcode, argument, _ in pickletools.genops(each)
                       if "PUT" in opcode.name), default=0)
        assert highest < len(each) / 2


@pytest.mark.parametrize("place", ["storage", "key", "name"])
def test_a_value_that_repeats_itself_is_not_written_out(place, tmp_path):
    """40 nested pairs would be a text of 2**40 parts."""
    pair = b"(I1\nI1\nt" + b"2\x86" * 40
    content = {
        "storage": pair + b"Q.",
        "key": b"(S'storage'\nctorch\nFloatStorage\n" + pair + b"S'cpu'\nI1\ntQ.",
        "name": b"}(lI1\n" + pair + b"es."}[place]
    torch_zip(tmp_path / "x.bin", b"\x80\x02" + content)
    with pytest.raises(UserError) as caught:
        TorchFile(str(tmp_path / "x.bin"))
    assert len(str(caught.value)) < 500


# ---- SavedModels: a graph is never built, so its operations never run


@pytest.fixture
def module(tmp_path):
    """A TF2 SavedModel of an encoder, a good one."""
    from tests.sources.test_hub import make
    plain = make.__wrapped__ if hasattr(make, "__wrapped__") else make._get_wrapped_function()
    return pathlib.Path(plain(tmp_path)()[0])


def changed(module, change):
    from tensorflow.core.protobuf import saved_model_pb2

    path, saved = module / "saved_model.pb", saved_model_pb2.SavedModel()
    saved.ParseFromString(path.read_bytes())
    change(saved.meta_graphs[0])
    path.write_bytes(saved.SerializeToString())


def test_a_saved_model_that_writes_a_file_when_it_is_loaded(module, canary):
    """tf.saved_model.load runs the initialisers of resources: that is how such a model attacks."""
    class Evil(tf.saved_model.experimental.TrackableResource):
        def _create_resource(self):
            return tf.raw_ops.HashTableV2(key_dtype=tf.string, value_dtype=tf.int64)

        def _initialize(self):
            tf.io.write_file("canary", "x")

    root = tf.Module()
    loaded = saved_model.read(str(module))
    root.held = [tf.Variable(value, name=name) for name, value in loaded.tensors().items()]
    root.evil = Evil()
    tf.saved_model.save(root, "evil")
    canary.unlink(missing_ok=True)
    values = saved_model.read("evil").tensors()
    assert values.keys() == loaded.names.keys()
    assert not canary.exists()
    tf.saved_model.load("evil")
    assert canary.exists()


@pytest.mark.parametrize("kind", ["asset", "node"])
def test_a_saved_model_that_points_beyond_its_tables(kind, module):
    def change(graph):
        nodes = graph.object_graph_def.nodes
        child = next(each for each in nodes[0].children if each.local_name == "vocab_file")
        if kind == "asset":
            nodes[child.node_id].asset.asset_file_def_index = 99
        else:
            child.node_id = 10**6

    changed(module, change)
    with pytest.raises(UserError, match="is damaged: IndexError"):
        saved_model.read(str(module))


def test_a_saved_model_whose_constants_have_no_end(module):
    from tensorflow.core.framework import node_def_pb2

    ring = {name: node_def_pb2.NodeDef(name=name, op="Identity", input=[other])
            for name, other in (("a", "b"), ("b", "a"))}
    assert saved_model._constant(ring, "a:0") is None
    big = node_def_pb2.NodeDef(name="c", op="Const")
    big.attr["value"].tensor.dtype = 1
    big.attr["value"].tensor.float_val.append(0.5)
    assert saved_model._constant({"c": big}, "c:0") == 0.5
    big.attr["value"].tensor.tensor_shape.dim.add().size = 10**12
    assert saved_model._constant({"c": big}, "c:0") is None


def test_altered_saved_models_give_numbers_or_a_user_error(module):
    path, random = module / "saved_model.pb", np.random.default_rng(0)
    good = path.read_bytes()
    for _ in range(100):
        content = bytearray(good)
        for _ in range(random.integers(1, 4)):
            content[random.integers(len(good))] = random.integers(256)
        path.write_bytes(content)
        with contextlib.suppress(UserError):
            saved_model.read(str(module)).tensors()


# ---- JSON


@pytest.mark.parametrize("name", ["config.json", "tokenizer.json", "tokenizer_config.json",
                                  "model.safetensors.index.json"])
def test_json_nested_without_end(name, model):
    (model / name).write_text("[" * 100_000)
    with pytest.raises(UserError):
        from_huggingface.convert(str(model), "made")


def test_json_nested_without_end_beside_a_checkpoint(tmp_path):
    (tmp_path / "bert_config.json").write_text("[" * 100_000)
    with pytest.raises(UserError, match="is not JSON"):
        bert_config.BertConfig.from_json_file(str(tmp_path / "bert_config.json"))
    (tmp_path / "best_checkpoint.json").write_text("[" * 100_000)
    with pytest.raises(UserError, match="is not JSON any more"):
        checkpoint.best(str(tmp_path))
