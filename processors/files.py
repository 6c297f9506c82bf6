"""Opens the user's files: as one text, or line by line so that memory holds no more than a line.

    for line in read_lines("data/train.tsv", "utf-8", report):
        ...

What cannot be read at all raises `DataError`; bytes that do not decode are reported line by line.
"""

import codecs
import contextlib
import os
import re
from collections.abc import Iterable, Iterator

from processors import storage
from processors.errors import DataError, Missing, Report, listed, quoted, suggestion

_MOST = 3  # lines that do not decode, each with its place
_LIKE = 0.75  # of 1: dev.tsv is not test.tsv (0.67), trian.tsv is train.tsv (0.89)
_SAMPLE = 8192  # bytes
_TEXT_CONTROLS = b"\t\n\v\f\r\x1b"
_MAGIC = {b"PK\x03\x04": "a ZIP archive or an .xlsx table", b"\x1f\x8b": "a gzip file",
          b"PAR1": "a Parquet table", b"%PDF-": "a PDF", b"\x89PNG": "a PNG picture",
          b"SQLite format 3\0": "an SQLite database", b"\xd0\xcf\x11\xe0": "an .xls table"}
_READ = "what is read are TSV, CSV, JSON lines and JSON"

LONE_SURROGATE = re.compile("[\ud800-\udfff]")
# They let halves of surrogate pairs pass, which cannot be written, or are for names, not for texts.
_NO_ENCODINGS = ("unicode-escape", "raw-unicode-escape", "utf-7", "idna", "punycode", "undefined")


def read_lines(path: str, encoding: str, report: Report) -> Iterable[str]:
    r"""Returns the lines of a file, which end at "\n" only, or its text where that has faults.

    A file that does not decode is read as a whole, so that every bad line can be reported.

    Raises:
        DataError: see `read_text`.
    """
    _check_encoding(encoding)
    return _lines(path, encoding) if _decodes(path, encoding) else read_text(path, encoding, report)


def _lines(path: str, encoding: str) -> Iterator[str]:
    with storage.open_file(path, encoding, "\n") as file:
        first = file.readline().removeprefix("\ufeff")
        if first:
            yield first
            yield from file


def _decodes(path: str, encoding: str) -> bool:
    """Whether a file can be read without a fault from beginning to end."""
    try:
        with storage.open_file(path, encoding, "\n") as file:
            while file.read(1 << 20):
                pass
    except (OSError, LookupError, UnicodeError):
        return False
    return True


def read_text(path: str, encoding: str, report: Report) -> str:
    """Returns the text of a file, without a byte order mark, line ends as they are.

    Lines with bytes that do not decode are reported; reading goes on, to find what else is wrong.

    Raises:
        DataError: missing or unreadable file, unknown encoding, a file that is not at all in it or
            no text.
    """
    _check_encoding(encoding)
    try:
        with storage.open_file(path) as file:
            data = file.read()
    except OSError as error:
        raise DataError(_why_unreadable(path, error)) from error
    try:
        return data.decode(encoding).removeprefix("\ufeff")
    except LookupError as error:
        raise _no_encoding(encoding) from error
    except UnicodeError as error:
        return _decode_in_part(data, encoding, error, report)


def why_no_text(path: str) -> str | None:
    """Says of what kind a file is that begins like no text; None: like one, or it is not there."""
    try:
        with storage.open_file(path) as file:
            return _begins(path, file.read(_SAMPLE))
    except OSError:
        return None


def _begins(path: str, data: bytes) -> str | None:
    kind = next((kind for magic, kind in _MAGIC.items() if data.startswith(magic)), None)
    return f"{path}: is not text: it begins like {kind}; {_READ}" if kind else None


def _is_binary(data: bytes) -> bool:
    """Whether a file that does not decode is no text; that may have some NULs."""
    sample = data[:_SAMPLE]
    return 20 * sum(byte < 32 and byte not in _TEXT_CONTROLS for byte in sample) > len(sample)


def _check_encoding(encoding: str) -> None:
    try:
        name = codecs.lookup(encoding).name
    except (LookupError, ValueError) as error:
        raise _no_encoding(encoding) from error
    if name.replace("_", "-") in _NO_ENCODINGS:
        raise _no_encoding(encoding)


def _no_encoding(encoding: str) -> DataError:
    return DataError(f"--encoding={encoding} is not a text encoding that Python knows; allowed are "
                     "for example utf-8, utf-16, cp1252, gb18030")


def _why_unreadable(path: str, error: OSError) -> str:
    folder = os.path.dirname(path) or "."
    if not isinstance(error, FileNotFoundError):
        return f"{path}: cannot be read: {error.strerror}"
    if not storage.is_folder(folder):
        return Missing(
            f"{path}: no such file; the folder {folder} does not exist{_closest(folder)}")
    if storage.is_there(path):
        return f"{path}: is a link to a file that does not exist"
    return Missing(f"{path}: no such file{_closest(path)}; the folder has {folder_content(folder)}")


def _closest(path: str) -> str:
    """Returns `, closest is "train.tsv"` of what lies where a local path leads nowhere, or ""."""
    folder = os.path.dirname(path) or "."
    if storage.is_remote(path) or not storage.is_folder(folder):
        return ""
    with contextlib.suppress(OSError):  # a folder that nobody may look into
        return suggestion(os.path.basename(path), storage.names_in(folder), _LIKE)
    return ""


def folder_content(folder: str) -> str:
    """Returns the names of the visible files in a folder, for a message."""
    try:
        names = [name for name in storage.names_in(folder) if not name.startswith(".")]
    except OSError as error:
        return f"files that cannot be listed ({error.strerror})"
    return listed(names) if names else "no files"


def _decode_in_part(data: bytes, encoding: str, error: UnicodeError, report: Report) -> str:
    """Returns the text with undecodable bytes as lone surrogates, after reporting their lines."""
    if data[:2] in (b"\xff\xfe", b"\xfe\xff"):
        raise DataError(f"{report.path}: starts with the mark of UTF-16 and is not {encoding}; say "
                        "--encoding=utf-16") from error
    if _begins(report.path, data) or _is_binary(data):
        raise DataError(_begins(report.path, data) or f"{report.path}: is not "
                        f"text, or it is UTF-16: say --encoding=utf-16; {_READ}") from error
    hint = ("; say --encoding=... or convert the file, for example with "
            "iconv -f WINDOWS-1252 -t UTF-8 old > new")
    try:
        # Undecodable bytes come out as U+DC80 to U+DCFF, each in its place.
        text = data.decode(encoding, "surrogateescape")
    except UnicodeError:
        raise DataError(f"{report.path}: not {encoding}: {error}{hint}") from error
    wrong = [(number, line, found) for number, line in enumerate(text.split("\n"), start=1)
             if (found := LONE_SURROGATE.search(line))]
    for number, line, found in wrong[:_MOST]:
        at = found.start()
        where = f"after {quoted(line[max(0, at - 20):at])}" if at else "the first of the line"
        report.problem(number, f"not {encoding}: byte 0x{ord(found[0]) & 0xff:02x} at "
                       f"character {at + 1}, {where}{hint}")
        hint = ""
    if more := wrong[_MOST:]:
        report.problem(more[0][0], f"not {encoding} either"
                       + (f", nor are {len(more) - 1:,} lines after it" if more[1:] else ""))
    return text
