"""What a task is: the original's `DataProcessor`, and a base that needs only the columns declared.

A new task is one file in this folder:

    @register
    class Subjectivity(TsvProcessor):
        \"""Subjective or objective sentences (Pang and Lee, 2004).\"""

        name = "subj"
        labels = ("objective", "subjective")
        metrics = ("accuracy",)
        train = Split("train.tsv", text_a=0, label=1, header="sentence")
        dev = Split("dev.tsv", text_a=0, label=1, header="sentence")
        test = Split("test.tsv", text_a=1, row_id=0, header="sentence")
"""

import os
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain, islice

from processors import layouts, storage
from processors.columns import as_columns
from processors.errors import DataError, Missing, Report, listed, quoted
from processors.examples import InputExample, Split, make_examples
from processors.files import read_text
from processors.readers import Row, csv_rows, read_rows
from processors.streamed import collected, may_stream

__all__ = ["DataError", "DataProcessor", "InputExample", "Split", "TsvProcessor"]

SPLITS = ("train", "dev", "test")


class DataProcessor:
    """The original's interface; a class written for the original works with this base unchanged.

    A processor of its own may return a list, or any sequence that can be gone through again and
    again, such as `streamed.StreamedExamples`, which ours return of big files.

    Attributes:
        notices: what is worth telling about the files that were read.
    """

    notices: Sequence[str] = ()

    def get_train_examples(self, data_dir: str) -> Sequence[InputExample]:
        """Returns the examples to train on."""
        raise NotImplementedError(f"{type(self).__name__} has no get_train_examples")

    def get_dev_examples(self, data_dir: str) -> Sequence[InputExample]:
        """Returns the examples to evaluate with."""
        raise NotImplementedError(f"{type(self).__name__} has no get_dev_examples")

    def get_test_examples(self, data_dir: str) -> Sequence[InputExample]:
        """Returns the examples to predict; their label may be None."""
        raise NotImplementedError(f"{type(self).__name__} has no get_test_examples")

    def get_labels(self) -> list[str] | None:
        """Returns the labels; the position in the list is the label id."""
        raise NotImplementedError(f"{type(self).__name__} has no get_labels")

    def data_files(self, data_dir: str) -> dict[str, str]:
        """Returns {"train" | "dev" | "test": path} of the files that exist."""
        return {}

    @classmethod
    def _read_tsv(cls, input_file: str, quotechar: str | None = None) -> list[list[str]]:
        """Reads a TSV file, for processors that were written for the original.

        A blank line is a row without cells, as Python's csv has it.
        """
        report = Report(input_file)
        text = read_text(input_file, "utf-8", report)
        if quotechar:
            rows = [cells for _, cells in csv_rows(text, report, "\t", quotechar)]
        else:
            lines = text.removesuffix("\n").split("\n") if text else ()
            rows = [line.split("\t") if line else []
                    for line in (line.removesuffix("\r") for line in lines)]
        report.check()
        return rows


class TsvProcessor(DataProcessor):
    """A task declared by the columns of its TSV files.

    Files are read as the original reads them: no quoting, UTF-8. Where a header is declared, the
    first line is one only if it looks like it, and is data otherwise, which a notice tells. (The
    original drops it unseen.)

    Attributes:
        name: what --task_name calls it; aliases: other names.
        task_type: "classification", or "regression": labels are then numbers.
        labels: the labels; a label's position is its id. A regression has none.
        metrics: the task's customary metrics; the first decides which checkpoint is best.
        train, dev, test: columns of each file; None if the task has no such file.
    """

    name: str
    aliases: tuple[str, ...] = ()
    task_type: str = "classification"
    labels: tuple[str, ...] = ()
    metrics: tuple[str, ...] = ("accuracy",)
    train: Split | None = None
    dev: Split | None = None
    test: Split | None = None

    def __init__(self, *, labels: Sequence[str] | None = None, header: str | bool = "auto",
                 encoding: str = "utf-8"):
        """Makes a processor.

        Args:
            labels: takes the place of the task's own labels.
            header: "auto", or "true" / "false" if every file has / no file has a header line.
            encoding: of the files.

        Raises:
            DataError: a label stands twice, or an argument has a value that is not allowed.
        """
        if labels is not None and self.task_type != "regression":
            self.labels = checked_labels(labels)
        self.header = checked_header(header)
        self.encoding = encoding
        self.notices: list[str] = []

    def get_train_examples(self, data_dir: str) -> Sequence[InputExample]:
        """See base class. Raises `DataError` with everything wrong in the file."""
        return self._read("train", data_dir)

    def get_dev_examples(self, data_dir: str) -> Sequence[InputExample]:
        """See base class. Raises `DataError` with everything wrong in the file."""
        return self._read("dev", data_dir)

    def get_test_examples(self, data_dir: str) -> Sequence[InputExample]:
        """See base class. Raises `DataError` with everything wrong in the file."""
        return self._read("test", data_dir)

    def get_labels(self) -> list[str]:
        """See base class."""
        return list(self.labels)

    def data_files(self, data_dir: str) -> dict[str, str]:
        """See base class."""
        splits = {name: self.split(name, data_dir or "") for name in SPLITS}
        paths = {name: os.path.join(data_dir or "", split.file)
                 for name, split in splits.items() if split}
        return {name: path for name, path in paths.items() if storage.is_file(path)}

    def split(self, name: str, data_dir: str) -> Split | None:
        """Returns the columns of "train", "dev" or "test"; None if the task has no such file."""
        return getattr(self, name)

    def select(self, rows: Iterator[Row], name: str, data_dir: str) -> Iterable[Row]:
        """Returns those rows of a file, behind its header, that belong to the split: here all."""
        return rows

    def _read(self, name: str, data_dir: str) -> Sequence[InputExample]:
        split = self.split(name, data_dir or "")
        if split is None:
            raise DataError(Missing(f"the task {self.name} has no {name} split"))
        report = Report(os.path.join(data_dir or "", split.file))
        examples = collected(report.path, lambda each: self._examples(split, name, data_dir, each),
                             report, may_stream(self, name))
        tell(self.notices, report)
        return examples

    def _examples(self, split: Split, name: str, data_dir: str,
                  report: Report) -> Iterator[InputExample]:
        """Yields the examples of a file; raises `DataError` at its end if anything is wrong."""
        rows = read_rows(report.path, "tsv", self.encoding, report, split.skips_short_rows)
        start = list(islice(rows, layouts.LOOKED_AT))
        self._check_layout(start, split, name, report)
        rows, first = self._without_header(chain(start, rows), split, report)
        yield from make_examples(self.select(rows, name, data_dir or ""), split, name, self.labels,
                                 report, first, self.task_type == "regression")
        self._check_layout(start, split, name, report)
        report.check()

    def _check_layout(self, start: Sequence[Row], split: Split, name: str, report: Report) -> None:
        """Refuses a file of another task in one message instead of one a row.

        Args:
            start: the first rows of the file.
        """
        count = len(report) if report.failed else None
        headless = (start and self.header is None and split.header is not None
                    and not layouts.is_header(start[0][1], split))
        if count or headless:
            other = layouts.problem(report.path, start, split, name, self, count)
            if other:
                raise DataError(other)

    def _without_header(self, rows: Iterator[Row], split: Split,
                        report: Report) -> tuple[Iterator[Row], int]:
        """Returns the rows behind the header and the number of the first of them."""
        if self.header is not None:
            skip = self.header
        elif split.header is None:
            skip = False
        else:
            line, cells = next(rows, (0, None))
            if cells is None:
                return rows, 0
            skip = layouts.is_header(cells, split)
            if not skip:
                column = as_columns(split.text_a)[0]
                found = cells[column] if len(cells) > column else ""
                report.notice(f"read as data: column {column} holds {quoted(found)}, where a "
                              f"header has {quoted(split.header)}; if this line is a header, say "
                              "--header=true", line)
            rows = chain([(line, cells)], rows)
        if skip:
            next(rows, None)
        return rows, int(skip)


def checked_labels(labels: Sequence[str]) -> tuple[str, ...]:
    """Returns the labels as a tuple.

    Raises:
        DataError: a label stands twice or is empty, or there are fewer than two.
    """
    labels, problems = tuple(labels), []
    twice = sorted(label for label, count in Counter(labels).items() if count > 1)
    if twice:
        problems.append(f"--labels: {listed(twice)} stands twice in {listed(labels)}")
    if "" in labels:
        problems.append(f"--labels: an empty label in {listed(labels)}")
    if len(set(labels)) < 2:
        problems.append("--labels: a classifier needs two labels or more, not "
                        + (listed(labels) or "none"))
    if problems:
        raise DataError(problems)
    return labels


def checked_header(header: str | bool) -> bool | None:
    """Returns True, False, or None for "auto".

    Raises:
        DataError: another value.
    """
    values = {"auto": None, "true": True, "false": False}
    if str(header).lower() not in values:
        raise DataError(f"--header={header} is not one of auto, true, false")
    return values[str(header).lower()]


def tell(notices: list[str], report: Report) -> None:
    """Adds the notices of a file to a processor's, once each."""
    notices += [notice for notice in report.notices if notice not in notices]
