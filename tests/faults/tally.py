"""How many times each fault was tried and survived, printed as one table at the end of the tests.

    def test_killed(tally):
        seen = tally("kill -9 while training", tried=20, survived=0, detail="same weights after")
        for _ in range(20):
            ...
            seen.survived += 1

or `tally("kill -9 while training", tried=20, survived=20)`, once all is known. A row is kept from
the moment of the call, so that the table of a test that fails says 19 of 20.

    FAULTS=full scripts/test.sh tests/faults     all of every fault; a short form without
"""

import dataclasses
import os
from collections.abc import Iterator

import pytest

FORMS = ("short", "full")


def scale(short: int, full: int) -> int:
    """Returns how much is to be done: `full` where FAULTS=full is in the environment, or `short`.

    Raises:
        ValueError: FAULTS is neither short nor full.
    """
    form = os.environ.get("FAULTS") or "short"
    if form not in FORMS:
        raise ValueError(f"FAULTS={form}: must be one of {', '.join(FORMS)}")
    return full if form == "full" else short


@dataclasses.dataclass
class Count:
    """What became of one fault; a test may count on while it runs."""

    tried: int = 0
    survived: int = 0
    detail: str = ""


class Tally:
    """The counts of a session, by fault."""

    def __init__(self) -> None:
        self._counts: dict[str, Count] = {}

    def __call__(self, fault: str, tried: int, survived: int, detail: str = "") -> Count:
        """Adds to what is known of a fault and returns it; a new detail stands for the old."""
        count = self._counts.setdefault(fault, Count())
        count.tried += tried
        count.survived += survived
        count.detail = detail or count.detail
        return count

    def rows(self) -> list[tuple[str, int, int, str]]:
        """Returns what a call adds each fault with, for another process."""
        return [(fault, *dataclasses.astuple(count)) for fault, count in self._counts.items()]

    def lines(self) -> Iterator[str]:
        """Yields the table, nothing where no fault was counted."""
        rows = [("fault", "tried", "survived", "what was seen")]
        rows += [(fault, f"{count.tried:,}", f"{count.survived:,}", count.detail)
                 for fault, count in self._counts.items()]
        fault_width, tried_width = (max(len(row[column]) for row in rows) for column in (0, 1))
        for fault, tried, survived, detail in rows if self._counts else ():
            yield f"{fault:{fault_width}}  {tried:>{tried_width}}  {survived:>8}  {detail}".rstrip()


_TALLY = pytest.StashKey[Tally]()


def of(config: pytest.Config) -> Tally:
    """Returns the counts of a session."""
    return config.stash.setdefault(_TALLY, Tally())
