"""The loss that training makes small, where that is not the one that evaluation tells.

    losses = training_loss.of(config, plan, table.label_ids)
    losses(logits, label_ids)                                                       # float32[B]

heads.losses itself without --class_weights and --focal_gamma.
"""

from collections.abc import Callable

import numpy as np
import tensorflow as tf

from finetune import heads
from finetune.config import RunConfig
from finetune.training.schedules import Plan

BALANCED = "balanced"
LEAST = 1e-12  # of 1 - p, whose power has no slope at 0
Losses = Callable[[tf.Tensor, tf.Tensor], tf.Tensor]


def of(config: RunConfig, plan: Plan, label_ids: np.ndarray) -> Losses:
    """Returns the function of the losses of rows: logits float32[B, L], labels -> float32[B].

    Args:
        label_ids: of the whole training split, whose labels the weights are scaled to.
    """
    weights = class_weights(config, plan, label_ids)
    if weights is None and not config.focal_gamma:
        return heads.losses

    def losses(logits: tf.Tensor, label_ids: tf.Tensor) -> tf.Tensor:
        if label_ids.shape.rank == 2:  # of a multi-label task, each label a decision of its own
            return tf.reduce_mean(focal(heads.label_losses(logits, label_ids),
                                        config.focal_gamma), -1)
        found = heads.losses(logits, label_ids)
        if config.focal_gamma:
            found = focal(found, config.focal_gamma)
        return found if weights is None else found * tf.gather(weights, label_ids)

    return losses


def class_weights(config: RunConfig, plan: Plan, label_ids: np.ndarray) -> np.ndarray | None:
    """Returns what the loss of a row is multiplied by, by its label's id, float32[L]; None: 1.

    Scaled so that the mean over the rows of the training split is 1: a weight moves attention
    between labels and leaves the size of the loss, and so the learning rate's meaning, alone.
    Balanced, they are scikit-learn's n / (k * rows of the label), k counting the labels that
    occur.
    """
    if config.class_weights is None:
        return None
    counts = np.bincount(label_ids, minlength=len(plan.class_weights))
    weights = (1.0 / np.maximum(counts, 1) if config.class_weights == BALANCED else
               np.asarray(plan.class_weights))
    return (weights * (counts.sum() / (counts * weights).sum())).astype(np.float32)


def focal(cross_entropy: tf.Tensor, gamma: float) -> tf.Tensor:
    """Focal loss (Lin et al., 2017, arXiv:1708.02002): (1 - p)^gamma * -log p.

    Args:
        cross_entropy: float32[...], -log p of the right answer: of a softmax for a row, of a
            sigmoid for a row and label.
        gamma: the larger, the less counts what is answered right already; 0: cross-entropy.
    """
    wrong = tf.maximum(-tf.math.expm1(-cross_entropy), LEAST)  # 1 - p, not rounded to 0 near it
    return wrong ** gamma * cross_entropy
