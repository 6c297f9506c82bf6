"""The largest difference of each comparison, shown at the end: pytest -v tests/parity."""

import os
import pathlib
import subprocess
import sys

import numpy as np
import pytest

ROOT = pathlib.Path(__file__).parents[2]
SEEN: dict[str, tuple[float, float, int]] = {}  # what -> largest difference, tolerance, how many


@pytest.fixture
def close():
    """Makes sure that two arrays are close, and notes how close.

    Returns:
        A function (what, ours, theirs, tolerance, detail): the largest difference may be that part
        of the largest value in `theirs`; with scale=1.0 it may be the tolerance itself.
    """
    def check(what, ours, theirs, tolerance, detail="", scale=None):
        ours, theirs = np.asarray(ours, np.float64), np.asarray(theirs, np.float64)
        assert ours.shape == theirs.shape, f"{what} {detail}"
        scale = max(np.abs(theirs).max(initial=0.0), 1e-30) if scale is None else scale
        difference = float(np.abs(ours - theirs).max(initial=0.0) / scale)
        largest, _, count = SEEN.get(what, (0.0, 0.0, 0))
        SEEN[what] = max(largest, difference), tolerance, count + 1
        assert difference <= tolerance, f"{what} {detail}: {difference:.2g} > {tolerance:.0e}"
    return check


@pytest.fixture(scope="session")
def original():
    """Runs a file of this folder in a process of its own, where the original's graph works."""
    def run(file, *arguments):
        done = subprocess.run(
            [sys.executable, str(ROOT / "tests" / "parity" / file), *map(str, arguments)],
            cwd=ROOT, capture_output=True, text=True, timeout=600,
            env={**os.environ, "TF_USE_LEGACY_KERAS": "1", "PYTHONPATH": str(ROOT)})
        assert done.returncode == 0, done.stderr
    return run


def pytest_terminal_summary(terminalreporter, config):
    if not SEEN or config.get_verbosity() < 1:
        return
    terminalreporter.section("largest differences from the original")
    terminalreporter.line(f"{'largest':>9} {'allowed':>9} {'values':>7}  what")
    for what, (largest, tolerance, count) in SEEN.items():
        terminalreporter.line(f"{largest:9.1e} {tolerance:9.0e} {count:7}  {what}")
