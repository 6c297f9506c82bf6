"""A finding: what a check saw, how bad it is, and where.

    found = Finding("duplicates", Severity.LOOK, "train", "12 rows repeat an earlier one", 12, 336,
                    samples=(Sample("train", 17, ("train", 3)),))
    resolved([found], {"train": examples})[0].examples[0].where        # "train.tsv:19"
"""

import dataclasses
import enum
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from finetune.features import where

SHOWN = 3  # rows named for a finding
_TEXT = 100  # characters of a row that are shown


class Severity(enum.Enum):
    """How bad a finding is, by the name that users read."""

    PROBLEM = "problem"
    LOOK = "worth a look"
    FINE = "fine"


@dataclasses.dataclass(frozen=True)
class Sample:
    """A row to show, by its number in its split, and the row of which it is a double, if any."""

    split: str
    row: int
    double_of: tuple[str, int] | None = None


@dataclasses.dataclass(frozen=True)
class Example:
    """A row as it is shown.

    Attributes:
        where: file and line, or the id of the example.
        text: its beginning, on one line; invisible characters are escaped.
        label: None where it has none.
        double_of, label_there: the row of which it is a double, and the label of that.
    """

    where: str
    text: str
    label: str | None = None
    double_of: str | None = None
    label_there: str | None = None


@dataclasses.dataclass(frozen=True)
class Finding:
    """What one check saw in one split.

    Attributes:
        check: its name, a key of `catalogue.ABOUT`.
        severity: how bad it is.
        split: "train", "dev" or "test"; None: all of them.
        text: one sentence, numbers included.
        count: rows (or tokens, letters: as `text` says) that it is about.
        of: how many there are in all.
        advice: what to do, where the catalogue's does not say enough.
        details: numbers for programs, JSON-ready.
        samples: some of the rows.
        examples: the same, as they are shown; filled in by `resolved`.
    """

    check: str
    severity: Severity
    split: str | None
    text: str
    count: int = 0
    of: int = 0
    advice: str | None = None
    details: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    samples: tuple[Sample, ...] = ()
    examples: tuple[Example, ...] = ()


def share(count: int, of: int, unit: str = "rows") -> str:
    """Returns "12 of 336 rows (3.6 %)"; what is not quite nothing or all does not look like it."""
    percent = 100 * count / max(of, 1)
    digits = 1 if 1 <= percent <= 99 or count in (0, of) else 2
    shown = f"{percent:.{digits}f}"
    if 0 < count < of:
        shown = "below 0.01" if shown == "0.00" else "above 99.99" if shown == "100.00" else shown
    return f"{count:,} of {of:,} {unit} ({shown} %)"


def graded(count: int, of: int, problem: float, look: float = 0.0) -> Severity:
    """Returns PROBLEM from one share on, LOOK from another; nothing at all is FINE."""
    if not count or count / of < look:
        return Severity.FINE
    return Severity.PROBLEM if count / of >= problem else Severity.LOOK


def samples(split: str, rows: Iterable[int]) -> tuple[Sample, ...]:
    """Returns the first rows of some, to be shown."""
    return tuple(Sample(split, int(row)) for row in list(rows)[:SHOWN])


def doubles(split: str, rows: np.ndarray, of_split: str, of_rows: np.ndarray
            ) -> tuple[Sample, ...]:
    """Returns the first of some rows and of those that they are doubles of."""
    return tuple(Sample(split, int(row), (of_split, int(other)))
                 for row, other in zip(rows[:SHOWN], of_rows[:SHOWN], strict=True))


def resolved(found: Iterable[Finding], examples: Mapping[str, Sequence[Any]]) -> list[Finding]:
    """Fills in the examples of findings; rows are fetched in the order of their file."""
    found = list(found)
    wanted = {(sample.split, sample.row) for one in found for sample in one.samples}
    wanted |= {sample.double_of for one in found for sample in one.samples if sample.double_of}
    # Rising positions: an example of a big file is then found in a single reading of it.
    rows = {key: examples[key[0]][key[1]] for key in sorted(wanted)}
    return [dataclasses.replace(one, examples=tuple(
        _shown(rows[sample.split, sample.row], rows.get(sample.double_of))
        for sample in one.samples)) for one in found]


def _shown(row: Any, other: Any) -> Example:
    text = " | ".join(as_text(part) for part in (row.text_a, row.text_b) if part)
    cut = text if len(text) <= _TEXT else text[:_TEXT] + "..."
    shown = "".join(one if one.isprintable() else one.encode("unicode_escape").decode()
                    for one in cut)
    return Example(where(row), shown, label_of(row), other and where(other),
                   other and label_of(other))


def label_of(row: Any) -> str | None:
    """Returns the label of an example as text, None where there is none."""
    if isinstance(row.label, (list, tuple)):
        return ", ".join(map(str, row.label)) or "(none)"
    return None if row.label in (None, "") else str(row.label)


def as_text(text: Any) -> str:
    """Returns a text of an example; bytes as the original decodes them."""
    return text.decode("utf-8", "ignore") if isinstance(text, bytes) else text or ""
