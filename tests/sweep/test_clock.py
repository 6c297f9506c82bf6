"""The time that a sweep still takes."""

import types

import pytest

from finetune.config import RunConfig
from finetune.sweep import speed
from finetune.sweep.checks import kind
from finetune.sweep.clock import Clock
from finetune.sweep.results import WAITING, Outcome
from finetune.sweep.spec import SweepRun
from finetune.sweep.speed import Speed

SHORT, LONG = RunConfig(max_seq_length=64), RunConfig(max_seq_length=128)  # 32 rows, 3 epochs


def outcomes(*configs):
    return [Outcome(SweepRun(config, "a", "a", {}), "a", WAITING) for config in configs]


@pytest.fixture
def clock(monkeypatch):
    """320 rows, so 30 steps a run; a step takes as many seconds as a row may have tokens."""
    asked = []

    def measure(job):
        asked.append(job)
        return job if isinstance(job, str) else Speed(4.0, {32: job / 1.0}, 0.1, load=3.0,
                                                      first_answer=2.0, test_row=job / 640)
    monkeypatch.setattr(speed, "measure", measure)

    def make(*jobs):
        rows = {"train": 320, "dev": 100, "test": 50}
        made = Clock({kind(config): types.SimpleNamespace(rows=rows, job=job)
                      for config, job in zip((SHORT, LONG), jobs, strict=True)})
        return made, asked
    return make


def test_each_kind_of_run_is_measured_once(clock):
    made, asked = clock(64, 128)
    runs = outcomes(SHORT, LONG, SHORT)
    made.measure(runs)
    made.measure(runs)
    assert asked == [64, 128]
    assert made.left(runs) == pytest.approx(3 * (4 + 2 + 10) + 30 * (64 + 128 + 64))
    assert made.rows(runs) == 3 * 960
    assert made.rates() == "0.5 rows/s in batches of 32"


def test_prediction_counts_once_with_the_slowest_kind(clock):
    made, _ = clock(64, 128)
    runs = outcomes(SHORT, LONG)
    made.measure(runs)
    assert made.prediction() == pytest.approx(3 + 2 + 50 * 128 / 640)
    assert made.left(runs, predicts=True) == pytest.approx(made.left(runs) + 15)
    assert made.left([], predicts=True) == pytest.approx(15)
    made.ended(runs[0], 2 * (4 + 2 + 10 + 30 * 64))
    assert made.prediction() == pytest.approx(30)


def test_every_run_that_ends_puts_it_right(clock):
    made, _ = clock(1, 2)
    [first, second] = outcomes(SHORT, LONG)
    made.measure([first, second])
    foretold = 4 + 2 + 10 + 30
    made.ended(first, 3 * foretold)
    assert made.left([second]) == pytest.approx(3 * (4 + 2 + 10 + 60))
    assert made.left([]) == 0


def test_without_a_measurement_the_first_run_tells(clock):
    made, asked = clock("no TPU", "no TPU")
    runs = outcomes(SHORT, LONG)
    made.measure(runs)
    assert asked == ["no TPU"] and made.left(runs) is None and made.rates() == ""
    made.ended(runs[0], 50.0)
    assert made.left(runs) == made.left(runs, predicts=True) == 100.0 and made.prediction() == 0
    assert made.left([]) == 0 and made.left([], predicts=True) is None
