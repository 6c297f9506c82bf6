"""Finds the columns a user named, or gave by position, in one file; and what stands in a cell."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from processors.errors import Report, listed, quoted, suggestion
from processors.readers import Row, json_text

Column = int | str  # a 0-based position (tsv, csv) or a name (jsonl, json); -1 is the last column


def is_position(column: str) -> bool:
    """Whether a column is given by position: digits only, of which int() takes 4,300."""
    return column.isascii() and column.isdigit() and len(column) < 10


class Columns:
    """The columns of one file.

    Attributes:
        names: from the header or the keys of the objects; None: a file without a header.
        complete: whether all columns asked for were found.
    """

    def __init__(self, names: list[str] | None, positional: bool, report: Report):
        """Makes a finder.

        Args:
            names: see above.
            positional: whether columns have a position (tsv, csv) or a name only (jsonl, json).
            report: receives what is not found.
        """
        self.names = names
        self._positional = positional
        self._report = report
        self.complete = True

    def has(self, *columns: str) -> bool:
        """Whether all these columns, names or positions, are there."""
        return all(self._reaches(each) if self._by_position(each) else each in (self.names or ())
                   for each in columns)

    def find(self, column: str, flag: str, is_default: bool = False) -> Column:
        """Returns where to look for a column in a row; reports one that is not there.

        Args:
            column: name or position.
            flag: the flag that asks for it.
            is_default: the user has not given it.
        """
        asked = f"{flag}={column}" + (" (the default)" if is_default else "")
        if self._by_position(column):
            if not self._reaches(column):
                self.problem(f"{asked}: the header has only {len(self.names)} columns "
                              "(the first is 0)")
            return int(column)
        if self.names is None:
            self.problem(f"{asked} is a name, but the file has no header; give the "
                          "position, the first column is 0")
        elif column not in self.names:
            self.problem(f"{asked}: there is no such column"
                          f"{suggestion(column, self.names)}; {self.described()}")
        elif self.names.count(column) > 1:
            self.problem(f"{asked}: the header has this name "
                          f"{self.names.count(column)} times; give the position, the first "
                          "column is 0")
        elif self._positional:
            return self.names.index(column)
        return column

    def problem(self, text: str) -> None:
        """Reports that a column is not there."""
        self.complete = False
        self._report.problem(1 if self._positional else 0, text)

    def described(self) -> str:
        """Returns the names there are, for a message."""
        if self.names is None:
            return "the file has no header"
        found = listed(self.names) or "none"
        if not self._positional:
            return f"the objects have {found}"
        if len(self.names) == 1:
            found += " as its only column; csv is separated by commas, tsv by tabs"
        return (f"the header has {found} (if line 1 is not a header, say --header=false, give "
                "positions)")

    def checked(self, rows: Iterable[Row], doubted: Sequence[int] = ()) -> Iterator[Row]:
        """Passes rows on, and reports those with more cells than the header.

        A tab or comma that belongs to a text shifts all cells behind it.

        Args:
            doubted: positions of the labels, where only --header=true tells of a header; one that
                has a row's label there is told of.
        """
        doubted = list(doubted) if self._positional else []
        for line, cells in rows:
            for column in doubted:
                if cells[column:column + 1] == [self.names[column]]:
                    self._report.notice(
                        "taken for a header, as --header=true says, but its label column holds "
                        f"{quoted(self.names[column])}, which rows have as a label; if line 1 is "
                        "a row, say --header=false", 1)
                    doubted = []
            if self._positional and self.names is not None and any(cells[len(self.names):]):
                self._report.problem(line, f"{len(cells)} columns, but the header has "
                                     f"{len(self.names)}; is there a separator inside a text?")
            yield line, cells

    def _by_position(self, column: str) -> bool:
        return self._positional and is_position(column)

    def _reaches(self, position: str) -> bool:
        return self.names is None or int(position) < len(self.names)


def as_columns(columns: Column | tuple[Column, ...] | None) -> tuple[Column, ...]:
    """Returns the columns of a text as a tuple, empty for None."""
    if columns is None:
        return ()
    return columns if isinstance(columns, tuple) else (columns,)


def cell_text(cells: Any, column: Column | None) -> tuple[str | None, str | None]:
    """Returns (text, problem) of a cell; (None, None) for null and for no column."""
    if column is None:
        return None, None
    if isinstance(cells, dict):
        if column not in cells:
            return None, f"is missing: there is no {quoted(column)}, only {listed(cells)}"
        text, problem = json_text(cells[column])
        return text, problem and f"in {quoted(column)} {problem}"
    try:
        return cells[column], None
    except IndexError:
        has = (f"{len(cells)} columns" if len(cells) != 1 else
               "1 column; csv is separated by commas, tsv by tabs, and tsv has no quoting")
        return None, f"is in column {column} (the first is 0), but the row has only {has}"
