"""Long columns of a table: in memory while they are short, in a temporary file from there on.

    column = ColumnWriter(np.int32, "output")
    column.append(np.array([2, 7, 3]))
    column.finished()[1:3]

So the memory of a run does not grow with its training set. The file has no name: nothing is left
of it when the process ends, however it ends.
"""

import os
import tempfile
from typing import BinaryIO

import numpy as np

IN_MEMORY = 32 << 20  # bytes of a column; at 30 tokens a row those of 280,000 rows


class FileColumn:
    """Numbers in a file, read where they are asked for; as an array for `[...]` and `len`.

    It is no `np.memmap`: pages that were read once would go on counting as the process's memory.
    """

    def __init__(self, file: BinaryIO, dtype: type):
        """Takes an open file that holds nothing but the numbers."""
        self._file, self.dtype = file, np.dtype(dtype)  # of a table's labels: one for a row
        self._length = os.fstat(file.fileno()).st_size // self.dtype.itemsize

    def __len__(self) -> int:
        """How many numbers there are."""
        return self._length

    def __getitem__(self, index: slice | np.ndarray) -> np.ndarray:
        """Returns a copy of a slice, or of the numbers at these places; fast where they adjoin."""
        if isinstance(index, slice):
            start, stop, step = index.indices(self._length)
            return self._read(start, stop)[::step] if step > 0 else self[:][index]
        index = np.asarray(index)
        if not index.size:
            return np.empty(0, self.dtype)
        if index.min() < 0 or index.max() >= self._length:
            raise IndexError(f"{index.min()} to {index.max()} in a column of {self._length}")
        bounds = [0, *(np.flatnonzero(np.diff(index) != 1) + 1).tolist(), index.size]
        return np.concatenate([self._read(int(index[start]), int(index[end - 1]) + 1)
                               for start, end in zip(bounds, bounds[1:], strict=False)])

    def __array__(self, dtype: type | None = None, copy: bool | None = None) -> np.ndarray:
        """Returns all of it, in memory."""
        return self[:].astype(dtype or self.dtype.base, copy=False)

    def _read(self, start: int, stop: int) -> np.ndarray:
        size = self.dtype.itemsize
        made = np.empty(max(0, stop - start), self.dtype)
        view, done = memoryview(made).cast("B"), 0
        while done < len(view):
            got = os.preadv(self._file.fileno(), [view[done:]], start * size + done)
            if not got:
                raise OSError("the temporary file of a table's column has become shorter")
            done += got
        return made


class ColumnWriter:
    """Collects a column piece by piece."""

    def __init__(self, dtype: type, folder: str | None = None):
        """Starts an empty column.

        Args:
            folder: where the file may lie; None: where temporary files lie.
        """
        self._dtype, self._folder = np.dtype(dtype), folder
        self._parts: list[np.ndarray] = []
        self._size, self._file = 0, None

    def append(self, values: np.ndarray) -> None:
        """Adds numbers at the end. Raises OSError where the disk is full."""
        self._parts.append(np.ascontiguousarray(values, self._dtype.base))
        self._size += self._parts[-1].nbytes
        if self._size > IN_MEMORY:
            if self._file is None:
                self._file = tempfile.TemporaryFile(dir=self._folder)  # noqa: SIM115 (the column's)
            for part in self._parts:
                self._file.write(part.tobytes())
            self._parts.clear()

    def finished(self) -> np.ndarray | FileColumn:
        """Returns the whole column."""
        if self._file is None:
            return np.concatenate(self._parts) if self._parts else np.empty(0, self._dtype)
        self._file.flush()
        return FileColumn(self._file, self._dtype)
