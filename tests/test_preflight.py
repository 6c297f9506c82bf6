"""All checks before a run: each problem, several at once, and nothing written."""

import functools
import json
import types
from fractions import Fraction

import numpy as np
import pytest

from finetune import model, preflight, reading
from finetune.bert_config import BertConfig, variable_shapes
from finetune.checkpoints import checkpoint
from finetune.config import RunConfig
from finetune.errors import UserError
from finetune.training.schedules import Plan
from processors.base import InputExample
from processors.errors import DataError

LABELS = ["bug", "feature", "question"]


def rows(*labels):
    return [InputExample(f"row-{number}", "the app crashes", None, label)
            for number, label in enumerate(labels)]


class Processor:
    """Somebody's own; an answer that is an exception is raised."""

    def __init__(self, **answers):
        self.answers = {"train": rows(*LABELS, "bug"), "dev": rows(*LABELS),
                        "test": rows(None, None), "labels": LABELS, **answers}

    def answer(self, name):
        if isinstance(self.answers[name], BaseException):
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
    def run(answers=None, known=(), **settings):
        processor = None if answers == "none" else Processor(**answers or {})
        config = RunConfig(**{
            "do_train": True, "do_eval": True, "do_predict": True, "train_batch_size": 2,
            "output_dir": str(tmp_path / "out"), "init_checkpoint": str(tiny),
            "max_seq_length": 32, **settings})
        before = snapshot(tmp_path), snapshot(tiny)
        try:
            return preflight.check(config, processor, known)
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
    assert (prepared.plan, prepared.best_metric) == (Plan(6, 0, Fraction(2)), "accuracy")
    assert (prepared.files, prepared.notices) == (
        {}, ["labels with no or one training row: feature (1), question (1)"])


@pytest.mark.parametrize(("flags", "splits"), [
    ({"do_train": True}, ["train"]), ({"do_eval": True}, ["dev"]), ({"do_predict": True}, ["test"]),
    ({"do_train": True, "eval_every_steps": 5}, ["train", "dev"])])
def test_splits_that_a_run_needs(flags, splits):
    assert reading.needed_splits(RunConfig(**flags)) == splits


@pytest.mark.parametrize(("answers", "settings", "says"), [
    ({}, {"max_seq_length": 41}, "--max_seq_length=41: the model of {tiny}/bert_config.json has "
                                 "positions for 40 tokens at most"),
    ({}, {"do_lower_case": False}, "--do_lower_case=False does not suit --vocab_file={tiny}"),
    ({}, {"vocab_file": "no.txt"}, "--vocab_file=no.txt: cannot be read"),
    ({}, {"vocab_file": "."}, "--vocab_file=.: cannot be read"),
    ({}, {"bert_config_file": "no.json"}, "--bert_config_file=no.json: cannot be read"),
    ({}, {"num_train_epochs": 1.0, "train_batch_size": 5},
     "--train_batch_size=5: 4 rows are too few: of 5 a step in 1 epoch they make no single step "
     "(int(4 / 5 * 1.0) is 0); lower --train_batch_size or raise --num_train_epochs"),
    ({}, {"metric_for_best": "f1", "eval_every_steps": 1},
     "--metric_for_best=f1: must be one of accuracy, f1_macro, mcc, loss"),
    ({}, {"metric_for_best": "", "eval_every_steps": 1},  # as of an unset variable
     "--metric_for_best=: must be one of accuracy, f1_macro, mcc, loss"),
    ({}, {"labels": ("bug", "bug")}, "--labels: label names must differ; given more than once: "
                                     "'bug'"),
    ({}, {"do_train": False, "init_checkpoint": None},
     "there is nothing to evaluate or predict with: give --init_checkpoint=<the folder of a tr"),
    ({}, {"init_checkpoint": None},
     "--bert_config_file is required: give it, or --init_checkpoint=<the folder of a checkpoint"),
    ({}, {"do_train": False}, "{tiny}/bert_model.ckpt: has no trained head"),
    ({"labels": None}, {}, "the labels are not known: give --labels or --labels_file"),
    ({"labels": ["bug", " x"]}, {}, "labels: label ' x' begins or ends with a blank"),
    ({"labels": ["bug", "question"]}, {},
     'example row-1: label "feature" is not one of "bug", "question"'),
    ({"train": []}, {}, "the train split is empty: Processor.get_train_examples gave no rows"),
    ({"test": []}, {}, "the test split is empty: Processor.get_test_examples gave no rows"),
    ({"dev": rows("bug", "bag")}, {}, 'example row-1: label "bag" is not one of'),
    ({"dev": rows("bug", None)}, {}, "example row-1: has no label"),
    ({"dev": KeyError("x")}, {}, "Processor.get_dev_examples failed: KeyError: 'x' ({here}:"),
    ({"labels": NotImplementedError()}, {}, "Processor has no get_labels, which this run needs"),
    ({"dev": SystemExit(3)}, {}, "Processor.get_dev_examples failed: SystemExit: 3 ({here}:"),
    ({"train": DataError(["a.tsv:3: short row"])}, {}, "a.tsv:3: short row"),
])
def test_each_problem(problems, tiny, answers, settings, says):
    found = problems(answers, **settings)
    assert found[0].startswith(says.format(tiny=tiny, here=__file__)), found


MIXED = [*rows("bug"), None]


@pytest.mark.parametrize("split", ["train", "dev", "test"])
@pytest.mark.parametrize(("answer", "kind"), [
    (None, "NoneType"), ((row for row in rows(*LABELS)), "generator"), ("row", "str"),
    ({"bug": 1}, "dict"), (7, "int"), ([None], "NoneType"),
    ([("0", "the app", None, "bug")], "tuple"),
    (MIXED, "NoneType")])
def test_a_processor_that_returns_no_list_of_examples(problems, split, answer, kind):
    assert problems({split: answer}) == (
        f"Processor.get_{split}_examples gave {kind}; must be a list of examples with guid, "
        "text_a, text_b, label",)


def test_examples_that_lack_an_attribute(problems):
    row = types.SimpleNamespace(guid="0", text_a="the app", label="bug")
    found, = problems({"train": [row] * 4})
    assert found.startswith("Processor.get_train_examples gave SimpleNamespace; must be a list of ")


@pytest.mark.parametrize("kind", [list, tuple])
def test_examples_and_labels_of_the_original_are_enough(check, kind):
    row = types.SimpleNamespace(guid="0", text_a="the app", text_b=None, label="bug")
    prepared = check({"train": kind([row] * 4), "labels": kind(LABELS)})
    assert list(prepared.examples["train"]) == [row] * 4 and prepared.labels == LABELS


@pytest.mark.parametrize(("answer", "told"), [
    ("bug", "'bug'"), ({"bug"}, "{'bug'}"), ({"bug": 0}, "{'bug': 0}"), (3, "3"),
    (iter(LABELS), "<list_iterator object at 0x"), (np.array(["bug"]), "array(['bug'],")])
def test_a_processor_that_returns_no_list_of_labels(problems, answer, told):
    found, = problems({"labels": answer})
    assert found.startswith(f"Processor.get_labels gave {told}")
    assert found.endswith("; must be a list of labels")


@pytest.mark.parametrize("kind", [int, np.int64, str])
def test_labels_that_are_numbers_are_taken_as_text(check, kind):
    numbers = {"train": rows(0, 1, kind(0), "1"), "dev": rows(kind(1)), "test": rows(kind(0), None)}
    assert check({**numbers, "labels": [kind(0), kind(1)]}).labels == ["0", "1"]


@pytest.mark.parametrize(("label", "told"), [
    (1.5, "label 1.5"), (True, "label True"), (b"bug", "label b'bug'"), (["bug"], 'label ["bug"]')])
def test_labels_of_rows_that_are_of_another_type(problems, label, told):
    assert problems({"dev": rows("bug", label)}) == (
        f'example row-1: {told} is not one of "bug", "feature", "question"',)


@pytest.mark.parametrize("text", [None, 3.0, ["the", "app"]])
def test_a_text_that_is_none(problems, text):
    row = InputExample("row-9", text, None, "bug")
    assert problems({"dev": [row]}) == (
        f"example row-9: text_a is {text!r}; it has to be a string.",)


def test_a_problem_that_two_methods_meet_is_told_once(problems):
    error = DataError(["a.tsv:3: short row"])
    assert problems({"train": error, "labels": error}) == ("a.tsv:3: short row",)


def test_all_problems_are_reported_together(problems, tiny):
    found = problems({"train": rows("bag", "bug"), "dev": [], "test": ValueError("boom")},
                     max_seq_length=99, train_batch_size=9, metric_for_best="bleu",
                     eval_every_steps=1)
    for part in ("--max_seq_length=99", '"bag" is not one of', "the dev split is empty",
                 "get_test_examples failed: ValueError: boom", "--train_batch_size=9",
                 "--metric_for_best=bleu"):
        assert sum(part in problem for problem in found) == 1, part
    assert len(found) == 6


def test_problems_known_before_come_first_and_no_problem_comes_twice(problems):
    same = "--max_seq_length=41: the model of"
    found = problems("none", known=["--processor=x: no such module", "b", "b"], seed=-1,
                     max_seq_length=41)
    assert found[:2] == ("--processor=x: no such module", "b") and len(found) == 4
    assert found[2].startswith("--seed=-1") and found[3].startswith(same)
    assert problems(known=["a"]) == ("a",)


@pytest.mark.parametrize("train", [True, False])
@pytest.mark.parametrize("beside", [True, False])
def test_a_checkpoint_that_is_not_there_is_told_once(problems, tiny, train, beside):
    model_files = {} if beside else {"vocab_file": str(tiny / "vocab.txt"),
                                     "bert_config_file": str(tiny / "bert_config.json")}
    problem, = problems(init_checkpoint="no/model.ckpt", do_train=train, **model_files)
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


def test_that_labels_are_not_the_folders_is_not_told_where_they_may_be_wrong(problems, trained):
    answers = {"train": rows("bug", "feature"), "dev": rows("bug")}
    wrong = {"labels": ("bug", "feature", "question")}
    [problem] = problems(answers, **wrong, learning_rate=0.0)
    assert problem == "--learning_rate=0.0: must be a number above 0"
    [problem] = problems({**answers, "dev": DataError("d: label")}, **wrong)
    assert problem == "d: label"


def test_labels_of_a_checkpoint_elsewhere_are_bound_too(check, problems, trained, tiny, tmp_path):
    settings = {"do_train": False, "do_eval": False, "init_checkpoint": str(trained),
                "output_dir": str(tmp_path / "new"), "vocab_file": str(tiny / "vocab.txt"),
                "bert_config_file": str(tiny / "bert_config.json")}
    assert check(**settings).labels == ["bug", "feature"]
    assert problems(**settings, labels=("feature", "bug"))[0].startswith(
        f"--init_checkpoint={trained / 'model.ckpt-4'} holds a classifier of 2 labels (bug, ")
    assert check(**{**settings, "do_train": True, "do_eval": True}).labels == LABELS


def test_notes_of_the_processor_and_of_the_start_are_passed_on(check, trained, tiny, monkeypatch):
    monkeypatch.setattr(Processor, "notices", ("two rows are the same",), raising=False)
    (trained / "run_config.json").write_text('{"max_seq_length": 16}')
    assert check(do_train=False, do_eval=False).notices == [
        "two rows are the same",
        "--max_seq_length is 32, and was 16 when the checkpoint was trained",
        f"--init_checkpoint={tiny}/bert_model.ckpt is not used: {trained}/model.ckpt-4 is there"]


@pytest.mark.parametrize(("told", "second", "settings", "said"), [
    ("single", "its pair", {"text_b_column": ("b",)}, "is a pair, but the model was trained on "
     "single texts, so that its answer would mean nothing; leave --text_b_column=b out (the "
     "training had --text_column=title,body) (2 such rows)"),
    ("single", "its pair", {}, "give a task of single texts (the training had"),
    ("pairs", None, {}, "is a single text, but the model was trained on pairs, so that its answer "
     "would mean nothing; give both texts: --text_b_column=the column of the second (the"),
    ("pairs", None, {"task_name": "sst-2"}, "; give a task of pairs (the training had"),
    ("single", "", {}, None), ("single", None, {}, None), ("pairs", "", {}, None),
    ("pairs", "its pair", {}, None), ("both", None, {}, None), ("both", "its pair", {}, None),
    (None, None, {}, None), (None, "its pair", {}, None), ("other", None, {}, None)])
@pytest.mark.parametrize("mode", ["do_predict", "do_explain"])
def test_rows_of_another_kind_than_the_training_had(check, problems, trained, told, second,
                                                    settings, said, mode):
    (trained / "run_config.json").write_text('{"text_column": ["title", "body"]}')
    (trained / "runs.json").write_text(json.dumps([{"texts": told}] if told else []))
    answers = {"train": rows("bug", "feature"), "test": [InputExample("one", "a", ""), *(
        InputExample(f"row-{number}", "a", second) for number in range(2))]}
    settings = {"do_train": False, "do_eval": False, "do_predict": False, mode: True, **settings}
    if said is None:
        assert check(answers, **settings).texts is None
        return
    [problem] = problems(answers, **settings)
    assert problem.startswith("example row-0: is a ") and said in problem
    assert problem.endswith(" (2 such rows)")
    assert check(answers, **{**settings, "do_train": True, "num_train_epochs": 9.0,
                             "labels": ("bug", "feature")}).texts == "single"


def test_rows_of_another_kind_are_told_with_all_else(problems, trained):
    (trained / "runs.json").write_text('[{"texts": "pairs"}]')
    found = problems({"dev": rows("bug"), "test": []}, do_train=False, label_threshold=0.5)
    assert len(found) == 3 and "the test split is empty" in found[0]
    assert "--label_threshold" in found[1]
    assert found[2].startswith("example row-0: is a single text, but")


@pytest.mark.parametrize("name", ["lr[1]", "a\\b"])
def test_a_checkpoint_in_a_folder_that_tensorflow_takes_for_a_pattern(problems, trained, name):
    folder = trained.rename(trained.parent / name)
    for given in (folder, folder / "model.ckpt-4"):
        problem = problems(init_checkpoint=str(given))[0]
        assert problem.startswith(f"--init_checkpoint={given}: ") and "pattern" in problem


def test_an_output_folder_that_cannot_take_the_run_is_told_too(problems, tmp_path, monkeypatch):
    (tmp_path / "out").touch()
    monkeypatch.setattr(preflight, "room_problems", functools.partial(
        preflight.room_problems, usage=lambda path: types.SimpleNamespace(free=1000)))
    found = problems({"dev": []})
    assert len(found) == 2 and found[0].startswith("the dev split is empty")
    assert found[1].endswith("is a file; name a folder")  # whose room does not matter
    (tmp_path / "out").unlink()
    assert problems({"dev": []})[1].endswith(
        "the disk has 0 MB free; make room or lower --keep_checkpoint_max")


def test_a_folder_that_is_both_source_and_target_is_not_overwritten(problems, trained, tiny):
    for name in ("vocab.txt", "bert_config.json"):
        (trained / name).write_bytes((tiny / name).read_bytes())
    assert problems(init_checkpoint=str(trained), overwrite_output_dir=True) == (
        f"--overwrite_output_dir would delete --init_checkpoint={trained}/model.ckpt-4, "
        f"--vocab_file={trained}/vocab.txt, --bert_config_file={trained}/bert_config.json; name "
        "another --output_dir",)


def test_what_lacks_for_all_splits_is_told_once():
    class Processor:
        def gone(self, data_dir):
            raise UserError(f"--data_dir={data_dir}: there is no such folder")

        get_train_examples = get_dev_examples = get_test_examples = gone

    found = []
    assert reading.read_examples(Processor(), ["train", "dev", "test"], "nowhere", found) == {}
    assert found == ["--data_dir=nowhere: there is no such folder"]
