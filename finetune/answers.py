"""A model's answers as JSON has them, for a service and a pipe; imports no TensorFlow."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from finetune.task_kind import SCORE, TaskKind


def as_records(labels: Sequence[str], answers: np.ndarray) -> list[dict[str, Any]]:
    """Returns answers as JSON has them, with the digits that a float32 has.

    Args:
        labels: of the model.
        answers: float32[N, L].

    Returns:
        Of each row {"score": 2.5}, or {"label": "bug", "confidence": 0.75, "probabilities":
        {"bug": 0.75, "feature": 0.25}}.
    """
    rows = [[float(str(value)) for value in row] for row in answers]
    if TaskKind.of(labels) is TaskKind.REGRESSION:
        return [{SCORE: row[0]} for row in rows]
    return [{"label": labels[top], "confidence": row[top],
             "probabilities": dict(zip(labels, row, strict=True))}
            for row, top in zip(rows, answers.argmax(1).tolist(), strict=True)]
