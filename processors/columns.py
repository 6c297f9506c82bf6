"""Finds the columns a user named, or gave by position, in one file."""

from collections.abc import Iterable, Iterator

from processors.errors import Report, listed, suggestion
from processors.examples import Column
from processors.readers import Row


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
        return f"the header has {found} (if line 1 is none, say --header=false, give positions)"

    def checked(self, rows: Iterable[Row]) -> Iterator[Row]:
        """Passes rows on, and reports those with more cells than the header.

        A tab or comma that belongs to a text shifts all cells behind it.
        """
        for line, cells in rows:
            if self._positional and self.names is not None and any(cells[len(self.names):]):
                self._report.problem(line, f"{len(cells)} columns, but the header has "
                                     f"{len(self.names)}; is there a separator inside a text?")
            yield line, cells

    def _by_position(self, column: str) -> bool:
        return self._positional and is_position(column)

    def _reaches(self, position: str) -> bool:
        return self.names is None or int(position) < len(self.names)
