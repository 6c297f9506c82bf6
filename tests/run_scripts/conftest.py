"""Copies of the scripts, with stand-ins that note how they are called and answer as a test says."""

import os
import shutil
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.script_project import Project, write_script

# Notes its call, then runs the next line that the test has written for this kind of call, else the
# usual one. $1 is the name of the program; "vm STATE,LABEL" decides what "tpu-vm list" answers.
STAND_IN = """#!/usr/bin/env bash
key() {{ {key}; }}
usual() {{ {usual}; }}
vm() {{ printf '%s' "$1" >"$PLANS/vm"; }}
key="$(key "$@")"
echo "$key" >>"$CALLS"
echo "{name} $*" >>"$CALLS.full"
plan="$PLANS/$key"
if [ -s "$plan" ]; then
    line="$(head -n 1 "$plan")"
    tail -n +2 "$plan" >"$plan.rest"
    mv "$plan.rest" "$plan"
    eval "$line"
    exit
fi
usual "$@"
"""


class RunProject(Project):
    """A Project whose stand-ins can be told what to answer."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.plans = folder / "plans"
        self.plans.mkdir()
        self.here = folder / "here"  # where the reader stands
        self.here.mkdir()
        for tool in ("flock", "git", "gzip", "head", "kill", "mkfifo", "mktemp", "mv", "nohup",
                     "rmdir", "sleep", "tar"):
            if not (self.bin / tool).exists():
                (self.bin / tool).symlink_to(shutil.which(tool))
        self.env |= {"PLANS": str(self.plans), "TMPDIR": str(folder)}

    def add(self, name: str, key: str, usual: str = ":") -> Path:
        """A stand-in for a program; `key` prints the kind of a call, `usual` answers it."""
        (self.bin / name).unlink(missing_ok=True)
        return write_script(self.bin / name, STAND_IN.format(name=name, key=key, usual=usual))

    def plan(self, key: str, *lines: str) -> None:
        (self.plans / key).write_text("\n".join(lines) + "\n")

    def full_calls(self) -> list[str]:
        """Every call with its arguments since the last look."""
        path = Path(f"{self.calls_file}.full")
        lines = path.read_text().splitlines() if path.exists() else []
        path.unlink(missing_ok=True)
        return lines

    def start(self, script: str, *args: str, **env: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [str(self.root / "scripts" / script), *args], env=self.env | env, cwd=self.here,
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
            start_new_session=True)  # a group of its own, as a terminal's command is: for Ctrl-C

    def commit(self) -> None:
        """Makes the project a clone with one commit."""
        env = os.environ | {"GIT_CONFIG_GLOBAL": os.devnull}
        for command in (["init", "-q"], ["add", "."],
                        ["-c", "user.name=a", "-c", "user.email=a@b", "commit", "-qm", "all"]):
            subprocess.run(["git", *command], cwd=self.root, env=env, check=True)


@pytest.fixture
def project(tmp_path: Path) -> RunProject:
    return RunProject(tmp_path)


def wait_for(condition: Callable[[], object], seconds: float = 20) -> None:
    """Waits until something is so, or fails."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it never came to be"
        time.sleep(0.02)
