"""Learning rates of every schedule, against numbers worked by hand and told by PyTorch."""

from fractions import Fraction

import numpy as np
import pytest
import tensorflow as tf

from finetune.config import RunConfig
from finetune.training import schedules
from finetune.training.schedules import Plan
from scripts import draw_schedules
from tests.conftest import ROOT

NAMES = ("linear", "constant", "cosine", "triangular", "one_cycle")


def rates(name, steps, plan, peak=1.0, **settings):
    rate = schedules.rate(RunConfig(lr_schedule=name, learning_rate=peak, **settings), plan)
    found = [rate(tf.constant(step, tf.int64)) for step in steps]
    assert {one.dtype for one in found} == {tf.float32}
    return np.array(found)


@pytest.mark.parametrize(("step", "expected"), [
    (0, 0.0), (1, 1.470588e-6), (17, 2.5e-5), (33, 4.852941e-5), (34, 4.504373e-5),
    (171, 2.507289e-5), (342, 1.457726e-7), (343, 0.0), (400, 0.0)])
def test_linear_is_the_original_s_for_mrpc(step, expected):
    assert RunConfig().lr_schedule == "linear"
    [rate] = rates("linear", [step], Plan(343, 34), 5e-5)
    assert rate == pytest.approx(expected, rel=1e-6, abs=1e-12)


@pytest.mark.parametrize(("name", "plan", "expected"), [
    ("linear", Plan(10, 0), {0: 1.0, 5: 0.5, 10: 0.0}),
    ("constant", Plan(10, 4), {0: 0.0, 1: 0.25, 3: 0.75, 4: 1.0, 9: 1.0, 99: 1.0}),
    ("constant", Plan(10, 0), {0: 1.0, 9: 1.0}),
    # (1 + cos(pi * 6 / 8)) / 2 = (1 - 0.7071068) / 2
    ("cosine", Plan(10, 2), {0: 0.0, 1: 0.5, 2: 1.0, 6: 0.5, 8: 0.1464466, 10: 0.0, 12: 0.0}),
    ("cosine", Plan(10, 0), {0: 1.0, 5: 0.5, 10: 0.0}),
    # 0.1 + 0.9 * 0.4; 0.001 + 0.999 * 0.6; 0.001 + 0.999 * 0.2
    ("triangular", Plan(20, 9, Fraction(10)),
     {0: 0.1, 2: 0.46, 5: 1.0, 7: 0.6004, 9: 0.2008, 10: 0.1, 15: 1.0}),
    # 5 rows in batches of 2: step 3 begins at row 6, the second of the second epoch
    ("triangular", Plan(9, 0, Fraction(5, 2)), {0: 0.1, 1: 0.82, 2: 0.4006, 3: 0.46, 5: 0.1}),
    # top at 0.3 * 10 - 1 = 2; 4e-6 + (1 - 4e-6) * (1 + cos(pi * 2 / 7)) / 2
    ("one_cycle", Plan(10, 9), {0: 0.04, 1: 0.52, 2: 1.0, 4: 0.8117457, 9: 4e-6, 12: 4e-6})])
def test_rates_by_hand(name, plan, expected):
    np.testing.assert_allclose(rates(name, expected, plan), list(expected.values()), rtol=2e-5,
                               atol=1e-7)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("steps", [1, 2, 3, 1000])
def test_every_rate_is_a_number_up_to_the_peak(name, steps):
    plan = Plan(steps, steps // 10, Fraction(7, 3))
    found = rates(name, range(min(steps, 20)), plan, 3e-5)
    assert np.isfinite(found).all() and (found >= 0).all() and (found <= 3.0001e-5).all()


@pytest.mark.parametrize(("rise", "expected"), [
    (0.3, [0.04, 0.3497897, 0.8792852, 0.9944154, 0.933013, 0.8117457, 0.647379, 0.4626371,
           0.283061, 0.1334775, 0.03456699, 4e-06]),
    (0.25, [0.04, 0.76, 0.9890738, 0.9045089, 0.750001, 0.552266, 0.3454941, 0.165438, 0.0432311,
            4e-06]),
    (0.9, [0.04, 0.1218853, 0.3396028, 0.6188697, 0.8644035, 0.9924307, 4e-06])])
def test_one_cycle_is_pytorch_s(rise, expected):
    """Told by OneCycleLR(optimizer, 1.0, total_steps, pct_start) of PyTorch 2.13."""
    steps = len(expected)
    ours = rates("one_cycle", range(steps), Plan(steps, 0), one_cycle_rise=rise)
    np.testing.assert_allclose(ours, expected, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(("rows", "batch", "step", "epoch", "after"), [
    (10, 5, 0, 0, 2), (10, 5, 1, 0, 2), (10, 5, 2, 1, 4), (10, 4, 2, 0, 3), (10, 4, 3, 1, 5),
    (10, 4, 5, 2, 8), (3, 4, 0, 0, 1), (3, 4, 3, 4, 4)])
def test_epochs_of_steps(rows, batch, step, epoch, after):
    plan = Plan.of(RunConfig(train_batch_size=batch, num_train_epochs=9.0), rows)
    assert (plan.epoch_of(step), plan.epoch_after(step)) == (epoch, after)


def test_the_picture_in_the_docs_is_what_the_program_does():
    drawn = draw_schedules.picture()
    assert (ROOT / "docs" / "schedules.svg").read_text() == drawn
    assert all(name in drawn for name in NAMES)
