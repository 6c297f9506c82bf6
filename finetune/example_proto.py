r"""The bytes of `tf.train.Example` for many rows at a time, as the original's schema has them.

    list(serialized(block))     # [b"\n\xb3\x01\n...", ...], one a row

A message built and serialized in Python costs more than the tokens in it. What this writes is
plain protobuf, every list packed; the tests compare it with what `tf.train.Example` parses.
"""

import functools
import struct
from collections.abc import Iterator

import numpy as np

from finetune.feature_table import FeatureBlock

# message Example { Features features = 1; }  message Features { map<string, Feature> feature = 1; }
# message Feature { oneof kind { ..., FloatList float_list = 2; Int64List int64_list = 3; } }
# message FloatList { repeated float value = 1; }  message Int64List { repeated int64 value = 1; }
_FLOATS, _INTEGERS = 2, 3
WINDOW = "window"  # a feature of ours: the number of a text's window, where texts have several
_BITS = 7  # of a number in each byte of a varint; the eighth says that another byte follows


def serialized(block: FeatureBlock, pad_to: int | None = None,
               label_type: type = np.int32) -> Iterator[bytes]:
    """Yields the bytes of each row's `tf.train.Example`.

    Args:
        block: the rows.
        pad_to: None, or the length to which sequences are padded with zeros.
        label_type: np.int32 for label ids, np.float32 for scores, uint8[L] for 0 or 1 a label.

    Raises:
        ValueError: a row is longer than pad_to.
    """
    data, starts = varints(block.input_ids)
    ends = np.cumsum(block.lengths)
    ones = np.cumsum(np.append(0, block.segment_ids))
    seconds = ones[ends] - ones[ends - block.lengths]
    windows = [None] * len(block) if block.windows is None else block.windows.tolist()
    for length, second, first, end, label, window in zip(
            block.lengths.tolist(), seconds.tolist(), starts[ends - block.lengths].tolist(),
            starts[ends].tolist(), _labels(block, label_type), windows, strict=True):
        width = length if pad_to is None else pad_to
        if length > width:
            raise ValueError(f"a sequence of {length} ids does not fit into {width}")
        ids = data[first:end] + bytes(width - length)
        body = b"".join((_head("input_ids", len(ids)), ids, _masks(length, second, width),
                         _label(label), b"" if window is None else _window(window)))
        yield _start(1, len(body)) + body


def varints(values: np.ndarray) -> tuple[bytes, np.ndarray]:
    """Encodes numbers as protobuf does.

    Args:
        values: int32[T], none of them negative.

    Returns:
        (their bytes, int64[T + 1]: where each begins, and where the last ends).
    """
    values = values.astype(np.uint32)
    sizes = np.ones(len(values), np.int64)
    for size in range(1, 5):
        sizes += values >= 1 << (_BITS * size)
    starts = np.concatenate([np.zeros(1, np.int64), np.cumsum(sizes)])
    data = np.empty(starts[-1], np.uint8)
    for place in range(int(sizes.max(initial=0))):
        some = np.flatnonzero(sizes > place)
        more = (sizes[some] > place + 1).astype(np.uint32) << _BITS
        data[starts[some] + place] = (values[some] >> (_BITS * place)) & 0x7f | more
    return data.tobytes(), starts


@functools.lru_cache(maxsize=4096)
def _masks(length: int, second: int, width: int) -> bytes:
    """input_mask and segment_ids of a row of which the last `second` ids are a second text's."""
    padding = bytes(width - length)
    return (_feature("input_mask", b"\x01" * length + padding)
            + _feature("segment_ids", bytes(length - second) + b"\x01" * second + padding))


@functools.lru_cache(maxsize=1024, typed=True)  # 1 is not 1.0
def _label(label: int | float | bytes) -> bytes:
    one = _feature("is_real_example", b"\x01")
    if isinstance(label, float):
        return _feature("label_ids", struct.pack("<f", label), _FLOATS) + one
    return _feature("label_ids", label if isinstance(label, bytes) else _varint(label)) + one


def _labels(block: FeatureBlock, label_type: type) -> list[int] | list[float] | list[bytes]:
    """Returns ids or scores; of a multi-label task the 0 and 1 of each row, a byte each."""
    labels = block.labels(label_type)
    return labels.tolist() if labels.ndim == 1 else [row.tobytes() for row in labels]


@functools.lru_cache(maxsize=1024)
def _window(number: int) -> bytes:
    return _feature(WINDOW, _varint(number))


def _feature(name: str, values: bytes, kind: int = _INTEGERS) -> bytes:
    return _head(name, len(values), kind) + values


@functools.lru_cache(maxsize=8192)
def _head(name: str, size: int, kind: int = _INTEGERS) -> bytes:
    """What stands in front of a feature's values: the map's key is field 1, its value field 2."""
    head = b""
    for number in (1, kind, 2):  # from the inside
        head = _start(number, size + len(head)) + head
    key = _start(1, len(name)) + name.encode()
    return _start(1, len(key) + len(head) + size) + key + head


@functools.lru_cache(maxsize=8192)
def _start(number: int, size: int) -> bytes:
    """The start of a field of so many bytes: wire type 2, a length in front."""
    return _varint(number << 3 | 2) + _varint(size)


def _varint(value: int) -> bytes:
    return varints(np.array([value]))[0]
