"""A regression from the first file to the last: train, resume, evaluate, predict, refuse."""

import json

import numpy as np
import pytest
import tensorflow as tf

from finetune import records
from finetune.checkpoints import checkpoint
from tests.conftest import TEXTS

SCORES = {"bug": "5.0", "feature": "2.5", "question": "-1"}


@pytest.fixture(scope="module")
def scored(tmp_path_factory):
    """Folder with train.tsv, dev.tsv, test.tsv: id, text, score; 15, 15 and 4 rows."""
    folder = tmp_path_factory.mktemp("scored")
    rows = [(text, SCORES[label]) for label, texts in TEXTS.items() for text in texts]
    for name in ("train", "dev"):
        lines = [f"{name}{number}\t{text}\t{score}" for number, (text, score) in enumerate(rows)]
        (folder / f"{name}.tsv").write_text("\n".join(["id\ttext\tscore", *lines]) + "\n")
    lines = [f"t{number}\t{text}" for number, (text, _) in enumerate(rows[:4])]
    (folder / "test.tsv").write_text("\n".join(["id\ttext", *lines]) + "\n")
    return folder


def flags(scored, tiny, *more):
    return [f"--data_dir={scored}", f"--init_checkpoint={tiny}", "--label_column=score",
            "--train_batch_size=5", "--max_seq_length=16", "--learning_rate=1e-2", *more]


@pytest.fixture(scope="module")
def trained(scored, tiny, tmp_path_factory):
    """Folder of a regression trained for 30 steps, evaluated and predicted with."""
    import run_classifier_custom

    out = tmp_path_factory.mktemp("regression") / "out"
    assert run_classifier_custom.main(flags(
        scored, tiny, "--task_type=regression", "--do_train", "--do_eval", "--do_predict",
        "--num_train_epochs=10", "--eval_every_steps=10", f"--output_dir={out}")) == 0
    return out


def test_the_files_of_a_regression(trained):
    names = {path.name for path in trained.iterdir()}
    assert not names & {"labels.txt", "confusion_matrix.tsv"}
    assert "<h2 id=\"residuals\">" in (trained / "report.html").read_text(encoding="utf-8")
    text = (trained / "eval_results.txt").read_text()
    results = [line.split(" = ") for line in text.splitlines()]
    assert [name for name, _ in results] == [
        "eval_loss", "global_step", "loss", "pearson", "spearman", "pearson_spearman", "mse",
        "mae"]
    found = {name: float(value) for name, value in results}
    assert found["mse"] == pytest.approx(found["eval_loss"], rel=1e-4)
    assert found["pearson"] > 0.5  # the dev rows are those of training
    best = json.loads((trained / "best_checkpoint.json").read_text())
    assert best["metric"] == "pearson_spearman"
    assert best["value"] == pytest.approx(found["pearson_spearman"], abs=1e-6)


def test_a_line_a_score(trained):
    answers = [float(line) for line in (trained / "test_results.tsv").read_text().splitlines()]
    header, *lines = (trained / "predictions.tsv").read_text().splitlines()
    assert header == "id\tprediction"
    assert [line.split("\t")[0] for line in lines] == ["t0", "t1", "t2", "t3"]
    assert [float(line.split("\t")[1]) for line in lines] == pytest.approx(answers, abs=1e-6)
    assert len(set(answers)) == 4


def test_what_the_checkpoint_and_the_records_hold(trained):
    held = checkpoint.shapes(checkpoint.latest(str(trained)))
    assert held["output_weights"] == held["output_weights/adam_m"] == (1, 16)
    assert held["output_bias"] == (1,)
    table = records.read(str(trained / "train.tf_record"), np.float32)
    assert table.label_ids.tolist() == [5.0] * 5 + [2.5] * 5 + [-1.0] * 5
    assert json.loads((trained / "run_config.json").read_text())["task_type"] == "regression"
    note = json.loads((trained / "train.tf_record.json").read_text())
    assert note["fingerprint"]["task_type"] == "regression"


def test_later_runs_know_that_it_is_a_regression(trained, scored, tmp_path, main):
    before = (trained / "predictions.tsv").read_text()
    usual = [f"--data_dir={scored}", "--label_column=score", "--max_seq_length=16"]
    status, error = main(*usual, "--do_eval", "--do_predict", f"--output_dir={trained}")
    assert status == 0, error
    assert "regression: the answer is a score" in error
    assert (trained / "predictions.tsv").read_text() == before
    other = tmp_path / "other"
    assert main(*usual, "--do_predict", f"--init_checkpoint={trained}",
                f"--output_dir={other}")[0] == 0
    assert (other / "predictions.tsv").read_text() == before


@pytest.mark.parametrize(("arguments", "problem"), [
    (["--do_eval", "--task_type=classification"],
     " is that of a regression, and this run is a classification "
     "(--task_type=classification). To use that head, leave --task_type out; "),
    (["--do_train"], "holds a regression; this run is a classifier of 3 labels: "),
    (["--do_eval", "--labels=a,b"], "--labels: a regression has none"),
    (["--do_eval", "--text_column=text", "--label_column=id"],
     'dev.tsv:2: label "dev0" is not a finite number')])
def test_what_a_regression_refuses(trained, scored, tiny, main, arguments, problem):
    status, error = main(*flags(scored, tiny, f"--output_dir={trained}", *arguments))
    assert status == 2
    assert problem in error
    assert "Traceback" not in error


def test_a_classifier_is_not_gone_on_with_as_a_regression(scored, issues, tiny, tmp_path, main):
    out = f"--output_dir={tmp_path / 'out'}"
    assert main(f"--data_dir={issues}", f"--init_checkpoint={tiny}", "--train_batch_size=5",
                "--num_train_epochs=0.4", "--max_seq_length=16", "--do_train", out)[0] == 0
    status, error = main(*flags(scored, tiny, "--task_type=regression", "--do_train", out))
    assert status == 2
    assert "holds a classifier of 3 labels; this run is a regression: name another" in error


def test_a_killed_run_ends_with_the_same_bits(scored, tiny, tmp_path, main):
    usual = flags(scored, tiny, "--task_type=regression", "--do_train")
    whole, parts = tmp_path / "whole", tmp_path / "parts"
    assert main(*usual, "--num_train_epochs=2", f"--output_dir={whole}",
                "--save_checkpoints_steps=3")[0] == 0
    parts.mkdir()
    for path in whole.glob("model.ckpt-3.*"):
        (parts / path.name).write_bytes(path.read_bytes())
    (parts / "checkpoint").write_text('model_checkpoint_path: "model.ckpt-3"\n')
    assert main(*usual, "--num_train_epochs=2", f"--output_dir={parts}")[0] == 0
    ends = [tf.train.load_checkpoint(str(folder / "model.ckpt-6")) for folder in (whole, parts)]
    for name in ends[0].get_variable_to_shape_map():
        np.testing.assert_array_equal(*(end.get_tensor(name) for end in ends))


def test_labels_of_a_processor_for_the_original_are_of_no_account(scored, tiny, tmp_path, main,
                                                                  monkeypatch):
    """As StsbProcessor is written for the original's descendants: get_labels gives [None]."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "my_scores.py").write_text('''
from types import SimpleNamespace


class Scores:
    """Scores as floats, test rows with the placeholder None."""

    def get_train_examples(self, data_dir):
        return [SimpleNamespace(guid=str(i), text_a="a file", text_b="a page", label=i / 2)
                for i in range(6)]

    get_dev_examples = get_train_examples

    def get_test_examples(self, data_dir):
        return [SimpleNamespace(guid="t", text_a="a file", text_b=None, label=None)]

    def get_labels(self):
        return [None]
''')
    status, error = main("--processor=my_scores:Scores", "--data_dir=.", "--task_type=regression",
                         "--do_train", "--do_eval", "--do_predict", "--train_batch_size=3",
                         "--num_train_epochs=1", f"--init_checkpoint={tiny}", "--output_dir=out",
                         "--max_seq_length=16")
    assert status == 0, error
    assert len((tmp_path / "out" / "test_results.tsv").read_text().splitlines()) == 1


def test_ax_is_predicted_by_what_learned_mnli(tiny, tmp_path, main):
    columns, nli = "\t".join("abcdefgh"), ("neutral", "entailment", "contradiction")
    row = "\t".join("qrstuvw")
    lines = [f"{i}\t{row}\tthe app\tthe page\t{label}\n" for i, label in enumerate(nli * 2)]
    (tmp_path / "train.tsv").write_text(f"{columns}\tsentence1\tsentence2\tgold_label\n"
                                        + "".join(lines))
    (tmp_path / "diagnostic.tsv").write_text(
        "index\tsentence1\tsentence2\n0\ta file\ta page\n1\tadd\topen it\n")
    usual = [f"--data_dir={tmp_path}", "--max_seq_length=16"]
    mnli, other = tmp_path / "mnli", tmp_path / "ax"
    assert main(*usual, "--task_name=mnli", f"--init_checkpoint={tiny}", "--do_train",
                "--train_batch_size=3", "--num_train_epochs=1", f"--output_dir={mnli}")[0] == 0
    for arguments in ([f"--output_dir={mnli}"],
                      [f"--init_checkpoint={mnli}", f"--output_dir={other}"]):
        status, error = main(*usual, "--task_name=ax", "--do_predict", *arguments)
        assert status == 0, error
    header, *lines = (other / "predictions.tsv").read_text().splitlines()
    assert header.split("\t")[3:] == sorted(nli)
    assert [line.split("\t")[0] for line in lines] == ["0", "1"]
    assert (mnli / "predictions.tsv").read_text() == (other / "predictions.tsv").read_text()
    status, error = main(*usual, "--task_name=ax", "--do_predict", "--do_train",
                         f"--output_dir={mnli}")
    assert (status, error.splitlines()[0]) == (2, "error: the task ax has no train split")
