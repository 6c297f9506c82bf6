"""A sweep: its runs, what it does when one fails or it is killed itself, what it writes.

Most tests put a stand-in in the place of the process that trains.
"""

import csv
import json
import os
import signal
import subprocess
import sys

import pytest

import run_classifier_custom as entry
from finetune import outputs, swept
from finetune.errors import UserError
from finetune.sources import strip
from finetune.sweep import processes, speed
from tests.conftest import ROOT

SMALL = ["--do_train", "--do_eval", "--max_seq_length=16", "--train_batch_size=5",
         "--labels=bug,feature,question"]


class Stand:
    """In the place of processes.run: leaves what a run leaves; tests say how it goes.

    Attributes:
        calls: the settings of every run started.
        scores: learning rate -> dev accuracy; a string is an error, KeyboardInterrupt is raised.
        collapsed: learning rates of runs that give one answer for all of dev.
    """

    def __init__(self):
        self.calls, self.scores, self.collapsed = [], {}, set()

    def __call__(self, arguments, lock=None):
        assert os.path.basename(arguments[0]) == "run_classifier_custom.py" and lock
        config = entry.make_config(arguments[1:])
        assert config.problems() == []  # at which the run itself would end
        self.calls.append(config)
        folder = config.output_dir
        if config.do_predict:
            assert not config.do_train and os.path.exists(f"{folder}/model.ckpt-9.index")
            outputs.write_text(f"{folder}/predictions.tsv", "id\n")
            return 0, ""
        assert config.do_train and config.do_eval
        score = self.scores.get(config.learning_rate, 0.5)
        if isinstance(score, str):
            return 2, score
        os.makedirs(folder, exist_ok=True)
        outputs.write_json(f"{folder}/run_config.json", config.as_dict())
        if score is KeyboardInterrupt:
            raise KeyboardInterrupt
        for name in ("model.ckpt-9.index", "model.ckpt-9.data-00000-of-00001"):
            outputs.write_text(f"{folder}/{name}", "w" * 1000)
        outputs.write_text(f"{folder}/checkpoint", 'model_checkpoint_path: "model.ckpt-9"\n')
        outputs.write_text(f"{folder}/eval_results.txt",
                           f"eval_accuracy = {score}\neval_loss = 0.4\nglobal_step = 9\n"
                           f"mcc = {score / 2}\nf1[bug] = 0.1\n")
        alone = config.learning_rate in self.collapsed
        outputs.write_text(f"{folder}/confusion_matrix.tsv", "truth\\predicted\tbug\tfeature\n" + (
            "bug\t5\t0\nfeature\t5\t0\n" if alone else "bug\t4\t1\nfeature\t5\t0\n"))
        return 0, ""


@pytest.fixture
def stand(monkeypatch):
    made = Stand()
    monkeypatch.setattr(processes, "run", made)
    monkeypatch.setattr(speed, "measure", lambda job: speed.Speed(
        1.0, {5: 0.5}, 0.01, 1.0, 0.0, 0.2 if job.test else 0.0))
    return made


@pytest.fixture
def sweep(main, tiny, issues, tmp_path):
    """Runs a sweep in tmp_path/out; returns (exit status, standard error)."""
    def run(content, *flags):
        (tmp_path / "sweep.json").write_text(json.dumps(content))
        return main(*SMALL, f"--data_dir={issues}", f"--init_checkpoint={tiny}",
                    f"--output_dir={tmp_path / 'out'}", f"--sweep={tmp_path / 'sweep.json'}",
                    *flags)
    return run


RATES = {"grid": {"learning_rate": [1e-3, 2e-3, 3e-3]}}


def rows(folder):
    with open(folder / "out" / "sweep_results.csv", newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def checkpoints(folder):
    return [path.parent.name for path in sorted((folder / "out").glob("*/model.ckpt-9.index"))]


# --- what is run, chosen, written ------------------------------------------------------------


def test_every_run_has_a_folder_and_a_command_of_its_own(sweep, stand, tmp_path, issues, tiny):
    stand.scores = {1e-3: 0.3, 2e-3: 0.6, 3e-3: 0.5}
    status, said = sweep(RATES, "--do_predict")
    assert status == 0, said
    names = ["001_lr0.001", "002_lr0.002", "003_lr0.003"]
    assert [(os.path.basename(one.output_dir), one.learning_rate, one.do_predict)
            for one in stand.calls] == [
        *((name, rate, False) for name, rate in zip(names, (1e-3, 2e-3, 3e-3), strict=True)),
        ("002_lr0.002", 2e-3, True)]
    found = rows(tmp_path)
    assert [(row["run"], row["status"], row["chosen"], row["eval_accuracy"]) for row in found] == [
        ("001_lr0.001", "finished", "", "0.3"), ("002_lr0.002", "finished", "yes", "0.6"),
        ("003_lr0.003", "finished", "", "0.5")]
    assert list(found[0])[3:5] == ["learning_rate", "eval_accuracy"] and "f1[bug]" not in found[0]
    assert found[0]["command"].startswith("python run_classifier_custom.py --do_train --do_eval")
    config = entry.make_config(found[0]["command"].split()[2:])
    assert config == stand.calls[0] and config.sweep is None
    assert (tmp_path / "out" / "sweep_results.png").read_bytes().startswith(b"\x89PNG")
    table = (tmp_path / "out" / "sweep_results.md").read_text()
    assert "| lr0.002 | 0.6000 |  | 0.6000 | 1 |  | chosen |" in table
    assert f"    {found[1]['command']}\n" in table


def test_the_chosen_run_predicts_with_what_it_has_calibrated(sweep, stand):
    status, said = sweep(RATES, "--do_predict", "--calibrate", "--min_precision=0.9")
    assert status == 0, said
    assert [(one.calibrate, one.min_precision) for one in stand.calls] == [
        *[(True, 0.9)] * 3, (False, None)]


def test_the_time_is_told_before_the_first_run_and_what_is_left_with_each(sweep, stand):
    _, said = sweep({**RATES, "seeds": 2})
    # 6 runs: 1 s, int(15 / 5 * 3) = 9 steps of 0.5 s, 15 rows of 0.01 s
    assert "about 34 s (measured: 10.0 rows/s in batches of 5)" in said
    assert said.index("about 34 s") < said.index("run 1 of 6: 001_lr0.001_seed42; about 34 s left")
    assert "6 runs, chosen by dev accuracy; 270 rows to train" in said
    assert "run 6 of 6: 006_lr0.003_seed43; about 0 s left in all" in said  # the stand-in is quick


def test_what_a_run_that_goes_on_takes_is_no_measure_of_others(sweep, stand, tmp_path):
    stand.scores = {1e-3: KeyboardInterrupt}
    assert sweep(RATES)[0] == 130
    folder = tmp_path / "out" / "001_lr0.001"
    (folder / "model.ckpt-8.index").write_text("w")
    (folder / "checkpoint").write_text('model_checkpoint_path: "model.ckpt-8"\n')
    stand.scores = {}
    _, said = sweep(RATES)
    assert "run 2 of 3: 002_lr0.002; about 11 s left" in said  # two runs of 5.65 s
    assert "run 3 of 3: 003_lr0.003; about 0 s left" in said  # the stand-in is quick


def test_prediction_is_part_of_the_time(sweep, stand):
    _, said = sweep({**RATES, "seeds": 2}, "--do_predict")
    # 1 s and 6 rows of 0.2 s more
    assert "about 36 s, of it 2 s for prediction (measured: 10.0 rows/s in batches of 5)" in said
    assert "006_lr0.003_seed43; about 0 s left in all" in said
    stand.calls[:] = []
    _, said = sweep({**RATES, "seeds": 3}, "--do_predict")
    assert ", of it 2 s for prediction" in said and len(stand.calls) == 3


def test_where_nothing_is_measured_prediction_is_told_to_be_apart(sweep, stand, monkeypatch):
    monkeypatch.setattr(speed, "measure", lambda job: "not measured on a TPU")
    _, said = sweep(RATES, "--do_predict")
    assert "003_lr0.003; about 0 s left without prediction" in said
    _, said = sweep({**RATES, "seeds": 2})
    assert "left in all" in said


def test_only_the_best_keeps_its_checkpoint_and_the_deletion_is_told(sweep, stand, tmp_path):
    stand.scores = {1e-3: 0.3, 2e-3: 0.6, 3e-3: 0.5}
    _, said = sweep(RATES)
    assert checkpoints(tmp_path) == ["002_lr0.002"]
    assert "deleted the checkpoints of 001_lr0.001 (0 MB): 002_lr0.002 is better" in said
    assert "deleted the checkpoints of 003_lr0.003 (0 MB): 002_lr0.002 is better" in said
    assert (tmp_path / "out" / "001_lr0.001" / "eval_results.txt").exists()


def test_whoever_asks_for_a_deleted_checkpoint_is_sent_to_the_chosen_run(
        sweep, stand, tmp_path, main, issues, tiny):
    stand.scores = {1e-3: 0.3, 2e-3: 0.6, 3e-3: 0.5}
    sweep(RATES)
    out = tmp_path / "out"
    first, best = out / "001_lr0.001", out / "002_lr0.002"
    says = (f"the sweep in {out} deleted the checkpoints of this run, since it keeps those of the "
            f"best run alone; that is {best}: give that folder. The command in "
            f"{out}/sweep_results.csv trains this run again; keep: all in the sweep's file keeps "
            "the checkpoints of all runs")
    for given in (first, first / "model.ckpt-9"):
        status, said = main(f"--data_dir={issues}", f"--init_checkpoint={given}", "--do_eval",
                            f"--output_dir={tmp_path / 'new'}", "--labels=bug,feature,question")
        assert (status, said) == (2, f"error: --init_checkpoint={given}: {says}\n")
    status, said = main(f"--data_dir={issues}", "--do_eval", f"--output_dir={first}",
                        "--max_seq_length=16", f"--vocab_file={tiny}/vocab.txt",
                        f"--bert_config_file={tiny}/bert_config.json")
    assert status == 2
    assert f"nothing to evaluate or predict with: --output_dir={first}: {says}\n" in said
    status, said = main(f"--data_dir={issues}", "--do_eval", f"--output_dir={first}",
                        f"--init_checkpoint={tiny}", "--max_seq_length=16")
    assert status == 2  # what was pre-trained has no head; the one that had one is gone
    assert "has no trained head (output_weights), so its answers would be random" in said
    assert f"--output_dir={first}: {says}\n" in said
    status, said = main(f"--data_dir={issues}", f"--init_checkpoint={out}", "--do_eval",
                        f"--output_dir={tmp_path / 'new'}")
    assert f"{out}: this is the folder of a sweep; its chosen run is {best}: give that" in said
    with pytest.raises(UserError, match="deleted the checkpoints of this run"):
        strip.strip(str(first), str(tmp_path / "stripped"))
    (best / "model.ckpt-9.index").unlink()
    (best / "model.ckpt-9.data-00000-of-00001").unlink()
    assert "best run alone, which are gone too" in swept.why_no_checkpoint(str(first))
    assert swept.why_no_checkpoint(str(best)) is None  # the sweep did not delete that one


def test_a_run_that_is_trained_again_has_a_checkpoint_again(sweep, stand, tmp_path):
    stand.scores = {1e-3: 0.3, 2e-3: 0.6, 3e-3: 0.5}
    sweep(RATES)
    stand.scores = {1e-3: 0.9}
    (tmp_path / "out" / "001_lr0.001" / "eval_results.txt").unlink()
    sweep(RATES)
    assert checkpoints(tmp_path) == ["001_lr0.001"]
    assert swept.sweep_that_deleted(str(tmp_path / "out" / "001_lr0.001")) is None
    assert swept.sweep_that_deleted(str(tmp_path / "out" / "002_lr0.002"))


def test_all_checkpoints_are_kept_if_asked_for(sweep, stand, tmp_path):
    _, said = sweep({**RATES, "keep": "all"})
    assert len(checkpoints(tmp_path)) == 3 and "deleted" not in said


def test_mean_deviation_and_best_over_seeds(sweep, stand, tmp_path, monkeypatch):
    run = Stand.__call__

    def by_seed(self, arguments, lock=None):
        self.scores = {1e-3: {1: 0.5, 2: 0.6, 3: 0.7}[entry.make_config(arguments[1:]).seed]}
        return run(self, arguments, lock)
    monkeypatch.setattr(Stand, "__call__", by_seed)
    sweep({"grid": {"learning_rate": [1e-3]}, "seeds": [1, 2, 3]})
    table = (tmp_path / "out" / "sweep_results.md").read_text()
    assert "| lr0.001 | 0.6000 | 0.1000 | 0.7000 | 3 |  | chosen |" in table


def test_a_collapsed_run_is_named_and_not_chosen(sweep, stand, tmp_path):
    stand.scores, stand.collapsed = {1e-3: 0.9, 2e-3: 0.1}, {1e-3, 3e-3}
    status, said = sweep(RATES)
    assert status == 0
    assert [(row["status"], row["chosen"]) for row in rows(tmp_path)] == [
        ("collapsed", ""), ("finished", "yes"), ("collapsed", "")]
    assert "dev accuracy 0.9000" in said and "COLLAPSED: one answer for all of dev" in said
    assert "collapsed (one answer for all of dev): 001_lr0.001" in said


def test_when_all_collapsed_the_choice_is_told_to_be_worth_nothing(sweep, stand):
    stand.collapsed = {1e-3, 2e-3, 3e-3}
    assert "warning: all runs collapsed" in sweep(RATES)[1]


def test_the_metric_that_decides_can_be_named(sweep, stand, tmp_path):
    stand.scores = {1e-3: 0.3, 2e-3: 0.6}
    sweep({**RATES, "choose_by": "mcc"})
    assert list(rows(tmp_path)[0])[4] == "mcc"
    assert "| 0.3000 |" in (tmp_path / "out" / "sweep_results.md").read_text()


# --- failures --------------------------------------------------------------------------------


def test_a_failed_run_is_named_and_the_others_are_made(sweep, stand, tmp_path):
    stand.scores = {1e-3: 0.3, 2e-3: "step 3: training has diverged", 3e-3: 0.5}
    status, said = sweep(RATES)
    assert status == 1 and len(stand.calls) == 3
    assert "failed: 002_lr0.002: step 3: training has diverged" in said
    assert [row["error"] for row in rows(tmp_path)] == ["", "step 3: training has diverged", ""]
    stand.scores, stand.calls[:] = {}, []
    assert sweep(RATES)[0] == 0  # only what failed is tried again
    assert [one.learning_rate for one in stand.calls] == [2e-3]
    assert {row["status"] for row in rows(tmp_path)} == {"finished"}


def test_nothing_is_chosen_when_all_fail(sweep, stand, tmp_path):
    stand.scores = dict.fromkeys((1e-3, 2e-3, 3e-3), "no")
    status, said = sweep(RATES, "--do_predict")
    assert status == 1 and "chosen:" not in said and len(stand.calls) == 3
    assert not (tmp_path / "out" / "sweep_results.png").exists()


# --- going on --------------------------------------------------------------------------------


def test_the_same_command_goes_on_where_the_sweep_stopped(sweep, stand, tmp_path):
    stand.scores = {1e-3: 0.3, 2e-3: KeyboardInterrupt}
    status, said = sweep(RATES)
    assert status == 130 and "the same command goes on" in said
    stand.scores, stand.calls[:] = {2e-3: 0.6}, []
    status, said = sweep(RATES)
    assert status == 0 and "3 runs, 1 of them finished before" in said
    assert [os.path.basename(one.output_dir) for one in stand.calls] == [
        "002_lr0.002", "003_lr0.003"]


def test_a_finished_sweep_makes_no_run_again(sweep, stand):
    sweep(RATES, "--do_predict")
    stand.calls.clear()
    status, said = sweep(RATES, "--do_predict")
    assert status == 0 and stand.calls == []
    assert "finished before" in said and "has predicted before" in said
    assert "measuring" not in said


@pytest.mark.parametrize("damage", [
    lambda folder: (folder / "eval_results.txt").write_text("eval_accuracy = 0.1\n"),
    lambda folder: (folder / "eval_results.txt").unlink(),
    lambda folder: (folder / "run_config.json").unlink()])
def test_a_folder_alone_is_no_finished_run(sweep, stand, tmp_path, damage):
    sweep(RATES)
    damage(tmp_path / "out" / "002_lr0.002")
    stand.calls.clear()
    assert sweep(RATES)[0] == 0
    assert [os.path.basename(one.output_dir) for one in stand.calls] == ["002_lr0.002"]


def test_another_file_finds_its_runs_and_makes_the_others_anew(sweep, stand, tmp_path):
    sweep(RATES)
    stand.calls.clear()
    sweep({"grid": {"learning_rate": [7e-3, 3e-3]}})
    assert [os.path.basename(one.output_dir) for one in stand.calls] == ["004_lr0.007"]
    assert [row["run"] for row in rows(tmp_path)] == ["004_lr0.007", "003_lr0.003"]
    stand.calls.clear()
    sweep(RATES, "--warmup_proportion=0.3")  # other settings under the same name
    assert [os.path.basename(one.output_dir) for one in stand.calls] == [
        "005_lr0.001", "006_lr0.002", "007_lr0.003"]


def test_a_chosen_run_without_its_checkpoint_is_trained_again(sweep, stand, tmp_path):
    stand.scores = {1e-3: 0.3, 2e-3: 0.6}
    sweep(RATES)
    stand.calls.clear()
    status, said = sweep({"grid": {"learning_rate": [1e-3]}}, "--do_predict")
    assert status == 0 and "it is trained again" in said
    assert [one.do_predict for one in stand.calls] == [False, True]


def test_a_chosen_run_that_cannot_be_trained_again_is_a_failure(sweep, stand, tmp_path):
    stand.scores = {1e-3: 0.3, 2e-3: 0.6}
    sweep(RATES)
    stand.scores = {1e-3: "no room"}
    status, said = sweep({"grid": {"learning_rate": [1e-3]}}, "--do_predict")
    assert status == 1 and "failed: 001_lr0.001: no room" in said
    assert not any(one.do_predict for one in stand.calls)


def test_runs_on_other_rows_are_refused(sweep, stand, tmp_path, issues):
    sweep(RATES)
    table = tmp_path / "out" / "001_lr0.001" / "train.tf_record.json"
    table.write_text(json.dumps({"fingerprint": {"examples": "0123"}}))
    status, said = sweep(RATES)
    assert status == 2 and "001_lr0.001 is a run on other train rows" in said


# --- what is refused before anything is written ----------------------------------------------


@pytest.mark.parametrize(("content", "flags", "message"), [
    (RATES, ["--init_checkpoint=none"], "--init_checkpoint=none: there is no"),
    (RATES, ["--labels=bug,feature"], "train.tsv:4: label \"question\" is not one of"),
    (RATES, ["--nodo_eval"], "give --do_train and --do_eval"),
    (RATES, ["--overwrite_output_dir"], "--overwrite_output_dir does not go with --sweep"),
    (RATES, ["--output_dir=gs://bucket/x"], "a --sweep needs a local folder"),
    (RATES, ["--learning_rate=-1"], "--learning_rate=-1.0: must be a number above 0"),
    ({**RATES, "choose_by": "f2"}, [], "choose_by: 'f2' must be one of accuracy, f1_macro"),
    ({"grid": {"train_batch_size": [5, 99]}}, [], "bs99: 15 rows are too few"),
    ({"grid": {"max_seq_length": [16, 99]}}, [], "--max_seq_length=99: the model of"),
    ({"grid": {"init_checkpoint": ["none"]}}, [], "--init_checkpoint=none: there is no"),
    ({"grid": {"learning_rate": ["x"]}}, [], "--learning_rate=x")])
def test_refused_before_anything_is_written(sweep, stand, tmp_path, content, flags, message):
    status, said = sweep(content, *flags)
    assert status == 2 and message in said
    assert not stand.calls and not (tmp_path / "out").exists()
    assert "Traceback" not in said and said.count(message) == 1


def test_the_problems_of_several_kinds_of_runs_are_told_together(sweep, stand):
    status, said = sweep({"grid": {"max_seq_length": [99, 16, 98], "train_batch_size": [5, 77]},
                          "choose_by": "f2"})
    assert status == 2
    for message in ("--max_seq_length=98", "--max_seq_length=99", "bs77: 15 rows are", "'f2'"):
        assert said.count(message) == 1, message


def test_a_full_disk_is_seen_before(sweep, stand, monkeypatch):
    import shutil
    monkeypatch.setattr(shutil, "disk_usage",
                        lambda path: type("Usage", (), {"free": 250_000, "total": 1_000_000})())
    status, said = sweep({**RATES, "keep": "all"})
    assert status == 2 and "the checkpoints of all runs (keep: all) need" in said


def test_two_sweeps_in_one_folder_are_refused(sweep, stand, tmp_path):
    (tmp_path / "out").mkdir()
    with processes.locked(str(tmp_path / "out")):
        status, said = sweep(RATES)
    assert status == 2 and "is still at work there" in said and not stand.calls


# --- the real thing --------------------------------------------------------------------------


@pytest.mark.slow
def test_a_real_sweep_is_killed_and_goes_on(tmp_path, tiny, issues):
    (tmp_path / "sweep.yaml").write_text(
        "grid: {learning_rate: [1e-3, 5e-4], train_batch_size: [5, 3]}\n")
    out = tmp_path / "out"
    command = [sys.executable, str(ROOT / "run_classifier_custom.py"), *SMALL, "--do_predict",
               f"--data_dir={issues}", f"--init_checkpoint={tiny}", f"--output_dir={out}",
               f"--sweep={tmp_path / 'sweep.yaml'}", "--num_train_epochs=2"]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True, cwd=ROOT)
    for line in process.stderr:
        if line.startswith("run 2 of 4"):
            break
    process.send_signal(signal.SIGTERM)
    said = process.stderr.read()
    assert process.wait() == 143 and "the same command goes on" in said
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT)
    assert done.returncode == 0, done.stderr
    assert "run 1 of 4: 001_lr0.001_bs5 finished before" in done.stderr
    assert "features of an earlier run: train.tf_record, eval.tf_record" in done.stderr
    folders = sorted(path for path in out.iterdir() if path.is_dir())
    assert len(folders) == 4
    for name in ("train.tf_record", "eval.tf_record"):  # made once
        assert len({(folder / name).stat().st_ino for folder in folders}) == 1
    found = rows(tmp_path)
    assert {row["status"] for row in found} <= {"finished", "collapsed"}
    [chosen] = [row["run"] for row in found if row["chosen"]]
    assert [path.parent.name for path in out.glob("*/predictions.tsv")] == [chosen]
    assert {path.parent.name for path in out.glob("*/model.ckpt-*")} == {chosen}
    for folder in folders:
        [*_, record] = json.loads((folder / "runs.json").read_text())
        assert f"--output_dir={folder}" in record["command"]
