"""All checks before a run: each problem, several at once, and nothing written."""

import functools
import pathlib
import types

import numpy as np
import pytest

from finetune import checkpoint, model, preflight
from finetune.bert_config import BertConfig, variable_shapes
from finetune.config import RunConfig
from finetune.errors import UserError
from finetune.trainer import Plan
from processors.base import InputExample
from processors.errors import DataError

LABELS = ["bug", "feature", "question"]
compared_too_early = pytest.mark.xfail(
    strict=True, reason="compared with the checkpoint's although it cannot be read")


def rows(*labels):
    return [InputExample(f"row-{number}", "the app crashes", None, label)
            for number, label in enumerate(labels)]


class Processor:
    """Somebody's own; an answer that is an exception is raised."""

    def __init__(self, **answers):
        self.answers = {"train": rows(*LABELS, "bug"), "dev": rows(*LABELS),
                        "test": rows(None, None), "labels": LABELS, **answers}

    def answer(self, name):
        if isinstance(self.answers[name], Exception):
            raise self.answers[name]
        return self.answers[name]

    def get_train_examples(self, data_dir):
        return self.answer("train")

    def get_dev_examples(self, data_dir):
        return self.answer("dev")

    def get_test_examples(self, data_dir):
        return self.answer("test")

    def get_labels(self):
        return self.answer("labels")


@pytest.fixture
def check(tiny, tmp_path):
    """Checks a run of all three modes on the tiny checkpoint; `answers` are the processor's."""
    def run(answers=None, **settings):
        config = RunConfig(**{
            "do_train": True, "do_eval": True, "do_predict": True, "train_batch_size": 2,
            "output_dir": str(tmp_path / "out"), "init_checkpoint": str(tiny),
            "max_seq_length": 32, **settings})
        before = snapshot(tmp_path), snapshot(tiny)
        try:
            return preflight.check(config, Processor(**answers or {}))
        finally:
            assert (snapshot(tmp_path), snapshot(tiny)) == before
    return run


def snapshot(folder):
    return {path: path.is_file() and path.read_bytes() for path in folder.rglob("*")}


@pytest.fixture
def problems(check):
    """Returns the problems of a run that is refused."""
    def run(*arguments, **settings):
        with pytest.raises(UserError) as caught:
            check(*arguments, **settings)
        return caught.value.problems
    return run


def test_a_run_that_can_start(check, tiny, tmp_path):
    prepared = check(eval_every_steps=1)
    assert prepared.config.init_checkpoint == str(tiny / "bert_model.ckpt")
    assert prepared.config.vocab_file == str(tiny / "vocab.txt")
    assert prepared.config.bert_config_file == str(tiny / "bert_config.json")
    assert prepared.bert_config.hidden_size == 16 and prepared.labels == LABELS
    assert {split: len(held) for split, held in prepared.examples.items()} == {
        "train": 4, "dev": 3, "test": 2}
    assert prepared.start.names == list(variable_shapes(prepared.bert_config))
    assert (prepared.plan, prepared.best_metric) == (Plan(6, 0), "accuracy")
    assert (prepared.files, prepared.notices) == ({}, [])


@pytest.mark.parametrize(("flags", "splits"), [
    ({"do_train": True}, ["train"]), ({"do_eval": True}, ["dev"]), ({"do_predict": True}, ["test"]),
    ({"do_train": True, "eval_every_steps": 5}, ["train", "dev"])])
def test_splits_that_a_run_needs(flags, splits):
    assert preflight.needed_splits(RunConfig(**flags)) == splits


@pytest.mark.parametrize(("answers", "settings", "says"), [
    ({}, {"max_seq_length": 41}, "--max_seq_length=41: the model of {tiny}/bert_config.json has "
                                 "positions for 40 tokens at most"),
    ({}, {"do_lower_case": False}, "--do_lower_case=False does not suit --vocab_file={tiny}"),
    pytest.param({}, {"vocab_file": "no.txt"}, "--vocab_file=no.txt: cannot be read",
                 marks=compared_too_early),
    pytest.param({}, {"vocab_file": "."}, "--vocab_file=.: cannot be read",
                 marks=compared_too_early),
    ({}, {"bert_config_file": "no.json"}, "--bert_config_file=no.json: cannot be read"),
    ({}, {"num_train_epochs": 1.0, "train_batch_size": 5},
     "--train_batch_size=5: int(4 rows / 5 * 1.0 epochs) is 0, no single step"),
    ({}, {"metric_for_best": "f1", "eval_every_steps": 1},
     "--metric_for_best=f1: must be one of accuracy, f1_macro, mcc, loss"),
    ({}, {"labels": ("bug", "bug")}, "--labels: label names must differ; given more than once: "
                                     "'bug'"),
    ({}, {"do_train": False, "init_checkpoint": None},
     "--bert_config_file is required: none lies beside --init_checkpoint="),
    ({}, {"do_train": False}, "--init_checkpoint={tiny}/bert_model.ckpt: has no trained head"),
    ({"labels": None}, {}, "the labels are not known: give --labels or --labels_file"),
    ({"labels": ["bug", " x"]}, {}, "labels: label ' x' begins or ends with a blank"),
    ({"labels": ["bug", "question"]}, {}, "example row-1: label 'feature' is not known; allowed "
                                          "are 'bug', 'question'."),
    ({"train": []}, {}, "the train split is empty: Processor.get_train_examples gave no rows"),
    ({"test": []}, {}, "the test split is empty: Processor.get_test_examples gave no rows"),
    ({"dev": rows("bug", "bag")}, {}, "example row-1: label 'bag' is not known"),
    ({"dev": rows("bug", None)}, {}, "example row-1: has no label"),
    ({"dev": KeyError("x")}, {}, "Processor.get_dev_examples failed: KeyError: 'x' ({here}:"),
    ({"labels": NotImplementedError()}, {}, "Processor.get_labels failed: NotImplementedError: "),
    ({"train": DataError(["a.tsv:3: short row"])}, {}, "a.tsv:3: short row"),
])
def test_each_problem(problems, tiny, answers, settings, says):
    found = problems(answers, **settings)
    assert found[0].startswith(says.format(tiny=tiny, here=__file__)), found


@pytest.mark.xfail(strict=True, reason="what a processor returns is taken to be a list")
@pytest.mark.parametrize("answer", [None, (row for row in rows(*LABELS))], ids=["None", "yields"])
def test_a_processor_that_returns_no_list(problems, answer):
    assert "Processor.get_train_examples" in problems({"train": answer})[0]


def test_a_problem_that_two_methods_meet_is_told_once(problems):
    error = DataError(["a.tsv:3: short row"])
    assert problems({"train": error, "labels": error}) == ("a.tsv:3: short row",)


def test_all_problems_are_reported_together(problems, tiny):
    found = problems({"train": rows("bag", "bug"), "dev": [], "test": ValueError("boom")},
                     max_seq_length=99, train_batch_size=9, metric_for_best="bleu",
                     eval_every_steps=1)
    for part in ("--max_seq_length=99", "'bag' is not known", "the dev split is empty",
                 "get_test_examples failed: ValueError: boom", "--train_batch_size=9",
                 "--metric_for_best=bleu"):
        assert sum(part in problem for problem in found) == 1, part
    assert len(found) == 6


@pytest.mark.xfail(strict=True, reason="told again by the reader of shapes")
def test_a_checkpoint_that_is_not_there(problems, tiny):
    problem, = problems(init_checkpoint="no/model.ckpt", vocab_file=str(tiny / "vocab.txt"),
                        bert_config_file=str(tiny / "bert_config.json"))
    assert problem.startswith("--init_checkpoint=no/model.ckpt: there is no ")


def test_a_checkpoint_of_another_model(problems, tiny, tmp_path):
    config = (tiny / "bert_config.json").read_text()
    path = tmp_path / "bert_config.json"
    path.write_text(config.replace('"intermediate_size": 24', '"intermediate_size": 25'))
    found = problems(bert_config_file=str(path))
    assert found[0].endswith("intermediate/dense/kernel has shape [16, 24] there, but "
                             "bert_config.json asks for [16, 25]")


@pytest.mark.parametrize(("change", "says"), [
    (lambda text: text + "more\n", "--vocab_file={path}: has {more} tokens, but the model of "
                                   "{tiny}/bert_config.json has {size}: it is not the "
                                   "checkpoint's vocabulary"),
    (lambda text: text.replace("crash\n", "smash\n"),
     "--vocab_file={path}: differs from {tiny}/vocab.txt, the vocabulary that lies beside the "
     "checkpoint")])
def test_a_vocabulary_of_another_model(problems, tiny, tmp_path, change, says):
    text, path = (tiny / "vocab.txt").read_text(), tmp_path / "vocab.txt"
    path.write_text(change(text))
    size = len(text.splitlines())
    assert problems(vocab_file=str(path)) == (
        says.format(path=path, tiny=tiny, size=size, more=size + 1),)


def test_line_ends_do_not_make_another_vocabulary(check, tiny, tmp_path):
    path = tmp_path / "vocab.txt"
    path.write_bytes((tiny / "vocab.txt").read_bytes().replace(b"\n", b"\r\n"))
    assert check(vocab_file=str(path)).config.vocab_file == str(path)


@pytest.fixture
def trained(tiny, tmp_path):
    """An output folder with a classifier of LABELS[:2]."""
    folder = tmp_path / "out"
    folder.mkdir()
    shapes = model.variable_shapes(BertConfig.from_json_file(str(tiny / "bert_config.json")), 2)
    checkpoint.Folder(str(folder), 5).write(
        4, {name: np.zeros(shape, np.float32) for name, shape in shapes.items()})
    (folder / "labels.txt").write_text("bug\nfeature\n")
    return folder


def test_the_labels_of_a_checkpoint_are_bound_to_it(check, trained):
    prepared = check(do_train=False, do_eval=False)
    assert prepared.labels == ["bug", "feature"] and prepared.config.labels is None
    assert prepared.start.prefix == str(trained / "model.ckpt-4")
    assert check(overwrite_output_dir=True).labels == LABELS


@pytest.mark.parametrize(("labels", "told"), [
    (("bug", "feature", "question"), "has 3 (bug, feature, question)"),
    (("feature", "bug"), "has 2 (feature, bug)")])
def test_other_labels_than_the_folders_are_refused(problems, trained, labels, told):
    found = problems({"train": rows("bug", "feature"), "dev": rows("bug")}, labels=labels)
    assert found[0] == (f"--output_dir={trained} holds a classifier of 2 labels (bug, feature); "
                        f"this run {told}: name another --output_dir, or give "
                        "--overwrite_output_dir to delete it")


def test_an_output_folder_that_is_a_file(problems, tmp_path):
    (tmp_path / "out").touch()
    assert problems() == (f"--output_dir={tmp_path / 'out'}: is a file; name a folder",)


@pytest.mark.xfail(strict=True, reason="only the last part of the path is looked at")
def test_an_output_folder_within_a_file(problems, tmp_path):
    (tmp_path / "file").touch()
    assert problems(output_dir=str(tmp_path / "file/out"))


@pytest.mark.xfail(strict=True, reason="such a run cannot be resumed, and --overwrite_output_dir "
                   "of a* deletes the runs in every folder that begins with a")
@pytest.mark.parametrize("name", ["lr[1]", "a*", "why?"])
def test_folders_that_tensorflow_takes_for_patterns(problems, trained, name):
    folder = trained.parent / name
    trained.rename(folder)
    for flag in ("output_dir", "init_checkpoint"):
        found = problems(**{flag: str(folder)})
        assert any(one.startswith(f"--{flag}={folder}: ") and "pattern" in one for one in found)


def test_an_output_folder_that_cannot_be_written(problems, tmp_path, monkeypatch):
    monkeypatch.setattr("os.access", lambda path, mode: path != str(tmp_path))
    assert problems(output_dir=str(tmp_path / "a/b")) == (
        f"--output_dir={tmp_path / 'a/b'}: {tmp_path} cannot be written to",)


@pytest.mark.xfail(strict=True, reason="--overwrite_output_dir deletes where it starts from")
def test_a_folder_that_is_both_source_and_target_is_not_overwritten(problems, trained, tiny):
    for name in ("vocab.txt", "bert_config.json"):
        (trained / name).write_bytes((tiny / name).read_bytes())
    assert problems(init_checkpoint=str(trained), overwrite_output_dir=True)


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
        return preflight._room_problems(config, tiny_config, 3, plan,
                                        functools.partial(disk, free))
    assert found(needed) == [] and found(0, plan=None) == []
    problem, = found(needed - 1)
    assert problem.startswith(f"--output_dir={config.output_dir}: {count} checkpoints of ")


def test_a_full_disk_is_found_before_the_run(problems, monkeypatch):
    monkeypatch.setattr(preflight, "_room_problems", functools.partial(
        preflight._room_problems, usage=functools.partial(disk, 1000)))
    problem, = problems()
    assert problem.endswith("the disk has 0 MB free; make room or lower --keep_checkpoint_max")
