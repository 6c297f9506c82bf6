"""Temperature and threshold from dev's probabilities, with the figures that tell what they do.

    found = fit(probabilities, label_ids, calibrate=True, min_precision=0.95, seed=42)
    found.calibration         # Calibration(temperature=1.8, threshold=0.83)

What was fitted on rows looks too good on them. So each figure comes a second time, cross-fitted:
for each fifth of the rows from the temperature and threshold of the other four.
"""

import dataclasses
from typing import Any

import numpy as np

from finetune.calibration import BINS
from finetune.confidence import temperature, threshold
from finetune.confidence.calibration import Calibration
from finetune.confidence.scores import figures
from finetune.confidence.threshold import Threshold

FOLDS = 5


@dataclasses.dataclass(frozen=True)
class Fitted:
    """What was fitted, and how good it is.

    Attributes:
        calibration: to be used from now on.
        has_minimum: whether a temperature is best; else 1 is kept.
        temperature_figures: before, after, cross_fitted: ece, nll, brier each; None: not asked for.
        threshold: the one that reaches the wanted precision, else the one that comes nearest.
        reached: whether it does.
        held_out: (rows answered, right) of the cross-fitted thresholds; None: a part has none.
    """

    calibration: Calibration
    has_minimum: bool
    temperature_figures: dict[str, dict[str, float]] | None
    threshold: Threshold | None
    reached: bool
    held_out: tuple[int, int] | None

    def as_dict(self, wanted: float | None) -> dict[str, Any]:
        """Returns the figures as JSON has them."""
        found: dict[str, Any] = {"calibrate": None, "min_precision": None}
        if self.temperature_figures:
            found["calibrate"] = {"bins": BINS, "folds": FOLDS, **self.temperature_figures}
        if self.threshold:
            one = self.threshold
            found["min_precision"] = {
                "wanted": wanted, "reached": self.reached,
                **({} if self.reached else {"nearest_threshold": one.value}),
                **_counted(one.answered, one.right, one.rows),
                "cross_fitted": self.held_out and _counted(*self.held_out, one.rows)}
        return found


def _counted(answered: int, right: int, rows: int) -> dict[str, Any]:
    return {"answered": answered, "coverage": answered / rows,
            "precision": right / answered if answered else None,
            "wilson_95": list(threshold.wilson(right, answered))}


def fit(probabilities: np.ndarray, label_ids: np.ndarray, calibrate: bool,
        min_precision: float | None, seed: int) -> Fitted:
    """Fits what is asked for.

    Args:
        probabilities: float32[N, L], a model's own.
        label_ids: int[N], the truth.
        calibrate: fit a temperature; else it is 1.
        min_precision: share of the answered rows to be right; None: no threshold.
        seed: decides which rows make a fifth.
    """
    calibration, chosen, reached = _once(probabilities, label_ids, calibrate, min_precision)
    held_out, answered, without = np.zeros(probabilities.shape), 0, False
    right = 0
    for fold in folds(len(label_ids), seed):
        others = np.setdiff1d(np.arange(len(label_ids)), fold)
        one, _, reaches = _once(probabilities[others], label_ids[others], calibrate, min_precision)
        held_out[fold] = one.probabilities(probabilities[fold])
        hits = probabilities[fold].argmax(1) == label_ids[fold]
        if min_precision is not None and not reaches:
            without = True
        elif (says := one.answered(probabilities[fold])) is not None:
            answered, right = answered + int(says.sum()), right + int(hits[says].sum())
    told = {"before": figures(probabilities, label_ids),
            "after": figures(calibration.probabilities(probabilities), label_ids),
            "cross_fitted": figures(held_out, label_ids)} if calibrate else None
    return Fitted(calibration, calibration.temperature != 1 or not calibrate, told, chosen, reached,
                  None if without or chosen is None else (answered, right))


def folds(rows: int, seed: int) -> list[np.ndarray]:
    """Returns which rows make a fifth each, drawn by chance, as files may be sorted by label."""
    return np.array_split(np.random.default_rng(seed).permutation(rows), min(FOLDS, rows))


def _once(probabilities: np.ndarray, label_ids: np.ndarray, calibrate: bool,
          min_precision: float | None) -> tuple[Calibration, Threshold | None, bool]:
    found = temperature.fit(probabilities, label_ids) if calibrate else None
    calibration = Calibration(1.0 if found is None else found)
    if min_precision is None:
        return calibration, None, False
    chosen, reached = threshold.choose(
        calibration.probabilities(probabilities).max(1),
        probabilities.argmax(1) == label_ids, min_precision)
    return dataclasses.replace(calibration, threshold=chosen.value if reached else None), chosen, (
        reached)
