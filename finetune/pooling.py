"""One answer of a text from those of its windows.

    pooled(predictions, table, "mean")        # a row an example, in their order

Numbers of an example that is a single sequence stay as they are, to the bit.
"""

import dataclasses
from typing import TYPE_CHECKING

import numpy as np

from finetune.feature_table import FeatureTable

if TYPE_CHECKING:
    from finetune.predictor import Predictions

SMALLEST = float(np.finfo(np.float32).tiny)  # probability in a loss


def pooled(predictions: "Predictions", table: FeatureTable, pooling: str) -> "Predictions":
    """Returns the predictions of the examples, from those of the sequences of a table.

    The loss of a text of several windows is the cross-entropy of its pooled probabilities, of a
    regression the squared error of its pooled score, of a multi-label task the mean over labels.

    Args:
        pooling: mean, or max; the highest probabilities of each label are scaled to add up to 1,
            but for a multi-label task.
    """
    if table.windows is None:
        return predictions
    firsts = table.first_windows()
    counts = np.diff(firsts, append=len(table))
    several = np.flatnonzero(counts > 1)
    regression, many = predictions.probabilities.shape[1] == 1, table.label_ids.ndim == 2
    values = predictions.probabilities.astype(np.float64)
    if pooling == "mean":
        made = np.add.reduceat(values, firsts, axis=0) / counts[:, None]
    else:
        made = np.maximum.reduceat(values, firsts, axis=0)
        if not (regression or many):
            made[several] /= made[several].sum(1, keepdims=True)
    losses, truth = predictions.losses[firsts], table.example_labels()[several]
    if regression:
        losses[several] = np.square(made[several, 0] - truth)
    elif many:
        likely = np.where(truth, made[several], 1 - made[several])
        losses[several] = -np.log(np.maximum(likely, np.finfo(np.float32).tiny)).mean(1)
    else:
        losses[several] = -np.log(np.maximum(made[several, truth], SMALLEST))
    return dataclasses.replace(predictions, probabilities=made.astype(np.float32), losses=losses)
