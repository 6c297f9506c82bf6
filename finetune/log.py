"""What the user sees while a run works: plain lines, and one moving line on a terminal."""

import contextlib
import contextvars
import logging
import os
import re
import sys
import tempfile
import time
from collections.abc import Iterator

LOGGER = logging.getLogger("finetune")
# Libraries that are not there: of no interest on a machine without a GPU, and the summary of the
# run names the device on any.
_GREETING = ("All log messages before absl::InitializeLog()", "I0000 ", "failed call to cuInit",
             "Unable to register cu", "XNNPACK delegate for CPU")
# TensorFlow counts functions by their code: where a process makes many models it takes the one
# tracing of each for retracing, and says so at length.
_TRACED_ONCE = re.compile(r"calls to <function (Predictor\.__init__|IntegratedGradients\.__init__|"
                          r"make_step|in_a_row)\.<locals>\..* triggered tf\.function retracing")
_CLEAR_LINE = "\r\033[K"
_LEAST = contextvars.ContextVar("least", default=logging.INFO)  # level that the terminal shows
_PART = contextvars.ContextVar("part", default="")  # in front of each line there


class _Terminal(logging.StreamHandler):
    """Standard error; wipes the moving progress line before a plain one.

    That nobody reads it any more, as of a terminal that was closed, must not end the work.
    """

    moving = False

    def emit(self, record: logging.LogRecord) -> None:
        self._wipe()
        super().emit(record)

    def handleError(self, record: logging.LogRecord) -> None:
        if not isinstance(sys.exc_info()[1], OSError):
            super().handleError(record)

    def move(self, line: str) -> None:
        """Shows a line that the next one replaces."""
        with contextlib.suppress(OSError):
            self.stream.write(_CLEAR_LINE + line)
            self.stream.flush()
        self.moving = True

    def close(self) -> None:
        self._wipe()
        try:
            self.stream.flush()
        except (OSError, ValueError):  # ValueError: it is closed
            with contextlib.suppress(OSError, ValueError):  # for Python's last flush
                os.dup2(os.open(os.devnull, os.O_WRONLY), self.stream.fileno())
        super().close()

    def _wipe(self) -> None:
        if self.moving:
            self.moving = False
            with contextlib.suppress(OSError):
                self.stream.write(_CLEAR_LINE)


class _File(logging.FileHandler):
    """A log file; that it cannot be written (a full disk) must not hide what else is to be said."""

    def handleError(self, record: logging.LogRecord) -> None:
        pass

    def close(self) -> None:
        with contextlib.suppress(OSError):
            super().close()


class _RemoteFile(logging.Handler):
    """A log on gs:// and the like, where a file is written anew to add to it: now and then."""

    every = 30.0  # seconds

    def __init__(self, path: str):
        super().__init__()
        self._path, self._lines, self._written = path, "", time.monotonic()

    def emit(self, record: logging.LogRecord) -> None:
        self._lines += self.format(record) + "\n"
        if time.monotonic() - self._written > self.every:
            self.flush()

    def flush(self) -> None:
        import tensorflow as tf
        lines, self._lines, self._written = self._lines, "", time.monotonic()
        if lines:
            with contextlib.suppress(tf.errors.OpError), tf.io.gfile.GFile(self._path, "a") as file:
                file.write(lines)

    def close(self) -> None:
        self.flush()
        super().close()


def start(path: str | None = None) -> None:
    """Sends messages to standard error and, if a path is given, appends them to that file."""
    stop()
    LOGGER.setLevel(logging.INFO)
    LOGGER.propagate = False
    terminal = _Terminal(sys.stderr)
    terminal.setFormatter(logging.Formatter(_PART.get().replace("%", "%%") + "%(message)s"))
    terminal.setLevel(_LEAST.get())
    LOGGER.addHandler(terminal)
    if path:
        file = _RemoteFile(path) if "://" in path else _File(path, encoding="utf-8", delay=True)
        file.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s"))
        LOGGER.addHandler(file)


def notice(text: str) -> None:
    """Logs a notice as a note, or as the warning that it says it is."""
    if text.startswith("warning: "):
        LOGGER.warning("%s", text)
    else:
        LOGGER.info("note: %s", text)


def stop() -> None:
    """Closes the log."""
    for handler in list(LOGGER.handlers):
        LOGGER.removeHandler(handler)
        handler.close()


@contextlib.contextmanager
def showing(everything: bool) -> Iterator[None]:
    """Within the block logs that are started show everything, or warnings alone."""
    before = _LEAST.set(logging.INFO if everything else logging.WARNING)
    try:
        yield
    finally:
        _LEAST.reset(before)


@contextlib.contextmanager
def part(name: str) -> Iterator[None]:
    """Within the block logs that are started name on the terminal what part of the work it is."""
    before = _PART.set(f"{name}: ")
    try:
        yield
    finally:
        _PART.reset(before)


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Drops the greeting that TensorFlow's C++ side writes to standard error while it starts.

    It comes before any log level counts. All else that is written meanwhile is shown at the end of
    the block; with TF_CPP_MIN_LOG_LEVEL=0 nothing is held back. From then on nothing is said of
    functions of ours that are traced once for each model.
    """
    logging.getLogger("tensorflow").addFilter(_not_traced_once)
    if os.environ.get("TF_CPP_MIN_LOG_LEVEL") == "0":
        yield
        return
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    sys.stderr.flush()
    terminal = os.dup(2)
    with tempfile.TemporaryFile() as said:
        os.dup2(said.fileno(), 2)
        try:
            yield
        finally:
            os.dup2(terminal, 2)
            os.close(terminal)
            said.seek(0)
            for line in said.read().decode("utf-8", "replace").splitlines():
                if line and not any(part in line for part in _GREETING):
                    print(line, file=sys.stderr)


def _not_traced_once(record: logging.LogRecord) -> bool:
    return not _TRACED_ONCE.search(record.getMessage())


def duration(seconds: float) -> str:
    """Returns a time as people write it: 42 s, 3 min 5 s, 2 h 10 min."""
    seconds = round(seconds)
    if seconds < 60:
        return f"{seconds} s"
    minutes, seconds = divmod(seconds, 60)
    if minutes < 60:
        return f"{minutes} min {seconds} s"
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min"


_SILENCE = 30  # seconds without a plain line


class Progress:
    """Says how far a piece of long work is, with its rate and the time left.

    On a terminal a line moves twice a second; a plain line goes to the log every `log_every`
    steps, and where none has gone there for half a minute. Rate and time left are those of the
    steps after the first, which builds the graph.

    Args:
        what: the work, for instance "train".
        total: steps in all.
        done: steps done before (a resumed run).
        log_every: steps between plain lines; 0: none but those of long silences.
    """

    def __init__(self, what: str, total: int, done: int = 0, log_every: int = 0):
        self._what, self._total, self._done, self._log_every = what, total, done, log_every
        self._first, self._rows, self._part = done, 0, _PART.get()
        self._is_under_way, self._rows_before = False, 0  # one step has been made; its rows
        self._began = self._shown = self._told = time.monotonic()
        self._is_due = True  # by time, as due() has said last
        terminals = [handler for handler in LOGGER.handlers if isinstance(handler, _Terminal)]
        self._terminal = next((one for one in terminals if one.stream.isatty()
                               and one.level <= logging.INFO), None)

    def reach(self, done: int) -> None:
        """Counts rows instead of steps: so many are done now."""
        self._rows, self._done = done, done - 1
        self.advance(0)

    def advance(self, rows: int, note: str = "") -> None:
        """Counts one step of so many rows; `note` stands behind the step (the loss, say)."""
        self._done += 1
        self._rows += rows
        now = time.monotonic()
        plain = self._log_every and (self._done % self._log_every == 0 or self._done == self._total)
        if plain or self._is_due and now - self._told >= _SILENCE:
            LOGGER.info(self._line(now, note))
            self._told = now
        elif self._terminal and now - self._shown > 0.5:
            self._terminal.move(self._part + self._line(now, note))
            self._shown = now
        if not self._is_under_way:
            self._is_under_way = True
            self._began, self._first, self._rows_before = now, self._done, self._rows

    def due(self) -> bool:
        """Whether the next advance() shows a line, so that its note is worth computing."""
        step, now = self._done + 1, time.monotonic()
        self._is_due = now - self._told >= _SILENCE
        return self._is_due or bool(self._log_every and (
            step % self._log_every == 0 or step == self._total)) or (
            self._terminal is not None and now - self._shown > 0.5)

    def _line(self, now: float, note: str) -> str:
        elapsed = max(now - self._began, 1e-9)
        left = elapsed / max(self._done - self._first, 1) * (self._total - self._done)
        rate = (self._rows - self._rows_before) / elapsed
        parts = [f"{self._what} {self._done}/{self._total}", note, f"{rate:.1f} examples/s",
                 f"{duration(left)} left"]
        return "  ".join(part for part in parts if part)
