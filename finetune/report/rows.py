"""Rows of the dev split as the page shows them: where they stand, and the beginning of their texts.

    rows = fetched(examples, [311, 17])           # {17: Row(...), 311: Row(...)}
    shown("Highest loss", ["loss"], [(rows[17], [4.2])])
"""

import dataclasses
import os
from collections.abc import Iterable, Sequence
from typing import Any

from finetune.check.findings import as_text
from finetune.features import where
from finetune.report.markup import Markup, element, joined, name, shortened, table

MOST = 50  # rows in a table
LONGEST = 600  # characters of a text


@dataclasses.dataclass(frozen=True)
class Row:
    """A row to show.

    Attributes:
        where: the file's name and the line, or the id of the example.
        row_id: its own id; None where it has none.
        texts: one, or the two of a pair, shortened.
    """

    where: str
    row_id: str | None
    texts: tuple[str, ...]


def fetched(examples: Sequence[Any], wanted: Iterable[int]) -> dict[int, Row]:
    """Returns some rows by their number; a file that is not in memory is read once."""
    return {number: _row(examples[number]) for number in sorted(set(map(int, wanted)))}


def _row(example: Any) -> Row:
    texts = [as_text(text) for text in (example.text_a, example.text_b) if text]
    row_id = getattr(example, "row_id", None)
    source = getattr(example, "source", None)
    return Row(os.path.basename(source) if source else where(example),
               None if row_id is None else str(row_id),
               tuple(shortened(text, LONGEST) for text in texts))


def shown(caption: str, head: Sequence[str], rows: Iterable[tuple[Row, Sequence[Any]]]) -> Markup:
    """Returns a table of rows: some cells each, named in the head, then row and text."""
    return table(caption, [*head, "row", "text"],
                 [[*cells, _place(row), _texts(row)] for row, cells in rows], class_="rows stack")


def _place(row: Row) -> Markup:
    own = [] if row.row_id is None else [Markup("<br>"), "id ", name(row.row_id)]
    return element("small", name(row.where, 200), *own)


def _texts(row: Row) -> Markup:
    return joined(element("div", text, class_="text", dir="auto") for text in row.texts or ("",))
