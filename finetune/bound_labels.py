"""The labels that a folder's checkpoint was trained with, and whether a row has one or any number.

    labels = bound_labels.read("output/run")        # a Labels of kind MULTILABEL, a list, or None
    bound_labels.kind("output/run", rows=3)         # of a head of three rows there

labels.txt holds the names. That a head is multi-label its shapes do not tell: run_config.json does
(task_type), or source.json of a converted checkpoint, and so does a thresholds.json beside them.
"""

import os
from collections.abc import Sequence
from typing import Any

from finetune import outputs
from finetune.bert_config import SOURCE_FILE
from finetune.config import RunConfig
from finetune.task_kind import SEPARATOR, Labels, TaskKind


def read(folder: str) -> list[str] | None:
    """Returns the labels written down in a folder, knowing their kind, or None.

    Raises:
        UserError: a file of ours is damaged.
    """
    names = outputs.read_labels(folder)
    return names and of_kind(names, kind(folder, len(names)), separator(folder))


def of_kind(names: list[str], found: TaskKind, between: str) -> list[str]:
    """Returns a list of labels that knows its kind."""
    return Labels(names, found, between) if found is TaskKind.MULTILABEL else list(names)


def kind(folder: str, rows: int) -> TaskKind:
    """Returns what a head of so many rows in a folder was trained for."""
    if rows > 1 and (_settings(folder).get("task_type") == TaskKind.MULTILABEL.value
                     or outputs.read_text(os.path.join(folder, outputs.THRESHOLDS)) is not None):
        return TaskKind.MULTILABEL
    return TaskKind.of_rows(rows)


def separator(folder: str) -> str:
    """Returns the --label_separator of the training."""
    found = _settings(folder).get("label_separator")
    return found if isinstance(found, str) and found else SEPARATOR


def _settings(folder: str) -> dict[str, Any]:
    return {**(outputs.read_object(os.path.join(folder, SOURCE_FILE)) or {}),
            **(outputs.read_object(os.path.join(folder, outputs.RUN_CONFIG)) or {})}


def task_type(config: RunConfig, labels: Sequence[str]) -> str | None:
    """Returns what run_config.json is to say of the labels of a run."""
    is_many = TaskKind.of(labels) is TaskKind.MULTILABEL
    return TaskKind.MULTILABEL.value if is_many else config.task_type
