"""finetune/sources/strip.py: the slots go, everything else stays, and the answers are the same."""

import os
import shutil

import numpy as np
import pytest

from finetune import model
from finetune.bert_config import BertConfig
from finetune.checkpoints import checkpoint
from finetune.errors import UserError
from finetune.sources import strip
from finetune.training import optimizer

LABELS = ("bug", "feature", "question")


@pytest.fixture(scope="module")
def trained(tmp_path_factory, tiny):
    """Data, and the folder of a run that made two steps on it."""
    data, out = tmp_path_factory.mktemp("data"), tmp_path_factory.mktemp("run")
    rows = "".join(f"{label}\tplease open the file {number}\n" for number in range(3)
                   for label in LABELS)
    for name in ("dev", "test"):
        (data / f"{name}.tsv").write_text("label\ttext\n" + rows)
    for name in ("bert_config.json", "vocab.txt"):
        shutil.copy(tiny / name, out / name)
    (out / "labels.txt").write_text("".join(f"{label}\n" for label in LABELS))
    (out / "run_config.json").write_text('{"max_seq_length": 24, "do_lower_case": true}')
    shapes = model.variable_shapes(BertConfig.from_json_file(str(tiny / "bert_config.json")), 3)
    random = np.random.default_rng(0)
    checkpoint.Folder(str(out), 1).write(2, {"global_step": np.int64(2), **{
        name: random.normal(size=shape).astype(np.float32) * 0.3
        for name, shape in {**shapes, **model.slot_shapes(shapes)}.items()}})
    return data, out


def test_all_but_the_slots_is_kept(trained, tmp_path):
    _, out = trained
    done = strip.strip(str(out), str(tmp_path / "kept"))
    before, after = checkpoint.latest(str(out)), checkpoint.latest(str(tmp_path / "kept"))
    assert os.path.basename(after) == os.path.basename(before) == "model.ckpt-2"
    names = set(checkpoint.shapes(before))
    slots = {name for name in names if name.endswith(optimizer.SLOTS)}
    assert set(checkpoint.shapes(after)) == names - slots
    assert len(slots) == 2 * (len(names) - len(slots) - 1)  # two a weight; global_step has none
    assert done.notices == [f"{len(slots)} of {len(names)} tensors were Adam's and are left out"]
    for name, value in checkpoint.read(before, sorted(names - slots)).items():
        np.testing.assert_array_equal(checkpoint.read(after, [name])[name], value)
    assert checkpoint.read(after, ["global_step"])["global_step"] == 2
    data = ".data-00000-of-00001"
    assert os.path.getsize(after + data) < 0.34 * os.path.getsize(before + data)
    for name in ("bert_config.json", "vocab.txt", "labels.txt", "run_config.json"):
        assert (tmp_path / "kept" / name).read_bytes() == (out / name).read_bytes()


def test_it_evaluates_and_predicts_the_same(trained, tmp_path, main):
    data, out = trained
    strip.strip(str(out), str(tmp_path / "kept"))
    results = []
    for source in (out, tmp_path / "kept"):
        folder = tmp_path / f"from {source.name}"
        status, error = main(f"--data_dir={data}", f"--init_checkpoint={source}", "--do_eval",
                             "--do_predict", f"--output_dir={folder}", "--max_seq_length=24")
        assert status == 0, error
        results.append([(folder / name).read_bytes() for name in (
            "eval_results.txt", "test_results.tsv", "predictions.tsv", "labels.txt")])
    assert results[0] == results[1]
    assert b"global_step = 2\n" in results[1][0]


@pytest.mark.parametrize("name", ["", "archive", "a/b", "model.ckpt-2", "../{}/archive"])
@pytest.mark.parametrize("source", ["", "model.ckpt-2"])
def test_nothing_is_written_into_the_run_s_own_folder(trained, name, source):
    _, out = trained
    before = {path: path.stat().st_mtime_ns for path in out.rglob("*")}
    target = os.path.join(out, name.format(out.name))
    with pytest.raises(UserError) as caught:
        strip.strip(os.path.join(out, source), target)
    assert caught.value.problems == (
        f"{target}: lies in {out}, the folder of the checkpoint itself, in which nothing is "
        "changed; name a new folder elsewhere.",)
    assert {path: path.stat().st_mtime_ns for path in out.rglob("*")} == before


def test_no_command_makes_a_folder_of_a_prefix(trained, tiny):
    _, out = trained
    with pytest.raises(UserError, match="model.ckpt-2: is the prefix of a checkpoint"):
        strip.strip(str(tiny), str(out / "model.ckpt-2"))


def test_a_checkpoint_without_slots_is_copied(tiny, tmp_path):
    done = strip.strip(str(tiny / "bert_model.ckpt"), str(tmp_path / "kept"))
    assert done.notices == ["the checkpoint has none of Adam's tensors: this is a copy"]
    assert checkpoint.resolve(str(tmp_path / "kept")) == str(tmp_path / "kept/bert_model.ckpt")


def test_a_damaged_checkpoint(trained, tmp_path):
    _, out = trained
    prefix = tmp_path / "damaged" / "model.ckpt-2"
    prefix.parent.mkdir()
    for ending in (".index", ".data-00000-of-00001"):
        shutil.copy(out / f"{prefix.name}{ending}", prefix.parent)
    with open(f"{prefix}.data-00000-of-00001", "r+b") as file:
        file.truncate(5000)
    with pytest.raises(UserError, match="is damaged or cut"):
        strip.strip(str(prefix), str(tmp_path / "kept"), str(out / "bert_config.json"),
                    str(out / "vocab.txt"))
    assert not (tmp_path / "kept").exists()
