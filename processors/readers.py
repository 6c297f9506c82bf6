"""Reads TSV, CSV, JSON lines and JSON into rows, each with the line it starts on.

    report = Report("data/train.tsv")
    for line, cells in read_rows("data/train.tsv", "tsv", "utf-8", report):
        ...
    report.check()

Cells are a list of str (tsv, csv) or a dict (jsonl, json). What is wrong with a row goes into the
report, so that all of it is told at once; only a file that cannot be read at all raises.
"""

import csv
import io
import json
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain, islice
from typing import Any

from processors.errors import Report, listed
from processors.files import LONE_SURROGATE, read_lines, read_text

Row = tuple[int, Any]  # (1-based line, list[str] or dict[str, Any])

FORMATS = {".tsv": "tsv", ".csv": "csv", ".jsonl": "jsonl", ".ndjson": "jsonl", ".json": "json"}

_BLANK = "blank line; every line is one example"
_LONE_CR = ("a carriage return that ends no line; convert the line ends, for example with "
            "tr '\\r' '\\n' < old > new")
_JSON_SPACE = re.compile(r"[ \t\n\r]*")


def read_rows(path: str, data_format: str, encoding: str, report: Report,
              blank: bool = False) -> Iterator[Row]:
    """Yields (line, cells) of a file.

    Args:
        path: file to read.
        data_format: "tsv", "csv", "jsonl" or "json".
        encoding: a text encoding of Python; a byte order mark is accepted.
        report: receives the problems of single rows.
        blank: whether a blank line of a tsv is a row of an empty cell, and no problem.

    Raises:
        DataError: see `read_text`.
    """
    if data_format == "tsv":
        return tsv_rows(read_lines(path, encoding, report), report, blank)
    if data_format == "json":  # one value, so one text
        return json_rows(read_text(path, encoding, report), report)
    reader = {"csv": csv_rows, "jsonl": jsonl_rows}[data_format]
    return reader(read_lines(path, encoding, report), report)


def tsv_rows(text: str | Iterable[str], report: Report, blank: bool = False) -> Iterator[Row]:
    r"""Yields rows as the original reads them: lines end at "\n", cells at "\t", no quoting.

    No cell is too long and no byte is forbidden (Python's csv stops at 131,072 characters).
    """
    lines = _lines(text)
    start = list(islice(lines, 2))
    if len(start) == 1 and "\r" in start[0][:-1]:
        report.problem(1, _LONE_CR)
        return
    for number, line in enumerate(chain(start, lines), start=1):
        line = line.removesuffix("\r")
        if not blank and not line.strip() and "\t" not in line:
            report.problem(number, _BLANK)
        else:
            yield number, line.split("\t")


def csv_rows(text: str | Iterable[str], report: Report, delimiter: str = ",",
             quotechar: str = '"') -> Iterator[Row]:
    """Yields records of a CSV text (RFC 4180); quoted cells may span lines.

    Broken quoting ends the reading: where the next record starts is then unknown.
    """
    # Python 3.10's csv refuses NUL. It becomes U+FFFD on every Python, so that all read the same;
    # the original's tokenizer drops both (clean_text).
    lines = io.StringIO(text, newline="\n") if isinstance(text, str) else text
    lines = (line.replace("\0", "\ufffd") for line in lines)
    reader = csv.reader(lines, delimiter=delimiter, quotechar=quotechar, strict=True)
    while True:
        start = reader.line_num + 1
        # The limit belongs to the whole process, so it is raised for one record at a time.
        limit = csv.field_size_limit(2**31 - 1)
        try:
            cells = next(reader, None)
        except csv.Error as error:
            report.problem(start, _csv_problem(str(error), reader.line_num))
            return
        finally:
            csv.field_size_limit(limit)
        if cells is None:
            return
        if not cells or (len(cells) == 1 and cells[0].isspace()):
            report.problem(start, _BLANK)
        else:
            yield start, cells


def jsonl_rows(text: str | Iterable[str], report: Report) -> Iterator[Row]:
    """Yields the objects of JSON lines: one object a line."""
    for number, line in enumerate(_lines(text), start=1):
        if not line.strip():
            report.problem(number, _BLANK)
            continue
        try:
            value, end = _decode(line, _skip_space(line, 0))
            if end < len(line):
                raise json.JSONDecodeError("Extra data", line, end)
        except (ValueError, RecursionError) as error:
            report.problem(number, _json_problem(error) + _hint_at_json(number, line))
            continue
        if isinstance(value, dict):
            yield number, value
        else:
            report.problem(number, f"{_kind(value)}, not a JSON object"
                           + _hint_at_json(number, line))


def json_rows(text: str, report: Report) -> Iterator[Row]:
    """Yields the objects of a JSON text that is one list of objects."""
    at, line = _skip_space(text, 0), 1
    if text[at:at + 1] != "[":
        if text[at:]:  # an empty file is told as one without examples
            report.problem(text.count("\n", 0, at) + 1, "not a list of objects "
                           '[{"text": "...", "label": "..."}, ...]; a file with one object a line '
                           'is read by --data_format=jsonl, pandas writes a list by to_json('
                           'orient="records")')
        return
    counted, separator, at = 0, "[", _skip_space(text, at + 1)
    try:
        if text[at:at + 1] == "]":
            separator, at = "]", _skip_space(text, at + 1)
        while separator != "]":
            line, counted = line + text.count("\n", counted, at), at
            value, at = _decode(text, at)
            if isinstance(value, dict):
                yield line, value
            else:
                report.problem(line, f"{_kind(value)}, not a JSON object")
            separator = text[at:at + 1]
            if separator not in (",", "]"):
                raise json.JSONDecodeError("Expecting ',' or ']'", text, at)
            at = _skip_space(text, at + 1)
        if at < len(text):
            raise json.JSONDecodeError("Extra data", text, at)
    except (ValueError, RecursionError) as error:
        report.problem(getattr(error, "lineno", line), _json_problem(error))


def other_separator(header: Sequence[str], data_format: str) -> str | None:
    """Returns what to do about a tsv or csv whose only column holds another separator."""
    if len(header) != 1:
        return None
    own, way = {"csv": ("comma", "save it with commas, or as TSV"),
                "tsv": ("tab", "save it with tabs, or as CSV")}[data_format]
    for mark, shown, reader in (("\t", "a tab", "tsv"), (";", '";"', None), ("|", '"|"', None),
                                (",", "a comma", "csv")):
        if mark in header[0]:
            return (f"line 1 has {shown} and no {own}: the file seems to be separated by "
                    f"{shown}; " + (f"say --data_format={reader}" if reader else way))
    return None


def json_text(value: Any) -> tuple[str | None, str | None]:
    """Turns a JSON value into a cell.

    Returns:
        (text, problem): text is None for null; a number is written as in the file, true and false
        in lower case. problem is None, or says why the value is no text. Half a surrogate pair,
        as cutting strings in JavaScript leaves it, becomes U+FFFD: it cannot be written as UTF-8.
    """
    if isinstance(value, str):
        return LONE_SURROGATE.sub("\ufffd", value), None
    if value is None:
        return None, None
    if isinstance(value, bool):
        return json.dumps(value), None
    return None, f"is {_kind(value)}, not a text or a number"


def _lines(text: str | Iterable[str]) -> Iterator[str]:
    r"""Splits at "\n" only (U+2028 and the like may stand in a text); lines stay lines."""
    if isinstance(text, str):
        text = text.removesuffix("\n").split("\n") if text else ()
    return (line.removesuffix("\n") for line in text)


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Makes an object and refuses one that has a key twice, where json would drop a value."""
    made = dict(pairs)
    if len(made) < len(pairs):
        counts = Counter(key for key, _ in pairs)
        twice = sorted(key for key, count in counts.items() if count > 1)
        raise ValueError(f"the object has a key twice: {listed(twice)}")
    return made


# Numbers keep the text they have in the file ("1.50", integers of any length); NaN and Infinity,
# which json would let pass, stay floats and are refused where they are used.
_raw_decode = json.JSONDecoder(object_pairs_hook=_object, parse_int=str, parse_float=str).raw_decode


def _decode(text: str, at: int) -> tuple[Any, int]:
    """Decodes the JSON value at a position; returns it and where the next thing stands."""
    value, end = _raw_decode(text, at)
    return value, _skip_space(text, end)


def _skip_space(text: str, at: int) -> int:
    return _JSON_SPACE.match(text, at).end()


def _kind(value: Any) -> str:
    if isinstance(value, (dict, list)):
        return "an object" if isinstance(value, dict) else "a list"
    return json.dumps(value) if isinstance(value, float) else "a single value"


def _json_problem(error: Exception) -> str:
    if isinstance(error, json.JSONDecodeError):
        return f"not valid JSON, {error.msg.removesuffix(' at')} at column {error.colno}"
    return "nested too deeply" if isinstance(error, RecursionError) else str(error)


def _hint_at_json(number: int, line: str) -> str:
    if number == 1 and line.lstrip()[:1] == "[":
        return "; a list of objects is read by --data_format=json"
    return ""


def _csv_problem(message: str, end: int) -> str:
    if message.startswith("unexpected end of data"):
        return f"a quoted cell that starts in this record is not closed up to the end, line {end}"
    if message.startswith("new-line character"):
        return _LONE_CR
    other = end == 1 and message.startswith("',' expected")  # "label";"text"
    return (f'broken quoting, {message} near line {end}; inside a quoted cell a quotation mark is '
            'written twice ("")'
            + "; if it is not commas that separate, save it with commas, or as TSV" * other)
