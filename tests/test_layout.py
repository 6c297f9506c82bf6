"""Packed and padded layouts against each other, written-out arrays and TensorFlow's gradients."""

import numpy as np
import pytest
import tensorflow as tf

from finetune.layout import PackedLayout, PaddedLayout

LENGTHS, WIDTH, HEADS, HEAD_WIDTH = [3, 1, 2], 4, 2, 5


def packed(lengths=LENGTHS, halved=False):
    return PackedLayout(tf.constant(lengths), halved)


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
    found = group.heads(tokens, 1)
    assert found.shape == (3, 1, 3, 1)
    assert rows(tf.boolean_mask(found[:, 0], group.mask)) == [1, 2, 3, 4, 5, 6]
    assert rows(group.first(tokens)) == [1, 4, 5]
    slots = tf.reshape(tf.range(1.0, 10.0), [3, 1, 3, 1])
    assert rows(group.tokens(slots)) == [1, 2, 3, 4, 7, 8]


def test_halves_by_hand():
    layout, tokens = packed([4, 3, 2, 2, 1, 1], halved=True), column(*range(13))
    assert (layout.length, [int(group.length) for group in layout.groups]) == (4, [4, 3])
    assert masks(layout) == [
        [[1, 1, 1, 1]], [[1, 1, 1], [1, 1, 0], [1, 1, 0], [1, 0, 0], [1, 0, 0]]]
    assert layout.positions().numpy().tolist() == [0, 1, 2, 3, 0, 1, 2, 0, 1, 0, 1, 0, 0]
    parts = layout.split(tokens)
    assert [rows(part) for part in parts] == [[*range(4)], [*range(4, 13)]]
    assert [rows(group.first(part)) for group, part in zip(layout.groups, parts, strict=True)] == [
        [0], [4, 7, 9, 11, 12]]


@pytest.mark.parametrize(("lengths", "halves"), [
    ([2, 2], ([2], [2])), ([9, 1, 1], ([9], [1, 1])), ([1, 9], ([1], [9])),
    ([3, 3, 3], ([3], [3, 3])), ([3, 3, 2, 2, 2], ([3, 3], [2, 2, 2])),
    ([1, 1, 1, 9], ([1, 1, 1], [9]))])
def test_halves_have_about_as_many_tokens_and_a_row_each(lengths, halves):
    found = [group.mask.numpy().sum(1).tolist() for group in packed(lengths, halved=True).groups]
    assert found == list(halves)


def test_padded_by_hand():
    layout, tokens = padded(), column(*range(12))
    assert layout.groups == [layout] and (layout.batch, layout.length) == (3, WIDTH)
    assert layout.positions().numpy().tolist() == [0, 1, 2, 3] * 3
    assert masks(layout) == [[[1, 1, 1, 0], [1, 0, 0, 0], [1, 1, 0, 0]]]
    assert rows(layout.heads(tokens, 1)[:, 0]) == [[0, 1, 2, 3], [4, 5, 6, 7], [8, 9, 10, 11]]
    assert rows(layout.first(tokens)) == [0, 4, 8]


@pytest.mark.parametrize("make", [packed, padded])
@pytest.mark.parametrize("lengths", [LENGTHS, [1, 1, 1], [4], [1], [1, 4]])
def test_values_go_to_their_heads_and_back(make, lengths):
    layout = make(lengths)
    tokens = tf.random.stateless_normal([len(layout.positions()), HEADS * HEAD_WIDTH], [1, 2])
    [group] = layout.groups
    moved = group.heads(tokens, HEADS)
    assert moved.shape == (len(lengths), HEADS, int(group.length), HEAD_WIDTH)
    np.testing.assert_array_equal(group.tokens(moved), tokens)
    first = tf.reshape(moved[:, :, 0], [len(lengths), -1])
    np.testing.assert_array_equal(first, group.first(tokens))


def ragged_heads(tokens):
    """The rows as TensorFlow's own operations lay them out; 0 where there is no token."""
    slots = tf.RaggedTensor.from_row_lengths(tokens, LENGTHS).to_tensor()
    return tf.transpose(tf.reshape(slots, [3, 3, HEADS, HEAD_WIDTH]), [0, 2, 1, 3])


def our_heads(tokens):
    """Ours hold anything where there is no token, which attention's mask then hides."""
    [group] = packed().groups
    there = tf.cast(group.mask, tf.float32)[:, None, :, None]
    return group.heads(tokens, HEADS) * there


def masked_tokens(context):
    slots = tf.reshape(tf.transpose(context, [0, 2, 1, 3]), [3, 3, HEADS * HEAD_WIDTH])
    return tf.boolean_mask(slots, tf.sequence_mask(LENGTHS))


@pytest.mark.parametrize(("ours", "theirs", "shape"), [
    (our_heads, ragged_heads, [6, HEADS * HEAD_WIDTH]),
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
