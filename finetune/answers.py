"""A model's answers as JSON has them, for a service and a pipe; imports no TensorFlow."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from finetune.confidence.calibration import RAW, Calibration
from finetune.multilabel.scores import HALF, chosen, names_given
from finetune.task_kind import SCORE, TaskKind


def as_records(labels: Sequence[str], answers: np.ndarray,
               calibration: Calibration = RAW,
               thresholds: Sequence[float] | float = HALF) -> list[dict[str, Any]]:
    """Returns answers as JSON has them, with the digits that a float32 has.

    Args:
        labels: of the model.
        answers: float32[N, L], its own.
        calibration: of a classifier.
        thresholds: of a multi-label model, one for each label.

    Returns:
        Of each row {"score": 2.5}, or {"label": "bug", "confidence": 0.75, "probabilities":
        {"bug": 0.75, "feature": 0.25}}, with a threshold also "answered": true or false; of a
        multi-label model {"labels": ["bug", "ui"], "probabilities": {...}}.
    """
    kind = TaskKind.of(labels)
    if kind is TaskKind.REGRESSION:
        return [{SCORE: float(str(row[0]))} for row in answers]
    calibrated = calibration.probabilities(answers).astype(np.float32)
    rows = [[float(str(value)) for value in row] for row in calibrated]
    if kind is TaskKind.MULTILABEL:
        return [{"labels": names_given(given, labels),
                 "probabilities": dict(zip(labels, row, strict=True))}
                for row, given in zip(rows, chosen(answers, thresholds), strict=True)]
    answered = calibration.answered(answers)
    return [{"label": labels[top], "confidence": row[top],
             **({} if answered is None else {"answered": bool(answered[place])}),
             "probabilities": dict(zip(labels, row, strict=True))}
            for place, (row, top) in enumerate(zip(rows, answers.argmax(1).tolist(), strict=True))]
