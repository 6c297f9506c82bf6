"""Rows with any number of labels: names in one cell, a list of them, or a column of 0 and 1 each.

    Several(",").read(["it crashes", "ui, crash"], 1)              # (("ui", "crash"), [], {})
    Several(",", ("ui", "docs")).read(["it", "1", "0"], (1, 2))    # (("ui",), [], {})
"""

from collections import Counter
from collections.abc import Sequence
from typing import Any

from processors.columns import Column, cell_text, is_position
from processors.errors import DataError, listed, quoted
from processors.examples import InputExample
from processors.readers import json_text

METRICS = ("f1_micro", "f1_macro", "accuracy")


class Several:
    """How the labels of a row are written.

    Attributes:
        separator: between the names in one cell.
        columns: names of the labels that have a column of 0 and 1; empty: names stand in a cell.
    """

    def __init__(self, separator: str, columns: Sequence[str] = ()):
        """Raises `DataError` if the separator is empty."""
        if not separator:
            raise DataError("--label_separator is empty; something has to stand between labels")
        self.separator, self.columns = separator, tuple(columns)

    def read(self, cells: Any, where: Column | tuple[Column, ...]
             ) -> tuple[tuple[str, ...], list[str], dict[str, str]]:
        """Reads the labels of a row.

        Args:
            cells: of the row, see `readers`.
            where: the column, or the columns of 0 and 1 in the order of `columns`.

        Returns:
            The labels, blanks around them left out; what is wrong with them; and by their names
            the cells of 0 and 1 that hold something else, which a column is likely to do in every
            row.
        """
        if self.columns:
            return self._of_columns(cells, where)
        if isinstance(cells, dict) and isinstance(cells.get(where), list):
            names, problems = _of_list(cells[where], where)
            text = ", ".join(names)
        else:
            text, problem = cell_text(cells, where)
            problems = [f"the label {problem}"] if problem else []
            names = text.split(self.separator) if text and text.strip() else []
        names = [name.strip() for name in names]
        if "" in names:
            problems.append(f"the labels {quoted(text)} hold an empty name")
        twice = [name for name, count in Counter(names).items() if name and count > 1]
        if twice:
            problems.append(f"the labels {quoted(text)} hold {listed(twice)} more than once")
        return tuple(names), problems, {}

    def _of_columns(self, cells: Any, where: tuple[Column, ...]
                    ) -> tuple[tuple[str, ...], list[str], dict[str, str]]:
        names, problems, misread = [], [], {}
        for name, column in zip(self.columns, where, strict=True):
            text, problem = cell_text(cells, column)
            if problem:
                problems.append(f"the label {problem}")
                if isinstance(cells, list):  # a short row: the next columns are not there either
                    break
            elif (text or "").strip() not in ("0", "1"):
                misread[name] = text or ""
            elif text.strip() == "1":
                names.append(name)
        return tuple(names), problems, misread


def _of_list(values: Sequence[Any], column: Column) -> tuple[list[str], list[str]]:
    found = [json_text(value) for value in values]
    wrong = [text is None for text, _ in found]
    return ([text or "" for text, _ in found],
            [f"the list in {quoted(str(column))} holds what is no text"] if any(wrong) else [])


def of_flags(label_column: str | None, separator: str, labels: Sequence[str] | None
             ) -> tuple[Several, tuple[str, ...], Sequence[str] | None]:
    """Returns how labels are written, the columns they stand in, and their names where known.

    Args:
        label_column: --label_column, one column or several; None: "label".
        labels: --labels. Of columns of 0 and 1 it may change the order, and has to give the names
            where columns are given by position.

    Raises:
        DataError: columns and labels do not fit together.
    """
    columns = tuple(column.strip() for column in (label_column or "label").split(","))
    if len(columns) == 1:
        return Several(separator), columns, labels
    flag = f"--label_column={label_column}"
    if "" in columns or len(set(columns)) < len(columns):
        raise DataError(f"{flag}: a column is empty or given twice")
    if labels is None:
        if any(map(is_position, columns)):
            raise DataError(f"{flag}: the columns are given by position; say by --labels which "
                            "label each stands for, in their order")
        return Several(separator, columns), columns, columns
    if set(labels) == set(columns):
        return Several(separator, columns), columns, labels
    if len(labels) == len(columns) and all(map(is_position, columns)):
        return Several(separator, labels), columns, labels
    raise DataError(f"{flag}: each column is the label of its name; --labels has {listed(labels)}. "
                    "Leave it out, or give the same names in the order wanted")


def names_in(example: InputExample, several: Several | None) -> tuple[str, ...]:
    """Returns the labels of an example."""
    return example.label if several else (example.label,)
