"""What may be written over, where a run can write, and the room its checkpoints need."""

import functools
import pathlib
import types

import numpy as np
import pytest

from finetune import model, outputs
from finetune.config import RunConfig
from finetune.output_folder import output_problems, room_problems
from finetune.training.schedules import Plan

RUN = ["runs.json", "model.ckpt-7.index", "model.ckpt-7.data-00000-of-00001"]


def problems(path, **settings):
    return output_problems(RunConfig(output_dir=str(path), do_train=True, **settings))


@pytest.fixture
def out(tmp_path):
    """Makes an output folder that holds these files."""
    def make(*names, folder="out"):
        for name in names:
            (tmp_path / folder / name).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / folder / name).write_text("held")
        return tmp_path / folder
    return make


@pytest.mark.parametrize("overwrite", [False, True])
@pytest.mark.parametrize("names", [[], ["notes.txt"], RUN, [*RUN, "notes.txt", "vocab.txt"]])
def test_folders_that_can_take_a_run(out, tmp_path, names, overwrite):
    assert problems(out(*names), overwrite_output_dir=overwrite) == []
    (tmp_path / "empty").mkdir()
    for path in (tmp_path / "empty", tmp_path / "new", tmp_path / "new/below", "new"):
        assert problems(path, overwrite_output_dir=overwrite) == []


@pytest.mark.parametrize("path", ["file", "file/out", "file/a/b"])
def test_a_path_through_a_file(tmp_path, path):
    (tmp_path / "file").touch()
    assert problems(tmp_path / path) == [
        f"--output_dir={tmp_path / path}: {tmp_path / 'file'} is a file; name a folder"]


@pytest.mark.parametrize("path", ["link", "link/out", "link/a/b"])
def test_a_path_through_a_link_to_nothing(tmp_path, path):
    (tmp_path / "link").symlink_to(tmp_path / "gone")
    assert output_problems(RunConfig(output_dir=str(tmp_path / path))) == [
        f"--output_dir={tmp_path / path}: {tmp_path / 'link'} is a link to what does not exist; "
        "name another folder"]
    (tmp_path / "gone").mkdir()
    assert output_problems(RunConfig(output_dir=str(tmp_path / path))) == []


@pytest.mark.parametrize("overwrite", [False, True])
@pytest.mark.parametrize("path", ["lr[1]", "a*", "why?", "a]b", "back\\slash", "a*/below",
                                  "gs://bucket/a*"])
def test_folders_that_tensorflow_takes_for_patterns(tmp_path, path, overwrite):
    path = path if "://" in path else str(tmp_path / path)
    problem, = problems(path, overwrite_output_dir=overwrite)
    assert problem.startswith(f"--output_dir={path}: ") and "for a pattern" in problem


def test_an_output_folder_that_cannot_be_written(tmp_path, monkeypatch):
    monkeypatch.setattr("os.access", lambda path, mode: path != str(tmp_path))
    assert problems(tmp_path / "a/b") == [
        f"--output_dir={tmp_path / 'a/b'}: {tmp_path} cannot be written to"]
    (tmp_path / "a").mkdir()
    assert problems(tmp_path / "a/b") == []


@pytest.mark.parametrize(("name", "kind"), [("eval", "folder"), ("export", "folder"),
                                            ("labels.txt", "file")])
def test_what_stands_in_the_way_of_what_a_run_writes(out, name, kind):
    folder = out(name if kind == "folder" else f"{name}/within")
    assert problems(folder) == [f"--output_dir={folder}: {name} there is no {kind}, and a run "
                                "writes one of that name; name another folder"]


@pytest.mark.parametrize("overwrite", [False, True])
def test_a_released_checkpoint_is_never_written_over(out, overwrite):
    folder = out("bert_model.ckpt.index", "vocab.txt", *RUN)
    assert problems(folder, overwrite_output_dir=overwrite) == [
        f"--output_dir={folder}: holds a pre-trained checkpoint (bert_model.ckpt), which no run "
        "may write over; name another folder"]
    assert problems(folder / "below", overwrite_output_dir=overwrite) == []


@pytest.mark.parametrize(("flag", "name"), [
    ("init_checkpoint", "model.ckpt-7"), ("vocab_file", "vocab.txt"),
    ("bert_config_file", "bert_config.json")])
def test_what_the_run_reads_is_not_deleted(out, tmp_path, monkeypatch, flag, name):
    folder = out(*RUN, "vocab.txt", "bert_config.json")
    monkeypatch.chdir(tmp_path)
    (tmp_path / "link").symlink_to(folder)
    for path in (folder, "out", "./out/", "out/../out", tmp_path / "link"):
        file = str(folder / name)
        says = [f"--overwrite_output_dir would delete --{flag}={file}; name another --output_dir"]
        assert problems(path, overwrite_output_dir=True, **{flag: file}) == says
        assert problems(path, **{flag: file}) == []
    for elsewhere in (tmp_path / name, tmp_path / "out2" / name, folder / "below" / name):
        assert problems(folder, overwrite_output_dir=True, **{flag: str(elsewhere)}) == []


def test_what_the_run_reads_through_a_link_is_not_deleted(out, tmp_path):
    folder, link = out(*RUN, "vocab.txt"), tmp_path / "link.txt"
    link.symlink_to(folder / "vocab.txt")
    assert problems(folder, overwrite_output_dir=True, vocab_file=str(link))


def test_all_that_the_run_reads_is_named(out):
    folder = out(*RUN)
    files = {"init_checkpoint": f"{folder}/model.ckpt-7", "vocab_file": f"{folder}/vocab.txt"}
    assert problems(folder, overwrite_output_dir=True, **files) == [
        f"--overwrite_output_dir would delete --init_checkpoint={folder}/model.ckpt-7, "
        f"--vocab_file={folder}/vocab.txt; name another --output_dir"]


@pytest.mark.parametrize("name", ["vocab.txt", "train.tf_record", "eval/events.out.tfevents.1"])
def test_what_no_run_has_written_is_not_deleted(out, name):
    folder = out(name, "notes.txt")
    assert problems(folder, overwrite_output_dir=True) == [
        f"--overwrite_output_dir would delete {folder / name} in a folder that no run has "
        "written; name another --output_dir"]
    assert problems(folder) == []
    for mark in RUN:  # one of ours, or one of the original's
        (folder / mark).touch()
        assert problems(folder, overwrite_output_dir=True) == []
        (folder / mark).unlink()


def test_the_name_of_the_folder_does_not_make_it_a_runs(out):
    assert problems(out("vocab.txt", folder="of-model.ckpt-7"), overwrite_output_dir=True)


def test_three_of_many_files_are_named(out):
    folder = out("labels.txt", "vocab.txt", "bert_config.json", "predictions.tsv")
    problem, = problems(folder, overwrite_output_dir=True)
    assert problem.count(str(folder)) == 3


@pytest.mark.parametrize("pattern", [
    pattern for pattern in outputs.RUN_FILES
    if pattern not in ("runs.json", "model.ckpt-*", ".writing-*")])  # these only a run can leave
def test_no_file_of_any_kind_is_deleted_where_no_run_was(out, pattern):
    folder = out(pattern.replace("*", "1"))
    assert len(outputs.run_files(str(folder))) == 1
    assert problems(folder, overwrite_output_dir=True)


def disk(free, path):
    assert pathlib.Path(path).is_dir()
    return types.SimpleNamespace(free=free)


@pytest.mark.parametrize(("settings", "count"), [
    ({}, 2),  # the one at the end, and one being written
    ({"save_checkpoints_steps": 10}, 6), ({"save_checkpoints_steps": 10,
                                          "keep_checkpoint_max": 0}, 12),
    ({"eval_every_steps": 20, "keep_checkpoint_max": 0}, 8), ({"eval_every_steps": 20}, 7)])
def test_room_for_the_checkpoints(tiny_config, tmp_path, settings, count):
    config = RunConfig(output_dir=str(tmp_path / "new/folder"), **settings)
    values = sum(int(np.prod(shape)) for shape in model.variable_shapes(tiny_config, 3).values())
    needed = count * values * 12  # weight, adam_m, adam_v; 4 bytes each

    def found(free, plan=Plan(100, 10)):  # noqa: B008
        return room_problems(config, tiny_config, 3, plan, functools.partial(disk, free))
    assert found(needed) == [] and found(0, plan=None) == []
    problem, = found(needed - 1)
    assert problem.startswith(f"--output_dir={config.output_dir}: {count} checkpoints of ")
    assert problem.endswith("make room or lower --keep_checkpoint_max")


@pytest.mark.parametrize(("settings", "count"), [
    ({}, 3), ({"export_formats": ("tflite",)}, 1), ({"export_formats": ("tflite", "onnx")}, 2)])
@pytest.mark.parametrize("plan", [Plan(100, 10), None])
def test_room_for_the_export(tiny_config, tmp_path, settings, count, plan):
    config = RunConfig(output_dir=str(tmp_path), do_export=True, **settings)
    values = sum(int(np.prod(shape)) for shape in model.variable_shapes(tiny_config, 3).values())
    needed = count * (4 * values + 2_000_000) + (2 * values * 12 if plan else 0)

    def found(free):
        return room_problems(config, tiny_config, 3, plan, functools.partial(disk, free))
    assert found(needed) == []
    problem, = found(needed - 1)
    assert f"an export of {count * (4 * values + 2_000_000) / 1e6:.0f} MB (" in problem
    assert ("2 checkpoints" in problem) == bool(plan)
    assert problem.endswith("or name fewer --export_formats")


def test_the_room_of_a_bucket_is_not_asked_for(tiny_config):
    assert room_problems(RunConfig(output_dir="gs://bucket/out"), tiny_config, 3, Plan(100, 10),
                         functools.partial(disk, 0)) == []
