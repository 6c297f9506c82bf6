"""The classifier's head, by hand."""

import numpy as np
import pytest
import tensorflow as tf

from finetune import heads
from finetune.layers import Dropout
from finetune.task_kind import TaskKind

SEED = tf.constant([42, 7])


def test_names_and_shapes():
    assert heads.variable_shapes(3, 16) == {"output_weights": (3, 16), "output_bias": (3,)}


def test_logits_by_hand():
    weights = {"output_weights": tf.constant([[1.0, 2.0], [0.0, -1.0], [3.0, 0.5]]),
               "output_bias": tf.constant([0.0, 10.0, -1.0])}
    logits = heads.classify(weights, tf.constant([[1.0, 1.0], [2.0, -4.0]]),
                            Dropout(None))
    assert logits.numpy().tolist() == [[3.0, 9.0, 2.5], [-6.0, 14.0, 3.0]]


def test_losses_by_hand():
    logits = tf.constant([[0.0, 0.0], [0.0, np.log(3.0)], [1000.0, 0.0]])
    np.testing.assert_allclose(heads.losses(logits, tf.constant([1, 0, 1])),
                               [np.log(2), np.log(4), 1000.0], rtol=1e-6)


def dropped_ones(width, dropout):
    identity = {"output_weights": tf.eye(width), "output_bias": tf.zeros([width])}
    return heads.classify(identity, tf.ones([64, width]), dropout).numpy()


def test_a_tenth_of_the_pooled_output_is_dropped():
    kept = dropped_ones(256, Dropout(SEED))
    assert set(np.unique(kept)) == {np.float32(0.0), np.float32(1 / 0.9)}
    assert (kept == 0).mean() == pytest.approx(0.1, abs=0.015)  # 6 standard deviations
    assert (dropped_ones(256, Dropout(None)) == 1).all()


def test_the_mask_follows_those_of_the_encoder():
    encoders, alone = Dropout(SEED), dropped_ones(32, Dropout(SEED))
    embeddings = encoders(tf.ones([64, 32]), heads.HEAD_DROPOUT).numpy()
    np.testing.assert_array_equal(embeddings, alone)  # the first mask of that seed
    assert not np.array_equal(dropped_ones(32, encoders), embeddings)


# A head of one row: google-research/albert's regression.


def regression():
    """Two rows whose scores 2.5 and -1 lie off by 0.5 and -3."""
    weights = {"output_weights": tf.Variable([[1.0, -2.0]]), "output_bias": tf.Variable([0.5])}
    pooled, scores = tf.constant([[4.0, 1.0], [-0.5, 0.5]]), tf.constant([2.0, 2.0])
    return weights, pooled, scores


def test_scores_and_squared_errors_by_hand():
    weights, pooled, scores = regression()
    logits = heads.classify(weights, pooled, Dropout(None))
    assert logits.numpy().tolist() == [[2.5], [-1.0]]
    assert heads.answers(logits, TaskKind.REGRESSION).numpy().tolist() == [[2.5], [-1.0]]
    assert heads.losses(logits, scores).numpy().tolist() == [0.25, 9.0]


def test_gradients_of_the_squared_error_by_hand():
    weights, pooled, scores = regression()
    with tf.GradientTape() as tape:
        losses = heads.losses(heads.classify(weights, pooled, Dropout(None)), scores)
        loss = tf.reduce_sum(losses) / 2
    of_weights, of_bias = tape.gradient(loss, [weights["output_weights"], weights["output_bias"]])
    # d loss / d logit = (logit - score): 0.5 and -3
    assert of_weights.numpy().tolist() == [[0.5 * 4 + -3 * -0.5, 0.5 * 1 + -3 * 0.5]]
    assert of_bias.numpy().tolist() == [-2.5]


def test_answers_of_a_classifier_are_probabilities():
    found = heads.answers(tf.constant([[0.0, np.log(3.0)]]), TaskKind.CLASSIFICATION)
    np.testing.assert_allclose(found, [[0.25, 0.75]], rtol=1e-6)


@pytest.mark.parametrize(("kind", "rows", "shape", "dtype"), [
    (TaskKind.REGRESSION, 1, [None], tf.float32), (TaskKind.CLASSIFICATION, 3, [None], tf.int32),
    (TaskKind.MULTILABEL, 3, [None, 3], tf.float32)])
def test_what_the_labels_of_a_batch_are(kind, rows, shape, dtype):
    spec = heads.label_spec(kind, {"output_bias": tf.Variable(tf.zeros([rows]))})
    assert (spec.shape.as_list(), spec.dtype) == (shape, dtype)
