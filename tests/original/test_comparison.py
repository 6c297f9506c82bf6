"""What compare_with_original.sh compares, by hand-worked numbers."""

import dataclasses
import math

import numpy as np
import pytest

from finetune import model
from finetune.checkpoints import checkpoint
from finetune.original import comparison
from finetune.predictor import Predictor


def test_rows_that_differ(make_table):
    table = make_table(3, 4, 2)

    def changed(name, index, value):
        values = getattr(table, name).copy()
        values[index] = value
        return dataclasses.replace(table, **{name: values})

    assert comparison.differing(table, table) == 0
    assert comparison.differing(table, changed("input_ids", 4, 99)) == 1
    assert comparison.differing(changed("segment_ids", 0, 7), table) == 1
    assert comparison.differing(table, changed("label_ids", 2, 9)) == 1
    shorter = dataclasses.replace(table, offsets=table.offsets[:3], label_ids=table.label_ids[:2])
    assert comparison.differing(table, shorter) == comparison.differing(shorter, table) == 1
    moved = dataclasses.replace(table, offsets=np.array([0, 4, 7, 9]))
    assert comparison.differing(table, moved) == 2
    assert comparison.differing(make_table(), table) == 3


def test_label_ids_of_a_regression_stand_for_scores(make_table):
    table = comparison.with_scores(make_table(2, 2, 2, 2), [0.5, 2.5, 10])
    assert table.label_ids.tolist() == [0.5, 2.5, 10, 0.5]


def test_answers_are_those_of_the_checkpoint(tiny_config, make_table, tmp_path):
    table, prefix = make_table(5, 9, 3), str(tmp_path / "model.ckpt-1")
    state = model.create(tiny_config, 3, 7, {}, training=True)
    checkpoint.save(prefix, state.variables())
    wanted = Predictor(state, tiny_config, None).predict(table, 2).probabilities
    assert np.array_equal(comparison.answers(prefix, tiny_config, 3, table, 2), wanted)


def test_scores_of_labels_and_numbers():
    given = np.array([[0.9, 0.1], [0.2, 0.8], [0.6, 0.4], [0.3, 0.7]], np.float32)
    assert comparison.scores(given, np.array([0, 1, 1, 1]), ["a", "b"])["accuracy"] == 0.75
    found = comparison.scores(np.array([[1], [2], [3]], np.float32), np.array([2., 4., 6.]),
                              ["score"])
    assert found["pearson"] == pytest.approx(1)


def test_the_spread_by_hand():
    # Deviations 0.02 and 0.01: pooled sqrt((2 * 0.0004 + 2 * 0.0001) / 4) = sqrt(0.00025);
    # t(0.995, 4 degrees of freedom) = 4.6041 (any table).
    found = comparison.Spread.of([0.60, 0.62, 0.64], [0.61, 0.62, 0.63], rows=1000)
    assert found.allowed == pytest.approx(4.6041 * math.sqrt(0.00025 * 2 / 3), rel=1e-4)
    assert found.difference == pytest.approx(0)
    assert found.within


@pytest.mark.parametrize(("shift", "within"), [(0.05, False), (-0.05, False), (0.03, True)])
def test_a_mean_too_far_away(shift, within):
    original = [0.60, 0.61, 0.62]
    found = comparison.Spread.of(original, [value + shift for value in original], rows=1000)
    assert found.difference == pytest.approx(shift)
    assert found.allowed == pytest.approx(0.0376, abs=1e-4)
    assert found.within is within


def test_one_row_is_always_allowed():
    found = comparison.Spread.of([0.5, 0.5], [0.6, 0.6], rows=10)
    assert (found.allowed, found.within) == (0.1, True)
    assert not comparison.Spread.of([0.5, 0.5], [0.6, 0.6], rows=11).within


def test_a_score_that_is_no_number_is_not_alike():
    found = comparison.Spread.of([0.5, 0.6], [0.5, math.nan], rows=10)
    assert found.allowed == 0.1 and not found.within
