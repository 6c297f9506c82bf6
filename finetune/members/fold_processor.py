"""A processor of one fold: the rows of another's training split, as training and dev split."""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np


class Rows(Sequence):
    """Some rows of a sequence, in its order; those of a big file are read as they are asked for.

    Args:
        rows: all of them, a list or what reads a file anew whenever it is gone through.
        wanted: bool[N].
    """

    def __init__(self, rows: Sequence[Any], wanted: np.ndarray):
        self._rows, self._wanted = rows, wanted
        self._places = np.flatnonzero(wanted)

    def __len__(self) -> int:
        """Number of rows."""
        return len(self._places)

    def __iter__(self) -> Iterator[Any]:
        """Goes through all rows once and leaves out those that are not wanted."""
        return (row for row, wanted in zip(self._rows, self._wanted.tolist(), strict=True)
                if wanted)

    def __getitem__(self, index: int | slice) -> Any:
        """Returns a row, or a list of some."""
        if isinstance(index, slice):
            return [self._rows[place] for place in self._places[index].tolist()]
        return self._rows[int(self._places[index])]


class FoldProcessor:
    """The original's four methods; labels, test split and all else are the wrapped one's.

    Args:
        processor: whose training split is dealt.
        rows: its training split.
        folds: int64[N], the fold of each row.
        fold: whose rows are the dev split; all others are the training split.
    """

    def __init__(self, processor: Any, rows: Sequence[Any], folds: np.ndarray, fold: int):
        self._processor, self._rows, self._held_out = processor, rows, folds == fold

    def get_train_examples(self, data_dir: str) -> Sequence[Any]:
        """Returns the rows of all other folds."""
        return self._some(~self._held_out)

    def get_dev_examples(self, data_dir: str) -> Sequence[Any]:
        """Returns the rows of this fold."""
        return self._some(self._held_out)

    def _some(self, wanted: np.ndarray) -> Sequence[Any]:
        some = Rows(self._rows, wanted)
        return list(some) if isinstance(self._rows, (list, tuple)) else some

    def get_test_examples(self, data_dir: str) -> Sequence[Any]:
        """Returns the wrapped processor's test split."""
        return self._processor.get_test_examples(data_dir)

    def get_labels(self) -> Any:
        """Returns the wrapped processor's labels, those of all folds."""
        return self._processor.get_labels()

    def data_files(self, data_dir: str) -> dict[str, str]:
        """Returns the paths of the files that the splits are from, where they are known."""
        files = getattr(self._processor, "data_files", lambda _: {})(data_dir)
        files = {split: path for split, path in files.items() if split != "dev"}
        return {**files, **({"dev": files["train"]} if "train" in files else {})}

    def __getattr__(self, name: str) -> Any:
        """Returns what the wrapped processor says besides: task_type, metrics, notices."""
        if name.startswith("_"):
            raise AttributeError(name)
        return getattr(self._processor, name)
