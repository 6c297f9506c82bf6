"""Every shell script is sound; lock.sh, test.sh and quickstart.sh with stand-ins for the rest."""

import os
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest

from tests.script_project import ROOT, Project, write_script

SCRIPTS = sorted(ROOT.glob("scripts/*.sh"))
# Installed beside this Python, whose environment need not be active, or on the machine.
SHELLCHECK = shutil.which("shellcheck", path=sysconfig.get_path("scripts")) or shutil.which(
    "shellcheck")


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return Project(tmp_path)


# ---- every script


@pytest.mark.parametrize("script", [*SCRIPTS, ROOT / ".ci" / "run"], ids=lambda path: path.name)
def test_script_is_sound(script: Path) -> None:
    assert os.access(script, os.X_OK)
    text = script.read_text(encoding="utf-8")
    assert text.startswith("#!/usr/bin/env bash\n# ")
    assert "\nset -euo pipefail\n" in text
    subprocess.run(["bash", "-n", str(script)], check=True)


@pytest.mark.skipif(SHELLCHECK is None, reason="shellcheck is not installed")
def test_shellcheck_finds_nothing() -> None:
    scripts = map(str, [*SCRIPTS, ROOT / ".ci" / "run"])
    found = subprocess.run([SHELLCHECK, *scripts], capture_output=True, text=True)
    assert found.returncode == 0, found.stdout


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.name)
def test_help_shows_the_header(script: Path, tmp_path: Path) -> None:
    env = os.environ | {"PYTHON": sys.executable}
    command = [str(script), "--help"]
    shown = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, env=env)
    assert shown.returncode == 0, shown.stderr
    assert script.name in shown.stdout
    assert list(tmp_path.iterdir()) == []


# ---- the others


def test_lock_needs_uv(project: Project) -> None:
    done = project.run("lock.sh")
    assert done.returncode == 1
    assert "uv not found" in done.stderr


def test_test_sh_passes_arguments_on(project: Project) -> None:
    python = project.add_python("recorder", '#!/usr/bin/env bash\necho "$PWD|$*" >>"$CALLS"\n')
    write_script(project.root / "scripts" / "setup.sh", f'#!/usr/bin/env bash\necho "{python}"\n')
    assert project.run("test.sh", "-m", "not slow", "tests/x.py").returncode == 0
    assert project.calls() == [
        f"{project.root}|-m ruff check .",
        f"{project.root}|-m pytest -m not slow tests/x.py",
    ]


WITH_TRANSFORMERS = """#!/usr/bin/env bash
case "$*" in
    "-m venv "*) mkdir -p "$3/bin" && cp "$0" "$3/bin/python" && echo "venv $3" >>"$CALLS" ;;
    "-m pip "*) echo "pip ${*: -2}" >>"$CALLS" && exit "${FAKE_PIP_STATUS:-0}" ;;
    *) echo "$*|${HUGGINGFACE_PYTHON:-}" >>"$CALLS" ;;
esac
"""


def test_test_sh_brings_transformers_only_when_asked(project: Project) -> None:
    python = project.add_python("recorder", WITH_TRANSFORMERS)
    write_script(project.root / "scripts" / "setup.sh", f'#!/usr/bin/env bash\necho "{python}"\n')
    listed = "requirements-huggingface.txt"
    shutil.copy(ROOT / listed, project.root)
    venv = f"{project.root}/.venv-huggingface"
    made = [f"venv {venv}", f"pip -r {listed}"]
    ran = [f"-m ruff check .|{venv}/bin/python", f"-m pytest tests/x|{venv}/bin/python"]
    assert project.run("test.sh", "--with-huggingface", FAKE_PIP_STATUS="1").returncode == 1
    assert project.calls() == made  # nothing is tested with half of it
    assert project.run("test.sh", "--with-huggingface", "tests/x").returncode == 0
    assert project.calls() == made + ran
    assert project.run("test.sh", "--with-huggingface", "tests/x").returncode == 0
    assert project.calls() == ran
    (project.root / listed).write_text("torch==99\n")
    assert project.run("test.sh", "--with-huggingface", "tests/x").returncode == 0
    assert project.calls() == made + ran
    assert project.run("test.sh", "--with-huggingface", HUGGINGFACE_PYTHON="mine").returncode == 0
    assert project.calls() == ["-m ruff check .|mine",
                               "-m pytest -n auto --dist loadfile|mine"]
    assert project.run("test.sh").returncode == 0
    assert project.calls() == ["-m ruff check .|", "-m pytest -n auto --dist loadfile|"]


def test_the_versions_of_transformers_are_pinned() -> None:
    lines = (ROOT / "requirements-huggingface.txt").read_text(encoding="utf-8").splitlines()
    pins = dict(line.split("==") for line in lines if not line.startswith("#"))
    assert {"torch", "transformers"} < set(pins)


FAKE_RUN = """
import pathlib, sys
output = pathlib.Path(next(a for a in sys.argv if a.startswith("--output_dir=")).split("=")[1])
output.mkdir(parents=True, exist_ok=True)
(output / "eval_results.txt").write_text("eval_accuracy = 0.9\\nglobal_step = 80\\n")
rows = ["id\\tpredicted_label\\tconfidence\\tbug\\tquestion", "7\\tbug\\t0.93\\t0.93\\t0.07"]
(output / "predictions.tsv").write_text("\\n".join(rows) + "\\n")
"""


def quickstart(project: Project, program: str) -> subprocess.CompletedProcess[str]:
    setup = f'#!/usr/bin/env bash\necho "{sys.executable}"\n'
    write_script(project.root / "scripts" / "setup.sh", setup)
    checkpoint = '#!/usr/bin/env bash\necho "$PYTHON checkpoint $1" >>"$CALLS"\n'
    write_script(project.root / "scripts" / "download_checkpoint.sh", checkpoint)
    data = project.root / "examples" / "github_issues"
    data.mkdir(parents=True)
    row = 'id\ttitle\tbody\tlabel\n7\tCrash on "save"\tIt dies\tbug\n'
    (data / "test.tsv").write_text(row, encoding="utf-8")
    (project.root / "run_classifier_custom.py").write_text(program, encoding="utf-8")
    return project.run("quickstart.sh")


def test_quickstart_shows_scores_and_predictions(project: Project) -> None:
    done = quickstart(project, FAKE_RUN)
    assert done.returncode == 0, done.stderr
    assert project.calls() == [f"{sys.executable} checkpoint minilm"]
    assert "  eval_accuracy = 0.9\n  global_step = 80\n" in done.stdout
    assert '  bug        93%  Crash on "save"\n' in done.stdout
    assert "output/quickstart/predictions.tsv" in done.stdout
    assert "--data_dir=YOUR_FOLDER" in done.stdout


def test_quickstart_stops_when_the_run_fails(project: Project) -> None:
    done = quickstart(project, "raise SystemExit(2)")
    assert done.returncode == 2
    assert "Score" not in done.stdout
