"""Files of the user by path: of this machine, or gs:// and whatever else TensorFlow can read.

TensorFlow is imported only where a path has a scheme; an error is the OSError that a local file
would raise.
"""

import contextlib
import errno
import io
import os
import stat
from collections.abc import Iterator
from typing import IO, Any


def is_remote(path: str) -> bool:
    """Whether a path has a scheme, as gs://bucket/file has."""
    return "://" in path


def open_file(path: str, encoding: str | None = None, newline: str | None = None) -> IO[Any]:
    """Opens a file for reading: bytes, or text where an encoding is given.

    Raises:
        OSError: it cannot be read, or is a pipe or a device.
        LookupError: an unknown encoding.
    """
    if not is_remote(path):
        kind = os.stat(path).st_mode
        if not (stat.S_ISREG(kind) or stat.S_ISDIR(kind)):  # of a folder open() tells
            raise OSError(errno.EINVAL, "is a pipe or a device, and data is read more than once",
                          path)
        return open(path, "rb") if encoding is None else open(path, encoding=encoding,
                                                              newline=newline)
    data = io.BufferedReader(_Remote(path), 1 << 20)
    return data if encoding is None else io.TextIOWrapper(data, encoding, newline=newline)


def is_file(path: str) -> bool:
    """Whether there is a file of this path."""
    if is_remote(path):
        with contextlib.suppress(OSError), _as_os_error(path):  # a scheme that nobody knows
            return _gfile().exists(path) and not _gfile().isdir(path)
        return False
    return os.path.isfile(path)


def is_folder(path: str) -> bool:
    """Whether there is a folder of this path."""
    return _gfile().isdir(path) if is_remote(path) else os.path.isdir(path)


def names_in(folder: str) -> list[str]:
    """Returns the names of what lies in a folder, in order.

    Raises:
        OSError: nobody may look into it.
    """
    with _as_os_error(folder):
        found = _gfile().listdir(folder) if is_remote(folder) else os.listdir(folder)
    return sorted(name.rstrip("/") for name in found)


def is_there(path: str) -> bool:
    """Whether there is anything of this path, be it a link to nowhere."""
    return is_file(path) or is_folder(path) if is_remote(path) else os.path.lexists(path)


def stamp(path: str) -> tuple[int, int] | None:
    """Returns size and time of change of a file, None if it is not there."""
    try:
        with _as_os_error(path):
            status = _gfile().stat(path) if is_remote(path) else os.stat(path)
    except OSError:
        return None
    return ((status.length, status.mtime_nsec) if is_remote(path)
            else (status.st_size, status.st_mtime_ns))


class _Remote(io.RawIOBase):
    """The bytes of a file that TensorFlow reads."""

    def __init__(self, path: str):
        self._path = path
        with _as_os_error(path):
            if _gfile().isdir(path):
                raise IsADirectoryError(errno.EISDIR, "is a folder", path)
            self._file = _gfile().GFile(path, "rb")
            self._file.size()  # raises what opening it would

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: memoryview) -> int:
        with _as_os_error(self._path):
            data = self._file.read(len(buffer))
        buffer[:len(data)] = data
        return len(data)


def _gfile() -> Any:
    import tensorflow as tf
    return tf.io.gfile


@contextlib.contextmanager
def _as_os_error(path: str) -> Iterator[None]:
    """Turns what TensorFlow raises for a file into an OSError."""
    try:
        yield
    except OSError:
        raise
    except Exception as error:
        if not hasattr(error, "error_code"):
            raise
        missing = type(error).__name__ == "NotFoundError"
        kind = FileNotFoundError if missing else OSError
        reason = os.strerror(errno.ENOENT) if missing else str(error.message).splitlines()[0]
        raise kind(errno.ENOENT if missing else errno.EIO, reason, path) from error
