"""Your own TSV, CSV, JSON lines or JSON: files, columns and labels come from flags, no code.

    run_classifier_custom.py --data_dir=issues --text_column=title,body --label_column=label ...
"""

import dataclasses
import os
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from itertools import chain

from processors import several, storage, training_labels
from processors.base import SPLITS, DataProcessor, checked_header, checked_labels, tell
from processors.columns import Columns, as_columns, is_position
from processors.errors import DataError, Missing, Report, listed, quoted, suggestion
from processors.examples import InputExample, Split, make_examples
from processors.files import folder_content, read_text, why_no_text
from processors.readers import FORMATS, other_separator, read_rows
from processors.registry import register
from processors.streamed import collected, may_stream

# Tried in this order where no --text_column is given.
DEFAULT_TEXT = (("text",), ("sentence",), ("title", "body"))
REGRESSION_METRICS = ("pearson_spearman", "pearson", "spearman")


@register
class Delimited(DataProcessor):
    """Your own data, as it lies.

    Columns are named, or given by position: digits, the first column is 0. Several text columns
    are joined by a blank, empty ones left out.
    """

    name = "delimited"
    metrics = ("accuracy", "f1_macro", "mcc")

    def __init__(self, *, data_format: str | None = None, train_file: str | None = None,
                 dev_file: str | None = None, test_file: str | None = None,
                 text_column: Sequence[str] | None = None,
                 text_b_column: Sequence[str] | None = None, label_column: str | None = None,
                 id_column: str | None = None, header: str | bool = "auto",
                 labels: Sequence[str] | None = None, encoding: str = "utf-8",
                 task_type: str | None = None, label_separator: str = ","):
        """Makes a processor; every argument is the flag of that name.

        Args:
            data_format: "tsv", "csv", "jsonl", "json"; None: by the file's extension.
            train_file, dev_file, test_file: inside the data folder if there is one; None: the
                file called train, dev or test with one of the extensions in `FORMATS`.
            text_column: None: "text", else "sentence", else "title" and "body".
            text_b_column: second text of a pair.
            label_column: None: "label". The test file need not have it. Of a multi-label task
                also several, separated by commas, of 0 and 1.
            id_column: None: "id" if there is such a column.
            header: "auto": the first line names the columns if one is given by name.
            labels: None: the labels of the training file.
            encoding: of the files.
            task_type: "regression": labels are numbers; "multilabel": a row has any number of
                labels; None: labels, or what the checkpoint was trained with.
            label_separator: between the labels of a multi-label row.

        Raises:
            DataError: an argument has a value that is not allowed, or labels stand twice.
        """
        if data_format is not None and data_format not in FORMATS.values():
            raise DataError(f"--data_format={data_format} is not one of tsv, csv, jsonl, json"
                            f"{suggestion(data_format, FORMATS.values())}")
        self.data_format = data_format
        self.files = {"train": train_file, "dev": dev_file, "test": test_file}
        self.text_column = tuple(text_column or ())
        self.text_b_column = tuple(text_b_column or ())
        self.several, self.label_column = None, (label_column or "label",)
        self._label_is_default, self._separator = not label_column, label_separator or None
        self.id_column = id_column
        self.header = checked_header(header)
        self.labels = checked_labels(labels) if labels is not None else None
        self.encoding = encoding
        self.task_type = task_type
        if task_type == "regression":
            self.metrics = REGRESSION_METRICS
        if task_type == "multilabel":
            self.metrics = several.METRICS
            self.several, self.label_column, self.labels = several.of_flags(
                label_column, label_separator, self.labels)
        self.notices: list[str] = []

    def get_train_examples(self, data_dir: str | None = None) -> Sequence[InputExample]:
        """See base class; without --labels this is where the labels come from."""
        examples, report = self._read("train", data_dir)
        if self.labels is None and self.task_type != "regression":
            asked = f"--label_column={','.join(self.label_column)}" + (
                " (the default)" * self._label_is_default)
            labels = training_labels.of(examples, report, asked, self.several)
            report.check()
            if self.header is False:
                training_labels.look_for_header(examples, report, self.several)
            self.labels = labels
        tell(self.notices, report)
        return examples

    def get_dev_examples(self, data_dir: str | None = None) -> Sequence[InputExample]:
        """See base class; labels are checked if they are given or the training file was read."""
        examples, report = self._read("dev", data_dir)
        if os.path.normpath(report.path) in map(os.path.normpath,
                                                self._candidates("train", data_dir)):
            report.warning("dev is the file of train; its scores do not tell how well the "
                           "model does on rows that it has not seen")
        tell(self.notices, report)
        return examples

    def get_test_examples(self, data_dir: str | None = None) -> Sequence[InputExample]:
        """See base class; a label is kept if it is a known one or a score, else it is None."""
        examples, report = self._read("test", data_dir)
        tell(self.notices, report)
        return examples

    def get_labels(self) -> list[str] | None:
        """Returns the given labels, or those of the training file, sorted, once it was read.

        Integers are sorted as numbers. None: neither is there; a checkpoint then knows them.
        """
        return None if self.labels is None else list(self.labels)

    def data_files(self, data_dir: str | None = None) -> dict[str, str]:
        """See base class; a split of which there are several files is left out."""
        paths = {name: self._candidates(name, data_dir) for name in SPLITS}
        return {name: found[0] for name, found in paths.items() if len(found) == 1}

    def _candidates(self, name: str, data_dir: str | None,
                    exists: Callable[[str], bool] = storage.is_file) -> list[str]:
        """Returns the existing files that a split may be read from."""
        folder, file = data_dir or "", self.files[name]
        tried = [file] if file else [f"{name}{extension}" for extension in FORMATS]
        paths = [os.path.join(folder, each) for each in tried]
        return [path for path in paths if exists(path)]

    def _path(self, name: str, data_dir: str | None) -> str:
        """Returns the file of a split."""
        folder, file = data_dir or ".", self.files[name]
        if file:
            return _within(folder, file, name) if data_dir else file
        if not storage.is_folder(folder):
            raise DataError(f"--data_dir={folder}: there is no such folder")
        paths = self._candidates(name, data_dir) or self._candidates(
            name, data_dir, storage.is_there)  # no files: reading one tells what it is
        if len(paths) > 1:
            raise DataError(f"{folder}: {listed(map(os.path.basename, paths))} could all be the "
                            f"{name} split; say --{name}_file=... to choose one")
        if not paths:
            tried = ", ".join(f"{name}{extension}" for extension in FORMATS)
            if not data_dir:
                folder = "--data_dir is not given, and the current folder"
            raise DataError(Missing(
                f"{folder}: no file of the {name} split ({tried}); the folder has "
                f"{folder_content(folder)}. Another name is given by --{name}_file"))
        return paths[0]

    def _read(self, name: str, data_dir: str | None) -> tuple[Sequence[InputExample], Report]:
        """Returns the examples of a split and the report of its file, which has no problems."""
        path, labels = self._path(name, data_dir), self.labels
        extension = os.path.splitext(path)[1].lower()
        data_format = self.data_format or FORMATS.get(extension)
        if data_format is None:
            if not storage.is_file(path):
                read_text(path, self.encoding, Report(path))  # tells what it is
            raise DataError(why_no_text(path) or f"{path}: the extension {quoted(extension)} tells "
                            "no format; say --data_format=tsv, csv, jsonl or json")
        report = Report(path)
        examples = collected(path, lambda each: self._examples(name, data_format, labels, each),
                             report, may_stream(self, name))
        return examples, report

    def _examples(self, name: str, data_format: str, labels: Sequence[str] | None,
                  report: Report) -> Iterator[InputExample]:
        """Yields the examples of a file; raises `DataError` where it is known that all is wrong.

        Args:
            labels: those known when the file was read first.
        """
        rows = read_rows(report.path, data_format, self.encoding, report)
        first_row = next(rows, None)
        if first_row is None:
            if not report.failed:
                report.problem(0, "is empty: it holds no examples")
            raise report.error()
        rows, first = chain([first_row], rows), 0
        if data_format in ("jsonl", "json"):
            again = read_rows(report.path, data_format, self.encoding, Report(report.path))
            names = list(dict.fromkeys(key for _, cells in again for key in cells))
        elif self._has_header(name, first_row[1], report):
            names, first = [cell.strip() for cell in next(rows)[1]], 1
        else:
            names = None
        columns = Columns(names, data_format in ("tsv", "csv"), report)
        split = self._split(name, columns, report)
        if not columns.complete:
            if data_format in ("jsonl", "json"):  # what is wrong with its objects is told too
                deque(rows, maxlen=0)
            elif other := other_separator(names or (), data_format):  # the reason for all the rest
                raise DataError(f"{report.path}:1: {other}")
            raise report.error()
        doubted = as_columns(split.label) if self.header and all(
            map(is_position, self.label_column)) else ()
        yield from make_examples(columns.checked(rows, doubted), split, name, labels, report, first,
                                 self.task_type == "regression", self.several)
        report.check()

    def _has_header(self, name: str, cells: list[str], report: Report) -> bool:
        """Whether the first line is a header: as --header says, else if a name needs one."""
        if self.header is not None:
            return self.header
        labels = self.label_column
        needed = [*(self.text_column or ("text",)), *self.text_b_column, self.id_column or "0"]
        # A test file need not have the label; there it proves a header only by standing in it.
        if name != "test" or any(label in cells for label in labels):
            needed += labels
        if all(map(is_position, needed)):
            report.problem(0, "the columns are given by position, so nothing tells whether the "
                           "first line is a header; say --header=true or --header=false")
        return True

    def _split(self, name: str, columns: Columns, report: Report) -> Split:
        """Returns what the columns of a file are; the report has what is missing."""
        defaults = (names for names in DEFAULT_TEXT if columns.has(*names))
        text = self.text_column or next(defaults, ())
        if not text:
            columns.problem('there is no column "text", "sentence" or "title" and "body"; '
                            f"{columns.described()}; say --text_column=...")
        labels = self.label_column
        optional = name == "test" and not columns.has(*labels)
        row_id = self.id_column or ("id" if columns.has("id") else None)
        split = Split(
            report.path,
            text_a=tuple(columns.find(each, "--text_column") for each in text),
            text_b=tuple(columns.find(each, "--text_b_column") for each in self.text_b_column),
            label=None if optional else tuple(
                columns.find(each, "--label_column", self._label_is_default) for each in labels),
            row_id=columns.find(row_id, "--id_column") if row_id else None)
        for label, column in zip(labels, split.label or (), strict=False):
            if column in (*split.text_a, *split.text_b):
                columns.problem(f"column {quoted(label)} is both a text and the label")
        if not self.text_column:
            report.notice(f"text from {listed(text)}"
                          + ("" if split.label is None else f", label from {listed(labels)}")
                          + (f", row id from {quoted(row_id)}" if row_id else ""))
        if split.label and len(split.label) == 1:
            [named] = labels
            split = dataclasses.replace(
                split, label=split.label[0], label_separator=self._separator,
                label_name=None if is_position(named) else named)
        return split


def _within(folder: str, file: str, name: str) -> str:
    """Returns the path of a split's file within the data folder.

    Raises:
        DataError: it is not there, but there is one of this path from where the user stands.
    """
    path = os.path.join(folder, file)
    if not storage.is_there(path) and storage.is_file(file):
        there = "" if storage.is_remote(folder) else (
            f"; as seen from that folder it is --{name}_file={os.path.relpath(file, folder)}")
        raise DataError(f"--{name}_file={file}: is looked for within --data_dir={folder}, where it "
                        f"is not; from the current folder it is there{there}")
    return path
