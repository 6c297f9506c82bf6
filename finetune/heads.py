"""What stands on the encoder: the original's classifier (run_classifier.py, create_model).

A head of a single row is a regression: its logit is the score, its loss the squared error on the
scores as they are (google-research/albert, classifier_utils.create_model). A multi-label head has
the same variables as the original's; each of its logits answers for itself, by a sigmoid.
"""

import tensorflow as tf

from finetune.layers import Dropout, Weights
from finetune.task_kind import TaskKind

HEAD_DROPOUT = 0.1  # tf.nn.dropout(output_layer, keep_prob=0.9), whatever the configuration says
HEAD_DEVIATION = 0.02


def variable_shapes(num_labels: int, hidden_size: int) -> dict[str, tuple[int, ...]]:
    """Returns the shapes of the head's variables under their TF1 names."""
    return {"output_weights": (num_labels, hidden_size), "output_bias": (num_labels,)}


def classify(weights: Weights, pooled: tf.Tensor, dropout: Dropout) -> tf.Tensor:
    """Returns the logits.

    Args:
        pooled: float32[B, H].
        dropout: the one that the encoder used, so that no mask is drawn twice.

    Returns:
        float32[B, L].
    """
    pooled = dropout(pooled, HEAD_DROPOUT)
    return tf.nn.bias_add(tf.matmul(pooled, weights["output_weights"], transpose_b=True),
                          weights["output_bias"])


def label_spec(kind: TaskKind, weights: Weights) -> tf.TensorSpec:
    """Returns what a batch's labels are: int32[B] ids, float32[B] scores or float32[B, L]."""
    if kind is TaskKind.MULTILABEL:
        return tf.TensorSpec([None, weights["output_bias"].shape[0]], tf.float32)
    return tf.TensorSpec([None], kind.label_type)


def answers(logits: tf.Tensor, kind: TaskKind) -> tf.Tensor:
    """Returns float32[B, L]: the probabilities of the labels; of a regression the scores, L = 1.

    Those of a multi-label head do not add up to 1.
    """
    if kind is TaskKind.REGRESSION:
        return logits
    return tf.sigmoid(logits) if kind is TaskKind.MULTILABEL else tf.nn.softmax(logits)


def losses(logits: tf.Tensor, label_ids: tf.Tensor) -> tf.Tensor:
    """Returns the loss of each row, float32[B].

    Args:
        logits: float32[B, L].
        label_ids: int32[B], for the softmax cross-entropy; float32[B], the scores of a
            regression (L = 1), for the squared error; float32[B, L], 0 or 1 for each label of a
            multi-label head, for the mean over the labels of the binary cross-entropy (as
            Hugging Face's BCEWithLogitsLoss).
    """
    if label_ids.shape.rank == 2:
        return tf.reduce_mean(tf.nn.sigmoid_cross_entropy_with_logits(label_ids, logits), -1)
    if label_ids.dtype.is_floating:
        return tf.square(tf.squeeze(logits, -1) - label_ids)
    return tf.nn.sparse_softmax_cross_entropy_with_logits(labels=label_ids, logits=logits)
