"""What is scored, written and told of the dev and the test split, for each kind of task.

    report = evaluation.of(labels)
    scores = report.scores(table.label_ids, predictions)
    report.write_evaluation(config, table.label_ids, predictions, scores, step)
    report.write_predictions(config.output_dir, ids, predictions.probabilities, step)
"""

from collections.abc import Iterable, Mapping, Sequence

import numpy as np

from finetune import eval_results, metrics, outputs, summary
from finetune.confidence.calibration import RAW, Calibration
from finetune.config import RunConfig
from finetune.log import LOGGER
from finetune.multilabel.report import MultiLabel
from finetune.predictor import Predictions
from finetune.task_kind import TaskKind


class Classification:
    """Labels: accuracy, F1 and the like, by label too, and the confusion matrix.

    Args:
        labels: their position is their id.
    """

    def __init__(self, labels: Sequence[str]):
        self._labels = labels

    def scores(self, truth: np.ndarray, predictions: Predictions) -> dict[str, float]:
        """Returns the metrics of a split, int32[N] being the label ids, and its `loss`."""
        scores = metrics.classification(truth, predictions.probabilities.argmax(1), self._labels)
        return {**scores, "loss": float(predictions.losses.mean(dtype="float64"))}

    def write_evaluation(self, config: RunConfig, truth: np.ndarray, predictions: Predictions,
                         scores: Mapping[str, float], step: int) -> dict[str, float]:
        """Writes eval_results.txt and confusion_matrix.tsv and logs what is in them.

        Returns:
            The scores as TensorBoard gets them.
        """
        labels, predicted = self._labels, predictions.probabilities.argmax(1)
        original = metrics.original(truth, predicted, predictions.losses, config.eval_batch_size)
        classes = metrics.per_class(truth, predicted, labels)
        matrix = metrics.confusion_matrix(truth, predicted, len(labels))
        ours = {key: value for key, value in scores.items() if key not in ("accuracy", "loss")}
        eval_results.write(config.output_dir, original, step, ours, classes, labels)
        outputs.write_confusion_matrix(config.output_dir, matrix, labels)
        summary.scores(original, ours, classes, matrix, labels, step)
        for warning in summary.collapse_warnings(truth, predicted, labels, config, step):
            LOGGER.warning("warning: %s", warning)
        return {**scores, "eval_accuracy": float(original["eval_accuracy"])}

    def write_predictions(self, folder: str, ids: Iterable[str], answers: np.ndarray,
                          calibration: Calibration = RAW, step: int = 0) -> None:
        """Writes test_results.tsv and predictions.tsv from float32[N, L] probabilities.

        Args:
            calibration: for predictions.tsv; test_results.tsv stays what the original writes.
            step: of the weights.
        """
        outputs.write_test_results(folder, answers)
        probabilities, answered = calibration.probabilities(answers), calibration.answered(answers)
        outputs.write_predictions(folder, ids, probabilities, self._labels, answered)
        summary.predicted(probabilities, self._labels, answered)


class Regression:
    """Scores: their correlation with the truth, and their error."""

    def scores(self, truth: np.ndarray, predictions: Predictions) -> dict[str, float]:
        """Returns the metrics of a split, float32[N] being the true scores, and its `loss`."""
        scores = metrics.regression(truth, predictions.probabilities[:, 0])
        return {**scores, "loss": float(predictions.losses.mean(dtype="float64"))}

    def write_evaluation(self, config: RunConfig, truth: np.ndarray, predictions: Predictions,
                         scores: Mapping[str, float], step: int) -> dict[str, float]:
        """Writes eval_results.txt and logs what is in it; see `Classification`."""
        original = metrics.original_losses(predictions.losses, config.eval_batch_size)
        ours = {key: value for key, value in scores.items() if key != "loss"}
        eval_results.write(config.output_dir, original, step, ours, [], [])
        summary.total(original, ours, step)
        for warning in summary.constant_warnings(truth, predictions.probabilities[:, 0], config,
                                                 step):
            LOGGER.warning("warning: %s", warning)
        return dict(scores)

    def write_predictions(self, folder: str, ids: Iterable[str], answers: np.ndarray,
                          _: Calibration = RAW, step: int = 0) -> None:
        """Writes test_results.tsv and predictions.tsv from float32[N, 1] scores."""
        outputs.write_test_results(folder, answers)
        outputs.write_scores(folder, ids, answers[:, 0])
        summary.predicted_scores(answers[:, 0])


def of(labels: Sequence[str]) -> Classification | MultiLabel | Regression:
    """Returns the report for a task whose head has these rows."""
    kind = TaskKind.of(labels)
    if kind is TaskKind.REGRESSION:
        return Regression()
    return MultiLabel(labels) if kind is TaskKind.MULTILABEL else Classification(labels)
