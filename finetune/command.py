"""The frame of every command: what is said of a mistake, a full disk or Ctrl-C, and its status.

    sys.exit(command.run(lambda: install(name, folder), folder))
"""

import os
import signal
import sys
from collections.abc import Callable, Iterable

from finetune import log, stopping
from finetune.errors import UserError

AFTER_STOP = "the same command goes on, training from its last checkpoint"
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
        print(f"stopped by {by}; {after_stop}", file=sys.stderr)
        return 128 + number
    finally:
        log.stop()


def _mistake(problems: Iterable[str], status: int = UserError.status) -> int:
    for problem in problems:
        if len(problem) > _LONGEST:
            problem = f"{problem[:_LONGEST // 2]} ... {problem[-_LONGEST // 2:]}"
        print(f"error: {problem.translate(_VISIBLE)}", file=sys.stderr)
    return status


def hide_gpus() -> None:
    """Keeps TensorFlow, which must not be imported yet, silent and off the GPUs.

    For commands that copy or compare numbers: they need no GPU, and one may be at work.
    """
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    os.environ["CUDA_VISIBLE_DEVICES"] = "-1"
