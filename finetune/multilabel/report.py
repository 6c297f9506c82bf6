"""What is scored, written and told of the dev and test split of a multi-label task.

Every score is there at the threshold 0.5; those that need thresholds also at the fitted ones,
called `..._fitted`. As these were fitted to the same rows, they flatter.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from finetune import eval_results, metrics, outputs
from finetune.config import RunConfig
from finetune.config_problems import named
from finetune.log import LOGGER
from finetune.multilabel import scores as scoring
from finetune.multilabel import thresholds
from finetune.task_kind import Labels

if TYPE_CHECKING:
    from finetune.confidence.calibration import Calibration
    from finetune.predictor import Predictions

_MOST_LABELS = 20  # in the log


class MultiLabel:
    """Any number of labels a row: F1, exact matches and ranking, by label too; thresholds.

    Args:
        labels: their position is their id.
    """

    def __init__(self, labels: Labels):
        self._labels = labels

    def scores(self, truth: np.ndarray, predictions: "Predictions") -> dict[str, float]:
        """Returns the metrics of a split, uint8[N, L] being the truth, and its `loss`."""
        probabilities = predictions.probabilities
        return {**scoring.of_choice(truth, scoring.chosen(probabilities)),
                **scoring.of_ranking(truth, probabilities),
                "loss": float(predictions.losses.mean(dtype="float64"))}

    def write_evaluation(self, config: RunConfig, truth: np.ndarray, predictions: "Predictions",
                         scores: Mapping[str, float], step: int) -> dict[str, float]:
        """Fits the thresholds, writes them and eval_results.txt, and logs what is in it.

        Returns:
            The scores as TensorBoard gets them.
        """
        folder, labels, answers = config.output_dir, self._labels, predictions.probabilities
        fitted = thresholds.fit(truth, answers)
        if config.label_threshold is None:
            thresholds.write(folder, labels, fitted, len(truth), step)
        original = {"eval_accuracy": np.float32(scores["accuracy"]),
                    **metrics.original_losses(predictions.losses, config.eval_batch_size)}
        ours, classes = written(truth, answers, fitted, scores)
        eval_results.write(folder, original, step, ours, classes, labels)
        _tell(original, ours, classes, labels, step)
        warnings = [*_warnings(truth, answers, labels, step)]
        if config.label_threshold is None:
            warnings += thresholds.doubts(truth, answers, labels, fitted)
        for warning in warnings:
            LOGGER.warning("warning: %s", warning)
        return {**scores, **ours, "eval_accuracy": float(original["eval_accuracy"])}

    def write_predictions(self, folder: str, ids: Iterable[str], answers: np.ndarray,
                          _: "Calibration | None" = None, step: int = 0) -> None:
        """Writes test_results.tsv and predictions.tsv from float32[N, L] probabilities.

        The thresholds are those of the folder, if they were fitted to the weights of this step.
        """
        labels, found = self._labels, thresholds.read(folder, self._labels, step)
        if found.why_half:
            LOGGER.info("note: a label is given from a probability of 0.5 on: %s", found.why_half)
        given = scoring.chosen(answers, found.values)
        outputs.write_test_results(folder, answers)
        names = (labels.separator.join(scoring.names_given(row, labels)) for row in given)
        outputs.write_answers(folder, ids, names, map(outputs.digits, answers), labels)
        counts = given.sum(0).tolist()
        LOGGER.info("test: %d rows predicted: %s; no label %d, %.2f labels a row", len(answers),
                    named([f"{label} {count}" for label, count in
                           zip(labels, counts, strict=True)]),
                    int((~given.any(1)).sum()), given.sum(1).mean())


def written(truth: np.ndarray, answers: np.ndarray, fitted: Sequence[float],
            scores: Mapping[str, float]) -> tuple[dict[str, float], list[dict[str, float]]]:
    """Returns what eval_results.txt tells besides the original's numbers, in all and by label."""
    given = scoring.chosen(answers, fitted)
    ours = {key: value for key, value in scores.items() if key not in ("accuracy", "loss")}
    ours |= {f"{key}_fitted": value for key, value in scoring.of_choice(truth, given).items()}
    classes = [{**half, "threshold_fitted": threshold,
                **{f"{key}_fitted": value for key, value in own.items() if key != "support"}}
               for half, own, threshold in zip(
                   scoring.per_label(truth, scoring.chosen(answers)),
                   scoring.per_label(truth, given), fitted, strict=True)]
    return ours, classes


def _tell(original: Mapping[str, float], ours: Mapping[str, float],
          classes: Sequence[Mapping[str, float]], labels: Sequence[str], step: int) -> None:
    text = " ".join(f"{key} {value:.4f}" for key, value in {**original, **ours}.items())
    LOGGER.info("dev at step %d: %s", step, text)
    LOGGER.info("..._fitted: at thresholds fitted to these very rows, so better than on new ones")
    if len(labels) > _MOST_LABELS:
        LOGGER.info("by label: see %s", outputs.EVAL_RESULTS)
        return
    width = max(map(len, [*labels, "label"]))
    LOGGER.info("%-*s precision  recall      f1    rows   threshold fitted      f1", width, "label")
    for label, one in zip(labels, classes, strict=True):
        LOGGER.info("%-*s %9.4f %7.4f %7.4f %7d   %16.4f %7.4f", width, label, one["precision"],
                    one["recall"], one["f1"], one["support"], one["threshold_fitted"],
                    one["f1_fitted"])


def _warnings(truth: np.ndarray, answers: np.ndarray, labels: Sequence[str],
              step: int) -> Iterator[str]:
    given = scoring.chosen(answers)
    if len(given) > 1 and (given == given[0]).all() and not (truth == truth[0]).all():
        what = named(scoring.names_given(given[0], labels)) or "none"
        yield (f"all {len(given)} dev rows were given the same labels at 0.5 ({what}) after {step} "
               "steps: try more --num_train_epochs if these are few, else another --learning_rate; "
               "average_precision says whether the probabilities tell rows apart")
    missing = [label for label, rows in zip(labels, truth.sum(0), strict=True) if not rows]
    if missing:
        yield f"no dev row has {named(missing)}: nothing could be fitted, the threshold is 0.5"
