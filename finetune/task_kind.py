"""What a task asks for: one of several labels, or a number.

    TaskKind.of(len(["bug", "feature"]))      CLASSIFICATION
    TaskKind.of(len([SCORE]))                 REGRESSION

The head's rows tell which: a classifier has one for each of its labels, two or more; a regression
has a single one. The list of labels that goes through the program names the rows of the head, and
so a checkpoint knows by its shapes what it was trained for, whoever wrote it.
"""

import enum
import math
from typing import Any

import numpy as np

SCORE = "score"  # what the single row of a regression's head is called
LARGEST = float(np.finfo(np.float32).max)


class TaskKind(enum.Enum):
    """The two kinds of tasks, by the names that --task_type gives them."""

    CLASSIFICATION = "classification"
    REGRESSION = "regression"

    @classmethod
    def of(cls, rows: int) -> "TaskKind":
        """Returns the kind of a task whose head has so many rows."""
        return cls.REGRESSION if rows == 1 else cls.CLASSIFICATION

    @property
    def label_type(self) -> type:
        """What a row's label is in records and batches: np.int32, an id, or np.float32, a score."""
        return np.float32 if self is TaskKind.REGRESSION else np.int32


def described(rows: int) -> str:
    """Returns what a head of so many rows is, for a message."""
    return "a regression" if rows == 1 else f"a classifier of {rows} labels"


def number(label: Any) -> float | None:
    """Returns the score that a label of a regression stands for; None if it is no finite number."""
    text = str(label)
    try:
        value = float(text)
    except ValueError:
        return None
    return value if math.isfinite(value) and abs(value) <= LARGEST and "_" not in text else None
