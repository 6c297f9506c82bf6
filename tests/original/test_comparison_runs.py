"""The runs of compare_with_original.sh: kept, refused, measured, and the table made of them."""

import dataclasses
import json
import os
import subprocess
import sys
import time

import numpy as np
import pytest

from finetune import preflight, records
from finetune.checkpoints import checkpoint
from finetune.config import RunConfig
from finetune.errors import UserError
from finetune.features import blocks
from finetune.original import comparison_runs
from finetune.original import engine as original
from processors.delimited import Delimited

WHERE = original.Environment("python-of-the-original", {
    "python": "3.7.16", "tensorflow": "1.15.5", "bert-tensorflow": "1.0.1"})


@pytest.fixture
def prepared(tiny, issues, tmp_path):
    config = RunConfig(do_train=True, do_eval=True, data_dir=str(issues), max_seq_length=16,
                       init_checkpoint=str(tiny), train_batch_size=5,
                       output_dir=str(tmp_path / "runs"))
    return preflight.check(config, Delimited())


@pytest.fixture
def runs(prepared, monkeypatch):
    """Runs whose commands are noted and play a run; `noted` and `accuracy` (of seeds) change."""
    made = comparison_runs.Runs(prepared, WHERE, {"A": "b"}, ["fast-command"])
    made.noted, made.right = [], {"original": [9, 8], "fast": [8, 9]}

    def play(command, said, environ):
        assert environ == {"A": "b"}
        made.noted.append(command)
        folder = os.path.dirname(said)
        os.makedirs(os.path.join(folder, "output"))
        engine, _, seed = os.path.basename(folder).partition("-")
        right = 9 if seed == "reads-fast" else made.right[engine][int(seed) - 1]
        with open(os.path.join(folder, "output", "test_results.tsv"), "w") as file:
            for row in range(15):
                top = row % 3 if row < right else (row + 1) % 3
                file.write("\t".join("0.8" if label == top else "0.1" for label in range(3))
                           + "\n")
        for split, name in (("train", "train.tf_record"), ("dev", "eval.tf_record")):
            records.write(os.path.join(folder, "output", name), blocks(
                prepared.examples[split], prepared.labels, 16, prepared.tokenizer),
                16 if engine == "original" else None)
        return (30.0, 900.0) if engine == "original" else (10.0, 300.0)

    monkeypatch.setattr(comparison_runs, "measured", play)
    return made


def make_all(runs):
    for seed in (1, 2):
        for engine in comparison_runs.ENGINES:
            runs.make(engine, seed)


def test_what_is_run(runs, prepared):
    make_all(runs)
    first, second = runs.folder("original", 1), runs.folder("fast", 2)
    assert runs.noted[0] == original.command(WHERE, f"{first}/plan.json")
    assert runs.noted[3] == ["fast-command", "--seed=2", f"--output_dir={second}/output"]
    with open(f"{first}/plan.json") as file:
        plan = json.load(file)
    assert (plan["seed"], plan["records"]) == (1, None)
    assert plan["flags"]["output_dir"] == f"{first}/output"
    assert all(plan["flags"][name] for name in ("do_train", "do_eval", "do_predict"))
    with open(plan["examples"]["dev"]) as dev, open(plan["examples"]["test"]) as test:
        assert dev.read() == test.read()
    with open(f"{second}/measure.json") as file:
        assert json.load(file) == {"seconds": 10.0, "peak_mb": 300.0}


def test_finished_runs_are_kept_and_unfinished_ones_made_anew(runs):
    make_all(runs)
    os.remove(f"{runs.folder('fast', 1)}/output/test_results.tsv")
    runs.noted.clear()
    make_all(runs)
    assert [command[1] for command in runs.noted] == ["--seed=1"]


@pytest.mark.parametrize(("change", "said"), [
    ({"learning_rate": 1e-3}, "learning_rate 5e-05 there, 0.001 now"),
    ({"init_checkpoint": "/x"}, "init_checkpoint /"),
    ({"max_seq_length": 17}, "max_seq_length 16 there, 17 now")])
def test_runs_of_other_settings_are_refused(runs, prepared, change, said):
    make_all(runs)
    config = dataclasses.replace(prepared.config, **change)
    other = comparison_runs.Runs(dataclasses.replace(prepared, config=config), WHERE, {}, [])
    with pytest.raises(UserError) as caught:
        other.make("original", 1)
    assert said in str(caught.value)
    assert "name another --output_dir" in str(caught.value)


def test_runs_of_other_data_are_refused(runs, prepared):
    make_all(runs)
    examples = {**prepared.examples, "dev": prepared.examples["dev"][:-1]}
    other = comparison_runs.Runs(dataclasses.replace(prepared, examples=examples), WHERE, {}, [])
    with pytest.raises(UserError, match="rows of dev .* there"):
        other.make("original", 1)
    os.remove(f"{runs.folder('fast', 1)}/plan.json")
    with pytest.raises(UserError, match="no plan.json, so nobody knows what was run"):
        runs.make("fast", 1)


def test_scores_of_a_regression_count_to_three_decimals():
    def identity(*labels):
        rows = [{"text_a": "a", "text_b": None, "label": label} for label in labels]
        return comparison_runs._identity(
            {"flags": {}, "seed": 1, "labels": labels, "scores": [1]}, {"train": rows})
    assert identity("3.2727", "5") == identity("3.273", "5.000")
    assert identity("3.2727", "5") != identity("3.274", "5")
    assert identity("1", "2") != identity("2", "1")


def test_the_table(runs):
    make_all(runs)
    table, alike = runs.report([1, 2], ["accuracy", "mcc"])
    assert alike
    lines = [" ".join(line.split()) for line in table.splitlines()]
    assert lines[0].startswith("15 rows to train, 15 dev rows, 2 seeds; the original flow: "
                               "tensorflow 1.15.5")
    assert "features of train: rows that differ 0 of 15 same" in lines
    assert "probabilities, checkpoint of fast none kept not compared" in lines
    assert "accuracy: mean 0.5667 0.5667 +0.0000 within +-0.4679" in lines
    assert "lowest 0.5333 0.5333" in lines
    assert "highest 0.6000 0.6000" in lines
    assert "time of a run, s 30 10 3.0 times" in lines
    assert "peak memory, MB 900 300 3.0 times" in lines
    assert lines[-1] == "alike"


def test_a_score_outside_is_not_alike(runs):
    runs.right = {"original": [15, 15], "fast": [3, 3]}
    make_all(runs)
    table, alike = runs.report([1, 2], ["accuracy"])
    assert not alike
    assert "OUTSIDE +-0.0667" in table
    assert table.endswith("NOT alike")


def test_features_that_differ_are_not_alike(runs, prepared):
    make_all(runs)
    path = f"{runs.folder('fast', 1)}/output/eval.tf_record"
    records.write(path, blocks(prepared.examples["dev"], prepared.labels, 6, prepared.tokenizer))
    table, alike = runs.report([1, 2], ["accuracy"])
    assert not alike
    [line] = [line for line in table.splitlines() if line.startswith("features of dev")]
    assert line.endswith("of 15  DIFFERENT")


def test_checkpoints_are_read_by_the_other(runs, monkeypatch):
    make_all(runs)
    outputs = {engine: f"{runs.folder(engine, 2)}/output" for engine in comparison_runs.ENGINES}
    for folder in outputs.values():
        checkpoint.Folder(folder, 1).write(6, {"global_step": np.int64(6)})
    own = original.read_answers(f"{outputs['original']}/test_results.tsv")
    asked = []

    def answers(prefix, *rest):
        asked.append(prefix)
        return own + np.float32(0.25)
    monkeypatch.setattr(comparison_runs.comparison, "answers", answers)
    table, alike = runs.report([1, 2], ["accuracy"])
    assert asked == [f"{outputs['original']}/model.ckpt-6"]
    lines = [" ".join(line.split()) for line in table.splitlines()]
    assert "probabilities, checkpoint of original 2.5e-01 DIFFERENT" in lines
    assert "probabilities, checkpoint of fast 0.0e+00 same" in lines
    assert not alike
    with open(runs.noted[-1][-1]) as file:
        flags = json.load(file)["flags"]
    assert flags["init_checkpoint"] == f"{outputs['fast']}/model.ckpt-6"
    assert (flags["do_train"], flags["do_eval"], flags["do_predict"]) == (False, False, True)


def test_measuring(tmp_path):
    take = "x = bytearray(300 << 20); import time; time.sleep(0.2); print('hello')"
    seconds, peak = comparison_runs.measured([sys.executable, "-c", take],
                                             str(tmp_path / "log"), os.environ)
    assert seconds > 0.2
    assert 300 < peak < 600
    assert (tmp_path / "log").read_text() == "hello\n"
    with pytest.raises(UserError, match=r"exit status 3\): the reason; see .*log"):
        comparison_runs.measured(
            [sys.executable, "-c", "import sys; print('the reason'); sys.exit(3)"],
            str(tmp_path / "log"), os.environ)


def test_a_run_ends_with_the_command_that_was_stopped(tmp_path, monkeypatch):
    pid = tmp_path / "pid"
    code = f"import os, time; open({str(pid)!r}, 'w').write(str(os.getpid())); time.sleep(60)"
    wait = subprocess.Popen.wait

    def stopped(process, *arguments):
        monkeypatch.setattr(subprocess.Popen, "wait", wait)
        end = time.monotonic() + 60
        while not (pid.exists() and pid.read_text()) and time.monotonic() < end:
            time.sleep(0.01)
        raise KeyboardInterrupt

    monkeypatch.setattr(subprocess.Popen, "wait", stopped)
    with pytest.raises(KeyboardInterrupt):
        comparison_runs.measured([sys.executable, "-c", code], str(tmp_path / "log"), os.environ)
    with pytest.raises(ProcessLookupError):
        os.kill(int(pid.read_text()), 0)
