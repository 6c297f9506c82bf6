"""The table of faults: rows add up, and one of a test that fails is in it too."""

import pathlib

import pytest

from tests.faults.tally import Tally, scale
from tests.script_project import ROOT

pytest_plugins = "pytester"
TESTS = """
def test_fails(tally):
    seen = tally("kill -9", tried=20, survived=0, detail="same bits")
    for number in range(20):
        assert number < 19
        seen.survived += 1
def test_full_disk(tally):
    tally("full disk", tried=3, survived=3)
"""


def test_a_fault_named_twice_is_one_row():
    tally = Tally()
    assert list(tally.lines()) == []
    tally("full disk", tried=1000, survived=999, detail="an error that names it")
    tally("full disk", tried=2, survived=2)
    assert list(tally.lines()) == ["fault      tried  survived  what was seen",
                                   "full disk  1,002     1,001  an error that names it"]


def test_the_environment_says_how_much_is_done(monkeypatch):
    monkeypatch.delenv("FAULTS", raising=False)
    assert scale(10, 1000) == 10
    monkeypatch.setenv("FAULTS", "full")
    assert scale(10, 1000) == 1000
    monkeypatch.setenv("FAULTS", "all")
    with pytest.raises(ValueError, match="FAULTS=all: must be one of short, full"):
        scale(10, 1000)


def test_the_table_ends_the_tests_whatever_became_of_them(pytester):
    pytester.syspathinsert(ROOT)
    pytester.makeconftest("from tests.conftest import pytest_terminal_summary\n"
                          + pathlib.Path(__file__).with_name("conftest.py").read_text())
    pytester.makepyfile(TESTS)
    result = pytester.runpytest_inprocess("-p", "no:cacheprovider")
    result.assert_outcomes(failed=1, passed=1)
    result.stdout.fnmatch_lines(["*= faults =*", "fault *tried  survived  what was seen",
                                 "kill -9 *20 *19  same bits", "full disk *3 *3"])
