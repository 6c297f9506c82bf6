"""scripts/compare_with_original.sh: which environment, mistakes, and the runs it asks for."""

import json
import subprocess
import sys

import pytest

from scripts import compare_with_original
from tests.conftest import ROOT
from tests.script_project import FAKE_PYTHON, Project, write_script

# ---- the shell script: which environment the original gets

NOTE = """#!/usr/bin/env bash
[ "$1" = -c ] || echo "ran $VENV_ORIGINAL ${*:2}" >>"$CALLS"
"""


@pytest.fixture
def project(tmp_path):
    made = Project(tmp_path)
    made.main = str(write_script(tmp_path / "main python", NOTE))
    made.env |= {"PYTHON": made.main}
    return made


def test_python37_is_preferred(project):
    project.add_python("python3.7", FAKE_PYTHON.replace("CPython 3.11.7", "CPython 3.7.16"))
    project.add_python("python3.11")
    done = project.run("compare_with_original.sh", "rte", "--seeds=4")
    assert done.returncode == 0, done.stderr
    venv = project.root / ".venv-original-tf1"
    assert project.calls() == ["venv", "pip requirements-original-tf1.lock",
                               f"ran {venv} rte --seeds=4"]


def test_without_python37_the_other_environment_is_made(project):
    project.add_python("python3.7", "#!/usr/bin/env bash\nexit 127\n")  # a shim of pyenv
    project.add_python("python3.11")
    assert project.run("compare_with_original.sh", "rte").returncode == 0
    assert project.calls() == ["venv", "pip requirements-original.lock",
                               f"ran {project.root / '.venv-original'} rte"]


def test_python37_by_name(project, tmp_path):
    project.add_python("python3.11")
    other = write_script(tmp_path / "p37",
                         FAKE_PYTHON.replace("CPython 3.11.7", "CPython 3.7.16"))
    assert project.run("compare_with_original.sh", "x", PYTHON37=str(other)).returncode == 0
    assert project.calls()[1] == "pip requirements-original-tf1.lock"
    done = project.run("compare_with_original.sh", "x", PYTHON37="/nowhere/python3.7")
    assert done.returncode == 2
    assert "needs CPython 3.7" in done.stderr


def test_a_ready_environment_is_taken(project):
    assert project.run("compare_with_original.sh", "x", VENV_ORIGINAL="/ready").returncode == 0
    assert project.calls() == ["ran /ready x"]


def test_no_python_for_the_original_or_for_us(project):
    done = project.run("compare_with_original.sh", "x")
    assert done.returncode == 2
    assert "needs CPython 3.9, 3.10 or 3.11" in done.stderr
    done = project.run("compare_with_original.sh", "x", PYTHON="/nowhere/python")
    assert done.returncode == 2
    assert "/nowhere/python: there is no such program" in done.stderr


# ---- the Python part


@pytest.fixture
def script(monkeypatch):
    """scripts/compare_with_original.py as a module."""
    for name in ("CUDA_VISIBLE_DEVICES", "TF_CPP_MIN_LOG_LEVEL"):
        monkeypatch.setenv(name, "")  # so that it is put back after the test
        monkeypatch.delenv(name)
    return compare_with_original


@pytest.mark.parametrize(("arguments", "expected"), [
    (["rte", "--seeds=1"], ["--seeds=1: must be 2 or more"]),
    (["rte", "--nodo_train", "--seed=3", "--engine=fast", "--seeds=0"],
     ["--do_train: this script sets it itself", "--seed: this", "--engine: this", "--seeds=0"]),
    (["rte", "--max_seq_lenght=3", "--data_dir=x"], ["did you mean --max_seq_length"]),
    (["rte", "--data_dir=x", "--eval_every_steps=4"],
     ["the original flow has no --eval_every_steps=4", "VENV_ORIGINAL=/nowhere is no environment",
      "--data_dir=x: there is no such folder"]),
    (["rtee", "--data_dir=x"], ["rtee", "rte"])])
def test_mistakes(script, arguments, expected, monkeypatch, capsys, tmp_path):
    monkeypatch.setenv("VENV_ORIGINAL", "/nowhere")
    monkeypatch.chdir(tmp_path)
    assert script.main(arguments) == 2
    said = capsys.readouterr().err
    assert all(each in said for each in expected), said
    assert "Traceback" not in said
    assert list(tmp_path.iterdir()) == []


def test_the_runs_and_the_exit_status(script, monkeypatch, capsys, tmp_path, issues, tiny):
    from finetune.original import comparison_runs
    from finetune.original import engine as original

    made = []

    class Runs:
        def __init__(self, prepared, where, environ, fast):
            made.append((sorted(prepared.examples), fast, "CUDA_VISIBLE_DEVICES" in environ))

        def make(self, engine, seed):
            made.append((engine, seed))

        def report(self, seeds, names):
            made.append((list(seeds), names))
            return "the table", alike

    monkeypatch.setattr(comparison_runs, "Runs", Runs)
    monkeypatch.setattr(original, "environment",
                        lambda: original.Environment("python", {"python": "3.7"}))
    flags = [f"--data_dir={issues}", f"--init_checkpoint={tiny}", "--max_seq_length=16"]
    usual = ["own", *flags, "--seeds=2", f"--output_dir={tmp_path / 'o'}"]
    alike = True
    assert script.main([*usual, "--train_batch_size=5"]) == 0
    assert capsys.readouterr().out == "the table\n"
    splits, fast, gpu_hidden = made[0]
    assert (splits, gpu_hidden) == (["dev", "train"], False)
    assert fast[1:] == [str(ROOT / "scripts" / "compare_with_original.py"), "--fast_run", *flags,
                        "--train_batch_size=5", "--do_train", "--do_eval", "--do_predict",
                        "--shuffle_buffer_size=100"]
    assert made[1:5] == [("original", 1), ("fast", 1), ("original", 2), ("fast", 2)]
    assert made[5][0] == [1, 2]
    assert made[5][1][0] == "accuracy"
    alike = False
    assert script.main([*usual, "--train_batch_size=5"]) == 1


@pytest.mark.slow
def test_a_fast_run_predicts_the_dev_rows(issues, tiny, tmp_path):
    (issues / "test.tsv").unlink()
    done = subprocess.run(
        [sys.executable, str(ROOT / "scripts" / "compare_with_original.py"), "--fast_run",
         f"--data_dir={issues}", f"--init_checkpoint={tiny}", "--max_seq_length=16",
         "--train_batch_size=5", "--num_train_epochs=1", "--do_train", "--do_eval",
         "--do_predict", f"--output_dir={tmp_path / 'o'}"], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert len((tmp_path / "o" / "test_results.tsv").read_text().splitlines()) == 15
    assert (tmp_path / "o" / "predictions.tsv").read_text().splitlines()[1].startswith("dev0\t")
    assert "test" not in json.loads((tmp_path / "o" / "runs.json").read_text())[0]["data"]
