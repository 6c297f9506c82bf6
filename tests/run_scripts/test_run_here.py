"""scripts/run_cpu.sh and run_gpu.sh with stand-ins for setup.sh, python and nvidia-smi."""

import shlex
from pathlib import Path

import pytest

from tests.run_scripts.conftest import RunProject
from tests.script_project import write_script

PYTHON = """#!/usr/bin/env bash
for word in "$@"; do shown="$shown|$word"; done
echo "${CUDA_VISIBLE_DEVICES-none}$shown" >>"$CALLS"
case "$1" in -c) exit "${FAKE_GPU_STATUS:-0}" ;; *) exit "${FAKE_STATUS:-0}" ;; esac
"""
LOOKED = ('-c|import sys, tensorflow; sys.exit(len(tensorflow.config.list_physical_devices("GPU"))'
          " != int(sys.argv[1]))")
A100 = "8.0, 535.183.01, NVIDIA A100-SXM4-40GB"
TWO = f"echo '0, {A100}'; echo '1, {A100}'"


@pytest.fixture
def machine(project: RunProject) -> RunProject:
    python = write_script(project.bin / "a python", PYTHON)
    setup = f'#!/usr/bin/env bash\necho "setup $*" >>"$CALLS"\necho "{python}"\n'
    write_script(project.root / "scripts" / "setup.sh", setup)
    project.add("nvidia-smi", "echo nvidia-smi", TWO)
    return project


def test_cpu(machine: RunProject) -> None:
    done = machine.run("run_cpu.sh", "--do_train", "--text_column=title,the body", FAKE_STATUS="2")
    assert done.returncode == 2, done.stderr
    program = machine.root / "run_classifier_custom.py"
    assert machine.calls() == ["setup ", f"-1|{program}|--do_train|--text_column=title,the body"]


@pytest.mark.parametrize(("flags", "visible", "distribution"), [
    ([], "0,1", "mirrored"), (["--gpus=1"], "1", "one_device"),
    (["--gpus=1,0"], "1,0", "mirrored")])
def test_gpus(machine: RunProject, flags: list[str], visible: str, distribution: str) -> None:
    done = machine.run("run_gpu.sh", *flags, "--do_train", FAKE_STATUS="130")
    assert done.returncode == 130, done.stderr
    program = machine.root / "run_classifier_custom.py"
    assert machine.calls() == [
        "nvidia-smi", "setup --gpu", f"{visible}|{LOOKED}|{len(visible.split(','))}",
        f"{visible}|{program}|--distribution={distribution}|--do_train"]


def test_no_gpu_is_told_before_anything_is_installed(machine: RunProject) -> None:
    machine.plan("nvidia-smi", "echo 'cannot reach the driver'; exit 9")
    done = machine.run("run_gpu.sh", "--do_train")
    assert done.returncode == 2
    assert "nvidia-smi is not there or fails (cannot reach the driver)" in done.stderr
    assert "scripts/run_cpu.sh" in done.stderr
    assert machine.calls() == ["nvidia-smi"]
    (machine.bin / "nvidia-smi").unlink()
    assert "no GPU: nvidia-smi is not there" in machine.run("run_gpu.sh").stderr


def test_everything_wrong_is_told_together(machine: RunProject) -> None:
    done = machine.run("run_gpu.sh", "--gpus=0,7", "--use_tpu", "--distribution=mirrored")
    assert done.returncode == 2
    assert "--gpus=0,7: there is no GPU 7; nvidia-smi lists 0, 1\n" in done.stderr
    assert "--use_tpu: " in done.stderr and "--distribution=mirrored: " in done.stderr
    for flag in ("--gpus", "--gpus="):  # --gpus=$GPUS, which nothing has set, is not all of them
        done = machine.run("run_gpu.sh", flag, "1")
        assert done.returncode == 2 and "--gpus: write it as --gpus=VALUE" in done.stderr
    assert machine.calls() == ["nvidia-smi"] * 3


def test_a_tensorflow_that_sees_no_gpu_does_not_go_on_on_the_cpu(machine: RunProject) -> None:
    done = machine.run("run_gpu.sh", "--do_train", FAKE_GPU_STATUS="1")
    assert done.returncode == 2
    assert "TensorFlow does not find the GPUs 0,1, or not all of them" in done.stderr
    assert machine.calls() == ["nvidia-smi", "setup --gpu", f"0,1|{LOOKED}|2"]


@pytest.mark.parametrize(("line", "told"), [
    ("0, 12.0, 570.86.10, NVIDIA GeForce RTX 5090", "warning: GPU 0 is a Blackwell"),
    ("0, 10.0, 570.86.10, NVIDIA B200", "warning: GPU 0 is a Blackwell"),
    ("0, 9.0, 555.42.02, NVIDIA H100 80GB HBM3", ""),
    ("0, 9.0, 550.54.15, NVIDIA H100 80GB HBM3",
     "warning: GPU 0, a Hopper, needs driver 555 or later, and has 550.54.15"),
    ("0, 8.9, 525.60.13, NVIDIA L4", ""),
    ("0, 8.9, 515.105.01, NVIDIA L4",
     "error: GPU 0: NVIDIA's driver is 515.105.01; 525 or later is needed"),
    ("0, 5.2, 535.183.01, Tesla M40",
     "error: GPU 0, Tesla M40: too old for TensorFlow 2.21 (compute capability 5.2; 6.0")])
def test_kinds_of_gpus_and_drivers(machine: RunProject, line: str, told: str) -> None:
    machine.plan("nvidia-smi", f"echo '{line}'")
    done = machine.run("run_gpu.sh", "--do_train")
    assert done.returncode == (2 if "error" in told else 0)
    assert told in done.stderr if told else done.stderr == ""
    assert ("setup --gpu" in machine.calls()) is ("error" not in told)


@pytest.mark.parametrize(("given", "number"), [("1", 1), ("GPU-8a,GPU-9b", 2)])
def test_the_gpus_that_a_scheduler_gave_are_those_taken(machine: RunProject, given: str,
                                                        number: int) -> None:
    done = machine.run("run_gpu.sh", "--do_train", CUDA_VISIBLE_DEVICES=given)
    assert done.returncode == 0, done.stderr
    assert f"{given}|{LOOKED}|{number}" in machine.calls()
    assert machine.run("run_gpu.sh", "--gpus=0", CUDA_VISIBLE_DEVICES=given).returncode == 0
    assert f"0|{LOOKED}|1" in machine.calls()


@pytest.mark.parametrize(("script", "setup"), [("run_cpu.sh", []), ("run_gpu.sh", ["--gpu"])])
def test_a_dry_run_prints_what_would_run(machine: RunProject, tmp_path: Path, script: str,
                                         setup: list[str]) -> None:
    asked = ["--do_train", "--text_column=it's, a"]
    done = machine.run(script, "--dry_run", *asked, VENV="/the/venv")
    assert done.returncode == 0, done.stderr
    first, *_, last = map(shlex.split, done.stdout.splitlines())
    assert first == [str(machine.root / "scripts" / "setup.sh"), *setup]
    assert "/the/venv/bin/python" in last and last[-2:] == asked
    assert set(machine.calls()) <= {"nvidia-smi"}
