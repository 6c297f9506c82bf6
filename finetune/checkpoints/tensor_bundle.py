"""The two files of a TensorFlow checkpoint: what the tensors are, and which file is damaged.

    shapes("output/run/model.ckpt-343")["output_weights"]          # (3, 384), from the .index
    dict(values("output/run/model.ckpt-343", ["output_weights"]))  # from the .data-00000-of-00001
"""

import os
from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np
import tensorflow as tf

from finetune.errors import UserError

# What TensorFlow's reader raises for a file that is cut, altered or none of its own.
_UNREADABLE = (tf.errors.OpError, ValueError, RuntimeError, IndexError)


def shapes(prefix: str) -> dict[str, tuple[int, ...]]:
    """Returns the shape of every tensor.

    Raises:
        UserError: the index is damaged, or there is a file that is none.
    """
    if "://" not in prefix:  # TensorFlow would wait for a writer of a pipe
        for path in _data_files(prefix):
            if not os.path.isfile(path):
                raise _not_whole(prefix, f"{path} is no file")
    return {name: tuple(shape)
            for name, shape in _reader(prefix).get_variable_to_shape_map().items()}


def values(prefix: str, names: Iterable[str]) -> Iterator[tuple[str, np.ndarray]]:
    """Yields the named tensors, each compared with its checksum.

    Raises:
        UserError: one cannot be read.
    """
    reader = _reader(prefix)
    for name in names:
        try:
            yield name, reader.get_tensor(name)
        except _UNREADABLE as error:
            files = _data_files(prefix) or [f"{prefix}.data-00000-of-00001"]
            raise _not_whole(prefix, f"{_fault(*files)}, {name} cannot be read", error) from error


def _reader(prefix: str) -> Any:
    try:
        return tf.compat.v1.train.NewCheckpointReader(prefix)
    except _UNREADABLE as error:
        raise _not_whole(prefix, _fault(f"{prefix}.index"), error) from error


def _data_files(prefix: str) -> list[str]:
    return sorted(tf.io.gfile.glob(prefix + ".data-*"))


def _fault(*files: str) -> str:
    are_there = all(map(tf.io.gfile.exists, files))
    return f"{' or '.join(files)} is {'damaged or cut' if are_there else 'not there'}"


def _not_whole(prefix: str, why: str, error: Exception | None = None) -> UserError:
    said = f" (TensorFlow: {' '.join(str(error).split())[:200]})" if error else ""
    return UserError(f"{prefix}: is no whole TensorFlow checkpoint: {why}{said}")
