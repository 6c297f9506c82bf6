"""The whole command on a tiny checkpoint: what it writes, goes on from, repeats and says."""

import csv
import json
import re
import shutil
import signal
import subprocess
import sys

import numpy as np
import pytest
import tensorflow as tf

import run_classifier_custom
from finetune import outputs, records
from tests.conftest import ROOT, TEXTS

LABELS = ["question", "bug", "feature"]
ROWS = [(text, label) for row in zip(*TEXTS.values(), strict=True)
        for text, label in zip(row, TEXTS, strict=True)]
# Neither in order nor of one length, so that sorting them anywhere would show.
IDS = ["17", "a-2", "3", "17b", "z", "0", "#9"]
ALL = ["--do_train", "--do_eval", "--do_predict"]
SMALL = ["--max_seq_length=16", "--train_batch_size=5", "--learning_rate=1e-3"]
KILL_AT_FIFTH_STEP = """
import os, signal, sys
import run_classifier_custom
from finetune.trainer import Trainer
batch, made = Trainer._batch, []
def until_killed(self, rows):
    made.append(rows)
    if len(made) == 5:
        os.kill(os.getpid(), signal.SIGKILL)
    return batch(self, rows)
Trainer._batch = until_killed
sys.exit(run_classifier_custom.main(sys.argv[1:]))
"""


def write_rows(path, *rows):
    """Writes tab-separated rows."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join("\t".join(row) + "\n" for row in rows), encoding="utf-8")


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """train.tsv, dev.tsv with 15 rows each, test.tsv with 7 rows and no labels."""
    folder = tmp_path_factory.mktemp("data")
    for name in ("train", "dev"):
        write_rows(folder / f"{name}.tsv", ("id", "text", "label"),
                   *((f"{name}{number}", *row) for number, row in enumerate(ROWS)))
    write_rows(folder / "test.tsv", ("id", "text"),
               *((row_id, text) for row_id, (text, _) in zip(IDS, ROWS, strict=False)))
    return folder


@pytest.fixture(scope="module")
def trained(tiny, data, tmp_path_factory):
    """(output folder, command line) of a run of 2 epochs; tests copy it before they change it."""
    folder = tmp_path_factory.mktemp("trained") / "output"
    arguments = [f"--data_dir={data}", f"--init_checkpoint={tiny}", f"--labels={','.join(LABELS)}",
                 *ALL, *SMALL, "--num_train_epochs=2", f"--output_dir={folder}"]
    assert run_classifier_custom.main(arguments) == 0
    return folder, arguments


@pytest.fixture
def run(main, tiny, data):
    """Runs the command on `data` and `tiny` (later flags win); it has to succeed.

    Returns:
        A function: flags -> standard error.
    """
    def succeed(*arguments):
        status, said = main(f"--data_dir={data}", f"--init_checkpoint={tiny}", *SMALL, *arguments)
        assert status == 0, said
        return said
    return succeed


@pytest.fixture
def copied(trained, tmp_path):
    """A copy of the trained folder, to be changed."""
    return shutil.copytree(trained[0], tmp_path / "copied")


def names(folder):
    """Returns the paths of all files below a folder, event files without their time and host."""
    found = (str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())
    return sorted(re.sub(r"(events\.out\.tfevents)\..*", r"\1", name) for name in found)


def table(path):
    """Returns the cells of a TSV file."""
    return [line.split("\t") for line in path.read_text(encoding="utf-8").split("\n")[:-1]]


def results(folder):
    """Returns eval_results.txt as a dictionary in its order."""
    lines = (folder / "eval_results.txt").read_text().splitlines()
    return dict(line.split(" = ") for line in lines)


def tensors(folder):
    """Returns the bytes of every variable of the newest checkpoint, by name."""
    reader = tf.train.load_checkpoint(str(folder))
    return {name: reader.get_tensor(name).tobytes()
            for name in reader.get_variable_to_shape_map()}


def test_the_exact_set_of_files(trained):
    assert names(trained[0]) == sorted([
        "bert_config.json", "checkpoint", "confusion_matrix.tsv", "eval.tf_record",
        "eval.tf_record.json", "eval/events.out.tfevents", "eval_results.txt",
        "events.out.tfevents", "labels.txt", "model.ckpt-6.data-00000-of-00001",
        "model.ckpt-6.index", "predict.tf_record", "predict.tf_record.json", "predictions.tsv",
        "run.log", "run_config.json", "runs.json", "test_results.tsv", "train.tf_record",
        "train.tf_record.json", "vocab.txt"])


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


def test_the_same_command_does_not_train_again_and_more_epochs_go_on(copied, trained, run):
    before = tensors(copied)
    again = [*trained[1][3:], f"--output_dir={copied}"]
    said = run(f"--labels={','.join(LABELS)}", *again)
    assert "training is complete, no step is made" in said
    assert tensors(copied) == before
    assert names(copied).count("model.ckpt-6.index") == 1
    for name in ("predictions.tsv", "test_results.tsv", "eval_results.txt"):
        assert (copied / name).read_bytes() == (trained[0] / name).read_bytes()
    assert len(json.loads((copied / "runs.json").read_text())) == 2
    said = run(f"--labels={','.join(LABELS)}", *again, "--num_train_epochs=3")
    assert f"goes on from {copied}/model.ckpt-6" in said
    assert "--num_train_epochs was 2.0" in said and "is 3.0 now" in said
    assert results(copied)["global_step"] == "9"
    assert {"model.ckpt-6.index", "model.ckpt-9.index"} <= set(names(copied))
    assert tensors(copied) != before


def test_overwriting_starts_anew_and_leaves_other_files(copied, trained, run):
    (copied / "notes.txt").write_text("mine")
    (copied / "mine").mkdir()
    (copied / "mine" / "model.bin").write_text("mine too")
    (copied / "model.ckpt-99.index").write_text("of an earlier run")
    run(f"--labels={','.join(LABELS)}", "--do_train", "--num_train_epochs=2",
        "--overwrite_output_dir", f"--output_dir={copied}")
    assert (copied / "notes.txt").read_text() == "mine"
    assert (copied / "mine" / "model.bin").read_text() == "mine too"
    assert tensors(copied) == tensors(trained[0])  # the same seed gives the same bits
    gone = {"model.ckpt-99.index", "predictions.tsv", "test_results.tsv", "eval_results.txt",
            "confusion_matrix.tsv", "predict.tf_record", "eval.tf_record"}
    assert not gone & set(names(copied))
    assert len(json.loads((copied / "runs.json").read_text())) == 1


def test_overwriting_knows_its_own_records(copied):
    """Somebody else's TFRecords are no run's."""
    (copied / "mine.tf_record").write_text("mine")
    (copied / "mine.tf_record.json").write_text("mine")
    outputs.remove_run(str(copied))
    assert names(copied) == ["mine.tf_record", "mine.tf_record.json"]


def test_run_config_is_a_config_file(trained, main, tmp_path):
    status, said = main(f"--config={trained[0] / 'run_config.json'}",
                        f"--output_dir={tmp_path / 'again'}")
    assert status == 0, said
    assert tensors(tmp_path / "again") == tensors(trained[0])
    assert names(tmp_path / "again") == names(trained[0])
    settings = [json.loads((folder / "run_config.json").read_text())
                for folder in (trained[0], tmp_path / "again")]
    assert settings[0] == {**settings[1], "output_dir": str(trained[0])}


def test_predicting_with_the_output_folder_alone(copied, trained, main, data, tmp_path):
    alone = tmp_path / "alone"
    alone.mkdir()
    shutil.copy(data / "test.tsv", alone)
    expected = (copied / "predictions.tsv").read_bytes()
    settings = (copied / "run_config.json").read_bytes()
    (copied / "predictions.tsv").unlink()
    status, said = main("--do_predict", f"--output_dir={copied}", f"--data_dir={alone}",
                        "--max_seq_length=16")
    assert status == 0, said
    assert (copied / "predictions.tsv").read_bytes() == expected
    assert (copied / "run_config.json").read_bytes() == settings  # it tells how it was trained


def test_predicting_elsewhere_takes_labels_and_model_from_the_trained_folder(
        trained, main, data, tmp_path):
    alone, output = tmp_path / "alone", tmp_path / "elsewhere"
    alone.mkdir()
    shutil.copy(data / "test.tsv", alone)
    before = {path: path.stat().st_mtime_ns for path in trained[0].rglob("*")}
    status, said = main("--do_predict", f"--output_dir={output}", f"--data_dir={alone}",
                        f"--init_checkpoint={trained[0]}", "--max_seq_length=16")
    assert status == 0, said
    assert (output / "predictions.tsv").read_bytes() == (
        trained[0] / "predictions.tsv").read_bytes()
    assert (output / "labels.txt").read_text().split() == LABELS
    assert names(output) == sorted([
        "bert_config.json", "labels.txt", "predict.tf_record", "predict.tf_record.json",
        "predictions.tsv", "run.log", "run_config.json", "runs.json", "test_results.tsv",
        "vocab.txt"])
    assert {path: path.stat().st_mtime_ns for path in trained[0].rglob("*")} == before


SAVING = ["--do_train", "--do_predict", "--num_train_epochs=3", "--save_checkpoints_steps=2",
          "--eval_every_steps=3", "--metric_for_best=loss"]


@pytest.fixture(scope="module")
def uninterrupted(tiny, data, tmp_path_factory):
    """Output folder of a run with checkpoints and evaluations on the way, never stopped."""
    folder = tmp_path_factory.mktemp("uninterrupted") / "output"
    assert run_classifier_custom.main([
        f"--data_dir={data}", f"--init_checkpoint={tiny}", *SMALL, *SAVING,
        f"--output_dir={folder}"]) == 0
    return folder


def assert_same_end(folder, expected):
    assert tensors(folder) == tensors(expected)
    for name in ("predictions.tsv", "test_results.tsv", "best_checkpoint.json", "checkpoint"):
        assert (folder / name).read_bytes() == (expected / name).read_bytes()
    assert set(names(folder)) == set(names(expected))


def test_a_run_that_was_killed_ends_with_the_same_bits(uninterrupted, run, tiny, data, tmp_path):
    output = tmp_path / "killed"
    arguments = [f"--data_dir={data}", f"--init_checkpoint={tiny}", *SMALL, *SAVING,
                 f"--output_dir={output}"]
    died = subprocess.run([sys.executable, "-c", KILL_AT_FIFTH_STEP, *arguments], cwd=ROOT,
                          capture_output=True, text=True, timeout=300)
    assert died.returncode == -signal.SIGKILL, died.stderr
    assert "model.ckpt-4.index" in names(output) and "predictions.tsv" not in names(output)
    said = run(*SAVING, f"--output_dir={output}")
    assert f"goes on from {output}/model.ckpt-4" in said
    assert_same_end(output, uninterrupted)


def test_a_run_that_was_interrupted_while_it_saved_ends_with_the_same_bits(
        uninterrupted, run, main, tiny, data, tmp_path, monkeypatch):
    rename = tf.io.gfile.rename

    def interrupted(source, target, overwrite=False):
        if str(target).endswith("model.ckpt-4.index"):
            raise KeyboardInterrupt
        rename(source, target, overwrite)

    monkeypatch.setattr(tf.io.gfile, "rename", interrupted)
    output = tmp_path / "interrupted"
    status, said = main(f"--data_dir={data}", f"--init_checkpoint={tiny}", *SMALL, *SAVING,
                        f"--output_dir={output}")
    assert status == 130 and "the same command goes on" in said
    monkeypatch.undo()
    said = run(*SAVING, f"--output_dir={output}")
    assert f"goes on from {output}/model.ckpt-3" in said
    assert_same_end(output, uninterrupted)


def test_early_stopping_and_the_best_checkpoint(run, tmp_path):
    """At such a rate no answer changes: the first evaluation is never bettered."""
    arguments = ["--do_train", "--do_eval", "--num_train_epochs=10", "--learning_rate=1e-9",
                 "--eval_every_steps=2", "--early_stopping_patience=2", "--keep_checkpoint_max=1",
                 "--metric_for_best=accuracy", f"--output_dir={tmp_path / 'out'}"]
    said = run(*arguments)
    assert "early stop at step 6: no better accuracy in 2 evaluations" in said
    assert "use the best checkpoint, model.ckpt-2" in said
    assert results(tmp_path / "out")["global_step"] == "2"
    best = json.loads((tmp_path / "out" / "best_checkpoint.json").read_text())
    assert best == {"checkpoint": "model.ckpt-2", "step": 2, "metric": "accuracy",
                    "value": best["value"], "evaluated": 6}
    assert [name for name in names(tmp_path / "out") if name.endswith(".index")] == [
        "model.ckpt-2.index", "model.ckpt-6.index"]
    said = run(*arguments)
    assert "early stop at step 6" in said and "goes on from" in said
    assert [name for name in names(tmp_path / "out") if name.endswith(".index")] == [
        "model.ckpt-2.index", "model.ckpt-6.index"]


def test_the_best_checkpoint_of_a_folder_is_used_from_elsewhere_too(uninterrupted, run, tmp_path):
    """--init_checkpoint=<folder> means what --output_dir=<folder> would predict with."""
    folder = shutil.copytree(uninterrupted, tmp_path / "earlier")
    (folder / "best_checkpoint.json").write_text(json.dumps(
        {"checkpoint": "model.ckpt-6", "step": 6, "metric": "loss", "value": 0, "evaluated": 9}))
    run("--do_eval", f"--init_checkpoint={folder}", f"--output_dir={tmp_path / 'out'}")
    assert results(tmp_path / "out")["global_step"] == "6"


def test_another_seed_gives_other_bits(trained, run, tmp_path):
    run(f"--labels={','.join(LABELS)}", "--do_train", "--num_train_epochs=2", "--seed=43",
        f"--output_dir={tmp_path / 'other'}")
    expected, other = tensors(trained[0]), tensors(tmp_path / "other")
    # The bias of a key shifts all scores of a query alike, so softmax gives it no gradient.
    still = {name for name, value in other.items() if expected[name] == value}
    assert all(name == "global_step" or "key/bias" in name for name in still), still


def write_formats(folder, name, rows):
    """Writes the same records as TSV, CSV, JSON lines and as the JSON list of the first job."""
    for ending in ("tsv", "csv", "jsonl", "json"):
        (folder / ending).mkdir(exist_ok=True)
    lines = [list(rows[0]), *(list(map(str, row.values())) for row in rows)]
    write_rows(folder / "tsv" / f"{name}.tsv", *lines)
    with open(folder / "csv" / f"{name}.csv", "w", newline="", encoding="utf-8") as file:
        csv.writer(file, quoting=csv.QUOTE_ALL).writerows(lines)
    (folder / "jsonl" / f"{name}.jsonl").write_text("".join(json.dumps(r) + "\n" for r in rows))
    (folder / "json" / f"{name}.json").write_text(json.dumps(rows))


def test_every_format_of_the_first_jobs_records_gives_the_same(run, tmp_path):
    """Title, body and label 0, 1 or 2, a number in JSON; read with no flag for columns."""
    numbers = {label: number for number, label in enumerate(TEXTS)}
    rows = [{"title": text.split(" ", 2)[0], "body": text.split(" ", 1)[1],
             "label": numbers[label]} for text, label in ROWS]
    write_formats(tmp_path, "train", rows)
    write_formats(tmp_path, "dev", rows)
    write_formats(tmp_path, "test", [{"title": row["title"], "body": row["body"]} for row in rows])
    first = tmp_path / "out_json"
    run(f"--data_dir={tmp_path / 'json'}", *ALL, "--num_train_epochs=0.34", "--seed=1",
        f"--output_dir={first}")
    assert (first / "labels.txt").read_text() == "0\n1\n2\n"
    assert len(table(first / "predictions.tsv")) == 1 + len(rows)
    lengths = records.read(str(first / "predict.tf_record")).lengths()
    assert lengths[0] == len(ROWS[0][0].split()) + 2  # title and body, [CLS] and [SEP]
    for ending in ("tsv", "csv", "jsonl"):
        output = tmp_path / f"out_{ending}"
        run(f"--data_dir={tmp_path / ending}", "--do_eval", "--do_predict",
            f"--init_checkpoint={first}", f"--output_dir={output}")
        for name in ("test_results.tsv", "eval_results.txt"):
            assert (output / name).read_bytes() == (first / name).read_bytes()


def test_pairs_positions_labels_file_and_config_file(main, tiny, tmp_path):
    """No header; label, id and the two texts by position; labels with commas; flags from YAML."""
    named = {"bug": "broken, sorry", "feature": 'a "new" thing', "question": "asked"}
    rows = [(named[label], f"n{number}", text, "is it a bug ?")
            for number, (text, label) in enumerate(ROWS)]
    for split in ("train", "dev", "test"):
        write_rows(tmp_path / f"{split}.tsv", *rows)
    (tmp_path / "labels").write_text("asked\nbroken, sorry\na \"new\" thing\n")
    (tmp_path / "run.yaml").write_text(
        f"data_dir: {tmp_path}\ninit_checkpoint: {tiny}\nlabels_file: {tmp_path / 'labels'}\n"
        "header: false\ntext_column: 2\ntext_b_column: [3]\nlabel_column: 0\nid_column: 1\n"
        "do_train: yes\ndo_eval: true\ndo_predict: true\nmax_seq_length: 16\n"
        "learning_rate: 1e-3\ntrain_batch_size: 99\nnum_train_epochs: 1\n")
    output = tmp_path / "out"
    status, said = main(f"--config={tmp_path / 'run.yaml'}", f"--output_dir={output}",
                        "--train_batch_size=5")  # the command line wins
    assert status == 0, said
    assert results(output)["global_step"] == "3"
    head, *predicted = table(output / "predictions.tsv")
    assert head[3:] == ["asked", "broken, sorry", 'a "new" thing']
    assert [row[0] for row in predicted] == [f"n{number}" for number in range(15)]
    ids, segments = records.read(str(output / "train.tf_record")).row(0)
    words = (tiny / "vocab.txt").read_text().split()
    assert [words[token] for token in ids] == [
        "[CLS]", "the", "app", "crashes", "when", "i", "open", "a", "[SEP]",
        "is", "it", "a", "b", "##u", "##g", "[SEP]"]  # 8 and 7 tokens, cut to 7 and 6
    assert segments.tolist() == [0] * 9 + [1] * 7


def test_labels_with_commas_survive_run_config(tmp_path):
    """run_config.json holds the labels of --labels_file as a list; --config reads them back."""
    (tmp_path / "labels").write_text("asked\nbroken, sorry\na \"new\" thing\n")
    config = run_classifier_custom.make_config(
        ["--do_train", "--data_dir=d", "--output_dir=o", f"--labels_file={tmp_path / 'labels'}"])
    (tmp_path / "run_config.json").write_text(json.dumps(config.as_dict()))
    again = run_classifier_custom.make_config([f"--config={tmp_path / 'run_config.json'}"])
    assert again.labels == ("asked", "broken, sorry", 'a "new" thing')


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


@pytest.fixture(scope="module")
def destroyed(tiny, data, tmp_path_factory):
    """run.log of a run whose loss is 1.1 at first and above 25 in the end."""
    folder = tmp_path_factory.mktemp("destroyed") / "output"
    assert run_classifier_custom.main([
        f"--data_dir={data}", f"--init_checkpoint={tiny}", *SMALL, "--do_train", "--do_eval",
        "--num_train_epochs=10", "--learning_rate=5", f"--output_dir={folder}"]) == 0
    return (folder / "run.log").read_text()


def test_a_model_that_gives_one_answer_is_said_out_loud(destroyed):
    assert re.search(r"warning: all 15 dev rows were predicted '(bug|feature|question)': .*"
                     r"--learning_rate \(now 5;", destroyed)


def test_a_rate_that_made_the_loss_climb_is_said_out_loud(destroyed):
    """Most of the climb is in the first steps, as soon as the warm-up is over."""
    assert re.search(r"warning: .*\bloss\b.*--learning_rate=5\b.*try", destroyed)


def test_a_healthy_run_warns_of_nothing(run, tmp_path):
    """dev and test hold the rows of train, which it has learned: each gets its own label."""
    said = run(*ALL, "--train_batch_size=15", "--num_train_epochs=60", "--learning_rate=3e-3",
               f"--output_dir={tmp_path / 'out'}")
    assert "warning" not in said.lower()
    assert float(results(tmp_path / "out")["eval_accuracy"]) == 1
    predicted = [row[1] for row in table(tmp_path / "out" / "predictions.tsv")[1:]]
    assert predicted == [label for _, label in ROWS[:len(IDS)]]


def test_labels_with_characters_that_end_a_line_for_python_only(main, tmp_path, tiny):
    """U+2028 and U+0085 end a line for str.splitlines and for many a reader of labels.txt."""
    rows = [("text", "label"), ("it crashes", "bug\u2028report"), ("why ?", "what\u0085now")]
    write_rows(tmp_path / "train.tsv", *rows)
    status, said = main("--do_train", f"--data_dir={tmp_path}", "--train_batch_size=1",
                        f"--init_checkpoint={tiny}", f"--output_dir={tmp_path / 'out'}")
    assert status == 2 and "label 'bug\\u2028report'" in said and "line break" in said
