"""The frame of every command: what is said of a mistake, a full disk or Ctrl-C, and its status.

    sys.exit(command.run(lambda: install(name, folder), folder))
"""

import argparse
import contextlib
import os
import signal
import sys
from collections.abc import Callable, Iterable, Sequence
from typing import IO, Any, NoReturn

from finetune import config_problems, log
from finetune.errors import UserError
from finetune.training import stopping

AFTER_STOP = ("the same command goes on, training from its last checkpoint (--overwrite_output_dir "
              "would delete it), all else from the start")
_LONGEST = 4000  # characters of a message; some name a value of the user's as it stands
# What would break a line or command a terminal, as Python writes it: a message is one line.
_VISIBLE = {code: repr(chr(code))[1:-1] for code in (*range(32), *range(127, 160), 0x2028, 0x2029)}


def run(work: Callable[[], int | None], folder: str | None = None,
        after_stop: str = AFTER_STOP) -> int:
    """Does a command's work, with its messages on standard error.

    Args:
        work: all of it; returns the exit status, or None for 0.
        folder: where it writes. An OSError (a full disk, no permission) is then the user's to
            mend; it is told with the file it names, else with this folder. None: it is raised.
        after_stop: what is told when Ctrl-C has stopped the work.

    Returns:
        The exit status: what `work` returned; 2 for a mistake of the user's, or that of the
        error; of a signal that stopped it 128 and its number, as shells have it: Ctrl-C 130.
    """
    if sys.stderr is None:  # it is closed (2>&-): else the next file that is opened takes its place
        sys.stderr = open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115
    log.start()
    stopping.raise_at_once()
    try:
        return work() or 0
    except UserError as error:
        return _mistake(error.problems, error.status)
    except OSError as error:
        if folder is None:
            raise
        return _mistake([f"{error.filename or folder}: {error.strerror or error}"])
    except KeyboardInterrupt as error:
        number = getattr(error, "number", signal.SIGINT)
        by = "the user" if number == signal.SIGINT else signal.Signals(number).name
        _say(f"stopped by {by}; {after_stop}")
        return 128 + number
    finally:
        log.stop()


def _mistake(problems: Iterable[str], status: int = UserError.status) -> int:
    for problem in problems:
        if len(problem) > _LONGEST:
            problem = f"{problem[:_LONGEST // 2]} ... {problem[-_LONGEST // 2:]}"
        _say(f"error: {problem.translate(_VISIBLE)}")
    return status


def _say(text: str) -> None:
    """Prints on standard error; where nobody reads it, the exit status still tells."""
    with contextlib.suppress(OSError):
        print(text, file=sys.stderr)


def show(text: str) -> None:
    """Prints a text on standard output; that its reader has gone, as `| head` does, is no error."""
    try:
        print(text, flush=True)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # for Python's last flush


class Parser(argparse.ArgumentParser):
    """The arguments of a script; mistakes are told as everywhere here, and end it with status 2.

    Args:
        words: what to tell of an argument too many.
    """

    def __init__(self, *arguments: Any, words: str = "", **options: Any):
        self._words, self._names = words, []  # argparse adds --help in its __init__
        super().__init__(*arguments, allow_abbrev=False, **options)

    def add_argument(self, *names: str, **options: Any) -> argparse.Action:
        """Adds an argument."""
        self._names += [name[2:] for name in names if name.startswith("--")]
        return super().add_argument(*names, **options)

    # argparse tells a value that it refuses in a sentence only; these two of it have the parts.

    def _get_value(self, action: argparse.Action, given: str) -> Any:
        try:
            return super()._get_value(action, given)
        except argparse.ArgumentError:
            if action.type in (int, float):
                self._refuse(action, given)
            raise

    def _check_value(self, action: argparse.Action, value: Any) -> None:
        if action.choices is not None and value not in action.choices:
            self._refuse(action, value)

    def _refuse(self, action: argparse.Action, value: Any) -> NoReturn:
        name = "/".join(action.option_strings) or action.metavar or action.dest
        must = config_problems.must_be(value, action.type or str, action.choices)
        self.error(f"{name}={value}: {must}")

    def parse_args(self, args: Sequence[str] | None = None, namespace: Any = None) -> Any:
        """Returns the arguments; one that is not known ends the program."""
        return self._all_known(*self.parse_known_args(args, namespace))

    def parse_intermixed_args(self, args: Sequence[str] | None = None, namespace: Any = None
                              ) -> Any:
        """The same, with options between the words of a list."""
        return self._all_known(*self.parse_known_intermixed_args(args, namespace))

    def _all_known(self, options: Any, others: list[str]) -> Any:
        if others:
            sys.exit(_mistake(map(self._unknown, others)))
        return options

    def print_help(self, file: IO[str] | None = None) -> None:
        """Shows the help."""
        show(self.format_help().removesuffix("\n"))

    def error(self, message: str) -> NoReturn:
        """Tells a mistake and ends the program."""
        if message.startswith("the following arguments are required: "):
            message = f"{message.partition(': ')[2]} is missing; see {self.prog} --help"
        sys.exit(_mistake([message.removeprefix("argument ")]))

    def _unknown(self, argument: str) -> str:
        if argument.startswith("--"):
            return config_problems.unknown_flag(argument[2:].partition("=")[0], self._names)
        return f"unexpected argument {argument!r}" + (f": {self._words}" if self._words else
                                                      f"; see {self.prog} --help")


def hide_gpus() -> None:
    """Keeps TensorFlow, which must not be imported yet, silent and off the GPUs.

    For commands that copy or compare numbers: they need no GPU, and one may be at work.
    """
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    os.environ["CUDA_VISIBLE_DEVICES"] = "-1"
