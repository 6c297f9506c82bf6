"""Which rows make a batch, and their layout against arrays written by hand."""

import numpy as np
import pytest

from finetune.batches import (
    BufferedOrder,
    TrainingOrder,
    by_length,
    lay_out,
    longest_first,
    pack,
    pad,
    training_order,
    widths_up_to,
)
from finetune.records import FeatureTable

# Rows of 3, 1 and 2 tokens.
TABLE = FeatureTable(
    input_ids=np.array([11, 12, 13, 21, 31, 32], np.int32),
    segment_ids=np.array([0, 0, 1, 0, 0, 1], np.int32), offsets=np.array([0, 3, 4, 6]),
    label_ids=np.array([2, 0, 1], np.int32), is_real=np.ones(3, bool))


def stream(rows, batch_size, seed, steps):
    order = TrainingOrder(rows, batch_size, seed)
    return np.concatenate([order.batch(step) for step in range(steps)])


@pytest.mark.parametrize(("rows", "batch_size"), [(10, 5), (10, 3), (7, 4), (3, 8), (1, 1)])
def test_every_epoch_has_every_row_once(rows, batch_size):
    steps = -(-3 * rows // batch_size)
    places = stream(rows, batch_size, 1, steps)
    assert len(places) == steps * batch_size
    epochs = places[:3 * rows].reshape(3, rows)
    np.testing.assert_array_equal(np.sort(epochs, axis=1), [range(rows)] * 3)


def test_the_order_does_not_depend_on_the_batch_size():
    np.testing.assert_array_equal(stream(10, 4, 1, 5), stream(10, 5, 1, 4))


def test_epochs_and_seeds_have_orders_of_their_own():
    orders = [*stream(20, 20, 1, 3).reshape(3, 20), *stream(20, 20, 2, 3).reshape(3, 20),
              np.arange(20)]
    assert len({tuple(order) for order in orders}) == 7


def test_any_step_can_be_the_first():
    whole = TrainingOrder(10, 4, seed=1)
    batches = [whole.batch(step) for step in range(8)]  # step 2 spans two epochs
    for step in (7, 2, 5):
        np.testing.assert_array_equal(TrainingOrder(10, 4, seed=1).batch(step), batches[step])
        np.testing.assert_array_equal(whole.batch(step), batches[step])


def test_a_buffer_draws_as_the_original_does():
    """Replayed from the definition: a full buffer, a row drawn, the next row in its place."""
    order = BufferedOrder(rows=50, batch_size=8, seed=3, buffer=10)
    drawn = np.concatenate([order.batch(step) for step in range(25)])               # 4 epochs
    waiting, following = [*range(10)], 10
    for row in drawn.tolist():
        assert row in waiting
        waiting[waiting.index(row)] = following % 50
        following += 1
    # Row r can be drawn from place r - 9 on.
    assert all(row <= place + 9 for place, row in enumerate(drawn[:40].tolist()))
    assert drawn[:40].tolist() != sorted(drawn[:40].tolist())


def test_a_buffer_can_begin_at_any_step():
    whole = BufferedOrder(10, 4, seed=1, buffer=6)
    batches = [whole.batch(step) for step in range(8)]
    for step in (7, 2, 5):
        np.testing.assert_array_equal(BufferedOrder(10, 4, 1, 6).batch(step), batches[step])
        np.testing.assert_array_equal(whole.batch(step), batches[step])


def test_a_buffer_larger_than_the_file_and_one_of_one_row():
    assert set(BufferedOrder(3, 30, 1, 100).batch(0).tolist()) == {0, 1, 2}
    assert BufferedOrder(3, 4, 1, 1).batch(1).tolist() == [1, 2, 0, 1]


def test_the_flag_chooses_the_order():
    assert isinstance(training_order(3, 2, 1, 0), TrainingOrder)
    np.testing.assert_array_equal(training_order(9, 2, 1, 4).batch(3),
                                  BufferedOrder(9, 2, 1, 4).batch(3))


@pytest.mark.parametrize(("batch_size", "tokens", "batches"), [
    (1, 0, [[3], [1], [4], [0, 2, 5, 6], [7]]),  # 9 tokens at a time
    (2, 0, [[3, 1], [4, 0, 2], [5, 6, 7]]),      # 18
    (2, 20, [[3, 1], [4, 0, 2, 5], [6, 7]]),
    (100, 0, [[3, 1, 4, 0, 2, 5, 6, 7]])])  # all of it
def test_by_length_is_longest_first_and_fills_a_step(batch_size, tokens, batches):
    lengths = np.array([2, 5, 2, 9, 5, 2, 2, 1])
    assert [rows.tolist() for rows in by_length(lengths, batch_size, tokens)] == batches


def test_by_length_of_nothing_and_of_one_length():
    assert list(by_length(np.array([], int), 8)) == []
    assert [rows.tolist() for rows in by_length(np.full(5, 128), 2)] == [[0, 1], [2, 3], [4]]


def test_by_length_without_filling():
    batches = by_length(np.array([2, 5, 2, 9, 5]), 2, fill=False)
    assert [rows.tolist() for rows in batches] == [[3, 1], [4, 0], [2]]


def same(batch, *expected):
    for name, ours, theirs in zip(batch._fields, batch, expected, strict=True):
        assert ours.dtype == np.int32, name
        np.testing.assert_array_equal(ours, theirs, err_msg=name)


def test_longest_first_keeps_the_order_of_equal_lengths():
    assert longest_first(TABLE, np.array([1, 2, 0, 2])).tolist() == [0, 2, 2, 1]
    assert longest_first(TABLE, np.array([1])).tolist() == [1]


def test_pack():
    same(pack(TABLE, np.array([2, 0])), [31, 32, 11, 12, 13], [0, 1, 0, 0, 1], [2, 3], [1, 2])
    same(pack(TABLE, np.array([1])), [21], [0], [1], [0])
    same(pack(TABLE, np.array([1, 1])), [21, 21], [0, 0], [1, 1], [0, 0])


def test_lay_out_takes_the_smallest_width_that_fits():
    rows = np.array([1, 2])
    assert lay_out(TABLE, rows, ()).input_ids.shape == (3,)
    for widths, width in (([2, 4, 8], 2), ([1, 4, 8], 4), ([8], 8)):
        for ours, theirs in zip(lay_out(TABLE, rows, widths), pad(TABLE, rows, width), strict=True):
            np.testing.assert_array_equal(ours, theirs)
    with pytest.raises(ValueError):
        lay_out(TABLE, rows, [1])


def test_widths_are_few():
    assert widths_up_to(128) == (8, 16, 24, 32, 48, 64, 96, 128)
    assert widths_up_to(100) == (8, 16, 24, 32, 48, 64, 96, 100)
    assert widths_up_to(8) == (8,) and widths_up_to(3) == (3,)
    assert len(widths_up_to(512)) == 12


def test_pad():
    same(pad(TABLE, np.array([2, 0]), 4), [[31, 32, 0, 0], [11, 12, 13, 0]],
         [[0, 1, 0, 0], [0, 0, 1, 0]], [2, 3], [1, 2])


def test_a_row_that_does_not_fit_is_not_cut_in_silence():
    with pytest.raises(ValueError):
        pad(TABLE, np.array([0]), 2)
