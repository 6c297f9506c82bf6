"""scripts/setup.sh with stand-ins for python and pip: nothing is installed."""

from pathlib import Path

import pytest

from tests.script_project import FAKE_PYTHON, Project, write_script


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return Project(tmp_path)


# ---- which Python


def test_no_python_at_all(project: Project) -> None:
    done = project.run("setup.sh")
    assert (done.returncode, done.stdout) == (1, "")
    assert "needs CPython 3.10, 3.11, 3.12 or 3.13" in done.stderr
    assert "none of python3.13 python3.12 python3.11 python3.10 python3" in done.stderr
    assert "PYTHON=/path/to/python3.12" in done.stderr
    assert not project.venv.exists()


def test_unusable_pythons_are_listed(project: Project) -> None:
    project.add_python("python3", FAKE_PYTHON.replace("CPython 3.11.7", "CPython 3.9.18"))
    project.add_python("python3.12", "#!/usr/bin/env bash\nexit 127\n")
    project.add_python("python3.11", FAKE_PYTHON.replace("VENV_STATUS:-0", "VENV_STATUS:-1"))
    project.add_python("python3.10", FAKE_PYTHON.replace("CPython 3.11.7", "PyPy 3.10.14"))
    done = project.run("setup.sh")
    assert done.returncode == 1
    assert f"{project.bin}/python3: CPython 3.9.18\n" in done.stderr
    assert f"{project.bin}/python3.12: does not run\n" in done.stderr
    assert f"{project.bin}/python3.10: PyPy 3.10.14\n" in done.stderr
    assert "python3.11: CPython 3.11.7, but without its venv module" in done.stderr
    assert "apt install python3-venv" in done.stderr
    assert project.calls() == []


@pytest.mark.parametrize("version", ["2.7.18", "3.9.18", "3.14.0", "3.100.0"])
def test_python_variable_wins_and_must_be_in_range(project: Project, version: str) -> None:
    project.add_python("python3.11")
    other = project.add_python("my python")
    done = project.run("setup.sh", PYTHON=str(other), FAKE_VERSION=f"CPython {version}")
    assert done.returncode == 1
    assert f"{other}: CPython {version}\n" in done.stderr
    assert "python3.11:" not in done.stderr


def test_first_in_range_is_taken(project: Project) -> None:
    project.add_python("python3.13", "#!/usr/bin/env bash\nexit 127\n")
    project.add_python("python3")
    assert f"({project.bin}/python3)" in project.run("setup.sh").stderr


def test_unknown_argument(project: Project) -> None:
    done = project.run("setup.sh", "--tset")
    assert done.returncode == 2
    assert "unknown argument --tset" in done.stderr


# ---- making, keeping and renewing the environment


def test_made_once_then_left_alone(project: Project) -> None:
    project.add_python()
    first = project.run("setup.sh")
    assert (first.returncode, first.stdout) == (0, f"{project.venv}/bin/python\n"), first.stderr
    assert project.calls() == ["venv", "pip requirements.lock"]
    second = project.run("setup.sh")
    assert (second.returncode, second.stdout, second.stderr) == (0, first.stdout, "")
    assert project.calls() == []


def test_test_dependencies_go_into_the_same_environment(project: Project) -> None:
    project.add_python()
    project.run("setup.sh")
    project.run("setup.sh", "--test")
    project.run("setup.sh", "--test")
    project.run("setup.sh")
    assert project.calls() == ["venv", "pip requirements.lock", "pip requirements-test.lock"]


def test_what_an_export_needs_goes_into_the_same_environment(project: Project) -> None:
    project.add_python()
    project.run("setup.sh")
    for _ in range(2):
        done = project.run("setup.sh", "--export")
        assert (done.returncode, done.stdout) == (0, f"{project.venv}/bin/python\n"), done.stderr
    project.run("setup.sh")
    assert project.calls() == ["venv", "pip requirements.lock", "pip requirements-export.lock"]


def test_changed_lock_is_installed(project: Project) -> None:
    project.add_python()
    project.run("setup.sh")
    project.calls()
    (project.root / "requirements.lock").write_text("version 2\n")
    assert project.run("setup.sh").returncode == 0
    assert project.calls() == ["pip requirements.lock"]


@pytest.mark.parametrize("damage", ["python gone", "half made", "cut short", "moved"])
def test_damaged_environment_is_made_anew(project: Project, damage: str) -> None:
    project.add_python()
    project.run("setup.sh")
    project.calls()
    (project.venv / "leftover").touch()
    if damage == "python gone":
        (project.venv / "bin" / "python").unlink()
    elif damage == "half made":
        (project.venv / "setup.made").write_text("")
    elif damage == "cut short":
        (project.venv / "setup.installing").touch()
    else:
        moved = project.root.with_name("moved")
        project.root.rename(moved)
        project.root, project.venv = moved, moved / ".venv"
    done = project.run("setup.sh")
    assert (done.returncode, done.stdout) == (0, f"{project.venv}/bin/python\n"), done.stderr
    assert "making it anew" in done.stderr
    assert project.calls() == ["venv", "pip requirements.lock"]
    assert not (project.venv / "leftover").exists()


def test_another_python_asked_for(project: Project) -> None:
    project.add_python()
    project.run("setup.sh")
    other = project.add_python("other", FAKE_PYTHON.replace("3.11", "3.12"))
    assert project.run("setup.sh", PYTHON=str(other)).returncode == 0
    assert project.run("setup.sh", PYTHON=str(other)).stderr == ""
    assert project.calls() == ["venv", "pip requirements.lock"] * 2


def test_venv_elsewhere(project: Project, tmp_path: Path) -> None:
    project.add_python()
    elsewhere = tmp_path / "new folder" / "environment"
    done = project.run("setup.sh", VENV=str(elsewhere))
    assert done.stdout == f"{elsewhere}/bin/python\n"
    assert not project.venv.exists()


def test_link_leads_to_an_environment_that_is_used_as_it_is(project: Project, tmp_path: Path
                                                            ) -> None:
    project.add_python()
    there = tmp_path / "other disk" / "venv"
    project.run("setup.sh", VENV=str(there))
    (there / "kept").touch()
    project.venv.symlink_to(there)
    done = project.run("setup.sh")
    assert (done.returncode, done.stdout, done.stderr) == (0, f"{there}/bin/python\n", "")
    assert (there / "kept").exists() and project.venv.is_symlink()


def test_link_to_a_folder_that_is_not_ours_or_not_there(project: Project, tmp_path: Path) -> None:
    project.add_python()
    project.venv.symlink_to(tmp_path / "other")
    done = project.run("setup.sh")
    assert done.returncode == 1 and f"{project.venv} is a link to a folder that is not there" in (
        done.stderr)
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "mine.txt").touch()
    done = project.run("setup.sh")
    assert done.returncode == 1 and "but this script did not make it" in done.stderr
    assert (tmp_path / "other" / "mine.txt").exists()


def test_foreign_folder_is_left_untouched(project: Project) -> None:
    project.add_python()
    precious = write_script(project.venv / "bin" / "python", "precious")
    done = project.run("setup.sh")
    assert done.returncode == 1
    assert f"{project.venv} exists, but this script did not make it" in done.stderr
    assert precious.read_text() == "precious"
    assert project.calls() == []


def test_two_at_once_install_once(project: Project) -> None:
    project.add_python()
    running = [project.start("setup.sh", FAKE_PIP_SECONDS="0.7") for _ in range(2)]
    errors = [process.communicate(timeout=30)[1] for process in running]
    assert [process.returncode for process in running] == [0, 0], errors
    assert sum("Waiting for another setup.sh" in error for error in errors) == 1
    assert project.calls() == ["venv", "pip requirements.lock"]


# ---- what can go wrong


def test_too_little_disk(project: Project) -> None:
    project.add_python()
    header = "echo 'Filesystem 1024-blocks Used Available Capacity Mounted on'"
    line = "echo '/dev/sda1 9000000 8488000 512000 95% /mnt/a 5% b'"
    write_script(project.bin / "df", f"#!/usr/bin/env bash\n{header}\n{line}\n")
    done = project.run("setup.sh")
    assert done.returncode == 1
    assert f"needs 4 GB of disk, but {project.root} has only 500 MB free" in done.stderr
    assert "VENV=/other/disk/venv" in done.stderr
    assert project.calls() == []
    assert not project.venv.exists()


@pytest.mark.parametrize(
    ("output", "reason"),
    [
        ("Retrying after connection broken by NewConnectionError\\nERROR: No matching distribution "
         "found for absl-py==2.5.1\\n", "no network"),
        ("ERROR: Could not install packages due to an OSError: [Errno 28] No space left on "
         "device\\n", "the disk is full"),
        ("ERROR: THESE PACKAGES DO NOT MATCH THE HASHES FROM THE REQUIREMENTS FILE.\\n",
         "is not the one that requirements.lock names"),
        ("ERROR: No matching distribution found for tensorflow==2.21.0\\n",
         "no build for this machine"),
        ("ERROR: something else\\n", "pip could not install requirements.lock"),
    ],
)  # fmt: skip
def test_failing_pip_is_explained(project: Project, output: str, reason: str) -> None:
    project.add_python()
    done = project.run("setup.sh", FAKE_PIP_STATUS="1", FAKE_PIP_OUTPUT=output)
    assert (done.returncode, done.stdout) == (1, "")
    assert reason in done.stderr
    assert output.replace("\\n", "\n").strip() in done.stderr
    project.calls()
    assert project.run("setup.sh").returncode == 0
    assert project.calls() == ["pip requirements.lock"]


def test_installation_that_broke_off_is_begun_anew(project: Project) -> None:
    project.add_python()
    output = "Installing collected packages: a, b\\nERROR: cut off\\n"
    assert project.run("setup.sh", FAKE_PIP_STATUS="1", FAKE_PIP_OUTPUT=output).returncode == 1
    project.calls()
    assert project.run("setup.sh").returncode == 0
    assert project.calls() == ["venv", "pip requirements.lock"]


# ---- the environments for GPUs and for a TPU VM


@pytest.mark.parametrize(("device", "made"), [
    ("gpu", ["venv", "pip requirements-gpu.lock"]),
    ("tpu", ["venv", "no dependencies but those of", "pip requirements-tpu.lock"])])
def test_devices_have_environments_of_their_own(
        project: Project, device: str, made: list[str]) -> None:
    project.add_python()
    done = project.run("setup.sh", f"--{device}")
    assert (done.returncode, done.stdout) == (0, f"{project.root}/.venv-{device}/bin/python\n")
    assert project.calls() == made
    assert not project.venv.exists()
    (project.root / "requirements.lock").write_text("version 2\n")
    assert project.run("setup.sh", f"--{device}").stderr == ""
    (project.root / f"requirements-{device}.lock").write_text("version 2\n")
    project.run("setup.sh", f"--{device}")
    assert project.calls() == made[1:]


def test_tensorflow_tpu_has_no_build_for_python_3_13(project: Project) -> None:
    project.add_python("python3")
    done = project.run("setup.sh", "--tpu", FAKE_VERSION="CPython 3.13.1")
    assert done.returncode == 1
    assert "needs CPython 3.10, 3.11 or 3.12 with its venv module" in done.stderr


def test_cuda_s_libraries_need_more_disk(project: Project) -> None:
    project.add_python()
    write_script(project.bin / "df", "#!/usr/bin/env bash\necho '/dev/a 9 9 9000000 95% /'\n")
    done = project.run("setup.sh", "--gpu")
    assert done.returncode == 1 and "the environment needs 12 GB of disk" in done.stderr
    assert "VENV=/other/disk/venv scripts/setup.sh --gpu" in done.stderr


# ---- the environments of the original flow


def test_original_has_an_environment_of_its_own(project: Project) -> None:
    project.add_python()
    done = project.run("setup_original.sh")
    venv = project.root / ".venv-original"
    assert (done.returncode, done.stdout) == (0, f"{venv}/bin/python\n"), done.stderr
    assert project.calls() == ["venv", "pip requirements-original.lock"]
    assert not project.venv.exists()
    assert project.run("setup_original.sh").stderr == ""
    (project.root / "requirements.lock").write_text("version 2\n")
    assert project.run("setup_original.sh").stderr == ""
    (project.root / "requirements-original.lock").write_text("version 2\n")
    project.run("setup_original.sh")
    assert project.calls() == ["pip requirements-original.lock"]


def test_original_elsewhere(project: Project, tmp_path: Path) -> None:
    project.add_python()
    done = project.run("setup_original.sh", VENV_ORIGINAL=str(tmp_path / "o"), VENV="/nowhere")
    assert done.stdout == f"{tmp_path / 'o'}/bin/python\n"


@pytest.mark.parametrize(("version", "fits"), [
    ("3.8.18", False), ("3.9.18", True), ("3.10.1", True), ("3.11.7", True), ("3.12.1", False)])
def test_pythons_of_the_original(project: Project, version: str, fits: bool) -> None:
    project.add_python("python3")
    done = project.run("setup_original.sh", FAKE_VERSION=f"CPython {version}")
    assert (done.returncode == 0) is fits
    if not fits:
        assert "needs CPython 3.9, 3.10 or 3.11 with its venv module" in done.stderr
        assert f"{project.bin}/python3: CPython {version}\n" in done.stderr
        assert "PYTHON=/path/to/python3.11 scripts/setup_original.sh" in done.stderr


def test_original_finds_the_pythons_of_pyenv(project: Project, tmp_path: Path) -> None:
    project.add_python("python3", FAKE_PYTHON.replace("CPython 3.11.7", "CPython 3.13.0"))
    pyenv = tmp_path / "py env" / "versions"
    for version in ("3.12.1", "3.10.13", "3.7.16"):
        write_script(pyenv / version / "bin" / "python",
                     FAKE_PYTHON.replace("CPython 3.11.7", f"CPython {version}"))
    env = {"PYENV_ROOT": str(pyenv.parent)}
    done = project.run("setup_original.sh", **env)
    assert done.returncode == 0, done.stderr
    assert f"with CPython 3.10.13 ({pyenv}/3.10.13/bin/python)" in done.stderr
    done = project.run("setup.sh", "--original-tf1", **env)
    assert done.stdout == f"{project.root}/.venv-original-tf1/bin/python\n", done.stderr
    assert f"with CPython 3.7.16 ({pyenv}/3.7.16/bin/python)" in done.stderr
    assert project.calls() == ["venv", "pip requirements-original.lock",
                               "venv", "pip requirements-original-tf1.lock"]


def test_original_tf1_needs_python37(project: Project) -> None:
    project.add_python()
    done = project.run("setup.sh", "--original-tf1")
    assert done.returncode == 1
    assert "needs CPython 3.7 with its venv module" in done.stderr
    assert "PYTHON=/path/to/python3.7 scripts/setup.sh --original-tf1" in done.stderr


def test_setup_original_says_where_else(project: Project) -> None:
    project.add_python()
    write_script(project.root / ".venv-original" / "bin" / "python", "precious")
    done = project.run("setup_original.sh")
    assert "VENV_ORIGINAL=/other/folder scripts/setup_original.sh" in done.stderr
    done = project.run("setup_original.sh", "--test")
    assert (done.returncode, done.stdout) == (2, "")
    assert "unknown argument --test" in done.stderr
