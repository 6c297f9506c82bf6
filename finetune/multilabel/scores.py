"""Scores of multi-label answers: pure functions (truth, probabilities, thresholds) -> numbers.

Letters: N rows, L labels. All are fractions from 0 to 1; where one is not defined (F1 of a label
that is neither there nor predicted, the area under a curve where all rows are alike) the label is
left out of a mean, and the mean of none is 0.
"""

from collections.abc import Sequence

import numpy as np

HALF = 0.5


def chosen(probabilities: np.ndarray, thresholds: Sequence[float] | float = HALF) -> np.ndarray:
    """Returns bool[N, L], the labels that each row is given: those that reach their threshold.

    Args:
        probabilities: float32[N, L].
        thresholds: one for all, or one for each label.
    """
    return probabilities >= np.asarray(thresholds, np.float64)


def names_given(given: np.ndarray, labels: Sequence[str]) -> list[str]:
    """Returns the names of the labels of a row, bool[L]."""
    return [labels[place] for place in np.flatnonzero(given)]


def per_label(truth: np.ndarray, given: np.ndarray) -> list[dict[str, float]]:
    """Returns precision, recall, f1 and support (rows that have it) of every label, in order.

    Args:
        truth: 0 or 1, [N, L].
        given: bool[N, L].
    """
    right, rows, said = _counts(truth, given)
    columns = _share(right, said), _share(right, rows), _share(2 * right, rows + said), rows
    return [{"precision": precision, "recall": recall, "f1": f1, "support": int(support)}
            for precision, recall, f1, support in zip(*(one.tolist() for one in columns),
                                                      strict=True)]


def of_choice(truth: np.ndarray, given: np.ndarray) -> dict[str, float]:
    """Scores which labels were given.

    Args:
        truth: 0 or 1, [N, L].
        given: bool[N, L].

    Returns:
        f1_micro, of all decisions together; f1_macro, the plain mean of the F1 of the labels that
        occur in truth or answers; accuracy, the share of the rows whose labels are given exactly.
    """
    right, rows, said = _counts(truth, given)
    occurs = rows + said > 0
    return {"f1_micro": float(_share(2 * right.sum(), (rows + said).sum())),
            "f1_macro": _mean(_share(2 * right, rows + said)[occurs]),
            "accuracy": float(np.mean((truth.astype(bool) == given).all(1)))}


def of_ranking(truth: np.ndarray, probabilities: np.ndarray) -> dict[str, float]:
    """Scores how well the probabilities order the rows, whatever the thresholds.

    Args:
        truth: 0 or 1, [N, L].
        probabilities: float32[N, L].

    Returns:
        average_precision, its mean over the labels that some row has (mAP); roc_auc, the mean of
        the area under the curve over the labels that some rows have and others have not.
    """
    from sklearn import metrics

    rows = truth.sum(0)
    there, varied = rows > 0, (rows > 0) & (rows < len(truth))
    return {"average_precision": _mean([metrics.average_precision_score(one, score) for one, score
                                        in zip(truth.T[there], probabilities.T[there],
                                               strict=True)]),
            "roc_auc": _mean([metrics.roc_auc_score(one, score) for one, score
                              in zip(truth.T[varied], probabilities.T[varied], strict=True)])}


def _counts(truth: np.ndarray, given: np.ndarray) -> tuple[np.ndarray, ...]:
    """Returns int[L] each: rows given a label rightly, rows that have it, rows given it."""
    truth = truth.astype(bool)
    return (truth & given).sum(0), truth.sum(0), given.sum(0)


def _share(part: np.ndarray, whole: np.ndarray) -> np.ndarray:
    return part / np.maximum(whole, 1)


def _mean(values: Sequence[float]) -> float:
    return float(np.mean(values)) if len(values) else 0.0
