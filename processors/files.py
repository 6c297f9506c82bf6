"""Opens the user's files: as one text, or line by line so that memory holds no more than a line.

    for line in read_lines("data/train.tsv", "utf-8", report):
        ...

What cannot be read at all raises `DataError`; bytes that do not decode are reported line by line.
"""

import codecs
import os
import re
from collections.abc import Iterable, Iterator

from processors import storage
from processors.errors import DataError, Report, listed, quoted

LONE_SURROGATE = re.compile("[\ud800-\udfff]")
# They let halves of surrogate pairs pass, which cannot be written, or are for names, not for texts.
_NO_TEXT = ("unicode-escape", "raw-unicode-escape", "utf-7", "idna", "punycode", "undefined")


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

    Every line with bytes that do not decode is reported; reading goes on, to find what else is
    wrong.

    Raises:
        DataError: missing or unreadable file, unknown encoding, a file that is not at all in it.
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


def _check_encoding(encoding: str) -> None:
    try:
        name = codecs.lookup(encoding).name
    except (LookupError, ValueError) as error:
        raise _no_encoding(encoding) from error
    if name.replace("_", "-") in _NO_TEXT:
        raise _no_encoding(encoding)


def _no_encoding(encoding: str) -> DataError:
    return DataError(f"--encoding={encoding} is not a text encoding that Python knows; allowed are "
                     "for example utf-8, utf-16, cp1252, gb18030")


def _why_unreadable(path: str, error: OSError) -> str:
    folder = os.path.dirname(path) or "."
    if not isinstance(error, FileNotFoundError):
        return f"{path}: cannot be read: {error.strerror}"
    if not storage.is_folder(folder):
        return f"{path}: no such file; the folder {folder} does not exist"
    if storage.is_there(path):
        return f"{path}: is a link to a file that does not exist"
    return f"{path}: no such file; the folder has {folder_content(folder)}"


def folder_content(folder: str) -> str:
    """Returns the names of the visible files in a folder, for a message."""
    names = [name for name in storage.names_in(folder) if not name.startswith(".")]
    return listed(names) if names else "no files"


def _decode_in_part(data: bytes, encoding: str, error: UnicodeError, report: Report) -> str:
    """Returns the text with undecodable bytes as lone surrogates, after reporting their lines."""
    if data[:2] in (b"\xff\xfe", b"\xfe\xff"):
        raise DataError(f"{report.path}: starts with the mark of UTF-16 and is not {encoding}; say "
                        "--encoding=utf-16") from error
    hint = ("; say --encoding=... or convert the file, for example with "
            "iconv -f WINDOWS-1252 -t UTF-8 old > new")
    try:
        # Undecodable bytes come out as U+DC80 to U+DCFF, each in its place.
        text = data.decode(encoding, "surrogateescape")
    except UnicodeError:
        raise DataError(f"{report.path}: not {encoding}: {error}{hint}") from error
    for number, line in enumerate(text.split("\n"), start=1):
        found = LONE_SURROGATE.search(line)
        if found:
            at = found.start()
            where = f"after {quoted(line[max(0, at - 20):at])}" if at else "the first of the line"
            report.problem(number, f"not {encoding}: byte 0x{ord(found[0]) & 0xff:02x} at "
                           f"character {at + 1}, {where}{hint}")
            hint = ""
    return text
