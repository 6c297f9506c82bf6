"""Packed and padded layouts against each other, written-out arrays and TensorFlow's gradients."""

import numpy as np
import pytest
import tensorflow as tf

from finetune.layout import PackedLayout, PaddedLayout

LENGTHS, WIDTH, HEADS, HEAD_WIDTH = [3, 1, 2], 4, 2, 5


def packed(lengths=LENGTHS, groups=1):
    return PackedLayout(tf.constant(lengths), groups)


def padded(lengths=LENGTHS):
    return PaddedLayout(tf.constant(lengths), WIDTH)


def column(*values):
    return tf.constant(values, tf.float32)[:, None]


def rows(tensor):
    return tf.squeeze(tensor, -1).numpy().tolist()


def masks(layout):
    return [group.mask.numpy().astype(int).tolist() for group in layout.groups]


def test_packed_by_hand():
    layout, tokens = packed(), column(1, 2, 3, 4, 5, 6)
    [group] = layout.groups
    assert (int(group.batch), int(group.length), int(layout.length)) == (3, 3, 3)
    assert layout.positions().numpy().tolist() == [0, 1, 2, 0, 0, 1]
    assert masks(layout) == [[[1, 1, 1], [1, 0, 0], [1, 1, 0]]]
    [found] = group.heads(tokens, 1, 1)
    assert found.shape == (3, 1, 3, 1)
    assert rows(tf.boolean_mask(found[:, 0], group.mask)) == [1, 2, 3, 4, 5, 6]
    assert rows(layout.first(tokens)) == [1, 4, 5]
    slots = tf.reshape(tf.range(1.0, 10.0), [3, 1, 3, 1])
    assert rows(group.tokens(slots)) == [1, 2, 3, 4, 7, 8]


def test_groups_by_hand():
    layout, tokens = packed([4, 3, 2, 2, 1], groups=2), column(*range(12))
    assert (layout.length, [int(group.length) for group in layout.groups]) == (4, [4, 2])
    assert masks(layout) == [[[1, 1, 1, 1], [1, 1, 1, 0]], [[1, 1], [1, 1], [1, 0]]]
    assert layout.positions().numpy().tolist() == [0, 1, 2, 3, 0, 1, 2, 0, 1, 0, 1, 0]
    assert [rows(part) for part in layout.split(tokens)] == [[*range(7)], [*range(7, 12)]]
    assert [rows(part) for part in layout.split_rows(column(*range(5)))] == [[0, 1], [2, 3, 4]]
    assert rows(layout.first(tokens)) == [0, 4, 7, 9, 11]


def test_padded_by_hand():
    layout, tokens = padded(), column(*range(12))
    assert layout.groups == [layout] and (layout.batch, layout.length) == (3, WIDTH)
    assert layout.positions().numpy().tolist() == [0, 1, 2, 3] * 3
    assert masks(layout) == [[[1, 1, 1, 0], [1, 0, 0, 0], [1, 1, 0, 0]]]
    assert rows(layout.heads(tokens, 1, 1)[0][:, 0]) == [[0, 1, 2, 3], [4, 5, 6, 7], [8, 9, 10, 11]]
    assert rows(layout.first(tokens)) == [0, 4, 8]


@pytest.mark.parametrize("make", [packed, padded])
@pytest.mark.parametrize("lengths", [LENGTHS, [1, 1, 1], [4], [1], [1, 4]])
def test_query_key_and_value_go_to_their_heads_and_back(make, lengths):
    layout = make(lengths)
    tokens = tf.random.stateless_normal(
        [len(layout.positions()), 3 * HEADS * HEAD_WIDTH], [1, 2])
    [group] = layout.groups
    parts = group.heads(tokens, 3, HEADS)
    assert {tuple(part.shape) for part in parts} == {
        (len(lengths), HEADS, int(group.length), HEAD_WIDTH)}
    for part, expected in zip(parts, tf.split(tokens, 3, 1), strict=True):
        np.testing.assert_array_equal(group.tokens(part), expected)
        first = tf.reshape(part[:, :, 0], [len(lengths), -1])
        np.testing.assert_array_equal(first, layout.first(expected))


def ragged_heads(tokens):
    """The rows as TensorFlow's own operations lay them out; 0 where there is no token."""
    slots = tf.RaggedTensor.from_row_lengths(tokens, LENGTHS).to_tensor()
    split = tf.reshape(slots, [3, 3, 3, HEADS, HEAD_WIDTH])
    return tf.transpose(split, [2, 0, 3, 1, 4])


def our_heads(tokens):
    """Ours hold anything where there is no token, which attention's mask then hides."""
    [group] = packed().groups
    there = tf.cast(group.mask, tf.float32)[:, None, :, None]
    return tf.stack(group.heads(tokens, 3, HEADS)) * there


def masked_tokens(context):
    slots = tf.reshape(tf.transpose(context, [0, 2, 1, 3]), [3, 3, HEADS * HEAD_WIDTH])
    return tf.boolean_mask(slots, tf.sequence_mask(LENGTHS))


@pytest.mark.parametrize(("ours", "theirs", "shape"), [
    (our_heads, ragged_heads, [6, 3 * HEADS * HEAD_WIDTH]),
    (lambda x: packed().groups[0].tokens(x), masked_tokens, [3, HEADS, 3, HEAD_WIDTH]),
], ids=["heads", "tokens"])
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
