"""The folders of a sweep's runs: whose they are, shared features, checkpoints that go."""

import json

import pytest

from finetune.config import RunConfig
from finetune.sweep import folders
from finetune.sweep.spec import SweepRun

WANTED = {"train": {"examples": "abc", "max_seq_length": 16},
          "dev": {"examples": "def", "max_seq_length": 16}}


def run(label, **settings):
    return SweepRun(RunConfig(**settings), label, label, {})


def write_settings(folder, **settings):
    folder.mkdir(parents=True)
    (folder / "run_config.json").write_text(json.dumps(RunConfig(**settings).as_dict()))


def assigned(folder, *runs):
    return [path.removeprefix(f"{folder}/") for path in folders.assign(str(folder), runs)]


def test_new_runs_are_numbered(tmp_path):
    assert assigned(tmp_path / "none", run("a", seed=1), run("b", seed=2)) == ["001_a", "002_b"]


def test_a_folder_goes_by_its_settings_whatever_its_name(tmp_path):
    write_settings(tmp_path / "004_old", seed=2, output_dir="elsewhere", do_predict=True)
    assert assigned(tmp_path, run("a", seed=1), run("b", seed=2)) == ["005_a", "004_old"]


def test_a_folder_of_other_settings_is_left_alone(tmp_path):
    write_settings(tmp_path / "001_a", seed=1, warmup_proportion=0.5)
    assert assigned(tmp_path, run("a", seed=1)) == ["002_a"]


def test_a_run_that_was_killed_before_it_wrote_its_settings_goes_by_its_name(tmp_path):
    (tmp_path / "003_a").mkdir()
    assert assigned(tmp_path, run("b", seed=2), run("a", seed=1)) == ["004_b", "003_a"]


def test_no_folder_is_given_twice_and_others_are_not_looked_at(tmp_path):
    (tmp_path / "003_a").mkdir()
    (tmp_path / "notes").mkdir()
    (tmp_path / "007_file").write_text("")
    assert assigned(tmp_path, run("a", seed=1), run("a", seed=2)) == ["003_a", "004_a"]


def test_settings_of_an_older_version_count_with_todays_defaults(tmp_path):
    write_settings(tmp_path / "001_x", seed=3)
    path = tmp_path / "001_x" / "run_config.json"
    held = json.loads(path.read_text())
    del held["language"]
    path.write_text(json.dumps(held))
    assert assigned(tmp_path, run("a", seed=3), run("b", seed=3, language="de")) == [
        "001_x", "002_b"]


@pytest.fixture
def made(tmp_path):
    """Folder of a run that has made its records."""
    folder = tmp_path / "001_a"
    folder.mkdir()
    for name, split in (("train.tf_record", "train"), ("eval.tf_record", "dev")):
        (folder / name).write_text(name)
        (folder / f"{name}.json").write_text(json.dumps(
            {"fingerprint": {**WANTED[split], "format": 1}}))
    return folder


def test_records_of_the_same_rows_are_linked(made, tmp_path):
    folder = tmp_path / "002_b"
    assert folders.share_features(str(folder), [str(folder), str(made)], WANTED) == [
        "train.tf_record", "eval.tf_record"]
    assert {path.name for path in folder.iterdir()} == {path.name for path in made.iterdir()}
    for path in folder.iterdir():
        assert path.stat().st_ino == (made / path.name).stat().st_ino
    assert folders.share_features(str(folder), [str(made)], WANTED) == []  # nothing to do


def test_records_are_copied_where_linking_fails(made, tmp_path, monkeypatch):
    def no_links(*_):
        raise OSError("not on this disk")
    monkeypatch.setattr("os.link", no_links)
    folders.share_features(str(tmp_path / "002_b"), [str(made)], WANTED)
    assert (tmp_path / "002_b" / "train.tf_record").read_text() == "train.tf_record"


@pytest.mark.parametrize("change", [
    lambda folder: (folder / "train.tf_record").unlink(),
    lambda folder: (folder / "train.tf_record.json").unlink(),
    lambda folder: (folder / "train.tf_record.json").write_text("{"),
    lambda folder: (folder / "train.tf_record.json").write_text(json.dumps(
        {"fingerprint": {**WANTED["train"], "max_seq_length": 8}}))])
def test_other_or_damaged_records_are_not_shared(made, tmp_path, change):
    change(made)
    assert folders.share_features(str(tmp_path / "002_b"), [str(made)], WANTED) == [
        "eval.tf_record"]


def test_a_run_on_other_rows_is_a_problem(made):
    assert folders.data_problems(str(made), WANTED) == []
    [problem] = folders.data_problems(str(made), {**WANTED, "dev": {"examples": "x"}})
    assert "is a run on other dev rows" in problem


def test_only_checkpoints_are_deleted(tmp_path):
    gone = ["model.ckpt-7.index", "model.ckpt-7.data-00000-of-00001"]
    kept = ["checkpoint", "eval_results.txt", "model.ckpt-notes.txt", "my_model.ckpt-7.index"]
    for name in gone + kept:
        (tmp_path / name).write_text("1234")
    assert folders.checkpoint_bytes(str(tmp_path)) == 8
    assert folders.delete_checkpoints(str(tmp_path)) == 8
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(kept)
    assert folders.delete_checkpoints(str(tmp_path / "none")) == 0
