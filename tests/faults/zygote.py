"""Runs the command again and again, each time in a process of its own that can be killed.

    with Zygote(folder) as zygote:
        process = zygote.start("--do_train", "--output_dir=out")
        process.kill(signal.SIGKILL)
        process.wait()                 # -9, or the exit status

    python -m tests.faults.zygote      # what it starts: JSON in, the ids and statuses out

TensorFlow is imported once, before any process is made; none of it has run by then.
"""

import contextlib
import json
import os
import pathlib
import signal
import subprocess
import sys

from tests.script_project import ROOT


class Process:
    """One run of the command."""

    def __init__(self, pid, zygote, log):
        self.pid, self._zygote, self._log = pid, zygote, log

    def kill(self, number):
        """Sends a signal; returns False if the process has ended already."""
        try:
            os.kill(self.pid, number)
        except ProcessLookupError:
            return False
        return True

    def freeze(self):
        """Stops it where it is, until SIGCONT; returns when none of its threads runs any more."""
        self.kill(signal.SIGSTOP)
        while not self._states() <= set("TZX"):
            pass

    def ended(self):
        """Whether it runs no more, though nobody has waited for it yet."""
        return self._states() <= set("ZX")

    def _states(self):
        """Returns the states of its threads, as in the manual page proc(5)."""
        states = set()
        for path in pathlib.Path("/proc").glob(f"{self.pid}/task/*/stat"):
            with contextlib.suppress(FileNotFoundError, ProcessLookupError):
                states.add(path.read_text().rpartition(")")[2].split()[0])
        return states

    def wait(self):
        """Returns the exit status, or minus the number of the signal that killed it."""
        return os.waitstatus_to_exitcode(json.loads(self._zygote.ask("wait")))

    def said(self):
        """Returns what it wrote on standard error."""
        return self._log.read_text()


class Zygote:
    """A process that has imported all that a run needs, and forks.

    Args:
        folder: for what the runs say.
    """

    def __init__(self, folder):
        self._log = folder / "log"
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.faults.zygote"], cwd=ROOT, stdin=subprocess.PIPE,
            stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._process.communicate()

    def ask(self, what):
        """Sends an order and returns the answer."""
        self._process.stdin.write(json.dumps(what) + "\n")
        self._process.stdin.flush()
        return self._process.stdout.readline()

    def start(self, *arguments):
        """Starts the command; wait for it before the next."""
        order = {"log": str(self._log), "arguments": [str(argument) for argument in arguments]}
        return Process(int(self.ask(order)), self, self._log)

    def run(self, *arguments):
        """Runs the command to its end; returns its status and what it said."""
        process = self.start(*arguments)
        return process.wait(), process.said()


def main():
    import run_classifier_custom
    from finetune import runner  # noqa: F401  (with TensorFlow)

    child = None
    for line in sys.stdin:
        order = json.loads(line)
        if order == "wait":
            print(os.waitpid(child, 0)[1], flush=True)
            continue
        child = os.fork()
        if not child:
            said = os.open(order["log"], os.O_CREAT | os.O_WRONLY | os.O_TRUNC)
            for target, source in ((0, os.open(os.devnull, os.O_RDONLY)), (1, said), (2, said)):
                os.dup2(source, target)
            signal.signal(signal.SIGINT, signal.default_int_handler)
            status = run_classifier_custom.main(order["arguments"])
            sys.stderr.flush()
            os._exit(status)
        print(child, flush=True)


if __name__ == "__main__":
    main()
