"""The numbers of the page, by hand."""

import numpy as np
import pytest

from finetune import calibration
from finetune.report import accuracy, label_errors
from finetune.report.accuracy import Group
from tests.report.conftest import ANSWERS, TRUTH


def test_bins_and_calibration_error_by_hand():
    """Four bins: .5 alone in the second (its upper end), .6 and .7 in the third, 1 in the last."""
    answers = np.array([[.5, .5], [.6, .4], [.3, .7], [1, 0]])
    bins = calibration.reliability(answers, np.array([1, 0, 1, 1]), 4)
    assert bins.counts.tolist() == [0, 1, 2, 1]
    assert np.isnan(bins.confidence[0]) and np.isnan(bins.accuracy[0])
    np.testing.assert_allclose(bins.confidence[1:], [.5, .65, 1])
    assert bins.accuracy[1:].tolist() == [0, 1, 0]
    # (1 * |0 - .5| + 2 * |1 - .65| + 1 * |0 - 1|) / 4
    assert calibration.expected_calibration_error(bins) == pytest.approx(2.2 / 4)


def test_a_calibrated_model_has_no_error_and_no_rows_none():
    answers = np.tile([.75, .25], (4, 1))
    bins = calibration.reliability(answers, np.array([0, 0, 0, 1]))
    assert calibration.expected_calibration_error(bins) == pytest.approx(0)
    empty = calibration.reliability(np.zeros((0, 2)), np.zeros(0, int))
    assert calibration.expected_calibration_error(empty) == 0


def test_groups_of_about_as_many_rows_by_length():
    lengths = np.array([9, 3, 4, 4, 5, 6, 7, 8, 9, 9])
    right = np.array([0, 1, 0, 1, 1, 1, 0, 0, 1, 0])
    groups, full = accuracy.by_length(lengths, right, 9, 3)
    # Seven rows below 9: 3 4 4 | 5 6 | 7 8, cut behind the 3rd, 5th and 7th.
    assert groups == [Group(3, 4, 3, pytest.approx(2 / 3)), Group(5, 6, 2, 1.0),
                      Group(7, 8, 2, 0.0)]
    assert full == Group(9, 9, 3, pytest.approx(1 / 3))


def test_groups_of_rows_of_one_length_and_of_none():
    assert accuracy.by_length(np.full(4, 5), np.ones(4), 9) == ([Group(5, 5, 4, 1.0)], None)
    assert accuracy.by_length(np.full(4, 9), np.zeros(4), 9) == ([], Group(9, 9, 4, 0.0))


def test_label_errors_by_hand():
    """Thresholds: (.9 + .6 + .05) / 3, (.8 + .6) / 2, (.8 + .6 + .4) / 3.

    The fifth row, a bug by its label, reaches that of feature with .9; the last one, a question,
    reaches none of its own but, with .5, not that of bug either: .5166.
    """
    found = label_errors.likely(ANSWERS, TRUTH)
    np.testing.assert_allclose(found.thresholds, [1.55 / 3, .7, .6], rtol=1e-6)
    assert (found.rows.tolist(), found.suggested.tolist()) == ([4], [1])


def test_label_errors_are_ordered_by_margin_and_know_labels_without_rows():
    answers = np.array([[.8, .1, .1], [.3, .7, .0], [.1, .9, .0], [.1, .2, .7], [.5, .5, .0]])
    found = label_errors.likely(answers, np.array([0, 0, 0, 1, 1]))
    # Thresholds .4, .35 and none: rows 1 and 2 reach feature's, row 3 only that of no rows.
    assert np.isnan(found.thresholds[2])
    assert found.rows.tolist() == [2, 1, 4] and found.suggested.tolist() == [1, 1, 0]


def test_of_labels_that_are_reached_the_likeliest_counts():
    """Row 0 has reached its own threshold and another's; its own is the likelier."""
    answers = np.array([[.55, .45], [.5, .5], [.6, .4]])
    found = label_errors.likely(answers, np.array([0, 0, 1]))
    np.testing.assert_allclose(found.thresholds, [.525, .4])
    assert (found.rows.tolist(), found.suggested.tolist()) == ([2, 1], [0, 1])
