"""Ctrl-C and SIGTERM: when a run stops, and what it has done before.

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


class Terminated(KeyboardInterrupt):
    """SIGTERM, as a machine that is taken away or a scheduler sends it."""


def raise_at_once() -> None:
    """Makes SIGTERM end the program as Ctrl-C does, with what it has to say; in the main thread."""
    if threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGTERM, _raise)


def _raise(number: int, frame: object) -> None:
    raise Terminated if number == signal.SIGTERM else KeyboardInterrupt


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
            _raise(number, frame)
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
        """Raises KeyboardInterrupt or Terminated if the program has been asked to stop."""
        if self.asked is not None:
            _raise(self.asked, None)


@contextlib.contextmanager
def deferred() -> Iterator[Stop]:
    """Gives what notes Ctrl-C and SIGTERM; within the block the first of them raises nothing."""
    stop = Stop()
    if threading.current_thread() is not threading.main_thread():
        yield stop
        return
    before = {number: handler for number in (signal.SIGINT, signal.SIGTERM)
              if (handler := signal.getsignal(number)) not in (signal.SIG_IGN, None)}
    for number in before:  # one that is ignored (a shell's &) stays ignored
        signal.signal(number, stop.note)
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
