"""What is measured before a sweep, and the time foretold from it."""

import dataclasses

import numpy as np
import pytest

from finetune.config import RunConfig
from finetune.start import Start
from finetune.sweep import speed
from finetune.sweep.speed import Job, Speed
from finetune.training.schedules import Plan


@pytest.fixture
def job(tiny_config, make_table):
    config = RunConfig(train_batch_size=2, eval_batch_size=2)
    return Job(config, tiny_config, ["a", "b", "c"], Start(None, [], False, []),
               make_table(5, 9, 7, 4), make_table(6, 3, 8), make_table(7, 2), (2, 3))


def test_steps_of_every_size_and_the_scoring_of_a_row_are_timed(job, monkeypatch):
    monkeypatch.setattr(speed, "_SECONDS", 0.01)
    clock = iter(np.arange(0.0, 1e6, 2.0))  # every look at the clock is 2 s after the one before
    monkeypatch.setattr(speed.time, "monotonic", lambda: next(clock))
    monkeypatch.setattr(speed.time, "time", lambda: 107.0)
    measured = speed.measure_here(job, began=100.0)
    assert measured.start_up == 7.0 and measured.step == {2: 2.0, 3: 2.0}
    assert min(measured.dev_row, measured.test_row) > 0
    assert measured.load == 7.0 and measured.first_answer == 0.0  # no longer than the next
    measured = speed.measure_here(dataclasses.replace(job, test=None), began=100.0)
    assert measured.test_row == 0.0


@pytest.mark.slow
def test_the_measuring_process_answers(job):
    measured = speed.measure(job)
    assert isinstance(measured, Speed) and list(measured.step) == [2, 3]
    assert min(measured.start_up, measured.dev_row, *measured.step.values()) > 0


def test_a_tpu_is_not_measured(job):
    config = dataclasses.replace(job.config, use_tpu=True)
    assert speed.measure(dataclasses.replace(job, config=config)) == "not measured on a TPU"


@pytest.mark.parametrize(("step", "size", "seconds"), [
    ({16: 2.0}, 16, 2.0), ({16: 2.0}, 32, 4.0),
    ({16: 2.0, 32: 3.0}, 16, 2.0), ({16: 2.0, 32: 3.0}, 32, 3.0), ({16: 2.0, 32: 3.0}, 24, 2.5),
    ({16: 2.0, 32: 1.9}, 24, 2.0)])  # noise; a larger batch is never quicker
def test_the_seconds_of_a_step_lie_on_a_line(step, size, seconds):
    assert Speed(0.0, step, 0.0).of_step(size) == pytest.approx(seconds)


def test_the_seconds_of_a_run():
    measured = Speed(10.0, {16: 2.0}, 0.01, 6.0, 1.0, 0.02)
    config = RunConfig(train_batch_size=16)
    assert measured.of_run(Plan(100, 10), config, 500) == pytest.approx(10 + 200 + 1 + 5)
    config = RunConfig(train_batch_size=16, eval_every_steps=50)
    assert measured.of_run(Plan(100, 10), config, 500) == pytest.approx(10 + 200 + 1 + 3 * 5)
    assert measured.of_prediction(1000) == pytest.approx(6 + 1 + 20)
