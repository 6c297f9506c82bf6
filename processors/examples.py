"""Makes examples of rows: a `Split` says which column is what, `make_examples` checks every row."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from processors import joined
from processors.columns import Column, as_columns, cell_text
from processors.errors import MAX_SHOWN, Report, listed, quoted, suggestion
from processors.readers import Row

if TYPE_CHECKING:
    from processors.several import Several

LARGEST = 3.4028234e38  # of float32


@dataclass(slots=True)
class InputExample:
    """One text, or pair of texts, with its label (the original's class, and two fields more).

    Attributes:
        guid: unique id, as the original makes it.
        text_a: the untokenized first text.
        text_b: the untokenized second text of a pair.
        label: one of the processor's labels, or a tuple of them where a row has any number; None
            where a test row has none, or none that is known.
        row_id: the row's own id where its file has one; it goes into predictions.tsv.
        source: "path:line", for messages.
    """

    guid: str
    text_a: str
    text_b: str | None = None
    label: str | tuple[str, ...] | None = None
    row_id: str | None = None
    source: str | None = None


@dataclass(frozen=True, slots=True)
class Split:
    """The columns of one file.

    Attributes:
        file: path inside the data folder.
        text_a: column of the first text; several are joined by a blank, empty ones left out.
        text_b: column of the second text, None for single texts.
        label: column of the label, None if there is none. Test rows may lack it: there a value
            that is no label counts as none. Several: of 0 and 1, one for each label.
        header: what stands in the text_a column of the header line; None: the file has no header.
        row_id: column of the row's own id.
        guid: column that makes the guid; None: the number of the row, the first of the file is 0.
        guid_prefix: None: "train", "dev" or "test".
        only: (column, value): rows with another value belong to somebody else.
        label_name: what the user calls the label's column, where that is no position.
        label_separator: what would stand between the labels of a row if it had several, which
            may not have been said; None: nobody can say it.
        renamed: labels of the file that have another name in the task.
        skips_short_rows: leave out rows that lack a column, and tell which; without it they are
            refused.
    """

    file: str
    text_a: Column | tuple[Column, ...]
    text_b: Column | tuple[Column, ...] | None = None
    label: Column | tuple[Column, ...] | None = None
    header: str | None = None
    row_id: Column | None = None
    guid: int | None = None
    guid_prefix: str | None = None
    only: tuple[int, str] | None = None
    label_name: str | None = None
    label_separator: str | None = None
    renamed: dict[str, str] = field(default_factory=dict)
    skips_short_rows: bool = False


def make_examples(rows: Iterable[Row], split: Split, name: str, labels: Sequence[str] | None,
                  report: Report, first: int = 0, numbers: bool = False,
                  several: "Several | None" = None) -> Iterator[InputExample]:
    """Makes the examples of one file, one at a time.

    Args:
        rows: what a reader yields, without the header.
        split: what the columns are.
        name: "train", "dev" or "test"; only the last may lack labels.
        labels: the labels allowed, None: any that is not empty (none is kept in test).
        report: receives the problems and notices, some of them at the end; the caller checks it.
        first: number of the first row in the file (1 after a header).
        numbers: labels are the finite numbers of a regression; `labels` is then of no account.
        several: how a row's labels are written, if it has any number of them.

    Yields:
        One example a row, in the order of the file; of rows with a problem there is none.
    """
    builder = _Builder(split, name, labels, report, numbers, several)
    empty, number = True, None
    others: dict[str, None] = {}  # a set that keeps its order
    for number, (line, cells) in enumerate(rows, start=first):
        if split.only and len(cells) > split.only[0] and cells[split.only[0]] != split.only[1]:
            others[cells[split.only[0]]] = None
            continue
        example = builder.example(number, line, cells)
        if example:
            empty = False
            yield example
    builder.finish()
    if empty and not report.failed:
        report.problem(0, f"holds no examples with {quoted(split.only[1])} in column "
                       f"{split.only[0]}; there is {listed(others)}" if others else
                       "holds a header and no examples" if first else
                       "is empty: it holds no examples" if number is None else "holds no examples")


class _Builder:
    """Makes one example at a time, and counts what is told once for the whole file."""

    def __init__(self, split: Split, name: str, labels: Sequence[str] | None, report: Report,
                 numbers: bool = False, several: "Several | None" = None):
        self.split = split
        self.name = name
        self.labels = labels
        self.report = report
        self.numbers = numbers
        self.several = several
        self.text_a = as_columns(split.text_a)
        self.text_b = as_columns(split.text_b)
        self.width = 1 + max(column for column in (
            *self.text_a, *self.text_b, *as_columns(split.label), 0) if isinstance(column, int))
        self.empty = {"text": 0, "second text": 0}
        self.wrong_labels: dict[str, list[int]] = {}  # label -> lines
        self.wrong_flags: dict[str, list[tuple[int, str]]] = {}  # label -> lines and cells
        self.no_numbers: list[tuple[int, str]] = []  # lines and what stands there
        self.has_numbers = False
        self.lacks_labels = False
        self.labels_seen: dict[str, int] = {}  # where any is allowed: label -> its first line
        self.short: list[int] = []  # lines left out
        self.without_id = 0

    def example(self, number: int, line: int, cells: Any) -> InputExample | None:
        """Returns the example of a row, or None after reporting what is wrong with it."""
        split, problems = self.split, []
        if split.skips_short_rows and len(cells) < self.width:
            self.short.append(line)
            return None
        text_a = self._text(cells, self.text_a, "text", problems)
        text_b = None
        if self.text_b:
            text_b = self._text(cells, self.text_b, "second text", problems)
        label = None
        # A short row is told once: what stands in its other columns means nothing.
        short = bool(problems) and isinstance(cells, list)
        if split.label is not None and not short:
            label = self._label(line, cells, problems)
        row_id, _ = cell_text(cells, split.row_id)
        guid = str(number)
        self.without_id += split.row_id is not None and not row_id
        if split.guid is not None:
            guid, problem = cell_text(cells, split.guid)
            problems += [f"the id {problem}"] if problem else []
        for problem in problems[:1] if short else problems:
            self.report.problem(line, problem)
        if problems:
            return None
        return InputExample(f"{split.guid_prefix or self.name}-{guid}", text_a, text_b, label,
                            row_id, f"{self.report.path}:{line}")

    def finish(self) -> None:
        """Reports what was counted over the file."""
        self._hint_at_several()
        for place, (label, lines) in enumerate(self.wrong_labels.items()):
            # By their first lines these are in order, so that no later one would be shown.
            self.report.problem(
                lines[0], self._wrong_label(label, lines) if place < MAX_SHOWN else "")
        for label, cells in self.wrong_flags.items():
            line, text = cells[0]
            more = f" ({len(cells):,} such rows)" if len(cells) > 1 else ""
            self.report.problem(line, f"the column of the label {quoted(label)} holds "
                                f"{quoted(text)}; allowed are 0 and 1{more}")
        if len(self.no_numbers) > 1 and not self.has_numbers:
            line, label = self.no_numbers[0]
            self.report.problem(line, f"label {quoted(label)} is not a finite number, and neither "
                                f"is that of any other row ({len(self.no_numbers):,} such rows); "
                                "a regression has numbers for labels")
            self.no_numbers = []
        for line, label in self.no_numbers:
            text = f"label {quoted(label)} is not a finite number" + (
                "; the decimal mark is a point" * is_number(label.replace(",", ".")))
            self.report.problem(line, text + self._hint_at_header(line == 1 and self.has_numbers))
        if self.short:
            lines = ", ".join(map(str, self.short[:MAX_SHOWN])) + (
                ", ..." if len(self.short) > MAX_SHOWN else "")
            self.report.notice(f"{len(self.short):,} {'row' if len(self.short) == 1 else 'rows'} "
                               f"with fewer than {self.width} columns left out, line {lines}")
        if self.without_id and self.name == "test":
            self.report.notice(
                f"{self.without_id:,} {'row has' if self.without_id == 1 else 'rows have'} no text "
                "or number for an id; predictions.tsv has the split and the row's number instead")
        for text, count in self.empty.items():
            if count:
                self.report.notice(f"{count:,} {'row has' if count == 1 else 'rows have'} "
                                   f"an empty {text}")

    def _wrong_label(self, label: str, lines: Sequence[int]) -> str:
        more = f" ({len(lines):,} such rows)" if len(lines) > 1 else ""
        # What stands in other lines too, or is a number, heads no column.
        header = list(lines) == [1] and not is_number(label)
        return (f"label {quoted(label)} is not one of {listed(self.labels)}{more}"
                f"{suggestion(label, self.labels)}; other labels are set by --labels"
                f"{self._hint_at_scores(label)}{self._hint_at_header(header)}")

    def _text(self, cells: Any, columns: tuple[Column, ...], what: str,
              problems: list[str]) -> str:
        parts, missing = [], []
        for column in columns:
            text, problem = cell_text(cells, column)
            if problem and isinstance(cells, dict) and column not in cells:
                missing.append(problem)
            elif problem:
                problems.append(f"the {what} {problem}")
            if text:
                parts.append(text)
        if missing and len(missing) == len(columns):
            problems.append(f"the {what} {missing[0]}")
        joined = " ".join(parts)
        self.empty[what] += not joined.strip()
        return joined

    def _several(self, line: int, cells: Any, problems: list[str]) -> tuple[str, ...] | None:
        names, wrong, misread = self.several.read(cells, self.split.label)
        unknown = [name for name in names if name and name not in (self.labels or ())]
        if self.name == "test":
            return None if wrong or misread or unknown else names
        problems += wrong
        for name, text in misread.items():
            self.wrong_flags.setdefault(name, []).append((line, text))
        for name in unknown if self.labels is not None else ():
            self.wrong_labels.setdefault(name, []).append(line)
        return names

    def _label(self, line: int, cells: Any, problems: list[str]) -> str | tuple[str, ...] | None:
        if self.several:
            return self._several(line, cells, problems)
        label, problem = cell_text(cells, self.split.label)
        label = self.split.renamed.get(label, label)
        if self.name == "test":
            known = is_number(label) if self.numbers else label in (self.labels or ())
            return label if known else None
        if problem:
            listing = isinstance(cells, dict) and isinstance(cells.get(self.split.label), list)
            problems.append(f"the label {problem}" + listing * (
                "; lists of labels are read with --task_type=multilabel"))
        elif not label:
            self.lacks_labels = True
            problems.append(f"the label in {_called(self.split)} is empty")
        elif self.numbers:
            if is_number(label):
                self.has_numbers = True
            else:
                self.no_numbers.append((line, label))
        elif self.labels is not None and label not in self.labels:
            self.wrong_labels.setdefault(label, []).append(line)
        elif self.split.label_separator and self.labels is None:
            self.labels_seen.setdefault(label, line)
        return label

    def _hint_at_several(self) -> None:
        seen = self.labels_seen if self.labels is None else {
            label: lines[0] for label, lines in self.wrong_labels.items()}
        hint = self.split.label_separator and joined.hint(
            seen, self.labels or seen, self.split.label_separator)
        if hint and (self.lacks_labels or self.wrong_labels):
            self.report.problem(0, hint)
        elif hint:
            self.report.notice(hint)

    def _hint_at_scores(self, label: str) -> str:
        decimal = "." in "".join(self.labels) and all(map(is_number, (label, *self.labels)))
        return "; scores, such as these numbers, are read with --task_type=regression" * decimal

    def _hint_at_header(self, is_header: bool) -> str:
        positional = isinstance(self.split.label, int)
        return "; if line 1 is a header, say --header=true" if is_header and positional else ""


def is_number(text: str | None) -> bool:
    """Whether a text is a number that a float32 can hold: "3.8", "-1", "2e-3"; not "nan"."""
    try:
        return "_" not in text and abs(float(text)) <= LARGEST
    except (TypeError, ValueError):
        return False


def _called(split: Split) -> str:
    if not isinstance(split.label, int):
        return quoted(split.label)
    if split.label_name is not None:
        return f"column {quoted(split.label_name)}"
    return f"column {split.label}" if split.label >= 0 else "the last column"
