"""Checkpoints: whole or absent, readable by TensorFlow 1's Saver, the right ones kept."""

import os
import pathlib
import re

import numpy as np
import pytest
import tensorflow as tf

from finetune.checkpoints import checkpoint
from finetune.checkpoints.checkpoint import Folder
from finetune.errors import UserError

TENSORS = {"bert/pooler/dense/kernel": np.arange(6, dtype=np.float32).reshape(2, 3),
           "bert/pooler/dense/bias": np.zeros(3, np.float32), "global_step": np.int64(7)}


def small(number):
    return {"weight": np.full(3, number, np.float32)}


def names(folder):
    return sorted(os.listdir(folder))


def files(*steps):
    return sorted(["checkpoint", *(f"model.ckpt-{step}{ending}" for step in steps
                                   for ending in (".data-00000-of-00001", ".index"))])


def same(values, expected):
    assert set(values) == set(expected)
    for name, value in values.items():
        assert value.dtype == expected[name].dtype and value.shape == expected[name].shape
        np.testing.assert_array_equal(value, expected[name], name)


def fails(*arguments, **options):
    raise tf.errors.ResourceExhaustedError(None, None, "No space left on device")


@pytest.mark.parametrize("wrap", [np.asarray, tf.constant, tf.Variable])
def test_what_is_saved_is_read(tmp_path, wrap):
    prefix = str(tmp_path / "model.ckpt-7")
    assert not checkpoint.exists(prefix)
    checkpoint.save(prefix, {name: wrap(value) for name, value in TENSORS.items()})
    assert checkpoint.exists(prefix)
    assert names(tmp_path) == files(7)[1:]
    assert checkpoint.shapes(prefix) == {name: value.shape for name, value in TENSORS.items()}
    same(checkpoint.read(prefix, list(TENSORS)), TENSORS)
    same(checkpoint.read(prefix, ["global_step"]), {"global_step": TENSORS["global_step"]})


def test_a_tf1_saver_restores_it(tmp_path):
    prefix = str(tmp_path / "model.ckpt-7")
    checkpoint.save(prefix, TENSORS)
    tf1 = tf.compat.v1
    with tf.Graph().as_default(), tf1.Session() as session:
        variables = {name: tf1.get_variable(name, value.shape, value.dtype)
                     for name, value in TENSORS.items()}
        tf1.train.Saver().restore(session, prefix)
        same(session.run(variables), TENSORS)


def test_what_a_tf1_saver_wrote_is_read(tmp_path):
    tf1 = tf.compat.v1
    with tf.Graph().as_default(), tf1.Session() as session:
        for name, value in TENSORS.items():
            tf1.get_variable(name, initializer=value)
        session.run(tf1.global_variables_initializer())
        tf1.train.Saver().save(session, str(tmp_path / "model.ckpt"), global_step=7)
    assert checkpoint.latest(str(tmp_path)) == str(tmp_path / "model.ckpt-7")
    same(checkpoint.read(str(tmp_path / "model.ckpt-7"), list(TENSORS)), TENSORS)


def half_written(prefix, **options):
    assert os.path.basename(prefix).startswith(checkpoint.WRITING)  # what Folder removes
    pathlib.Path(prefix + ".data-00000-of-00001").write_bytes(b"half")
    fails()


def rename_once(rename=tf.io.gfile.rename):
    def run(source, target, overwrite=False):
        if target.endswith(".index"):
            fails()
        rename(source, target, overwrite=overwrite)
    return run


@pytest.mark.parametrize(("module", "name", "replacement"), [
    (tf.raw_ops, "SaveV2", half_written), (tf.io.gfile, "rename", rename_once())])
def test_a_checkpoint_that_was_not_finished_is_invisible(tmp_path, monkeypatch, module, name,
                                                         replacement):
    folder = Folder(str(tmp_path), keep=1)
    folder.write(1, small(1))
    with monkeypatch.context() as patch:
        patch.setattr(module, name, replacement)
        with pytest.raises(tf.errors.ResourceExhaustedError):
            folder.write(2, small(2))
    assert not [name for name in names(tmp_path) if name.startswith(checkpoint.WRITING)]
    assert not checkpoint.exists(str(tmp_path / "model.ckpt-2"))
    assert checkpoint.steps(str(tmp_path)) == [1]
    assert checkpoint.latest(str(tmp_path)) == str(tmp_path / "model.ckpt-1")
    same(checkpoint.read(str(tmp_path / "model.ckpt-1"), ["weight"]), small(1))
    folder.write(2, small(2))  # and the same step can be written again
    assert names(tmp_path) == files(2)


def test_what_a_killed_process_left_is_removed(tmp_path):
    for name in (".writing-model.ckpt-3.index", "notes.txt"):
        (tmp_path / name).touch()
    assert checkpoint.latest(str(tmp_path)) is None
    Folder(str(tmp_path), keep=5)
    assert names(tmp_path) == ["notes.txt"]


@pytest.mark.parametrize(("keep", "kept"), [(0, [1, 2, 10, 11]), (2, [10, 11]), (1, [11])])
def test_the_newest_are_kept(tmp_path, keep, kept):
    folder = Folder(str(tmp_path), keep)
    for step in (1, 2, 10, 11):
        prefix = folder.write(step, small(step))
        assert prefix == checkpoint.latest(str(tmp_path)) == str(tmp_path / f"model.ckpt-{step}")
    assert checkpoint.steps(str(tmp_path)) == kept
    assert names(tmp_path) == files(*kept)
    state = tf.train.get_checkpoint_state(str(tmp_path))
    assert list(state.all_model_checkpoint_paths) == [
        str(tmp_path / f"model.ckpt-{step}") for step in kept]


def test_the_best_is_kept_until_another_is_better(tmp_path):
    folder = Folder(str(tmp_path), keep=1)
    assert checkpoint.best(str(tmp_path)) is None
    for step, value, kept in ((1, 0.5, [1]), (2, 0.5, [1, 2]), (3, 0.75, [1, 3]), (4, 0.7, [3, 4])):
        folder.write(step, small(step))
        assert checkpoint.steps(str(tmp_path)) == kept
        assert folder.note_evaluation(step, "accuracy", value) == (step in (1, 3))
    assert checkpoint.best(str(tmp_path)) == {
        "checkpoint": "model.ckpt-3", "step": 3, "metric": "accuracy", "value": 0.75,
        "evaluated": 4}
    os.remove(tmp_path / "model.ckpt-3.index")
    assert checkpoint.best(str(tmp_path)) is None


@pytest.mark.parametrize(("metric", "best"), [("accuracy", 2), ("mcc", 2), ("loss", 3)])
def test_a_loss_is_best_when_lowest(tmp_path, metric, best):
    folder = Folder(str(tmp_path), keep=0)
    for step, value in ((1, 0.5), (2, 0.75), (3, 0.25)):
        folder.write(step, small(step))
        folder.note_evaluation(step, metric, value)
    assert checkpoint.best(str(tmp_path))["step"] == best


def test_a_best_of_another_metric_does_not_count(tmp_path):
    folder = Folder(str(tmp_path), keep=0)
    for step, metric, value in ((1, "accuracy", 0.5), (2, "loss", 0.9), (3, "mcc", 0.1)):
        folder.write(step, small(step))
        assert folder.note_evaluation(step, metric, value)
        record = checkpoint.best(str(tmp_path))
        assert (record["step"], record["metric"], record["value"]) == (step, metric, value)


def test_a_folder_can_be_moved(tmp_path):
    (tmp_path / "here").mkdir()
    Folder(str(tmp_path / "here"), keep=5).write(3, small(3))
    assert str(tmp_path) not in (tmp_path / "here/checkpoint").read_text()
    (tmp_path / "here").rename(tmp_path / "there")
    assert checkpoint.latest(str(tmp_path / "there")) == str(tmp_path / "there/model.ckpt-3")


@pytest.mark.parametrize(("keep", "kept"), [(1, [60]), (5, [100, 60])])
def test_a_run_that_goes_on_from_an_older_checkpoint_keeps_what_it_writes(tmp_path, keep, kept):
    Folder(str(tmp_path), keep=5).write(100, small(100))
    folder = Folder(str(tmp_path), keep)
    prefix = folder.write(60, small(60))
    assert checkpoint.latest(str(tmp_path)) == prefix == str(tmp_path / "model.ckpt-60")
    assert checkpoint.steps(str(tmp_path)) == sorted(kept)
    state = tf.train.get_checkpoint_state(str(tmp_path))  # TensorFlow deletes the first ones first
    assert list(state.all_model_checkpoint_paths) == [
        str(tmp_path / f"model.ckpt-{step}") for step in kept]


def test_no_newest_checkpoint(tmp_path):
    assert checkpoint.latest(str(tmp_path)) is None
    assert checkpoint.latest(str(tmp_path / "nowhere")) is None
    Folder(str(tmp_path), keep=5).write(3, small(3))
    os.remove(tmp_path / "model.ckpt-3.index")
    assert checkpoint.latest(str(tmp_path)) is None


def test_the_chosen_one_is_the_best_else_the_newest(tmp_path):
    assert checkpoint.chosen(str(tmp_path)) is None
    assert checkpoint.chosen(str(tmp_path / "nowhere")) is None
    folder = Folder(str(tmp_path), keep=5)
    prefixes = [folder.write(step, small(step)) for step in (3, 6)]
    assert checkpoint.chosen(str(tmp_path)) == prefixes[1]
    folder.note_evaluation(3, "accuracy", 0.5)
    assert checkpoint.chosen(str(tmp_path)) == prefixes[0] == checkpoint.resolve(str(tmp_path))
    assert checkpoint.latest(str(tmp_path)) == prefixes[1]
    os.remove(prefixes[0] + ".index")
    assert checkpoint.chosen(str(tmp_path)) == prefixes[1] == checkpoint.resolve(str(tmp_path))


@pytest.mark.parametrize("name", ["model.safetensors", "pytorch_model.bin.index.json"])
def test_a_hugging_face_folder_is_told_how_to_be_converted(tmp_path, name):
    folder = tmp_path / "a model"
    folder.mkdir()
    (folder / name).write_bytes(b"")
    for path in (folder, folder / name):
        with pytest.raises(UserError) as caught:
            checkpoint.resolve(str(path))
        assert str(caught.value) == (
            f"--init_checkpoint={path}: is a model in the Hugging Face layout ({name}); this makes "
            "a checkpoint of it, to be given here: scripts/convert_checkpoint.sh from-huggingface "
            f"'{folder}' checkpoints/NAME")
    prefix = str(folder / "bert_model.ckpt")  # both in one folder, as some authors publish them
    checkpoint.save(prefix, {"x": np.zeros(1, np.float32)})
    assert checkpoint.resolve(str(folder)) == prefix


def test_resolve(tmp_path):
    release = tmp_path / "release"
    release.mkdir()
    prefix = str(release / "bert_model.ckpt")
    checkpoint.save(prefix, small(1))
    assert checkpoint.resolve(prefix) == checkpoint.resolve(str(release)) == prefix
    newest = Folder(str(release), keep=5).write(3, small(3))
    assert checkpoint.resolve(str(release)) == newest


@pytest.mark.parametrize("file", [".index", ".data-00000-of-00001", ".meta"])
def test_a_file_of_a_checkpoint_is_told_by_what_is_to_be_given(tmp_path, file):
    for step in (42, 84):
        checkpoint.save(str(tmp_path / f"model.ckpt-{step}"), small(step))
    with pytest.raises(UserError, match="did you mean .*model.ckpt-84[?]$"):
        checkpoint.resolve(str(tmp_path / f"model.ckpt-84{file}"))


@pytest.mark.parametrize(("name", "says"), [
    ("", "the folder holds no checkpoint (bert_model.ckpt.index or a file named checkpoint, "
     "and what it names); give the --output_dir of a training, or a folder made by "
     "scripts/download_checkpoint.sh"),
    ("bert_model.ckpt", "there is no such folder and no {path}.index; give the prefix of a "
                        "TensorFlow checkpoint")])
def test_resolve_says_what_is_missing(tmp_path, name, says):
    path = os.path.join(tmp_path, name)
    with pytest.raises(UserError) as caught:
        checkpoint.resolve(path)
    assert str(caught.value).startswith(f"--init_checkpoint={path}: " + says.format(path=path))


def cut(path):
    path.write_bytes(path.read_bytes()[:-8])


def flip(path):
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 0xff
    path.write_bytes(data)


@pytest.mark.parametrize("damage", [cut, flip, pathlib.Path.unlink])
def test_damaged_data(tmp_path, damage):
    prefix = str(tmp_path / "model.ckpt-7")
    checkpoint.save(prefix, {"weight": np.ones(100, np.float32)})
    damage(tmp_path / "model.ckpt-7.data-00000-of-00001")
    with pytest.raises(UserError) as caught:
        checkpoint.read(prefix, ["weight"])
    what = "not there" if damage is pathlib.Path.unlink else "damaged or cut"
    assert str(caught.value).startswith(
        f"{prefix}: is no whole TensorFlow checkpoint: {prefix}.data-00000-of-00001 is {what}, "
        "weight cannot be read (TensorFlow: ")
    assert str(caught.value).endswith("; copy or download the checkpoint's files again")


@pytest.mark.parametrize("read", [checkpoint.shapes, lambda at: checkpoint.read(at, ["weight"])])
@pytest.mark.parametrize("damage", [cut, lambda path: path.write_bytes(b""), pathlib.Path.unlink])
def test_damaged_index(tmp_path, damage, read):
    prefix = str(tmp_path / "model.ckpt-7")
    checkpoint.save(prefix, TENSORS)
    damage(tmp_path / "model.ckpt-7.index")
    with pytest.raises(UserError) as caught:
        read(prefix)
    what = "not there" if damage is pathlib.Path.unlink else "damaged or cut"
    assert str(caught.value).startswith(
        f"{prefix}: is no whole TensorFlow checkpoint: {prefix}.index is {what} (TensorFlow: ")
    assert str(caught.value).endswith("; copy or download the checkpoint's files again")


def test_errors_are_best_when_lowest(tmp_path):
    for metric, better in (("mse", 0.5), ("mae", 0.5), ("loss", 0.5), ("pearson", 1.5)):
        folder = checkpoint.Folder(str(tmp_path), 5)
        for step in (1, 2, 3):
            folder.write(step, {"global_step": np.int64(step)})
        found = [folder.note_evaluation(step, metric, value)
                 for step, value in ((1, 1.0), (2, better), (3, 1.0))]
        assert found == [True, True, False], metric


def test_a_damaged_checkpoint_is_told_with_the_whole_one_beside_it(tmp_path):
    folder = checkpoint.Folder(str(tmp_path), 5)
    older, newest = (folder.write(step, {"a": np.arange(99.0), "global_step": np.int64(step)})
                     for step in (3, 6))
    cut = f"{newest}.data-00000-of-00001"
    with open(cut, "r+b") as file:
        file.truncate(10)
    remedy = f"{older} beside it is whole, and the training command makes the damaged one again"
    with pytest.raises(UserError, match=re.escape(remedy)):
        checkpoint.read(newest, ["a"])
    (tmp_path / "model.ckpt-6.index").write_bytes(b"no index")
    with pytest.raises(UserError, match=re.escape(remedy)):
        checkpoint.shapes(newest)
    (tmp_path / "model.ckpt-3.index").unlink()
    with pytest.raises(UserError) as caught:
        checkpoint.shapes(newest)
    assert "beside it" not in str(caught.value)
