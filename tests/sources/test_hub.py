"""--bert_hub_module_handle: modules in both formats, made here, against what they compute."""

import dataclasses
import http.server
import io
import json
import os
import pathlib
import shutil
import socket
import subprocess
import sys
import tarfile
import threading

import numpy as np
import pytest
import tensorflow as tf

from finetune import bert_config, encoder, layers
from finetune.checkpoints import checkpoint
from finetune.config import RunConfig
from finetune.errors import UserError
from finetune.layout import PackedLayout
from finetune.sources import hub, saved_model
from tests.conftest import TINY, vocabulary

ROOT = pathlib.Path(__file__).parents[2]
WORDS = {False: vocabulary(False), True: vocabulary(True)}


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    """Where modules and their conversions are kept."""
    folder = tmp_path / "cache"
    monkeypatch.setenv("TFHUB_CACHE_DIR", str(folder))
    return folder


def config_of(cased=False, **other):
    return bert_config.BertConfig.from_dict(
        {**TINY, "vocab_size": len(WORDS[cased]), **other}, "test")


def inputs_of(config):
    random = np.random.default_rng(2)
    mask = (np.arange(9) < [[9], [5], [2]]).astype(np.int32)
    return (random.integers(0, config.vocab_size, mask.shape, np.int32), mask,
            random.integers(0, 2, mask.shape, np.int32))


def pooled(folder, config, ids, mask, segments):
    """What our encoder computes from a converted checkpoint."""
    names = list(bert_config.variable_shapes(config))
    weights = {name: tf.constant(value) for name, value in
               checkpoint.read(os.path.join(folder, "bert_model.ckpt"), names).items()}
    real = mask.astype(bool)
    layout = PackedLayout(tf.constant(mask.sum(1), tf.int32))
    hidden = encoder.encode(weights, config, layout, ids[real], segments[real],
                            layers.Dropout(None))[-1]
    return encoder.pool(weights, layout.first(hidden)).numpy()


# ---- modules made by bert.modeling and by Keras, in a process of their own


@pytest.fixture(scope="module")
def google(tmp_path_factory):
    """Folder with tf1, tf1_scoped and tf2, and the pooled output of each."""
    folder, config = tmp_path_factory.mktemp("google"), config_of()
    (folder / "vocab.txt").write_text("\n".join(WORDS[False]) + "\n")
    np.savez(folder / "case.npz", bert_config=config.to_json(), **dict(zip(
        ("input_ids", "input_mask", "segment_ids"), inputs_of(config), strict=True)))
    done = subprocess.run(
        [sys.executable, str(ROOT / "tests/parity/hub_modules.py"), str(folder)], cwd=ROOT,
        capture_output=True, text=True,
        env={**os.environ, "TF_USE_LEGACY_KERAS": "1", "PYTHONPATH": str(ROOT)})
    assert done.returncode == 0, done.stderr
    return folder, dict(np.load(folder / "result.npz"))


@pytest.mark.slow
@pytest.mark.parametrize(("name", "kind", "heads"), [
    ("tf1", "TF1 Hub module", "from the graph, which divides by sqrt(8)"),
    ("tf1_scoped", "TF1 Hub module", "from the graph, which divides by sqrt(8)"),
    ("tf2", "TF2 SavedModel", "from the shapes of the attention")])
def test_our_encoder_computes_what_the_module_computes(google, name, kind, heads):
    folder, results = google
    made = hub.checkpoint_of(str(folder / name))
    config = bert_config.BertConfig.from_json_file(os.path.join(made, "bert_config.json"))
    assert config == config_of()
    assert sorted(os.listdir(made)) == [
        "bert_config.json", "bert_model.ckpt.data-00000-of-00001", "bert_model.ckpt.index",
        "module.json", "vocab.txt"]
    assert pathlib.Path(made, "vocab.txt").read_text().split() == WORDS[False]
    notes = json.loads(pathlib.Path(made, "module.json").read_text())
    assert notes["kind"] == kind
    assert notes["do_lower_case"] is True
    assert notes["summary"] == f"2 layers, 16 wide, 2 heads ({heads}), gelu, 130 tokens"
    ours = pooled(made, config, *inputs_of(config))
    assert np.abs(results[name]).max() > 0.5
    np.testing.assert_allclose(ours, results[name], atol=1e-5)


@pytest.mark.slow
def test_nothing_of_a_module_is_executed(google, tmp_path):
    """With every operation of its graph renamed to one that does not exist, it reads the same."""
    from tensorflow.core.protobuf import saved_model_pb2

    folder = tmp_path / "unknown"
    shutil.copytree(google[0] / "tf2", folder)
    graph = saved_model_pb2.SavedModel()
    graph.ParseFromString((folder / "saved_model.pb").read_bytes())
    for function in graph.meta_graphs[0].graph_def.library.function:
        for node in function.node_def:
            node.op = "NoSuchOperation"
    (folder / "saved_model.pb").write_bytes(graph.SerializeToString())
    with pytest.raises(Exception, match="NoSuchOperation"):
        tf.saved_model.load(str(folder))
    module, original = saved_model.read(str(folder)), saved_model.read(str(google[0] / "tf2"))
    assert dataclasses.replace(module, folder=original.folder,
                               vocab_file=original.vocab_file) == original


# ---- SavedModels made in this process, with the names of several generations


SCHEMES = {
    "newest": {},
    "of 2020": {"self_attention/attention_output": "self_attention_output"},
    "first": {"self_attention/attention_output": "self_attention_output",
              "type_embeddings/embeddings": "embedding_postprocessor/type_embeddings",
              "position_embedding/embeddings": "embedding_postprocessor/position_embeddings",
              "embeddings/layer_norm": "embedding_postprocessor/layer_norm",
              "transformer/layer_": "encoder/layer_"},
    "nested": {"": "bert_encoder/"}}
TO_GARDEN = (
    ("bert/", ""), ("encoder/", "transformer/"),
    ("embeddings/word_embeddings", "word_embeddings/embeddings"),
    ("embeddings/token_type_embeddings", "type_embeddings/embeddings"),
    ("embeddings/position_embeddings", "position_embedding/embeddings"),
    ("embeddings/LayerNorm", "embeddings/layer_norm"), ("attention/self", "self_attention"),
    ("attention/output/dense", "self_attention/attention_output"),
    ("attention/output/LayerNorm", "self_attention_layer_norm"),
    ("intermediate/dense", "intermediate"), ("output/dense", "output"),
    ("output/LayerNorm", "output_layer_norm"), ("pooler/dense", "pooler_transform"))


@pytest.fixture
def make(tmp_path):
    """Writes a TF2 SavedModel: name, options -> (folder, TF1 name -> array)."""
    def write(name="module", scheme="newest", cased=False, flat=False, lower=..., vocab=True,
              without=(), extra=(), **sizes):
        random, root = np.random.default_rng(4), tf.Module()
        config, values, root.held = config_of(cased, **sizes), {}, []
        for ours, shape in bert_config.variable_shapes(config).items():
            values[ours] = random.standard_normal(shape).astype(np.float32)
            theirs = ours
            for old, new in (*TO_GARDEN, *SCHEMES[scheme].items()):
                theirs = new + theirs if old == "" else theirs.replace(old, new)
            if not any(part in theirs for part in without):
                value = values[ours] if flat else values[ours].reshape(by_head(ours, config))
                root.held.append(tf.Variable(value, name=theirs))
        root.more = [tf.Variable([1.0], name=each) for each in extra]
        if vocab:
            path = tmp_path / "words" / "vocab.txt"
            path.parent.mkdir(exist_ok=True)
            path.write_text("\n".join(WORDS[cased]) + "\n")
            root.vocab_file = tf.saved_model.Asset(str(path))
        if lower is not None:
            root.do_lower_case = tf.Variable(not cased if lower is ... else lower, trainable=False)
        tf.saved_model.save(root, str(tmp_path / name))
        return str(tmp_path / name), values
    return write


def by_head(name, config):
    heads, width = config.num_attention_heads, config.hidden_size // config.num_attention_heads
    if "attention/self" in name:
        return (-1, heads, width) if name.endswith("kernel") else (heads, width)
    if "attention/output/dense/kernel" in name:
        return heads, width, -1
    return bert_config.variable_shapes(config)[name]


@pytest.mark.parametrize("scheme", SCHEMES)
def test_naming_schemes(make, scheme):
    folder, values = make(scheme=scheme, extra=["cls/predictions/output_bias/bias",
                                                "Adam/m/word_embeddings/embeddings"])
    module = saved_model.read(folder)
    assert module.config == config_of()
    assert module.do_lower_case is True
    tensors = module.tensors()
    assert tensors.keys() == values.keys()
    for name, value in values.items():
        np.testing.assert_array_equal(tensors[name], value, err_msg=name)


def test_flat_matrices_leave_the_heads_to_a_guess(make):
    folder, values = make(scheme="first", flat=True, hidden_size=128)
    module = saved_model.read(folder)
    assert module.config == config_of(hidden_size=128)
    assert module.inferred == "as in every released model, 64 wide each; nothing in it tells"
    np.testing.assert_array_equal(module.tensors()["bert/pooler/dense/kernel"],
                                  values["bert/pooler/dense/kernel"])


def test_a_conversion_is_made_once_and_again_when_the_module_changes(make, cache, monkeypatch):
    folder, _ = make()
    made = hub.checkpoint_of(folder)
    moved = folder + "-moved"
    os.rename(folder, moved)
    monkeypatch.setattr(hub, "_convert", None)
    assert hub.checkpoint_of(moved) == made
    assert os.path.dirname(made) == str(cache)
    assert os.listdir(cache) == [os.path.basename(made)]
    monkeypatch.undo()
    monkeypatch.setenv("TFHUB_CACHE_DIR", str(cache))
    pathlib.Path(moved, "assets", "vocab.txt").write_text("\n".join(WORDS[False][::-1]))
    assert hub.checkpoint_of(moved) != made


@pytest.mark.parametrize("lost", ["module.json", "vocab.txt", "bert_model.ckpt.index"])
def test_a_conversion_that_lost_a_file_is_made_again(lost, make):
    folder, _ = make()
    made = pathlib.Path(hub.checkpoint_of(folder))
    (made / lost).unlink()
    assert hub.checkpoint_of(folder) == str(made)
    assert (made / lost).exists() and os.listdir(made.parent) == [made.name]


def test_two_processes_at_once(make, monkeypatch):
    folder, _ = make()
    module, real = saved_model.read(folder), hub.checkpoint.save

    def slower(*arguments):
        monkeypatch.setattr(hub.checkpoint, "save", real)
        hub.checkpoint_of(folder)
        real(*arguments)

    monkeypatch.setattr(hub.checkpoint, "save", slower)
    made = hub.checkpoint_of(folder)
    assert os.listdir(os.path.dirname(made)) == [os.path.basename(made)]
    assert checkpoint.shapes(os.path.join(made, "bert_model.ckpt")).keys() == module.names.keys()


# ---- what is refused


def refused(folder):
    with pytest.raises(UserError) as caught:
        hub.checkpoint_of(str(folder))
    [problem] = caught.value.problems
    assert problem.startswith(f"--bert_hub_module_handle={folder}: ")
    return problem


def test_modules_that_are_none(make, tiny, tmp_path, cache):
    assert "there is no such folder, and it is no address" in refused(tmp_path / "nowhere")
    assert "is a checkpoint" not in refused(tmp_path)
    assert "holds no saved_model.pb" in refused(tmp_path)
    assert "give it as --init_checkpoint" in refused(tiny)
    folder, _ = make("pooler", without=["self_attention/query"])
    assert ("holds no BERT encoder: nothing in it corresponds to bert/encoder/layer_0/attention/"
            "self/query/kernel") in refused(folder)
    folder, _ = make("deeper", without=["layer_1/output/kernel"])
    assert "bert/encoder/layer_1/output/dense/kernel has the shape []" in refused(folder)
    folder, _ = make("two", extra=["other/word_embeddings/embeddings"])
    assert "holds more than one encoder" in refused(folder)
    assert not cache.exists()


def test_damaged_modules(make, cache):
    folder, _ = make()
    for name, expected in [("assets/vocab.txt", "is missing; the module names it"),
                           ("variables/variables.index", "is no whole TensorFlow checkpoint"),
                           ("saved_model.pb", "is damaged")]:
        path = pathlib.Path(folder, name)
        content = path.read_bytes()
        path.write_bytes(content[:len(content) // 2] + b"\xff\xff") if "assets" not in name else (
            path.unlink())
        assert expected in refused(folder), name
        path.write_bytes(content)
    path = pathlib.Path(folder, "variables/variables.data-00000-of-00001")
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    assert "is damaged or cut" in refused(folder)
    assert not cache.exists()


def test_a_vocabulary_outside_of_the_module(make):
    from tensorflow.core.protobuf import saved_model_pb2

    folder, _ = make()
    path, graph = pathlib.Path(folder, "saved_model.pb"), saved_model_pb2.SavedModel()
    graph.ParseFromString(path.read_bytes())
    graph.meta_graphs[0].asset_file_def[0].filename = "../../words/vocab.txt"
    path.write_bytes(graph.SerializeToString())
    assert "the vocabulary '../../words/vocab.txt' leads out of the folder" in refused(folder)


def test_a_cache_that_cannot_be_written(make, tmp_path, monkeypatch):
    folder, _ = make()
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("TFHUB_CACHE_DIR", str(tmp_path / "file"))
    assert "name another folder in TFHUB_CACHE_DIR" in refused(folder)


def test_a_cache_of_another_user(make, tmp_path, monkeypatch):
    monkeypatch.delenv("TFHUB_CACHE_DIR")
    monkeypatch.setattr(hub.tempfile, "gettempdir", lambda: str(tmp_path))
    folder, _ = make()
    (tmp_path / "tfhub_modules").mkdir()
    assert hub.checkpoint_of(folder).startswith(str(tmp_path / "tfhub_modules" / "bert-"))
    monkeypatch.setattr(hub.os, "getuid", lambda: 12345)
    for handle in (folder, "https://tfhub.dev/google/bert/1"):
        assert "tfhub_modules: belongs to another user" in refused(handle)


# ---- addresses


def test_an_address(make, cache, tmp_path):
    folder, _ = make()
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as archive:
        archive.add(folder, arcname=".")
    asked = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            asked.append(self.path)
            if self.path != "/google/bert/1?tf-hub-format=compressed":
                return self.send_error(404)
            self.send_response(200)
            self.end_headers()
            self.wfile.write(packed.getvalue())
            return None

        def log_message(self, *arguments):
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        site = f"http://127.0.0.1:{server.server_port}"
        made = hub.checkpoint_of(f"{site}/google/bert/1")
        assert hub.checkpoint_of(f"{site}/google/bert/1") == made == hub.checkpoint_of(folder)
        assert len(asked) == 1
        problem = refused(f"{site}/nowhere/1")
        server.shutdown()
    assert "HTTP Error 404" in problem
    assert f"curl -L '{site}/nowhere/1?tf-hub-format=compressed' | tar -xzC module" in problem


@pytest.mark.parametrize("address", ["http://example.org/bert/1", "https://[::1/bert"])
def test_an_address_that_is_not_used(address):
    assert "this address is not used" in refused(address)


def test_no_network():
    with socket.create_server(("127.0.0.1", 0)) as nobody:
        port = nobody.getsockname()[1]
    problem = refused(f"http://127.0.0.1:{port}/google/bert/1")
    assert "Connection refused" in problem
    assert "then give the folder: --bert_hub_module_handle=module" in problem
    with pytest.raises(UserError, match="this address is not used"):
        hub.checkpoint_of("http://tfhub.dev/google/bert/1")


def test_tensorflow_hub_that_cannot_be_imported(monkeypatch):
    monkeypatch.setitem(sys.modules, "tensorflow_hub", None)
    assert "needs setuptools below 82" in refused("https://tfhub.dev/google/bert/1")


# ---- the flag


def settings(tmp_path, folder, **other):
    return RunConfig(output_dir=str(tmp_path / "out"), bert_hub_module_handle=folder,
                     **{"do_train": True, "do_lower_case": None, **other})


def test_casing_comes_with_the_module(make, tmp_path):
    for cased in (False, True):
        folder, _ = make(f"cased-{cased}", cased=cased)
        config, told = hub.with_checkpoint(settings(tmp_path, folder))
        assert config.do_lower_case is not cased
        assert config.init_checkpoint == hub.checkpoint_of(folder)
        assert told == [f"{folder}: TF2 SavedModel, 2 layers, 16 wide, 2 heads (from the shapes of "
                        f"the attention), gelu, {len(WORDS[cased])} tokens; --do_lower_case="
                        f"{str(not cased).lower()}"]
        with pytest.raises(UserError) as caught:
            hub.with_checkpoint(settings(tmp_path, folder, do_lower_case=cased))
        assert str(caught.value) == (
            f"--do_lower_case={str(cased).lower()} contradicts --bert_hub_module_handle={folder}, "
            f"which is {'a cased' if cased else 'an uncased'} model; leave --do_lower_case out")
        hub.with_checkpoint(settings(tmp_path, folder, do_lower_case=not cased))


def test_a_module_that_says_nothing(make, tmp_path):
    folder, _ = make(lower=None, vocab=False)
    with pytest.raises(UserError, match="does not say whether it is an uncased model"):
        hub.with_checkpoint(settings(tmp_path, folder))
    with pytest.raises(UserError, match="has no vocabulary; give --vocab_file"):
        hub.with_checkpoint(settings(tmp_path, folder, do_lower_case=True))
    config, _ = hub.with_checkpoint(settings(tmp_path, folder, do_lower_case=True,
                                             vocab_file="vocab.txt"))
    assert config.vocab_file == "vocab.txt"


@pytest.fixture
def data(issues):
    (issues / "labels.txt").write_text("bug\nfeature\nquestion\n")
    return issues


@pytest.mark.slow
def test_a_run(make, data, tmp_path, main):
    folder, _ = make(cased=True)
    output = tmp_path / "out"
    usual = [f"--data_dir={data}", f"--output_dir={output}", "--max_seq_length=16",
             "--train_batch_size=8", "--num_train_epochs=0.6"]
    handle = f"--bert_hub_module_handle={folder}"
    status, said = main(*usual, handle, "--do_train")
    assert status == 0, said
    assert "TF2 SavedModel, 2 layers, 16 wide" in said
    written = json.loads((output / "run_config.json").read_text())
    assert (written["bert_hub_module_handle"], written["do_lower_case"]) == (folder, False)
    assert (output / "vocab.txt").read_text().split() == WORDS[True]
    shutil.rmtree(folder)
    shutil.rmtree(tmp_path / "cache")
    # The trained folder has all that is needed: with the handle, with its own settings, without.
    predictions = []
    for arguments in ([handle], [f"--config={output / 'run_config.json'}", "--nodo_train"],
                      ["--do_lower_case=false"]):
        status, said = main(*usual, *arguments, "--do_predict")
        assert status == 0, said
        predictions.append((output / "predictions.tsv").read_bytes())
    assert predictions[0] == predictions[1] == predictions[2]
    status, said = main(*usual, handle, "--do_predict", "--do_lower_case=true")
    assert status == 2
    assert "--do_lower_case=true contradicts --bert_hub_module_handle" in said


def test_the_weights_start_a_run(make, data, tmp_path, main):
    folder, values = make()
    output = tmp_path / "out"
    status, said = main(f"--data_dir={data}", f"--output_dir={output}", "--max_seq_length=16",
                        "--train_batch_size=15", "--num_train_epochs=1", "--learning_rate=1e-12",
                        "--save_checkpoints_steps=9", "--do_train",
                        f"--bert_hub_module_handle={folder}")
    assert status == 0, said
    trained = checkpoint.read(checkpoint.latest(str(output)), list(values))
    for name, value in values.items():
        np.testing.assert_allclose(trained[name], value, atol=1e-5, err_msg=name)


def test_mistakes_are_told_together(make, data, tiny, tmp_path, main):
    folder, _ = make()
    usual = [f"--data_dir={data}", f"--output_dir={tmp_path / 'out'}", "--do_train"]
    status, said = main(*usual, f"--bert_hub_module_handle={folder}", f"--init_checkpoint={tiny}",
                        "--num_train_epochs=0", "--max_seq_length=16")
    assert status == 2
    assert said.splitlines() == [
        "error: --num_train_epochs=0.0: must be a number above 0",
        f"error: --bert_hub_module_handle={folder} and --init_checkpoint="
        f"{tiny} exclude each other: give one of them"]
    status, said = main(*usual, "--bert_hub_module_handle=nowhere", "--labels=bug,feature",
                        f"--vocab_file={tiny / 'vocab.txt'}")
    assert status == 2
    assert said.count("nowhere") == 1
    assert "None" not in said
    assert not (tmp_path / "out").exists()
    status, said = main(*usual[:2], "--do_eval", "--max_seq_length=16",
                        f"--bert_hub_module_handle={folder}")
    assert status == 2
    assert "has no trained head" in said
