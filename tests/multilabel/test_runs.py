"""Multi-label runs from the first file to the last: train, evaluate, predict, refuse."""

import json
import shutil

import numpy as np
import pytest
import tensorflow as tf

from finetune import Predictor, bound_labels
from finetune.checkpoints import checkpoint
from finetune.task_kind import TaskKind
from tests.end_to_end.conftest import results, table
from tests.multilabel.conftest import LABELS, ROWS, flags, write_rows


def test_it_learns(trained):
    found = results(trained)
    half = ["f1_micro", "f1_macro", "average_precision", "roc_auc"]
    fitted = ["f1_micro_fitted", "f1_macro_fitted", "accuracy_fitted"]
    assert list(found)[:11] == ["eval_accuracy", "eval_loss", "global_step", "loss", *half, *fitted]
    assert [name for name in found if name.endswith("[bug]")] == [f"{name}[bug]" for name in (
        "precision", "recall", "f1", "support", "threshold_fitted", "precision_fitted",
        "recall_fitted", "f1_fitted")]
    assert float(found["f1_micro"]) > 0.65  # dev rows are those of training; all labels: 0.55
    assert float(found["f1_macro_fitted"]) >= float(found["f1_macro"])
    assert json.loads((trained / "best_checkpoint.json").read_text())["metric"] == "f1_micro"


def test_a_row_is_given_the_labels_that_reach_their_threshold(trained):
    told = json.loads((trained / "thresholds.json").read_text())
    assert list(told["thresholds"]) == LABELS
    assert told["fitted_on"] == {"split": "dev", "rows": 22,
                                 "global_step": int(results(trained)["global_step"])}
    header, *rows = table(trained / "predictions.tsv")
    assert header == ["id", "prediction", *LABELS]
    answers = np.array(table(trained / "test_results.tsv"), np.float32)
    assert [row[0] for row in rows] == ["t0", "t1", "t2", "t16", "t20"]
    assert np.array([row[2:] for row in rows], float) == pytest.approx(answers, abs=1e-6)
    assert (answers.sum(1) > 1.2).any()  # sigmoids, no softmax
    for row, answer in zip(rows, answers, strict=True):
        assert row[1] == ",".join(label for label, value in zip(LABELS, answer, strict=True)
                                  if value >= told["thresholds"][label])


def test_what_the_folder_holds(trained):
    held = checkpoint.shapes(checkpoint.latest(str(trained)))
    assert (held["output_weights"], held["output_bias"]) == ((3, 16), (3,))
    names = {path.name for path in trained.iterdir()}
    assert "labels.txt" in names and "confusion_matrix.tsv" not in names
    assert bound_labels.read(str(trained)).kind is TaskKind.MULTILABEL
    note = json.loads((trained / "train.tf_record.json").read_text())
    assert note["fingerprint"]["task_type"] == "multilabel"


def test_the_folder_alone_is_enough(trained, many, tmp_path, main):
    """Neither --task_type nor --labels is given, and dev has rows without a label."""
    other = tmp_path / "other"
    status, error = main(f"--data_dir={many}", "--max_seq_length=24", "--do_eval", "--do_predict",
                         f"--init_checkpoint={trained}", f"--output_dir={other}")
    assert status == 0, error
    for name in ("predictions.tsv", "thresholds.json", "test_results.tsv"):
        assert (other / name).read_text() == (trained / name).read_text()
    assert json.loads((other / "run_config.json").read_text())["task_type"] == "multilabel"
    (tmp_path / "predicted").mkdir()
    status, error = main(f"--data_dir={many}", "--max_seq_length=24", "--do_predict",
                         f"--init_checkpoint={trained}", f"--output_dir={tmp_path / 'predicted'}")
    assert status == 0, error  # the thresholds come along
    assert (tmp_path / "predicted" / "predictions.tsv").read_text() == (
        trained / "predictions.tsv").read_text()


def test_either_mark_tells(trained, tmp_path):
    for name in ("run_config.json", "thresholds.json"):
        copied = shutil.copytree(trained, tmp_path / name)
        (copied / name).unlink()
        assert bound_labels.read(str(copied)).kind is TaskKind.MULTILABEL
    (tmp_path / "run_config.json" / "thresholds.json").unlink()
    assert type(bound_labels.read(str(tmp_path / "run_config.json"))) is list


def test_thresholds_of_other_weights_are_not_used(trained, many, tmp_path, main):
    copied = shutil.copytree(trained, tmp_path / "copied")
    told = json.loads((copied / "thresholds.json").read_text())
    told["fitted_on"]["global_step"] += 1
    (copied / "thresholds.json").write_text(json.dumps(told))
    status, error = main(f"--data_dir={many}", "--max_seq_length=24", "--do_predict",
                         f"--output_dir={copied}")
    assert status == 0, error
    assert "note: a label is given from a probability of 0.5 on: those of " in error
    for _, given, *answers in table(copied / "predictions.tsv")[1:]:
        assert given == ",".join(label for label, value in zip(LABELS, answers, strict=True)
                                 if float(value) >= 0.5)


def test_a_threshold_that_is_given_is_kept(trained, many, tmp_path, main):
    copied = shutil.copytree(trained, tmp_path / "copied")
    run = [f"--data_dir={many}", "--max_seq_length=24", f"--output_dir={copied}"]
    status, error = main(*run, "--do_eval", "--do_predict", "--label_threshold=0.375")
    assert status == 0, error
    assert "thresholds fitted to fewer" not in error and "on: " not in error
    assert json.loads((copied / "thresholds.json").read_text()) == {
        "fitted_on": None, "label_threshold": 0.375, "thresholds": dict.fromkeys(LABELS, 0.375)}
    assert results(copied) == results(trained)  # fitted ones are told all the same
    for _, given, *answers in table(copied / "predictions.tsv")[1:]:
        assert given == ",".join(label for label, value in zip(LABELS, answers, strict=True)
                                 if float(value) >= 0.375)
    assert Predictor(copied).thresholds == [0.375] * 3
    before = (copied / "predictions.tsv").read_text()
    assert main(*run, "--do_predict")[0] == 0  # without the flag: it is the folder's
    assert (copied / "predictions.tsv").read_text() == before
    status, error = main(*run, "--do_predict", "--label_threshold=0.5")
    assert status == 0 and "note: a label is given" not in error  # it is said by nobody else
    status, error = main(*run, "--do_eval")
    assert "warning: thresholds fitted to fewer than 10 rows are chance: feature (5)" in error
    assert (copied / "thresholds.json").read_text() == (trained / "thresholds.json").read_text()


@pytest.mark.parametrize(("content", "problem"), [
    ({"thresholds": {"bug": 0.5}}, "thresholds must give each of the labels bug, feature, "),
    ({"thresholds": {"bug": 2, "feature": 0.5, "question": 0.5}}, "a number from 0 to 1"),
    ({}, "thresholds must give each of the labels")])
def test_damaged_thresholds(trained, many, tmp_path, main, content, problem):
    copied = shutil.copytree(trained, tmp_path / "copied")
    (copied / "thresholds.json").write_text(json.dumps(content))
    status, error = main(f"--data_dir={many}", "--max_seq_length=24", "--do_predict",
                         f"--output_dir={copied}")
    assert (status, problem in error) == (2, True), error


def test_without_evaluation_it_is_a_half_and_said(many, tiny, tmp_path, main):
    status, error = main(*flags(many, tiny, "--do_train", "--do_predict", "--num_train_epochs=0.5",
                                f"--output_dir={tmp_path / 'out'}"))
    assert status == 0, error
    assert "note: a label is given from a probability of 0.5 on: no --do_eval has fitted" in error
    assert json.loads((tmp_path / "out" / "thresholds.json").read_text()) == {
        "fitted_on": None, "thresholds": dict.fromkeys(LABELS, 0.5)}


def test_a_label_without_dev_rows_and_one_answer_for_all(many, tiny, tmp_path, main):
    data = shutil.copytree(many, tmp_path / "data")
    write_rows(data / "dev.tsv", ("id", "text", "label"),
               [("1", "the app crashes", "bug"), ("2", "the page", "")])
    status, error = main(*flags(data, tiny, "--do_train", "--do_eval", "--num_train_epochs=0.5",
                                f"--output_dir={tmp_path / 'out'}"))
    assert status == 0, error
    assert "no dev row has feature, question: nothing could be fitted" in error
    told = json.loads((tmp_path / "out" / "thresholds.json").read_text())["thresholds"]
    assert (told["feature"], told["question"]) == (0.5, 0.5)


@pytest.mark.parametrize(("arguments", "problem"), [
    (["--do_eval", "--task_type=classification"], "is that of a multi-label classifier of 3 labels "
     "(bug, feature, question), and this run is a classification (--task_type=classification)"),
    (["--do_eval", "--task_type=regression"], "and this run is a regression"),
    (["--do_train", "--task_type=classification", "--labels=bug,feature,question"],
     "holds a multi-label classifier of 3 labels (bug, feature, question); this run gives a row "
     "one of 3 labels"),
    (["--do_eval", "--labels=bug,feature"], "this run has 2 (bug, feature)"),
    (["--do_eval", "--engine=original"], "--task_type=multilabel needs --engine=fast")])
def test_what_a_multi_label_folder_refuses(trained, many, main, arguments, problem):
    status, error = main(f"--data_dir={many}", "--max_seq_length=24", f"--output_dir={trained}",
                         *arguments)
    assert (status, problem in error) == (2, True), error
    assert "Traceback" not in error


@pytest.mark.parametrize(("arguments", "problem"), [
    (["--label_separator=e"], "label 'feature' holds 'e', which stands between the labels"),
    (["--label_separator="], "--label_separator is empty"),
    (["--class_weights=balanced"], "--class_weights=balanced: goes with one label a row"),
    (["--label_threshold=0"], "--label_threshold=0.0: must be above 0 and at most 1"),
    (["--task_type=classification", "--label_threshold=0.5"], "--label_threshold=0.5: a row has one"
     " label; it goes with --task_type=multilabel"),
    (["--calibrate"], "--calibrate: needs a task of one label a row"),
    (["--task_type=classification", "--label_separator=;"], "it goes with --task_type=multilabel"),
    (["--metric_for_best=mcc", "--eval_every_steps=5"], "must be one of f1_micro, f1_macro, ")])
def test_flags_that_do_not_fit(many, tiny, tmp_path, main, arguments, problem):
    status, error = main(*flags(many, tiny, "--labels=bug,feature,question", "--do_train",
                                "--do_eval", f"--output_dir={tmp_path / 'out'}", *arguments))
    assert (status, problem in error) == (2, True), error
    assert not (tmp_path / "out").exists()


@pytest.fixture(scope="module")
def single(tiny, many, tmp_path_factory):
    """(data, folder) of a classifier with the same three labels, one a row."""
    import run_classifier_custom

    folder = tmp_path_factory.mktemp("single")
    for name in ("train", "dev"):
        write_rows(folder / f"{name}.tsv", ("id", "text", "label"),
                   [(str(number), *row) for number, row in enumerate(ROWS[:15])])
    assert run_classifier_custom.main([
        f"--data_dir={folder}", f"--init_checkpoint={tiny}", "--train_batch_size=5", "--do_train",
        "--max_seq_length=24", "--num_train_epochs=0.4", f"--output_dir={folder / 'out'}"]) == 0
    return folder, folder / "out"


def test_a_single_label_head_answers_no_multi_label_question(single, many, tiny, tmp_path, main):
    out = single[1]
    status, error = main(f"--data_dir={many}", "--max_seq_length=24", "--task_type=multilabel",
                         "--do_eval", f"--init_checkpoint={out}", f"--output_dir={tmp_path / 'x'}")
    assert status == 2
    assert ("is that of a classifier of 3 labels (bug, feature, question), and this run is a "
            "multi-label classification (--task_type=multilabel)") in error
    status, error = main(*flags(many, tiny, "--do_train", f"--output_dir={out}"))
    assert status == 2
    assert "this run gives a row any number of 3 labels" in error
    status, error = main(*flags(many, out, "--do_train", "--num_train_epochs=0.3",
                                f"--output_dir={tmp_path / 'y'}"))
    assert status == 0, error
    assert "the checkpoint's head is that of a classifier of 3 labels; a new one starts" in error


def test_a_killed_run_ends_with_the_same_bits(many, tiny, tmp_path, main):
    usual = flags(many, tiny, "--do_train", "--num_train_epochs=2")
    whole, parts = tmp_path / "whole", tmp_path / "parts"
    assert main(*usual, f"--output_dir={whole}", "--save_checkpoints_steps=3")[0] == 0
    parts.mkdir()
    for path in whole.glob("model.ckpt-3.*"):
        (parts / path.name).write_bytes(path.read_bytes())
    for name in ("labels.txt", "run_config.json"):
        shutil.copy(whole / name, parts / name)
    (parts / "checkpoint").write_text('model_checkpoint_path: "model.ckpt-3"\n')
    assert main(*usual, f"--output_dir={parts}")[0] == 0
    ends = [tf.train.load_checkpoint(str(folder / "model.ckpt-7")) for folder in (whole, parts)]
    for name in ends[0].get_variable_to_shape_map():
        np.testing.assert_array_equal(*(end.get_tensor(name) for end in ends))


def test_a_processor_of_ones_own(many, tiny, tmp_path, main, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "my_areas.py").write_text('''
from types import SimpleNamespace


class Areas:
    """Lists of names; the kind is the processor's own to say."""

    task_type = "multilabel"

    def get_train_examples(self, data_dir):
        rows = [["ui"], ("docs", "ui"), [], ["docs"]] * 3
        return [SimpleNamespace(guid=str(i), text_a="a file", text_b="a page", label=label)
                for i, label in enumerate(rows)]

    get_dev_examples = get_train_examples

    def get_test_examples(self, data_dir):
        return [SimpleNamespace(guid="t", text_a="a file", text_b=None, label=None)]

    def get_labels(self):
        return ["ui", "docs"]
''')
    usual = ["--processor=my_areas:Areas", "--data_dir=.", "--max_seq_length=16"]
    status, error = main(*usual, "--do_train", "--do_eval", "--do_predict", "--train_batch_size=3",
                         "--num_train_epochs=1", f"--init_checkpoint={tiny}", "--output_dir=out",
                         "--gradient_accumulation_steps=2")
    assert status == 0, error
    assert table(tmp_path / "out" / "predictions.tsv")[0] == ["id", "prediction", "ui", "docs"]
    told = json.loads((tmp_path / "out" / "run_config.json").read_text())
    assert told["task_type"] == "multilabel"
