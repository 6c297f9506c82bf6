"""A copy of the scripts to run with stand-ins for python and pip, so that nothing is installed."""

import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
LOCKS = ["requirements.lock", "requirements-test.lock"]
EXTRA_LOCKS = ["requirements-export.lock", "requirements-serve.lock"]
DEVICE_LOCKS = ["requirements-gpu.lock", "requirements-tpu.lock"]
ORIGINAL_LOCKS = ["requirements-original.lock", "requirements-original-tf1.lock"]
TOOLS = ["basename", "bash", "cat", "cp", "cut", "dirname", "env", "find", "grep", "ls"]
TOOLS += ["mkdir", "rm", "sed", "sleep", "tail", "tee"]

# Answers what setup.sh asks of a Python; "-m venv" copies it, "-m pip" notes the call in $CALLS.
FAKE_PYTHON = f"""#!/usr/bin/env bash
case "$*" in
    *python_version*) echo "${{FAKE_VERSION:-CPython 3.11.7}}" ;;
    *ensurepip*) exit "${{FAKE_VENV_STATUS:-0}}" ;;
    *version_info*) echo "3.11 $(cd "$(dirname "$0")/.." && pwd)" ;;
    "-m venv "*) mkdir -p "$3/bin" && cp "$0" "$3/bin/python" && echo venv >>"$CALLS" ;;
    "-m pip "*)
        case " $* " in *" --no-deps "*) echo "no dependencies but those of" >>"$CALLS" ;; esac
        echo "pip $(basename "${{*: -1}}")" >>"$CALLS"
        sleep "${{FAKE_PIP_SECONDS:-0}}"
        printf '%b' "${{FAKE_PIP_OUTPUT:-}}"
        exit "${{FAKE_PIP_STATUS:-0}}"
        ;;
    "- "*) exec '{sys.executable}' "$@" ;;
    *) echo "unexpected: $*" >&2 && exit 99 ;;
esac
"""


def write_script(path: Path, text: str) -> Path:
    assert not path.is_symlink(), f"would write to the real {path.resolve()}"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    path.chmod(0o755)
    return path


class Project:
    """A copy of the scripts in a folder with a blank in its name, and a PATH without any Python."""

    def __init__(self, folder: Path) -> None:
        self.root = folder / "a project"
        self.venv = self.root / ".venv"
        self.bin = folder / "bin"
        self.calls_file = folder / "calls"
        shutil.copytree(ROOT / "scripts", self.root / "scripts")
        for lock in [*LOCKS, *EXTRA_LOCKS, *DEVICE_LOCKS, *ORIGINAL_LOCKS]:
            (self.root / lock).write_text(f"{lock}, version 1\n")
        self.bin.mkdir()
        for tool in TOOLS:
            (self.bin / tool).symlink_to(shutil.which(tool))
        self.env = {"PATH": str(self.bin), "HOME": str(folder), "CALLS": str(self.calls_file)}
        write_script(self.bin / "df", "#!/usr/bin/env bash\necho '/dev/a b 9 9 99000000 1% /'\n")

    def add_python(self, name: str = "python3.11", text: str = FAKE_PYTHON) -> Path:
        return write_script(self.bin / name, text)

    def start(self, script: str, *args: str, **env: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [str(self.root / "scripts" / script), *args],
            env=self.env | env,
            cwd="/",
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def run(self, script: str, *args: str, **env: str) -> subprocess.CompletedProcess[str]:
        process = self.start(script, *args, **env)
        out, err = process.communicate(timeout=30)
        return subprocess.CompletedProcess(process.args, process.returncode, out, err)

    def calls(self) -> list[str]:
        """What the stand-in was asked to make since the last look."""
        calls = self.calls_file.read_text().splitlines() if self.calls_file.exists() else []
        self.calls_file.unlink(missing_ok=True)
        return calls
