"""Learning rates of every schedule, against numbers worked by hand and PyTorch's."""

from fractions import Fraction

import numpy as np
import pytest
import tensorflow as tf

from finetune import schedules
from finetune.config import RunConfig
from finetune.schedules import Plan
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


@pytest.mark.parametrize(("steps", "rise"), [(10, 0.3), (57, 0.3), (100, 0.05), (33, 0.9)])
def test_one_cycle_is_pytorch_s(steps, rise):
    torch = pytest.importorskip("torch", reason="PyTorch is not installed")
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=1.0)
    theirs = torch.optim.lr_scheduler.OneCycleLR(optimizer, 2e-4, total_steps=steps,
                                                 pct_start=rise, cycle_momentum=False)
    expected = []
    for _ in range(steps):
        expected.append(theirs.get_last_lr()[0])
        optimizer.step()
        theirs.step()
    ours = rates("one_cycle", range(steps), Plan(steps, 0), 2e-4, one_cycle_rise=rise)
    np.testing.assert_allclose(ours, expected, rtol=1e-4, atol=1e-10)


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
