"""Scores of a model: pure functions (label ids, predicted ids, ...) -> {name: number}.

All are fractions from 0 to 1 but the correlations, which lie between -1 and 1, and the errors of a
regression, in the unit of its scores. Computed once over the whole dev split by scikit-learn and
scipy, never as a mean over batches. They take a second to import, and so are imported when there
is something to score.
"""

import math
import statistics
from collections.abc import Sequence

import numpy as np

from finetune.task_kind import TaskKind

LOWER_IS_BETTER = ("loss", "mse", "mae")


def deviation(values: Sequence[float]) -> float:
    """Returns the sample standard deviation (n - 1) of the scores of several models.

    NaN for fewer than two, or with one that is not finite, at which `statistics` fails.
    """
    known = len(values) > 1 and all(map(math.isfinite, values))
    return statistics.stdev(values) if known else math.nan


def names(labels: Sequence[str]) -> list[str]:
    """Returns the metrics that can decide which checkpoint is best, the usual one first."""
    kind = TaskKind.of(labels)
    if kind is TaskKind.MULTILABEL:
        return ["f1_micro", "f1_macro", "accuracy", "average_precision", "roc_auc", "loss"]
    if kind is TaskKind.REGRESSION:
        return ["pearson_spearman", "pearson", "spearman", "mse", "mae", "loss"]
    return ["accuracy", "f1_macro", "mcc", "loss",
            *(["precision", "recall", "f1"] if len(labels) == 2 else [])]


def classification(label_ids: np.ndarray, predicted_ids: np.ndarray,
                   labels: Sequence[str]) -> dict[str, float]:
    """Scores single-label predictions.

    Args:
        label_ids: int[N], the truth.
        predicted_ids: int[N].
        labels: names of the ids.

    Returns:
        accuracy; f1_macro, the plain mean of the F1 of the labels that occur in truth or
        predictions; mcc, the Matthews correlation (0 when one class is predicted for everything);
        for two labels also precision, recall and f1 of the second, as GLUE scores MRPC and QQP.
    """
    from sklearn import metrics as sklearn_metrics

    scores = {
        "accuracy": float(np.mean(label_ids == predicted_ids)),
        "f1_macro": float(sklearn_metrics.f1_score(
            label_ids, predicted_ids, average="macro", zero_division=0)),
        # Of a single class the correlation is 0; scikit-learn would warn of it.
        "mcc": (0.0 if len(np.union1d(label_ids, predicted_ids)) < 2 else
                float(sklearn_metrics.matthews_corrcoef(label_ids, predicted_ids))),
    }
    if len(labels) == 2:
        precision, recall, f1, _ = sklearn_metrics.precision_recall_fscore_support(
            label_ids, predicted_ids, labels=[1], zero_division=0)
        scores |= {"precision": float(precision[0]), "recall": float(recall[0]),
                   "f1": float(f1[0])}
    return scores


def regression(truth: np.ndarray, predicted: np.ndarray) -> dict[str, float]:
    """Scores predicted numbers.

    Args:
        truth: float[N].
        predicted: float[N].

    Returns:
        pearson and spearman, the correlations, and pearson_spearman, their mean, as GLUE scores
        STS-B; 0 where one of the two does not vary, for which there is none. mse and mae, the mean
        squared and absolute error.
    """
    from scipy import stats

    truth, predicted = truth.astype(np.float64), predicted.astype(np.float64)
    pearson = spearman = 0.0
    if np.ptp(truth) > 0 and np.ptp(predicted) > 0:
        pearson = float(np.corrcoef(truth, predicted)[0, 1])
        spearman = float(stats.spearmanr(truth, predicted).statistic)
    return {"pearson": pearson, "spearman": spearman, "pearson_spearman": (pearson + spearman) / 2,
            "mse": float(np.mean((truth - predicted) ** 2)),
            "mae": float(np.mean(np.abs(truth - predicted)))}


def per_class(label_ids: np.ndarray, predicted_ids: np.ndarray,
              labels: Sequence[str]) -> list[dict[str, float]]:
    """Returns precision, recall, f1 and support (rows of that label) of every label, in order."""
    from sklearn import metrics as sklearn_metrics

    columns = sklearn_metrics.precision_recall_fscore_support(
        label_ids, predicted_ids, labels=range(len(labels)), zero_division=0)
    return [{"precision": float(precision), "recall": float(recall), "f1": float(f1),
             "support": int(support)}
            for precision, recall, f1, support in zip(*columns, strict=True)]


def confusion_matrix(label_ids: np.ndarray, predicted_ids: np.ndarray,
                     num_labels: int) -> np.ndarray:
    """Returns int[L, L]: rows are the truth, columns the predictions."""
    from sklearn import metrics as sklearn_metrics

    return sklearn_metrics.confusion_matrix(label_ids, predicted_ids, labels=range(num_labels))


def original(label_ids: np.ndarray, predicted_ids: np.ndarray, losses: np.ndarray,
             batch_size: int) -> dict[str, np.float32]:
    """Returns the numbers of the original's eval_results.txt.

    Args:
        losses: float32[N] in the order of the file.
        batch_size: --eval_batch_size; `loss` is the mean of the batches' means, so it differs
            from eval_loss when the last batch is short.

    Returns:
        eval_accuracy, eval_loss, loss.
    """
    return {"eval_accuracy": np.float32(np.mean(label_ids == predicted_ids)),
            **original_losses(losses, batch_size)}


def original_losses(losses: np.ndarray, batch_size: int) -> dict[str, np.float32]:
    """Returns eval_loss and loss, see `original`; all that there is for a regression."""
    losses = losses.astype(np.float64)
    batches = [losses[start:start + batch_size].mean()
               for start in range(0, len(losses), batch_size)]
    return {"eval_loss": np.float32(losses.mean()), "loss": np.float32(np.mean(batches))}
