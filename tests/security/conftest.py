"""Attacks are counted among the faults, a row for each file of them."""

import pytest

from tests.faults.tally import of

WHAT = {"test_downloads": "a server that does harm",
        "test_hostile_archives": "a zip or tar that does harm",
        "test_hostile_models": "a file of weights that does harm",
        "test_hostile_settings": "a file of settings that does harm",
        "test_source_code": "source files searched for what could run what it reads"}


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item, call):
    report = yield
    if report.when == "call" and not report.skipped:
        of(item.config)(WHAT[item.path.stem], 1, int(report.passed),
                        "refused, nothing executed, written elsewhere or kept")
    return report
