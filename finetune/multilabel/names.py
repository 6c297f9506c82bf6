"""How the labels of a row are spelled, and what they stand for.

    find = finder({"ui": 0, "docs": 1, "crash": 2}, ",")
    find(["crash", "ui"]), find("crash, ui"), find("")       # (2, 0), (2, 0), ()
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from finetune.task_kind import TaskKind


def split(label: Any, separator: str) -> list[str]:
    """Returns the names that a row's label consists of.

    Args:
        label: a list or tuple of names, or a text of them, blanks around a name being of no
            account. An empty text is no label.
    """
    if isinstance(label, (list, tuple)):
        return [str(name) for name in label]
    text = str(label)
    return [name.strip() for name in text.split(separator)] if text.strip() else []


def finder(ids: Mapping[str, int], separator: str) -> Callable[[Any], tuple[int, ...] | None]:
    """Returns what tells the ids of a row's labels; None where one is unknown or stands twice."""
    def find(label: Any) -> tuple[int, ...] | None:
        found = tuple(ids.get(name, -1) for name in split(label, separator))
        return None if -1 in found or len(set(found)) < len(found) else found

    return find


def names_of(label: Any, labels: Sequence[str]) -> list[str]:
    """Returns the names in a row's label, of a task of any kind; [] of a row without one."""
    if label is None:
        return []
    if TaskKind.of(labels) is not TaskKind.MULTILABEL:
        return [str(label)]
    return split(label, labels.separator)
