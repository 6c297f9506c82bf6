"""Every file of a run, byte for byte."""

import json

import numpy as np
import pytest
import tensorflow as tf

from finetune import eval_results, outputs
from finetune.training.events import EventWriter

LABELS = ["bug", "feature", "question"]
THIRDS = np.array([[0.25, 0.5, 0.25], [0.1, 0.2, 0.7], [0.5, 0.5, 0.0]], np.float32)


def names(folder):
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


def holds_only(folder, name, text):
    """Asserts the exact bytes of a file, and that nothing else lies in the folder."""
    assert (folder / name).read_bytes() == text.encode()
    assert names(folder) == [name]


# --- texts -----------------------------------------------------------------------------------


@pytest.mark.parametrize("text", ["", "a\n", "naïve 中\r\n\ttab\0"])
def test_what_is_written_is_read(tmp_path, text):
    path = str(tmp_path / "file")
    outputs.write_text(path, "something longer that was here before")
    outputs.write_text(path, text)
    holds_only(tmp_path, "file", text)
    assert outputs.read_text(path) == text
    assert outputs.read_bytes(path) == text.encode()


@pytest.mark.parametrize("read", [outputs.read_text, outputs.read_bytes, outputs.read_labels])
def test_a_file_that_is_not_there_reads_as_none(tmp_path, read):
    assert read(str(tmp_path / "none")) is None


@pytest.mark.parametrize("write", [
    lambda path: outputs.write_text(path, "new"),
    lambda path: outputs.copy(outputs.__file__, path)])
def test_a_file_is_replaced_whole_or_not_at_all(tmp_path, monkeypatch, write):
    def fail(*arguments, **options):
        raise tf.errors.ResourceExhaustedError(None, None, "No space left on device")
    (tmp_path / "file").write_text("old")
    monkeypatch.setattr(tf.io.gfile, "rename", fail)
    with pytest.raises(tf.errors.ResourceExhaustedError):
        write(str(tmp_path / "file"))
    assert (tmp_path / "file").read_text() == "old"


@pytest.mark.parametrize("labels", [LABELS, ["new, feature", "中"]])
def test_labels_are_read_as_they_were_written(tmp_path, labels):
    (tmp_path / "labels.txt").write_text("".join(f"{label}\n" for label in labels))
    assert outputs.read_labels(str(tmp_path)) == labels


def test_json_is_readable_by_people(tmp_path):
    outputs.write_json(str(tmp_path / "a.json"), {"task": "größe", "labels": ["a"]})
    holds_only(tmp_path, "a.json",
               '{\n  "task": "größe",\n  "labels": [\n    "a"\n  ]\n}\n')


def test_runs_are_added_in_their_order(tmp_path):
    for seed in (1, 2, 3):
        outputs.append_run(str(tmp_path), {"seed": seed})
    assert json.loads((tmp_path / "runs.json").read_text()) == [
        {"seed": 1}, {"seed": 2}, {"seed": 3}]


@pytest.mark.parametrize("before", [None, b"other", b"same\xff"])
def test_a_copy_has_the_bytes_of_its_source(tmp_path, before):
    source, target = tmp_path / "source", tmp_path / "target"
    source.write_bytes(b"same\xff")
    if before:
        target.write_bytes(before)
    outputs.copy(str(source), str(target))
    assert target.read_bytes() == b"same\xff"
    assert names(tmp_path) == ["source", "target"]


def test_a_file_is_not_copied_onto_itself(tmp_path):
    path = tmp_path / "vocab.txt"
    path.write_text("[PAD]\n")
    number = path.stat().st_ino
    outputs.copy(str(path), str(path))
    assert path.stat().st_ino == number


# --- starting anew ---------------------------------------------------------------------------


FOREIGN = ["notes.md", "model.txt", "train.tsv", "best_checkpoint.json.bak", "sub/labels.txt",
           "eval/mine.txt", "eval_results.txt.old"]
OWN = ["labels.txt", "vocab.txt", "bert_config.json", "run_config.json", "runs.json", "run.log",
       "eval_results.txt", "confusion_matrix.tsv", "test_results.tsv", "predictions.tsv",
       "report.html", "checkpoint", "best_checkpoint.json", "model.ckpt-7.index",
       "model.ckpt-0.meta", "model.ckpt-7.data-00000-of-00001", ".writing-model.ckpt-9.index",
       "train.tf_record", "eval.tf_record.json", "predict.tf_record", "events.out.tfevents.1.host",
       "graph.pbtxt", "eval/events.out.tfevents.1.host"]


@pytest.mark.parametrize("foreign", [
    FOREIGN, ["images.tf_record"]])
def test_starting_anew_deletes_what_runs_wrote_and_nothing_else(tmp_path, foreign):
    for name in (*OWN, *foreign):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(name)
    outputs.remove_run(str(tmp_path))
    assert names(tmp_path) == sorted(foreign)


@pytest.mark.parametrize(("name", "stays"), [("events.out.tfevents.1.host", False),
                                             ("mine.txt", True)])
def test_the_folder_of_evaluations_goes_when_nothing_is_left_in_it(tmp_path, name, stays):
    (tmp_path / "eval").mkdir()
    (tmp_path / "eval" / name).write_text("")
    outputs.remove_run(str(tmp_path))
    assert (tmp_path / "eval").exists() == stays


def test_starting_anew_in_a_folder_that_is_not_there(tmp_path):
    outputs.remove_run(str(tmp_path / "none"))
    assert names(tmp_path) == []


# --- results ---------------------------------------------------------------------------------


def test_eval_results_begin_with_the_original_s_four_lines(tmp_path):
    eval_results.write(
        str(tmp_path), {"eval_accuracy": np.float32(2 / 3), "eval_loss": np.float32(0.1),
                        "loss": np.float32(1e-7)},
        343, {"f1_macro": 2 / 3, "mcc": -0.5},
        [{"precision": 1.0, "recall": 0.5, "support": 1500},
         {"precision": 0.0, "recall": 1 / 3, "support": 2}], ["bug", "new feature"])
    holds_only(tmp_path, "eval_results.txt", """\
eval_accuracy = 0.6666667
eval_loss = 0.1
global_step = 343
loss = 1e-07
f1_macro = 0.6666667
mcc = -0.5
precision[bug] = 1
recall[bug] = 0.5
support[bug] = 1500
precision[new feature] = 0
recall[new feature] = 0.3333333
support[new feature] = 2
""")


def test_confusion_matrix_names_its_rows_and_columns(tmp_path):
    outputs.write_confusion_matrix(str(tmp_path), np.array([[2, 1, 0], [0, 30, 1], [0, 0, 4]]),
                                   LABELS)
    holds_only(tmp_path, "confusion_matrix.tsv", "truth\\predicted\tbug\tfeature\tquestion\n"
               "bug\t2\t1\t0\nfeature\t0\t30\t1\nquestion\t0\t0\t4\n")


def test_test_results_are_the_original_s_probabilities_and_nothing_else(tmp_path):
    # The original: "\t".join(str(class_probability) ...) + "\n" of float32
    outputs.write_test_results(str(tmp_path), np.array([[1 / 3, 2 / 3], [1e-8, 1]], np.float32))
    holds_only(tmp_path, "test_results.tsv", "0.33333334\t0.6666667\n1e-08\t1.0\n")


def test_predictions_have_a_header_and_a_column_a_label(tmp_path):
    outputs.write_predictions(str(tmp_path), ["17", "a-2", ""], THIRDS, LABELS)
    holds_only(tmp_path, "predictions.tsv", """\
id\tprediction\tconfidence\tbug\tfeature\tquestion
17\tfeature\t0.500000\t0.250000\t0.500000\t0.250000
a-2\tquestion\t0.700000\t0.100000\t0.200000\t0.700000
\tbug\t0.500000\t0.500000\t0.500000\t0.000000
""")


@pytest.mark.parametrize(("row_id", "written"), [
    ("a\tb", "a\\tb"), ("a\nb\r\nc", "a\\nb\\r\\nc"), ('say "a"', 'say "a"'), ("é 中", "é 中")])
def test_an_id_stays_in_its_cell_and_its_line(tmp_path, row_id, written):
    outputs.write_predictions(str(tmp_path), [row_id], THIRDS[:1], LABELS)
    lines = (tmp_path / "predictions.tsv").read_bytes().decode().split("\n")
    assert [line.split("\t")[0] for line in lines] == ["id", written, ""]


@pytest.mark.parametrize("write", [
    lambda folder: outputs.write_predictions(folder, ["1", "2"], THIRDS, LABELS),
    lambda folder: outputs.write_confusion_matrix(folder, np.eye(2), LABELS),
    lambda folder: eval_results.write(folder, {}, 1, {}, [], LABELS)])
def test_what_does_not_fit_together_is_not_written(tmp_path, write):
    with pytest.raises(ValueError, match="zip"):
        write(str(tmp_path))
    assert names(tmp_path) == []


def test_tensorboard_reads_the_events(tmp_path):
    writer = EventWriter(str(tmp_path / "eval"))
    writer.write(20, {"loss": 0.5, "learning_rate": 1e-5})
    writer.write(40, {"dev/accuracy": 0.75})
    writer.close()
    (name,) = names(tmp_path)
    assert name.startswith("eval/events.out.tfevents.")
    events = [tf.compat.v1.Event.FromString(record.numpy())
              for record in tf.data.TFRecordDataset(str(tmp_path / name))]
    assert events[0].file_version == "brain.Event:2"
    assert [(event.step, {one.tag: one.simple_value for one in event.summary.value})
            for event in events[1:]] == [
        (20, {"loss": 0.5, "learning_rate": pytest.approx(1e-5)}), (40, {"dev/accuracy": 0.75})]


# --- regression ------------------------------------------------------------------------------


def test_a_regression_leaves_no_labels(tmp_path):
    outputs.write_labels(str(tmp_path), ["no", "yes"])
    holds_only(tmp_path, "labels.txt", "no\nyes\n")
    outputs.write_labels(str(tmp_path), ["score"])
    assert names(tmp_path) == []
    outputs.write_labels(str(tmp_path), ["score"])


def test_scores_have_a_line_each(tmp_path):
    outputs.write_scores(str(tmp_path), ["a\nb", "2"], np.array([1.25, -3], np.float32))
    holds_only(tmp_path, "predictions.tsv",
               "id\tprediction\na\\nb\t1.250000\n2\t-3.000000\n")


def test_results_of_a_regression(tmp_path):
    eval_results.write(str(tmp_path), {"eval_loss": np.float32(0.1), "loss": 2}, 7,
                               {"pearson": 0.5}, [], [])
    holds_only(tmp_path, "eval_results.txt",
               "eval_loss = 0.1\nglobal_step = 7\nloss = 2\npearson = 0.5\n")
