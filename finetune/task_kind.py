"""What a task asks for: one of several labels, any number of them, or a number.

    TaskKind.of(["bug", "feature"])                             CLASSIFICATION
    TaskKind.of(Labels(["ui", "docs"], TaskKind.MULTILABEL))    MULTILABEL
    TaskKind.of([SCORE])                                        REGRESSION

The list of labels that goes through the program names the rows of the head, and knows its kind. A
classifier has a row for each of its labels, two or more; a regression has a single one, and so a
checkpoint knows by its shapes that it is one, whoever wrote it. Whether a row of data has one of
the labels or any number of them no shape tells: `bound_labels` reads it from the folder.
"""

import enum
import math
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

SCORE = "score"  # what the single row of a regression's head is called
SEPARATOR = ","  # between the labels of a row, where --label_separator is not given
LARGEST = float(np.finfo(np.float32).max)


class TaskKind(enum.Enum):
    """The kinds of tasks, by the names that --task_type gives them."""

    CLASSIFICATION = "classification"
    MULTILABEL = "multilabel"
    REGRESSION = "regression"

    @classmethod
    def of(cls, labels: Sequence[str]) -> "TaskKind":
        """Returns the kind of the task that has these labels."""
        return labels.kind if isinstance(labels, Labels) else cls.of_rows(len(labels))

    @classmethod
    def of_rows(cls, rows: int) -> "TaskKind":
        """Returns the kind of a head of so many rows of which nothing else is known."""
        return cls.REGRESSION if rows == 1 else cls.CLASSIFICATION

    @property
    def label_type(self) -> type:
        """The type of a label in records: np.int32, an id; np.float32, a score; np.uint8, 0 or 1.

        A multi-label row has one for each of the labels, see `label_type`.
        """
        return {TaskKind.REGRESSION: np.float32, TaskKind.MULTILABEL: np.uint8}.get(self, np.int32)


class Labels(list):
    """A list of labels that knows its kind; as every list it is equal to one of the same names.

    Args:
        names: their position is their id.
        kind: what a row of data has of them.
        separator: stands between the labels of a multi-label row.
    """

    def __init__(self, names: Iterable[str], kind: TaskKind, separator: str = SEPARATOR):
        super().__init__(names)
        self.kind, self.separator = kind, separator


def label_type(labels: Sequence[str]) -> np.dtype:
    """Returns what a row's label is in records and tables.

    An int32, a float32, or of a multi-label task uint8[L], 1 for each label that the row has.
    """
    kind = TaskKind.of(labels)
    return np.dtype((kind.label_type, (len(labels),))
                    if kind is TaskKind.MULTILABEL else kind.label_type)


def same(one: Sequence[str], other: Sequence[str]) -> bool:
    """Whether two lists of labels have the same names in the same order, and are of a kind."""
    return list(one) == list(other) and TaskKind.of(one) is TaskKind.of(other)


def described(rows: int, kind: TaskKind | None = None) -> str:
    """Returns what a head of so many rows is, for a message."""
    if rows == 1:
        return "a regression"
    return f"a {'multi-label ' * (kind is TaskKind.MULTILABEL)}classifier of {rows} labels"


def number(label: Any) -> float | None:
    """Returns the score that a label of a regression stands for; None if it is no finite number."""
    text = str(label)
    try:
        value = float(text)
    except ValueError:
        return None
    return value if math.isfinite(value) and abs(value) <= LARGEST and "_" not in text else None
