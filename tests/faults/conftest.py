"""Faults: what is tried and what survives is counted, and printed when the tests have ended."""

import pytest

from tests.faults.tally import of


@pytest.fixture
def tally(request):
    """Counts a fault: tally("kill -9 while training", tried=20, survived=20, detail="...")."""
    return of(request.config)
