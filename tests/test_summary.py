"""What a run tells before and after, and what it says out loud when something looks wrong."""

import dataclasses
import json
import re
import types

import numpy as np
import pytest

from finetune import log, metrics, outputs, summary
from finetune.config import RunConfig
from finetune.feature_table import LengthSummary
from finetune.start import Start
from finetune.task_kind import TaskKind
from finetune.training.schedules import Plan
from processors.base import InputExample

LABELS = ["bug", "feature", "question"]
CONFIG = RunConfig(do_train=True, data_dir="data", output_dir="out", num_train_epochs=2.5)


@pytest.fixture
def said(capsys):
    """Calls a function and returns the lines it logged."""
    def run(function, *arguments):
        log.start()
        try:
            function(*arguments)
        finally:
            log.stop()
        return capsys.readouterr().err.splitlines()
    return run


def rows(*labels):
    return [InputExample(str(number), "text", None, label) for number, label in enumerate(labels)]


@pytest.fixture
def told(said, tiny_config, make_table):
    """Returns the lines of before() for a run that differs in a few things from the usual."""
    def run(labels=LABELS, examples=None, lengths=None, **changes):
        prepared = types.SimpleNamespace(**{
            "config": CONFIG, "bert_config": tiny_config, "labels": labels,
            "start": Start("bert/bert_model.ckpt", [], False, []), "plan": Plan(100, 10),
            "examples": examples or {"train": rows("bug", "bug", "question")}, "notices": [],
            **changes})
        lengths = lengths or LengthSummary(3, 5.0, 4, 9, 10, 11, 12, 0)
        table = dataclasses.replace(make_table(2, 3), summary=lengths)
        tables = dict.fromkeys(prepared.examples, table)
        return said(summary.before, prepared, tables, "1 x CPU")
    return run


def test_the_summary_of_a_training_run(told):
    assert told(notices=["be careful", "warning: and so on"]) == [
        "device     1 x CPU",
        "model      2 layers, 16 wide, 2 heads, vocabulary 60; from bert/bert_model.ckpt",
        "labels     bug, feature, question",
        "train      3 rows: bug 2, feature 0, question 1",
        "           tokens a row: half up to 4, 90 % up to 9, 99 % up to 11, longest 12; none cut",
        "training   100 steps of 32 rows (2.5 epochs), learning rate 5e-05, warm-up 10 steps, "
        "seed 42",
        "output     out",
        "note: be careful",
        "warning: and so on"]


def test_rows_from_a_buffer_are_told(told):
    config = dataclasses.replace(CONFIG, shuffle_buffer_size=100)
    assert told(config=config)[5].endswith("seed 42, rows from a buffer of 100")


@pytest.mark.parametrize(("start", "text"), [
    (Start(None, [], False, []), "; random weights"),
    (Start("out/model.ckpt-7", [], True, []), "; goes on from out/model.ckpt-7")])
def test_where_the_weights_come_from(told, start, text):
    assert told(start=start)[1].endswith(text)


def test_rows_that_are_cut_are_counted(told):
    assert told(lengths=LengthSummary(8, 60.0, 40, 90, 95, 200, 300, 3))[4].endswith(
        "longest 300; 3 of 8 rows (37.5%) cut to 128")


def test_the_test_split_shows_no_labels_and_a_prediction_no_training(told):
    lines = told(plan=None, examples={"test": rows(None, None)})
    assert lines[3] == "test       2 rows"
    assert [line for line in lines if line.startswith("training")] == []


def test_labels_of_a_processor_of_the_original_may_be_numbers(told):
    assert told(labels=["0", "1"], examples={"dev": rows(0, 1, 1)})[3] == (
        "dev        3 rows: 0 1, 1 2")


def test_a_long_list_of_labels_is_shortened(told):
    many = [f"L{number}" for number in range(21)]
    lines = told(labels=many, examples={"dev": rows(*many)})
    assert lines[2].endswith("L19, ... (21 in all)")
    assert lines[3].startswith("dev        21 rows: L0 1, ") and lines[3].endswith(", L19 1, ...")


# --- after -----------------------------------------------------------------------------------


@pytest.mark.parametrize(("stages", "files"), [
    ({"do_train": True}, "checkpoints"),
    ({"do_eval": True}, "eval_results.txt, confusion_matrix.tsv, report.html, runs.json"),
    ({"do_train": True, "do_predict": True}, "predictions.tsv, test_results.tsv, checkpoints")])
def test_the_end_of_a_run_names_its_files(said, stages, files):
    config = RunConfig(output_dir="out", **stages)
    assert said(summary.after, config, 65.2) == [f"done in 1 min 5 s; out holds {files}"]


def test_files_that_the_weights_have_outlived_are_told(said, tmp_path):
    names = ["eval_results.txt", "report.html", "predictions.tsv", "test_results.tsv"]
    for name in [*names, "data_check.txt", "thresholds.json", "notes.txt"]:
        (tmp_path / name).touch()
    (tmp_path / "export").mkdir()
    config = RunConfig(output_dir=str(tmp_path), do_train=True, do_predict=True)
    lines = said(summary.after, config, 5, TaskKind.CLASSIFICATION, True)
    assert lines == [
        f"note: eval_results.txt, report.html, export/ in {tmp_path}: of the weights before this "
        "training, which did not write them anew; the flags that wrote them do",
        f"done in 5 s; {tmp_path} holds predictions.tsv, test_results.tsv, checkpoints"]
    assert said(summary.after, config, 5, TaskKind.CLASSIFICATION, False) == lines[1:]
    assert all((tmp_path / name).exists() for name in names)


def scores(said, labels):
    truth, predicted = np.arange(len(labels)), np.zeros(len(labels), int)
    return said(
        summary.scores, {"eval_accuracy": np.float32(0.5), "loss": np.float32(0.25)},
        {"mcc": -1.0}, metrics.per_class(truth, predicted, labels),
        metrics.confusion_matrix(truth, predicted, len(labels)), labels, 9)


def test_scores_stand_in_columns(said):
    total, header, *table = scores(said, ["bug", "a longer label"])
    assert total == "dev at step 9: eval_accuracy 0.5000 loss 0.2500 mcc -1.0000"
    assert header.split() == ["label", "precision", "recall", "f1", "rows", "predicted:", "bug",
                              "a", "longer", "label"]
    assert [re.split("  +", line) for line in table] == [
        ["bug", "0.5000", "1.0000", "0.6667", "1", "1", "0"],
        ["a longer label", "0.0000", "0.0000", "0.0000", "1", "1", "0"]]
    assert {len(line) for line in table} == {len(header)}


def test_scores_of_many_labels_are_left_to_the_files(said):
    assert scores(said, list("abcdefghijklmnopqrstu"))[1:] == [
        "by label: see eval_results.txt and confusion_matrix.tsv"]


def test_predictions_are_counted_by_label(said):
    probabilities = np.array([[0.5, 0.25, 0.25], [0.75, 0.25, 0], [0, 0, 1]])
    assert said(summary.predicted, probabilities, LABELS) == [
        "test: 3 rows predicted: bug 2, feature 0, question 1; mean confidence 0.750"]


# --- warnings --------------------------------------------------------------------------------


@pytest.mark.parametrize(("losses", "started_at", "warned"), [
    ([1, 1, 0.7, 0.6, 0.5, 0.5, 0.4, 0.4, 0.4, 0.4], 0, False),
    ([1, 1, 1, 1, 1, 1, 1, 1, 1.02, 1.02], 0, False),
    ([1, 1, 1, 1, 1, 1, 1, 1, 1.03, 1.03], 0, True),
    ([1, 1, 0, 0, 0, 0, 0, 0, 2, 2], 0, True),
    ([1, 1, 9, 9, 9, 9, 9, 9, 0.5, 0.5], 0, False),
    ([1, 1, 1, 1, 1, 1, 1, 1, 2, 2], 50, False),  # a resumed run has no beginning
    ([1, 2, 3, 4, 5, 6, 7, 8, 9], 0, False),  # too few to tell
    ([], 0, False)])
def test_a_loss_that_climbed_is_said_out_loud(losses, started_at, warned):
    config = dataclasses.replace(CONFIG, learning_rate=1e-3)
    found = list(summary.loss_warnings(losses, config, started_at))
    assert len(found) == warned
    assert all("climbed from 1.000 to " in text and "--learning_rate=0.001 is too high" in text
               and "try 5e-5" in text for text in found)


@pytest.mark.parametrize(("truth", "predicted", "warned"), [
    ([0, 1, 2, 2], [1, 1, 1, 1], True),
    ([0, 1, 2, 2], [1, 1, 1, 2], False),
    ([1, 1, 1], [1, 1, 1], False),  # the split itself has one label
    ([1, 1, 1], [2, 2, 2], False)])
def test_a_model_that_answers_one_label_is_said_out_loud(truth, predicted, warned):
    found = list(summary.collapse_warnings(np.array(truth), np.array(predicted), LABELS, CONFIG, 7))
    assert len(found) == warned
    assert all(text.startswith("all 4 dev rows were predicted 'feature'") and "5e-05" in text
               and "--num_train_epochs" in text and "--seed" in text for text in found)


# --- against the run before ------------------------------------------------------------------


@pytest.fixture
def earlier(tmp_path):
    """Leaves behind a training run of CONFIG, a --do_check and an evaluation after it."""
    outputs.write_json(str(tmp_path / outputs.RUN_CONFIG), CONFIG.as_dict())
    outputs.append_run(str(tmp_path), {"data": {"train": {"path": "t", "sha256": "old"}},
                                       "texts": "single"})
    outputs.append_run(str(tmp_path), {"data": {"train": {"path": "c", "sha256": "checked"}}})
    outputs.append_run(str(tmp_path), {"data": {"dev": {"path": "d", "sha256": "other"}}})
    return str(tmp_path)


ANOTHER_FILE = "the training file is not the one of the earlier run in this folder"


@pytest.mark.parametrize(("changed", "train_hash", "expected"), [
    ({}, "old", []),
    ({}, None, []),
    ({}, "new", [ANOTHER_FILE]),
    ({"do_train": False, "seed": 1}, "new", []),  # it trains nothing, so it changes nothing
    ({"do_eval": True, "do_predict": True, "output_dir": "./out", "overwrite_output_dir": True,
      "config": "run.yaml"}, "old", []),
    ({"learning_rate": 1e-4, "labels": ("a", "b")}, "old", [
        "--labels was not given in the earlier run in this folder and is a,b now",
        "--learning_rate was 5e-05 in the earlier run in this folder and is 0.0001 now"]),
    ({"num_train_epochs": 3.0}, "new", [
        "--num_train_epochs was 2.5 in the earlier run in this folder and is 3.0 now",
        ANOTHER_FILE])])
def test_what_a_resumed_run_changes_is_told(earlier, changed, train_hash, expected):
    config = dataclasses.replace(CONFIG, **changed)
    assert summary.changes(earlier, config, train_hash) == expected


def test_lists_are_compared_as_they_come_back_from_the_file(tmp_path):
    config = dataclasses.replace(CONFIG, labels=("a", "b"), text_column=("title", "body"))
    outputs.write_json(str(tmp_path / outputs.RUN_CONFIG), config.as_dict())
    assert summary.changes(str(tmp_path), config, "any") == []


def test_a_setting_that_an_older_version_did_not_have_is_no_change(earlier):
    settings = json.loads(outputs.read_text(f"{earlier}/{outputs.RUN_CONFIG}"))
    del settings["seed"]
    outputs.write_json(f"{earlier}/{outputs.RUN_CONFIG}", settings)
    assert summary.changes(earlier, dataclasses.replace(CONFIG, seed=1), "old") == []


def test_a_first_run_changes_nothing(tmp_path):
    assert summary.changes(str(tmp_path), CONFIG, "any") == []


# --- versions --------------------------------------------------------------------------------


def test_versions_are_those_that_run():
    import tensorflow as tf

    found = summary.versions()
    assert found["tensorflow"] == tf.__version__ and found["numpy"] == np.__version__
    assert found["bert-tensorflow"] == "1.0.4"
    assert list(found) == list(summary.PACKAGES)


def test_a_package_under_another_name_is_left_out(monkeypatch):
    monkeypatch.setattr(summary, "PACKAGES", ("numpy", "no-such-package"))
    assert summary.versions() == {"numpy": np.__version__}


# --- regression ------------------------------------------------------------------------------


def test_the_summary_of_a_regression(told):
    lines = told(["score"], {"train": rows("1", "2.5", "0"), "test": rows(None)})
    assert lines[2] == "task       regression: the answer is a score"
    assert lines[3] == "train      3 rows: scores from 0 to 2.5, mean 1.167"
    assert "test       1 rows" in lines


def test_predicted_scores(said):
    assert said(summary.predicted_scores, np.array([0.5, 2, 3.5])) == [
        "test: 3 rows predicted: scores from 0.5 to 3.5, mean 2"]


def test_a_regression_has_no_confusion_matrix(said):
    config = RunConfig(output_dir="out", do_eval=True)
    assert said(summary.after, config, 5, TaskKind.REGRESSION) == [
        "done in 5 s; out holds eval_results.txt, report.html, runs.json"]
