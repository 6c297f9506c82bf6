"""Calibration, its figures, its temperature and its threshold, by hand-worked numbers."""

import math

import numpy as np
import pytest

from finetune.confidence import fitting, scores, temperature, threshold
from finetune.confidence.calibration import RAW, Calibration, log_softmax


def softmax(logits):
    return np.exp(log_softmax(np.asarray(logits, np.float64)))


def test_dividing_the_logits_by_hand():
    answers = np.array([[0.8, 0.2], [0.5, 0.5], [0.1, 0.9]], np.float32)
    # softmax([log 4, 0] / 2) = 2 : 1, softmax([0, log 9] / 2) = 1 : 3
    np.testing.assert_allclose(Calibration(2.0).probabilities(answers),
                               [[2 / 3, 1 / 3], [0.5, 0.5], [0.25, 0.75]], atol=1e-7)
    np.testing.assert_array_equal(Calibration(2.0, 0.7).answered(answers), [False, False, True])
    np.testing.assert_array_equal(Calibration(1.0, 0.5).answered(answers), [True, True, True])
    assert RAW.probabilities(answers) is answers and RAW.answered(answers) is None
    assert Calibration(2.0, 0.5).probabilities(answers[:0]).shape == (0, 2)
    assert Calibration(2.0, 0.5).answered(answers[:0]).shape == (0,)


def test_from_probabilities_as_from_logits():
    logits = np.random.default_rng(0).standard_normal((500, 4)) * 8
    for value in (0.5, 1.7, 6.0):
        found = Calibration(value).probabilities(softmax(logits).astype(np.float32))
        assert np.abs(found - softmax(logits / value)).max() < 2e-7
        np.testing.assert_array_equal(found.argmax(1), logits.argmax(1))


def test_a_probability_that_float32_cannot_hold():
    found = Calibration(4.0).probabilities(np.array([[1, 0, 0]], np.float32))
    # 1.2e-38 ** (1 / 4) = 3.3e-10 takes the place of both
    np.testing.assert_allclose(found, [[1, 3.3e-10, 3.3e-10]], rtol=0.02)
    assert np.isfinite(scores.figures(np.array([[1, 0]], np.float32), np.array([1]))["nll"])


def test_calibration_error_by_hand():
    # Bins of 1/15: 0.60 is the end of the 9th and belongs to it with 0.55; 0.95 lies in the last.
    def error(confidence, right):
        confidence = np.array(confidence)
        return scores.figures(np.stack([confidence, 1 - confidence], 1), 1 - np.array(right))["ece"]

    # 2/5 * |0.575 - 0.5| + 3/5 * |0.95 - 2/3| = 0.03 + 0.17
    assert error([0.55, 0.60, 0.95, 0.95, 0.95], [1, 0, 1, 1, 0]) == pytest.approx(0.2)
    assert error([1.0, 1.0], [1, 1]) == 0
    # 0.61 is in the 10th bin, apart from 0.60: 1/2 * 0.6 + 1/2 * 0.39, not |0.605 - 0.5|
    assert error([0.60, 0.61], [0, 1]) == pytest.approx(0.495)


def test_figures_by_hand():
    found = scores.figures(np.array([[0.5, 0.3, 0.2], [0.1, 0.8, 0.1]]), np.array([0, 2]))
    # brier: 0.25 + 0.09 + 0.04 = 0.38; 0.01 + 0.64 + 0.81 = 1.46
    assert found == {"ece": pytest.approx((0.5 + 0.8) / 2), "brier": pytest.approx(0.92),
                     "nll": pytest.approx(-(math.log(0.5) + math.log(0.1)) / 2)}


def made_up(factor, rows=20_000):
    """Returns (probabilities, label ids) of a model whose logits are `factor` times too large."""
    random = np.random.default_rng(5)
    logits = random.standard_normal((rows, 3)) * 2
    label_ids = (softmax(logits).cumsum(1) < random.random((rows, 1))).sum(1)
    return softmax(logits * factor).astype(np.float32), label_ids


@pytest.mark.parametrize("factor", [2.5, 1.0, 0.4])
def test_a_known_temperature_is_found(factor):
    probabilities, label_ids = made_up(factor)
    found = temperature.fit(probabilities, label_ids)
    assert found == pytest.approx(factor, rel=0.03)
    least = scores.figures(Calibration(found).probabilities(probabilities), label_ids)["nll"]
    for other in (found * 0.97, found * 1.03):
        assert scores.figures(Calibration(other).probabilities(probabilities),
                              label_ids)["nll"] > least


def test_cross_fitting_tells_what_the_fit_is_worth():
    probabilities, label_ids = made_up(2.5)
    found = fitting.fit(probabilities, label_ids, True, None, seed=1)
    told = found.temperature_figures
    assert told["before"]["ece"] > 0.1
    assert told["after"]["ece"] < 0.02 and told["cross_fitted"]["ece"] < 0.02
    assert told["after"]["nll"] < told["cross_fitted"]["nll"] < told["before"]["nll"]
    assert (found.threshold, found.held_out, found.has_minimum) == (None, None, True)
    # Of few rows with labels by chance the fit itself looks better than it is on other rows.
    few, chance = probabilities[:60], np.random.default_rng(2).integers(0, 3, 60)
    chance[:25] = few[:25].argmax(1)
    told = fitting.fit(few, chance, True, None, seed=1).temperature_figures
    assert told["cross_fitted"]["nll"] > told["after"]["nll"] + 1e-4


def test_every_row_is_held_out_once_and_drawn_by_chance():
    parts = fitting.folds(23, seed=3)
    assert sorted(np.concatenate(parts).tolist()) == list(range(23))
    assert [len(part) for part in parts] == [5, 5, 5, 4, 4]
    assert all(np.ptp(part) > 5 for part in parts)
    assert [part.tolist() for part in fitting.folds(23, seed=3)] == [
        part.tolist() for part in parts]


@pytest.mark.parametrize("truth", ["all right", "no better than chance"])
def test_where_no_temperature_is_best(truth):
    probabilities, _ = made_up(1.0, rows=50)
    label_ids = probabilities.argmax(1) if truth == "all right" else probabilities.argmin(1)
    assert temperature.fit(probabilities, label_ids) is None
    found = fitting.fit(probabilities, label_ids, True, None, seed=1)
    assert found.calibration == RAW and not found.has_minimum


CONFIDENCE = np.array([0.99, 0.6, 0.9, 0.8, 0.7, 0.5])
RIGHT = np.array([True, False, True, False, True, True])
# In order: 0.99 right 1/1, 0.9 right 2/2, 0.8 wrong 2/3, 0.7 right 3/4, 0.6 wrong 3/5, 0.5: 4/6


@pytest.mark.parametrize(("wanted", "value", "answered", "right"), [
    (1.0, 0.9, 2, 2), (0.8, 0.9, 2, 2), (0.75, 0.7, 4, 3), (0.7, 0.7, 4, 3),
    (2 / 3, 0.5, 6, 4), (0.1, 0.5, 6, 4)])
def test_a_threshold_by_hand(wanted, value, answered, right):
    found, reached = threshold.choose(CONFIDENCE, RIGHT, wanted)
    assert reached and found == threshold.Threshold(value, 6, answered, right)


def test_rows_of_one_confidence_go_together():
    found, reached = threshold.choose(np.array([0.9, 0.9, 0.9, 0.4]),
                                      np.array([True, True, False, False]), 0.9)
    assert not reached  # the first two of 0.9 would reach it
    assert found == threshold.Threshold(0.9, 4, 3, 2)


def test_the_nearest_where_none_is_reached():
    found, reached = threshold.choose(CONFIDENCE, np.array([False, True, True, True, True, True]),
                                      0.95)
    assert not reached and (found.value, found.precision) == (0.5, 5 / 6)


def test_wilson_by_hand():
    # Of 9 of 10, with z = 1.96: (0.9 + 0.192 -+ 0.308...) / 1.384, as tables have it.
    assert threshold.wilson(9, 10) == pytest.approx((0.5958, 0.9821), abs=1e-4)
    assert threshold.wilson(0, 0) == (0, 1)
    assert threshold.wilson(10, 10) == pytest.approx((0.7225, 1), abs=1e-4)


def test_a_part_without_a_threshold_leaves_nothing_cross_fitted():
    probabilities, label_ids = made_up(2.5, rows=2000)
    found = fitting.fit(probabilities, label_ids, True, 0.9, seed=1)
    answered, right = found.held_out
    assert found.reached and found.threshold.precision >= 0.9
    assert right / answered == pytest.approx(0.9, abs=0.03)
    assert answered / 2000 == pytest.approx(found.threshold.coverage, abs=0.05)
    probabilities, _ = made_up(1.0, rows=2000)
    reached = fitting.fit(probabilities, np.where(np.arange(2000) == probabilities.max(1).argmax(),
                                                  probabilities.argmax(1),
                                                  probabilities.argmin(1)), False, 1.0, seed=1)
    assert reached.reached and reached.threshold.answered == 1 and reached.held_out is None
