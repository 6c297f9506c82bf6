"""Ctrl-C, SIGTERM and the end of the terminal: when a run stops, and what it has done before.

    with stopping.deferred() as stop:
        while not stop.asked:
            ...                       # one step
        save()
    stop.obey()                       # raises what the signal would have raised at once
"""

import contextlib
import signal
import threading
from collections.abc import Iterator
from typing import Any

# What a scheduler sends, or a machine that is taken away; a terminal that is closed (not Windows).
OTHERS = tuple(getattr(signal, name) for name in ("SIGTERM", "SIGHUP") if hasattr(signal, name))


class Stopped(KeyboardInterrupt):
    """A signal that stops the program as Ctrl-C does.

    Attributes:
        number: of the signal.
    """

    def __init__(self, number: int):
        self.number = number
        super().__init__(number)


def raise_at_once() -> None:
    """Makes these signals end the program as Ctrl-C does, with what it has to say."""
    if threading.current_thread() is threading.main_thread():
        for number in OTHERS:
            if signal.getsignal(number) is signal.SIG_DFL:  # nohup ignores SIGHUP
                signal.signal(number, raise_for)


def raise_for(number: int, frame: object = None) -> None:
    """Raises what a signal stands for: KeyboardInterrupt, or Stopped for any but Ctrl-C."""
    raise KeyboardInterrupt if number == signal.SIGINT else Stopped(number)


class Stop:
    """What has been asked for.

    Attributes:
        asked: the number of the signal that came; None as long as none has.
    """

    def __init__(self) -> None:
        self.asked: int | None = None
        self._at_once = False

    def note(self, number: int, frame: object) -> None:
        """Takes a signal; whoever sends a second one does not want to wait."""
        if self._at_once or self.asked is not None:
            raise_for(number)
        self.asked = number

    @contextlib.contextmanager
    def at_once(self) -> Iterator[None]:
        """Within the block the first signal raises: long work that can be left where it is."""
        self.obey()
        self._at_once = True
        try:
            yield
        finally:
            self._at_once = False

    def obey(self) -> None:
        """Raises KeyboardInterrupt or Stopped if the program has been asked to stop."""
        if self.asked is not None:
            raise_for(self.asked)


@contextlib.contextmanager
def deferred() -> Iterator[Stop]:
    """Gives what notes these signals; within the block the first of them raises nothing."""
    stop = Stop()
    if threading.current_thread() is not threading.main_thread():
        yield stop
        return
    with _handled_by(stop.note):
        yield stop


@contextlib.contextmanager
def by_default() -> Iterator[None]:
    """Within the block these signals end the process at once, without a word.

    For a call into TensorFlow that may wait for ever: Python's own handlers, and its threads, wait
    for its end. SIGTERM cannot be had there: TensorFlow takes it for itself while workers meet.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    with _handled_by(signal.SIG_DFL):
        yield


@contextlib.contextmanager
def _handled_by(what: Any) -> Iterator[None]:
    before = {number: handler for number in (signal.SIGINT, *OTHERS)
              if (handler := signal.getsignal(number)) not in (signal.SIG_IGN, None)}
    for number in before:  # one that is ignored (a shell's &) stays ignored
        signal.signal(number, what)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
