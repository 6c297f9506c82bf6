"""The lock files: hashes, no place named, every dependency of pyproject.toml on every Python."""

import re
import sys

import pytest
from packaging.requirements import Requirement

from tests.script_project import DEVICE_LOCKS, EXTRA_LOCKS, LOCKS, ORIGINAL_LOCKS, ROOT

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

PYTHON_VERSIONS = ["3.10", "3.11", "3.12", "3.13"]


def locked(name: str) -> dict[Requirement, list[str]]:
    """The requirements of a lock file, each with its hashes."""
    lines = (ROOT / name).read_text(encoding="utf-8").replace("\\\n", " ").splitlines()
    lines = [line for line in lines if line and not line.lstrip().startswith("#")]
    entries = [line.split(" --hash=") for line in lines]
    return {Requirement(first.strip()): [h.strip() for h in rest] for first, *rest in entries}


def versions(name: str, python: str) -> dict[str, str]:
    """Package -> version that a lock file pins for one Python on Linux."""
    environment = {"python_version": python, "python_full_version": f"{python}.5"}
    environment |= {"sys_platform": "linux", "platform_machine": "x86_64"}
    pins: dict[str, str] = {}
    for requirement in locked(name):
        if requirement.marker is None or requirement.marker.evaluate(environment):
            assert requirement.name not in pins, f"two versions of {requirement.name}"
            (pin,) = requirement.specifier
            assert pin.operator == "=="
            pins[requirement.name] = pin.version
    return pins


@pytest.mark.parametrize("name", [*LOCKS, *EXTRA_LOCKS, *DEVICE_LOCKS, *ORIGINAL_LOCKS])
def test_lock_has_hashes_and_names_no_place(name: str) -> None:
    for requirement, hashes in locked(name).items():
        assert hashes, requirement
        assert all(re.fullmatch(r"sha256:[0-9a-f]{64}", value) for value in hashes), requirement
        assert requirement.url is None
    text = (ROOT / name).read_text(encoding="utf-8")
    assert not re.search(r"://|index-url|find-links|trusted-host|\.whl|[ =]/|\.\.", text)


@pytest.mark.parametrize("python", PYTHON_VERSIONS)
def test_locks_cover_pyproject(python: str) -> None:
    project_table = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    main, test = (versions(name, python) for name in LOCKS)
    needed = project_table["dependencies"]
    for pins, requirements in (
        (main, needed),
        (test, needed + project_table["optional-dependencies"]["test"]),
    ):
        for requirement in map(Requirement, requirements):
            assert requirement.specifier.contains(pins[requirement.name]), requirement
    assert main["tensorflow"] == main["tf-keras"] == "2.21.0"
    assert main.items() <= test.items()
    extras = {"onnx", "onnxruntime"}, {"fastapi", "prometheus-client", "uvicorn"}
    for name, needed in zip(EXTRA_LOCKS, extras, strict=True):
        extra = versions(name, python)
        assert set(extra) - set(main) >= needed
        assert main.items() <= extra.items() <= test.items()  # the tests run on what users have


@pytest.mark.parametrize("python", PYTHON_VERSIONS)
def test_the_lock_for_gpus_adds_cuda_s_libraries_alone(python: str) -> None:
    main, gpu = versions("requirements.lock", python), versions("requirements-gpu.lock", python)
    assert main.items() <= gpu.items()
    added = set(gpu) - set(main)
    assert {"nvidia-cudnn-cu12", "nvidia-nccl-cu12", "nvidia-cuda-runtime-cu12"} < added
    assert all(name.startswith("nvidia-") for name in added)


@pytest.mark.parametrize("python", ["3.10", "3.11", "3.12"])
def test_the_lock_for_tpus_has_one_tensorflow(python: str) -> None:
    pins = versions("requirements-tpu.lock", python)
    assert "tensorflow" not in pins  # it would overwrite files of tensorflow-tpu
    assert pins["tensorflow-tpu"] == "2.19.1" and "libtpu" in pins
    assert pins["tf-keras"].startswith("2.19.")
    # pip does not look at dependencies here, so that all of ours have to be in the list.
    project_table = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    for requirement in map(Requirement, project_table["dependencies"]):
        if requirement.name != "tensorflow":
            assert requirement.specifier.contains(pins[requirement.name]), requirement


@pytest.mark.parametrize(
    ("name", "python", "pins"),
    [*(("requirements-original.lock", python,
        {"tensorflow": "2.15.1", "tensorflow-estimator": "2.15.0", "bert-tensorflow": "1.0.4"})
       for python in ("3.9", "3.10", "3.11")),
     ("requirements-original-tf1.lock", "3.7",
      {"tensorflow": "1.15.5", "tensorflow-estimator": "1.15.1", "bert-tensorflow": "1.0.1"})],
)  # fmt: skip
def test_locks_of_the_original(name: str, python: str, pins: dict[str, str]) -> None:
    found = versions(name, python)
    assert pins.items() <= found.items()
    assert {"six", "absl-py", "numpy", "protobuf"} <= set(found)
    assert int(found["numpy"].split(".")[0]) < 2
    if python == "3.7":
        assert found["numpy"] < "1.19"
        assert found["protobuf"] < "3.21"
        assert "importlib-metadata" in found  # finetune/original/engine.py asks it for versions
