"""Which labels a run has: flags, checkpoint or processor; and which runs are refused for them."""

import types

import numpy as np
import pytest

from finetune import outputs
from finetune.checkpoints import checkpoint
from finetune.config import RunConfig
from finetune.labels import labels_of_run, notices
from finetune.task_kind import Labels, TaskKind

NLI = ("contradiction", "entailment", "neutral")


@pytest.fixture
def trained(tmp_path):
    """Makes output_dir as a run leaves it: a head of so many rows, labels.txt for a classifier."""
    def make(*labels):
        folder = tmp_path / "out"
        folder.mkdir()
        checkpoint.Folder(str(folder), 5).write(
            3, {"output_weights": np.zeros((len(labels), 4), np.float32)})
        outputs.write_labels(str(folder), labels)
        return folder
    return make


@pytest.fixture
def ask(tmp_path):
    """Returns (labels, problems) of a run."""
    def run(processor=None, answer=("a", "b"), **settings):
        problems = []
        config = RunConfig(output_dir=str(tmp_path / "out"), **settings)
        labels = labels_of_run(config, processor, problems, lambda: answer and list(answer))
        return labels, [problem.replace(f"{tmp_path}/", "") for problem in problems]
    return run


def task(**attributes):
    return types.SimpleNamespace(**attributes)


SCORES, CLASSES = task(task_type="regression"), task(task_type="classification")


@pytest.mark.parametrize(("processor", "settings"), [
    (SCORES, {}), (SCORES, {"task_type": "regression"}),
    (task(), {"task_type": "regression"}), (task(task_type=None), {"task_type": "regression"})])
def test_a_regression_has_the_score_for_its_only_label(ask, processor, settings):
    assert ask(processor, None, do_train=True, **settings) == (["score"], [])


@pytest.mark.parametrize("processor", [CLASSES, task(), task(task_type=None)])
def test_without_a_word_of_regression_labels_are_asked_for(ask, processor):
    assert ask(processor, do_train=True) == (["a", "b"], [])


@pytest.mark.parametrize("processor", [SCORES, task()])
def test_a_later_run_learns_from_the_head_that_it_is_a_regression(ask, trained, processor):
    folder = trained("score")
    assert not (folder / "labels.txt").exists()
    assert ask(processor, None, do_eval=True) == (["score"], [])


def test_a_classifier_is_refused_for_a_regression_and_the_other_way_round(ask, trained):
    trained("x", "y")
    train = ("for a regression train another: --do_train, a new --output_dir, and "
             "--init_checkpoint=a pre-trained checkpoint")
    head = "--output_dir=out: the head of model.ckpt-3 is that of a classifier of 2 labels (x, y), "
    assert ask(SCORES, do_eval=True) == (None, [
        f"{head}and this run is a regression (SimpleNamespace is one). To use that head, name the "
        f"task that it was trained for; {train}"])
    assert ask(task(), do_predict=True, task_type="regression") == (None, [
        f"{head}and this run is a regression (--task_type=regression). To use that head, leave "
        f"--task_type out; {train}"])
    assert ask(task(), None, do_eval=True) == (["x", "y"], [])


@pytest.mark.parametrize(("processor", "settings", "because", "use"), [
    (CLASSES, {}, "SimpleNamespace is one", "name the task that it was trained for"),
    (task(), {"task_type": "classification"}, "--task_type=classification",
     "leave --task_type out")])
def test_a_regression_is_refused_for_a_classifier(ask, trained, tmp_path, processor, settings,
                                                  because, use):
    trained("score")
    says = (f": the head of model.ckpt-3 is that of a regression, and this run is a classification "
            f"({because}). To use that head, {use}; for a classification train another: "
            "--do_train, a new --output_dir, and --init_checkpoint=a pre-trained checkpoint")
    assert ask(processor, do_predict=True, **settings) == (None, [f"--output_dir=out{says}"])
    (tmp_path / "out").rename(tmp_path / "other")
    assert ask(processor, do_predict=True, init_checkpoint=str(
        tmp_path / "other" / "model.ckpt-3"), **settings) == (
        None, [f"--init_checkpoint=other/model.ckpt-3{says}"])


def test_what_contradicts_the_task_is_told_together(ask):
    _, problems = ask(CLASSES, do_train=True, task_type="regression", labels=("a", "b"))
    assert problems == ["--task_type=regression: SimpleNamespace is a classification",
                        "--labels: a regression has none, its answers are numbers"]


def test_a_task_of_other_labels_than_the_checkpoint_s_is_refused(ask, trained):
    trained("0", "1")
    ax = task(task_type="classification", labels=NLI)
    labels, problems = ask(ax, do_predict=True, task_name="ax")
    assert problems == [
        "--output_dir=out holds a classifier of 0, 1; the task ax has contradiction, entailment, "
        "neutral. If that is meant, give the checkpoint's labels by --labels"]
    assert ask(ax, do_predict=True, task_name="ax", labels=("0", "1")) == (["0", "1"], [])


def test_the_order_of_the_checkpoint_s_labels_counts(ask, trained):
    trained(*reversed(NLI))
    assert ask(task(labels=NLI), do_predict=True, task_name="ax") == (list(reversed(NLI)), [])


def test_own_files_take_whatever_labels_the_checkpoint_has(ask, trained):
    trained("0", "1")
    assert ask(task(labels=None), do_predict=True) == (["0", "1"], [])


def test_rare_labels():
    rows = [task(label=label) for label in ("a", "a", "b")]
    assert notices({"train": rows}, ["a", "b", "c"]) == [
        "labels with no or one training row: b (1), c (0)"]
    assert notices({"train": rows}, ["score"]) == notices({}, ["a", "b"]) == []
    [said] = notices({"train": rows}, [f"label {number}" for number in range(3000)])
    assert said.endswith(", label 18 (0), label 19 (0), ... (3,000 in all)")


@pytest.mark.parametrize(("given", "told"), [
    ([("a",), ("b",), ("a",), ("b",)], True), (["a", "b", "a", "b"], True),
    ([("a",), ("b",), ("a", "b"), ()], False), (["a", "b", "a,b", ""], False),
    ([("a",), ("b",), ("a", "b")], False)])
def test_a_multi_label_task_whose_rows_have_one_label_each(given, told):
    rows, labels = [task(label=label) for label in given], Labels("ab", TaskKind.MULTILABEL)
    assert notices({"train": rows}, labels) == [
        "every training row has exactly one label: where a row cannot have several, or none, "
        "train with --task_type=classification; where a cell has several, --label_separator says "
        "what is between them"] * told
    assert not any("exactly" in one for one in notices({"train": rows}, ["a", "b"]))
