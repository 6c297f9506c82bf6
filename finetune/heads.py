"""What stands on the encoder: the original's classifier (run_classifier.py, create_model)."""

import tensorflow as tf

from finetune.encoder import Dropout, Weights

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


def losses(logits: tf.Tensor, label_ids: tf.Tensor) -> tf.Tensor:
    """Softmax cross-entropy of each row: float32[B, L], int32[B] -> float32[B]."""
    return tf.nn.sparse_softmax_cross_entropy_with_logits(labels=label_ids, logits=logits)
