"""The same command again: after the end, after a kill, anew; the same bits or other ones."""

import json
import os
import shutil
import signal
import subprocess
import sys

import pytest
import tensorflow as tf

import run_classifier_custom
from finetune import heads, outputs
from finetune.checkpoints import checkpoint
from finetune.training.trainer import Trainer
from tests.conftest import ROOT
from tests.end_to_end.conftest import LABELS, SMALL, names, results, tensors

KILL_AT_FIFTH_STEP = """
import os, signal, sys
import run_classifier_custom
from finetune.training.trainer import Trainer
update, made = Trainer._update, []
def until_killed(self, rows):
    made.append(rows)
    if len(made) == 5:
        self._checkpoints.wait()
        os.kill(os.getpid(), signal.SIGKILL)
    update(self, rows)
Trainer._update = until_killed
sys.exit(run_classifier_custom.main(sys.argv[1:]))
"""


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
    assert "of the weights before" not in said
    predictions = (copied / "predictions.tsv").read_bytes()
    said = run(f"--labels={','.join(LABELS)}", "--do_train", "--num_train_epochs=4",
               f"--output_dir={copied}")
    assert ("note: eval_results.txt, confusion_matrix.tsv, report.html, predictions.tsv, "
            f"test_results.tsv in {copied}: of the weights before this training") in said
    assert (copied / "predictions.tsv").read_bytes() == predictions
    said = run(f"--labels={','.join(LABELS)}", "--do_train", "--num_train_epochs=4",
               f"--output_dir={copied}")
    assert "no step is made" in said and "of the weights before" not in said
    assert {"model.ckpt-6.index", "model.ckpt-9.index"} <= set(names(copied))
    assert tensors(copied) != before


def test_settings_that_have_trained_nothing_are_not_taken_for_the_model_s(copied, trained, run):
    again = [f"--labels={','.join(LABELS)}", *trained[1][3:], f"--output_dir={copied}"]
    settings = (copied / "run_config.json").read_bytes()
    said = run(*again, "--learning_rate=0.5", "--seed=7")
    assert "note: --learning_rate was " in said and "warning: no step is made: " in said
    assert (copied / "run_config.json").read_bytes() == settings
    first, second = json.loads((copied / "runs.json").read_text())
    assert first["texts"] and "texts" not in second
    said = run(*again, "--seed=7", "--num_train_epochs=3")
    assert "note: this run goes on from weights that the earlier run has trained" in said
    assert json.loads((copied / "run_config.json").read_text())["seed"] == 7


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
            "confusion_matrix.tsv", "report.html", "predict.tf_record", "eval.tf_record"}
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


def test_a_run_that_is_stopped_while_it_saves_finishes_that_first(
        uninterrupted, run, main, tiny, data, tmp_path, monkeypatch):
    rename, steps = tf.io.gfile.rename, []

    def stopped_meanwhile(source, target, overwrite=False):
        if str(target).endswith("model.ckpt-4.index") and not steps:
            steps.extend(names(output))
            os.kill(os.getpid(), signal.SIGINT)
        rename(source, target, overwrite)

    monkeypatch.setattr(tf.io.gfile, "rename", stopped_meanwhile)
    output = tmp_path / "stopped"
    status, said = main(f"--data_dir={data}", f"--init_checkpoint={tiny}", *SMALL, *SAVING,
                        f"--output_dir={output}")
    assert status == 130 and "the same command goes on" in said
    assert "model.ckpt-4.index" in names(output) and "model.ckpt-4.index" not in steps
    assert not [name for name in names(output) if "writing" in name]
    newest = checkpoint.latest(str(output))  # of the step that the stop came in
    monkeypatch.undo()
    said = run(*SAVING, f"--output_dir={output}")
    assert f"goes on from {newest}" in said
    assert tensors(output) == tensors(uninterrupted)
    for name in ("predictions.tsv", "best_checkpoint.json"):
        assert (output / name).read_bytes() == (uninterrupted / name).read_bytes()


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
    settings = (tmp_path / "out" / "run_config.json").read_bytes()
    said = run(*arguments, "--learning_rate=1e-5")
    assert "early stop at step 6" in said and "warning: no step is made: " in said
    assert (tmp_path / "out" / "run_config.json").read_bytes() == settings
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


def cut(folder, step):
    path = folder / f"model.ckpt-{step}.data-00000-of-00001"
    path.write_bytes(path.read_bytes()[:-100])


@pytest.fixture
def torn(uninterrupted, tmp_path):
    """A copy of the uninterrupted run: checkpoints 2, 3, 4, 6, 8, 9, or what of them is kept."""
    folder = shutil.copytree(uninterrupted, tmp_path / "torn")
    for name in ("predictions.tsv", "test_results.tsv"):
        (folder / name).unlink()
    return folder


def test_a_torn_newest_checkpoint_is_made_again_from_the_one_before(torn, uninterrupted, run):
    cut(torn, 9)
    said = run(*SAVING, f"--output_dir={torn}")
    assert f"note: {torn}/model.ckpt-9: " in said
    assert f"{torn}/model.ckpt-8, the one before, is used" in said
    assert f"goes on from {torn}/model.ckpt-8" in said
    assert_same_end(torn, uninterrupted)


def test_two_torn_checkpoints(torn, uninterrupted, run):
    cut(torn, 9)
    (torn / "model.ckpt-8.index").write_bytes(b"")
    said = run(*SAVING, f"--output_dir={torn}")
    assert f"goes on from {torn}/model.ckpt-6" in said
    assert_same_end(torn, uninterrupted)


def test_a_torn_best_checkpoint_is_made_again(torn, uninterrupted, run, main, tiny, data):
    record = json.loads((torn / "best_checkpoint.json").read_text())
    (torn / "best_checkpoint.json").write_text(json.dumps(
        {**record, "checkpoint": "model.ckpt-6", "step": 6}))
    cut(torn, 6)
    status, said = main(f"--data_dir={data}", "--max_seq_length=16", "--do_predict",
                        f"--output_dir={torn}")
    assert status == 2 and f"error: {torn}/model.ckpt-6: " in said and "Traceback" not in said
    said = run(*SAVING, f"--output_dir={torn}")
    assert "(the best so far)" in said and f"goes on from {torn}/model.ckpt-4" in said
    assert tensors(torn) == tensors(uninterrupted)


def test_no_whole_checkpoint_is_left(torn, main, tiny, data):
    for path in torn.glob("model.ckpt-*.data*"):
        path.write_bytes(path.read_bytes()[:50])
    before = {path.name: path.read_bytes() for path in torn.iterdir() if path.is_file()}
    status, said = main(f"--data_dir={data}", f"--init_checkpoint={tiny}", *SMALL, *SAVING,
                        f"--output_dir={torn}")
    assert status == 2 and "holds no whole checkpoint" in said and "Traceback" not in said
    assert {path.name: path.read_bytes() for path in torn.iterdir() if path.is_file()} == before


@pytest.mark.parametrize("state", [b"", b"\xff\xfe\0", b'model_checkpoint_path: "model.ckpt-77"\n'])
def test_a_damaged_state_file(torn, uninterrupted, run, state):
    (torn / "checkpoint").write_bytes(state)
    said = run(*SAVING, f"--output_dir={torn}")
    assert f"{torn}/checkpoint names no checkpoint that is there; {torn}/model.ckpt-9 is" in said
    for name in ("predictions.tsv", "best_checkpoint.json"):
        assert (torn / name).read_bytes() == (uninterrupted / name).read_bytes()


@pytest.mark.parametrize("content", ["[]", "{}", '{"checkpoint": 3}', "nonsense"])
def test_a_damaged_record_of_the_best(torn, main, tiny, data, content):
    (torn / "best_checkpoint.json").write_text(content)
    status, said = main(f"--data_dir={data}", f"--init_checkpoint={tiny}", *SMALL, *SAVING,
                        f"--output_dir={torn}")
    assert status == 2 and f"error: {torn}/best_checkpoint.json: " in said


@pytest.mark.parametrize("name", ["labels.txt", "vocab.txt", "bert_config.json"])
@pytest.mark.parametrize("flags", [["--do_predict"], SAVING], ids=["prediction", "training"])
def test_an_altered_small_file_is_refused(torn, main, tiny, data, name, flags):
    text = (torn / name).read_text()
    (torn / name).write_text(text.replace("bug", "bag") if name == "labels.txt" else text + " ")
    status, said = main(f"--data_dir={data}", f"--init_checkpoint={tiny}", *SMALL, *flags,
                        f"--output_dir={torn}")
    assert status == 2 and f"error: {torn / name}: has been altered or damaged" in said
    assert said.count("error: ") == 1 or name != "labels.txt"
    (torn / "SHA256SUMS").unlink()
    if name == "labels.txt":  # renamed on purpose
        assert main(f"--data_dir={data}", "--max_seq_length=16", "--do_predict",
                    f"--output_dir={torn}")[0] == 0


def test_a_damaged_cache_is_made_anew(torn, uninterrupted, run):
    path = torn / "predict.tf_record"
    path.write_bytes(path.read_bytes()[:-1])
    (torn / "train.tf_record.json").write_text("[")
    said = run(*SAVING, f"--output_dir={torn}")
    for name in ("predict", "train"):
        assert f"note: {torn}/{name}.tf_record is damaged" in said
    assert_same_end(torn, uninterrupted)


def test_a_loss_that_is_no_number(run, main, tiny, data, tmp_path, monkeypatch):
    """The step, its rows and the last good checkpoint are named; nothing diverged is written."""
    losses, output = heads.losses, tmp_path / "out"
    monkeypatch.setattr(heads, "losses", lambda logits, label_ids: losses(
        logits, label_ids) * tf.where(made[0] > 4, float("nan"), 1.0))
    made = [tf.Variable(0)]
    update = Trainer._update

    def counted(self, batches):
        made[0].assign_add(1)
        rows.append([int(row) + 1 for row in batches[0]])
        update(self, batches)

    rows = []
    monkeypatch.setattr(Trainer, "_update", counted)
    status, said = main(f"--data_dir={data}", f"--init_checkpoint={tiny}", *SMALL, "--do_train",
                        "--save_checkpoints_steps=2", "--num_train_epochs=3", "--log_every_steps=1",
                        f"--output_dir={output}")
    assert status == 2 and "Traceback" not in said
    told = [line for line in said.splitlines() if line.startswith("error: step 5: the loss is nan")]
    assert len(told) == 1 and f"training rows {', '.join(map(str, rows[4]))} (the" in told[0]
    assert f"Last checkpoint kept: {output}/model.ckpt-4" in told[0]
    assert checkpoint.damage(str(output / "model.ckpt-4"), slots=True) is None
    assert checkpoint.steps(str(output)) == [2, 4]
