"""Where the time of a run goes: every second belongs to one stage.

    watch = Stopwatch("start")
    with watch.stage("train"):
        with watch.stage("checkpoint"):      # is not counted in "train" as well
            ...
    watch.seconds()                          # {"start": 3.1, "train": 60.2, "checkpoint": 0.4}
"""

import contextlib
import statistics
import time
from collections.abc import Callable, Iterator
from typing import Any

COMPILE = "compile"
_COMPARED = 20  # calls after the first one


class Stopwatch:
    """Counts the seconds of stages; the innermost stage gets them.

    Args:
        first: the stage that counts from now on wherever there is no other.
        clock: seconds that never go back.
    """

    def __init__(self, first: str = "start", clock: Callable[[], float] = time.monotonic):
        self._clock, self._open, self._mark = clock, [first], clock()
        self._seconds: dict[str, float] = {first: 0.0}
        self._compiled: list[tuple[str, list[float]]] = []

    @contextlib.contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Counts the time of a block under this name; a stage may come more than once."""
        self._count()
        self._open.append(name)
        self._seconds.setdefault(name, 0.0)
        try:
            yield
        finally:
            self._count()
            self._open.pop()

    def compiling(self, function: Callable[..., Any]) -> Callable[..., Any]:
        """Wraps a function that is compiled by its first call.

        What the first call takes above the middle one of those after it is stage `compile`,
        instead of the stage that it was made in; all of it, if there is no other call.
        """
        calls: list[float] = []

        def timed(*arguments: Any) -> Any:
            if not calls:
                self._compiled.append((self._open[-1], calls))
            began = self._clock()
            try:
                return function(*arguments)
            finally:
                if len(calls) <= _COMPARED:
                    calls.append(self._clock() - began)

        return timed

    def seconds(self) -> dict[str, float]:
        """Returns the seconds of each stage by now; together they are the time that has passed."""
        self._count()
        found = dict(self._seconds)
        for stage, (first, *later) in self._compiled:
            above = max(0.0, first - statistics.median(later)) if later else first
            found[stage] -= above
            found[COMPILE] = found.get(COMPILE, 0.0) + above
        return found

    def _count(self) -> None:
        now = self._clock()
        self._seconds[self._open[-1]] += now - self._mark
        self._mark = now
