"""Faults: what is tried and what survives is counted, and printed when the tests have ended."""

import pytest

from tests.faults.tally import Tally

COUNTS = pytest.StashKey[Tally]()


@pytest.fixture
def tally(request):
    """Counts a fault: tally("kill -9 while training", tried=20, survived=20, detail="...")."""
    return request.config.stash.setdefault(COUNTS, Tally())


def pytest_terminal_summary(terminalreporter, config):
    lines = list(config.stash[COUNTS].lines()) if COUNTS in config.stash else []
    if lines:
        terminalreporter.section("faults")
        for line in lines:
            terminalreporter.write_line(line)
