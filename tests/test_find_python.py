"""scripts/find_python.sh, and that the scripts that use it say the same."""

import sys
from pathlib import Path

import pytest

from tests.script_project import Project, write_script

SCRIPTS = {"compare_with_original.sh": ["rte"], "convert_checkpoint.sh": ["strip", "a", "b"],
           "download_checkpoint.sh": ["minilm"], "download_glue.sh": ["rte"],
           "make_submission.sh": ["--out=x.zip"], "reproduce_glue.sh": ["rte"]}
NEED_NOTHING = ["download_glue.sh", "make_submission.sh"]
ADVICE = "scripts/setup.sh makes the environment; PYTHON=/path/to/python names another Python\n"


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return Project(tmp_path)


def real_python(path: Path) -> Path:
    return write_script(path, f"#!/usr/bin/env bash\nexec '{sys.executable}' \"$@\"\n")


def test_the_environment_is_taken(project: Project, tmp_path: Path) -> None:
    inside = real_python(project.venv / "bin" / "python")
    elsewhere = real_python(tmp_path / "other" / "bin" / "python")
    for env, python in [({}, inside), ({"VENV": str(tmp_path / "other")}, elsewhere),
                        ({"PYTHON": str(elsewhere)}, elsewhere)]:
        done = project.run("find_python.sh", "numpy", **env)
        assert (done.returncode, done.stdout, done.stderr) == (0, f"{python}\n", "")


def test_a_name_on_the_path_is_enough(project: Project) -> None:
    real_python(project.bin / "mine")
    assert project.run("find_python.sh", "numpy", PYTHON="mine").stdout == "mine\n"


def test_where_no_module_is_needed_python3_will_do(project: Project) -> None:
    done = project.run("find_python.sh")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == "error: there is no python3\n" + ADVICE
    real_python(project.bin / "python3")
    assert project.run("find_python.sh").stdout == "python3\n"
    assert project.run("find_python.sh", "numpy").returncode == 2
    inside = real_python(project.venv / "bin" / "python")
    assert project.run("find_python.sh").stdout == f"{inside}\n"


@pytest.mark.parametrize(("python", "problem"), [
    (f"exec '{sys.executable}' \"$@\"", "lacks no_such_module, nor_this_one"),
    ("exit 127", "does not run"), ("echo of pyenv >&2; exit 1", "of pyenv"),
    (f"exec '{sys.executable}' -c \"import sys; sys.version_info = (3, 9); ${{2}}\"",
     "is Python 3.9; 3.10 or later is needed")], ids=["lacking", "broken", "a shim", "old"])
def test_a_python_that_cannot_serve(project: Project, python: str, problem: str) -> None:
    mine = write_script(project.bin / "mine", f"#!/usr/bin/env bash\n{python}\n")
    done = project.run("find_python.sh", "no_such_module", "numpy", "nor_this_one",
                       PYTHON=str(mine))
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == f"error: {mine}: {problem}\n" + ADVICE


@pytest.mark.parametrize("script", SCRIPTS)
def test_every_script_says_the_same(script: str, project: Project) -> None:
    done = project.run(script, *SCRIPTS[script], PYTHON="/nowhere/python")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == "error: PYTHON=/nowhere/python: there is no such program\n" + ADVICE
    done = project.run(script, *SCRIPTS[script])
    expected = "python3" if script in NEED_NOTHING else f"{project.venv}/bin/python"
    assert (done.returncode, done.stderr) == (2, f"error: there is no {expected}\n" + ADVICE)
    write_script(project.venv / "bin" / "python", "#!/usr/bin/env bash\nexit 1\n")
    done = project.run(script, *SCRIPTS[script])
    assert done.stderr == f"error: {project.venv}/bin/python: does not run\n" + ADVICE
