"""One run of a sweep as a process of its own: its command, its words, its end.

    status, error = run(["run_classifier_custom.py", *flags_of(config)])

A process frees all memory, a GPU's too, and takes nothing with it when it fails.
"""

import collections
import contextlib
import dataclasses
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Collection, Iterator, Sequence

from finetune import settings
from finetune.config import RunConfig
from finetune.errors import UserError
from finetune.log import LOGGER
from finetune.training import stopping

LOCK = ".sweep.lock"
INTERRUPTED = 130  # the exit status of a run that was stopped by Ctrl-C


def flags_of(config: RunConfig, named: Collection[str] = ()) -> list[str]:
    """Returns the command line that asks for these settings.

    Args:
        named: flags to write although they have their defaults.
    """
    found = []
    for field in dataclasses.fields(config):
        value = getattr(config, field.name)
        if field.name in ("config", "sweep") or value is None or (
                value == field.default and field.name not in named):
            continue
        if isinstance(value, tuple):
            value = list(value)
        found.append(f"--{field.name}" if value is True
                     else f"--{field.name}={settings.as_text(value)}")
    return found


@contextlib.contextmanager
def locked(folder: str) -> Iterator[int | None]:
    """Makes sure that one sweep at a time writes into a folder.

    The lock is inherited by the run that a sweep starts: should the sweep be killed and its run
    live on, the next sweep is refused until that run has ended. On a network drive that knows no
    locks nobody is refused.

    Raises:
        UserError: another one is at work.
    """
    try:
        import fcntl
    except ImportError:  # Windows
        yield None
        return
    with open(os.path.join(folder, LOCK), "w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise UserError(f"--output_dir={folder}: another sweep, or a run that it started, is "
                            "still at work there; wait for it or end it") from error
        except OSError:
            pass  # a network drive that knows no locks keeps nobody out
        yield file.fileno()


@contextlib.contextmanager
def _stops_held_back() -> Iterator[Callable[[], None]]:
    """Holds back the signals that stop us until the function that it gives is called.

    For the start of a process: a KeyboardInterrupt out of Popen would leave one behind that nobody
    knows and that works on. A signal that is handled here is not ignored by what starts here, not
    even SIGINT, which a shell's `&` makes us ignore.
    """
    before, held = {}, []
    if threading.current_thread() is threading.main_thread():
        for name in ("SIGINT", "SIGTERM", "SIGHUP"):
            number = getattr(signal, name, None)
            if number and (name == "SIGINT" or callable(signal.getsignal(number))):
                before[number] = signal.signal(number, lambda got, _: held.append(got))

    def restore() -> None:
        for number, handler in before.items():
            signal.signal(number, handler)

    def release() -> None:
        restore()
        for number in held:
            if before[number] is not signal.SIG_IGN:
                stopping.raise_for(number)

    try:
        yield release
    finally:
        restore()


def run(arguments: Sequence[str], lock: int | None = None) -> tuple[int, str]:
    """Runs our command in a process and repeats what it says, indented.

    Args:
        arguments: the program and its flags.
        lock: a file to be held open by the process as long as it lives.

    Returns:
        Its exit status, and for a failure the error in a line.

    Raises:
        KeyboardInterrupt: passed on to the process first, which then writes a checkpoint.
    """
    said: collections.deque[str] = collections.deque(maxlen=50)
    with _stops_held_back() as release:
        # In a session of its own, a Ctrl-C reaches it once, from here, wherever it came from.
        process = subprocess.Popen(
            [sys.executable, *arguments], stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            text=True, encoding="utf-8", errors="replace", start_new_session=True,
            pass_fds=() if lock is None else (lock,))
        try:
            release()
            _repeat(process, said)
        except KeyboardInterrupt:
            LOGGER.info("stopping: the run writes a checkpoint (Ctrl-C again: it does not)")
            process.send_signal(signal.SIGINT)
            try:
                _repeat(process, said)
            finally:
                process.kill()  # has no effect on one that has ended
                process.wait()
            raise
    if process.returncode in (INTERRUPTED, -signal.SIGINT):
        raise KeyboardInterrupt
    return process.returncode, _error(process.returncode, list(said))


def _repeat(process: subprocess.Popen, said: collections.deque[str]) -> None:
    for line in process.stdout:
        said.append(line.rstrip())
        print(f"    {line.rstrip()}", file=sys.stderr, flush=True)
    process.wait()


def _error(status: int, said: list[str]) -> str:
    if status == 0:
        return ""
    errors = [line.removeprefix("error: ") for line in said if line.startswith("error: ")]
    if errors:
        return " / ".join(errors)
    last = next((line.strip() for line in reversed(said) if line.strip()), "it said nothing")
    if status < 0:
        name = signal.Signals(-status).name
        memory = "; was the memory full?" if name == "SIGKILL" else ""
        return f"ended by {name}{memory} (last line: {last})"
    return f"exit status {status}: {last}"
