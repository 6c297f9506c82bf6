"""What a run writes, file by file, and how the files agree."""

import csv
import json
import re

import numpy as np
import pytest
import tensorflow as tf

from finetune import records
from tests.end_to_end.conftest import (
    IDS,
    LABELS,
    names,
    results,
    table,
    tensors,
)


def test_the_exact_set_of_files(trained):
    assert names(trained[0]) == sorted([
        "SHA256SUMS", "bert_config.json", "checkpoint", "confusion_matrix.tsv", "eval.tf_record",
        "eval.tf_record.json", "eval/events.out.tfevents", "eval_results.txt",
        "events.out.tfevents", "labels.txt", "model.ckpt-6.data-00000-of-00001",
        "model.ckpt-6.index", "predict.tf_record", "predict.tf_record.json", "predictions.tsv",
        "report.html", "run.log", "run_config.json", "runs.json", "test_results.tsv",
        "train.tf_record", "train.tf_record.json", "vocab.txt"])


def test_a_checkpoint_holds_weights_slots_and_step(trained, tiny):
    held = set(tensors(trained[0]))
    encoder = set(tensors_of_prefix(tiny / "bert_model.ckpt"))
    weights = encoder | {"output_weights", "output_bias"}
    assert held == weights | {"global_step"} | {
        f"{name}/{slot}" for name in weights for slot in ("adam_m", "adam_v")}


def tensors_of_prefix(prefix):
    return tf.train.load_checkpoint(str(prefix)).get_variable_to_shape_map()


def test_eval_results_begin_as_the_originals(trained):
    found = results(trained[0])
    assert list(found)[:6] == ["eval_accuracy", "eval_loss", "global_step", "loss", "f1_macro",
                               "mcc"]
    assert list(found)[6:] == [f"{score}[{label}]" for label in LABELS
                               for score in ("precision", "recall", "f1", "support")]
    assert found["global_step"] == "6"
    assert [found[f"support[{label}]"] for label in LABELS] == ["5"] * 3


def test_confusion_matrix_agrees_with_eval_results(trained):
    head, *rows = table(trained[0] / "confusion_matrix.tsv")
    assert head == ["truth\\predicted", *LABELS]
    assert [row[0] for row in rows] == LABELS
    counts = np.array([row[1:] for row in rows], int)
    assert counts.sum(1).tolist() == [5, 5, 5]
    accuracy = float(results(trained[0])["eval_accuracy"])
    assert np.trace(counts) / 15 == pytest.approx(accuracy)


def test_predictions_keep_ids_and_order(trained):
    head, *rows = table(trained[0] / "predictions.tsv")
    assert head == ["id", "prediction", "confidence", *LABELS]
    assert [row[0] for row in rows] == IDS
    for _, label, confidence, *columns in rows:
        assert label == LABELS[int(np.argmax(np.array(columns, float)))]
        assert confidence == max(columns)
        assert sum(map(float, columns)) == pytest.approx(1, abs=1e-5)


def test_test_results_are_the_columns_of_predictions(trained):
    plain = np.array(table(trained[0] / "test_results.tsv"), float)
    named = np.array([row[3:] for row in table(trained[0] / "predictions.tsv")[1:]], float)
    assert plain.shape == (len(IDS), len(LABELS))
    np.testing.assert_allclose(plain, named, atol=5e-7)


def test_the_folder_explains_itself(trained, data, tiny):
    folder, arguments = trained
    assert (folder / "labels.txt").read_text() == "question\nbug\nfeature\n"
    assert (folder / "vocab.txt").read_bytes() == (tiny / "vocab.txt").read_bytes()
    [entry] = json.loads((folder / "runs.json").read_text())
    assert all(argument in entry["command"] for argument in arguments)
    assert entry["seed"] == 42 and "CPU" in entry["device"]
    assert entry["versions"]["tensorflow"] == tf.__version__
    assert set(entry["data"]) == {"train", "dev", "test"}
    for split, file in entry["data"].items():
        assert file == {"path": str(data / f"{split}.tsv"),
                        "sha256": records.sha256_file(str(data / f"{split}.tsv"))}
    assert entry["start"] == str(tiny / "bert_model.ckpt")


def test_summary_before_and_after(trained):
    said = (trained[0] / "run.log").read_text()
    assert re.search(r"device +CPU", said)
    assert re.search(r"train +15 rows: question 5, bug 5, feature 5", said)
    assert re.search(r"tokens a row: half up to \d+, .* longest \d+; none cut", said)
    assert re.search(r"train 6/6  loss \d\.\d{4}  [\d.]+ examples/s  0 s left", said)
    assert "dev at step 6: eval_accuracy" in said
    assert "test: 7 rows predicted" in said
    assert "predictions.tsv" in said.splitlines()[-1]


def scalars(folder):
    """Returns {tag: {step: value}} of the event files in a folder."""
    found = {}
    for path in folder.glob("events.out.tfevents.*"):
        for event in tf.compat.v1.train.summary_iterator(str(path)):
            for value in event.summary.value:
                found.setdefault(value.tag, {})[event.step] = value.simple_value
    return found


def test_tensorboard_has_loss_rate_and_metrics(trained):
    training, evaluation = scalars(trained[0]), scalars(trained[0] / "eval")
    assert 0 < training["loss"][6] < 5
    assert training["learning_rate"][6] == pytest.approx(1e-3 * (1 - 5 / 6))
    expected = float(results(trained[0])["eval_accuracy"])
    assert evaluation["eval_accuracy"][6] == pytest.approx(expected)


def test_an_id_with_tabs_and_line_breaks_stays_on_one_line(trained, main, tmp_path):
    with open(tmp_path / "test.csv", "w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([("id", "text"), ("a\tb", "it crashes"),
                                    ("c\nd\r\ne", "add\noption"), ("", "why ?"), ("f", "")])
    status, said = main("--do_predict", f"--output_dir={tmp_path / 'out'}",
                        f"--data_dir={tmp_path}", f"--init_checkpoint={trained[0]}",
                        "--max_seq_length=16")
    assert status == 0, said
    written = (tmp_path / "out" / "predictions.tsv").read_bytes()
    assert written.count(b"\n") == 5 and b"\r" not in written
    rows = table(tmp_path / "out" / "predictions.tsv")
    assert [len(row) for row in rows] == [6] * 5
    assert [row[0] for row in rows[1:3]] == ["a\\tb", "c\\nd\\r\\ne"]
    assert rows[3][0]  # a row without an id gets one
