"""Packed and padded layouts against each other, written-out arrays and TensorFlow's gradients."""

import numpy as np
import pytest
import tensorflow as tf

from finetune.layout import PackedLayout, PaddedLayout

LENGTHS, WIDTH = [3, 1, 2], 4


def packed(lengths=LENGTHS):
    return PackedLayout(tf.constant(lengths))


def padded(lengths=LENGTHS):
    return PaddedLayout(tf.constant(lengths), WIDTH)


def column(*values):
    return tf.constant(values, tf.float32)[:, None]


def rows(tensor):
    return tf.squeeze(tensor, -1).numpy().tolist()


def test_packed_by_hand():
    layout, tokens = packed(), column(1, 2, 3, 4, 5, 6)
    assert (int(layout.batch), int(layout.length)) == (3, 3)
    assert layout.positions().numpy().tolist() == [0, 1, 2, 0, 0, 1]
    assert layout.mask.numpy().astype(int).tolist() == [[1, 1, 1], [1, 0, 0], [1, 1, 0]]
    assert rows(layout.unpack(tokens)) == [[1, 2, 3], [4, 0, 0], [5, 6, 0]]
    assert rows(layout.first(tokens)) == [1, 4, 5]
    slots = tf.reshape(tf.range(1.0, 10.0), [3, 3, 1])
    assert rows(layout.pack(slots)) == [1, 2, 3, 4, 7, 8]


def test_padded_by_hand():
    layout, tokens = padded(), column(*range(12))
    assert (layout.batch, layout.length) == (3, WIDTH)
    assert layout.positions().numpy().tolist() == [0, 1, 2, 3] * 3
    assert layout.mask.numpy().astype(int).tolist() == [
        [1, 1, 1, 0], [1, 0, 0, 0], [1, 1, 0, 0]]
    assert rows(layout.unpack(tokens)) == [[0, 1, 2, 3], [4, 5, 6, 7], [8, 9, 10, 11]]
    assert rows(layout.first(tokens)) == [0, 4, 8]


@pytest.mark.parametrize("make", [packed, padded])
@pytest.mark.parametrize("lengths", [LENGTHS, [1, 1, 1], [4], [1], [1, 4]])
def test_round_trip(make, lengths):
    layout = make(lengths)
    tokens = tf.random.stateless_normal([len(layout.positions()), 5], [1, 2])
    np.testing.assert_array_equal(layout.pack(layout.unpack(tokens)), tokens)
    np.testing.assert_array_equal(layout.unpack(tokens)[:, 0], layout.first(tokens))


def ragged_unpack(tokens):
    return tf.RaggedTensor.from_row_lengths(tokens, LENGTHS).to_tensor()


def masked_pack(slots):
    return tf.boolean_mask(slots, tf.sequence_mask(LENGTHS))


@pytest.mark.parametrize(("ours", "theirs", "shape"), [
    (lambda x: packed().unpack(x), ragged_unpack, [6, 5]),
    (lambda x: packed().pack(x), masked_pack, [3, 3, 5]),
], ids=["unpack", "pack"])
def test_values_and_gradients_are_tensorflows_own(ours, theirs, shape):
    x = tf.random.stateless_normal(shape, [3, 4])
    with tf.GradientTape(persistent=True) as tape:
        tape.watch(x)
        moved, expected = ours(x), theirs(x)
        upstream = tf.random.stateless_normal(moved.shape, [5, 6])
        scores = [tf.reduce_sum(upstream * value) for value in (moved, expected)]
    np.testing.assert_array_equal(moved, expected)
    np.testing.assert_array_equal(*(tf.convert_to_tensor(tape.gradient(score, x))
                                    for score in scores))
