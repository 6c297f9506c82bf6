"""Rows whose label is likely wrong: confident learning (Northcutt, Jiang and Chuang 2021).

    found = likely(probabilities, label_ids)
    found.rows[0], found.suggested[0]            # the likeliest one, and the label it may have

The threshold of a label is its mean self-confidence: the mean probability of the label over the
rows that have it. A row counts as one of each label whose probability reaches that label's
threshold, of several as one of the likeliest. Where that is not the label it has, the label is
likely wrong. A label that the model is often unsure of so needs less, and one that it gives freely
needs more. The probabilities have to be out of sample, as those of dev rows are.
"""

import dataclasses

import numpy as np


@dataclasses.dataclass(frozen=True, eq=False)
class LabelErrors:
    """Likely label errors, M of N rows, the likeliest first.

    Attributes:
        rows: int64[M], their numbers.
        suggested: int64[M], id of the label that the model is confident of.
        thresholds: float64[L]; NaN for a label that no row has, which is never suggested.
    """

    rows: np.ndarray
    suggested: np.ndarray
    thresholds: np.ndarray


def likely(probabilities: np.ndarray, label_ids: np.ndarray) -> LabelErrors:
    """Finds likely label errors, in the order of the normalized margin.

    The margin is the probability of the row's own label minus that of the suggested one.

    Args:
        probabilities: float[N, L], of a model that was not trained on these rows.
        label_ids: int[N], the labels that the rows have.
    """
    num_rows, num_labels = probabilities.shape
    own = probabilities[np.arange(num_rows), label_ids]
    counts = np.bincount(label_ids, minlength=num_labels)
    with np.errstate(invalid="ignore"):  # 0 / 0 of a label without rows is NaN
        thresholds = np.bincount(label_ids, own, num_labels) / counts
    reached = np.where(probabilities >= thresholds, probabilities, -1)  # never of NaN
    suggested = reached.argmax(1)
    rows = np.flatnonzero((reached[np.arange(num_rows), suggested] >= 0)
                          & (suggested != label_ids))
    margins = own[rows] - probabilities[rows, suggested[rows]]
    rows = rows[np.argsort(margins, kind="stable")]
    return LabelErrors(rows, suggested[rows], thresholds)
