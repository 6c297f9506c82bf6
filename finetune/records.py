"""TFRecords of features: the original's schema, an atomic writer, a fast reader, a cache.

    table = cached("out/train.tf_record", {"data": examples_digest(examples), ...},
                   lambda: blocks(examples, labels, 128, tokenizer))
    table.input_ids, table.offsets, table.label_ids

Files have the original's feature names and types. Sequences are unpadded, unless `pad_to` asks
for the form that the original reads; `read` takes both, and the original's own files.
"""

import bisect
import contextlib
import dataclasses
import hashlib
import json
import os
import uuid
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import numpy as np
import tensorflow as tf

from finetune.errors import UserError
from finetune.example_proto import WINDOW, serialized
from finetune.feature_table import (
    FeatureBlock,
    FeatureTable,
    LengthSummary,
    TableWriter,
)
from finetune.log import LOGGER

# The schema, in the original's order. All of them int64 lists, but the scores of a regression:
# label_ids is then a float list. It holds a single number, or one for each label of a multi-label
# task. `example_proto` writes it.
SCHEMA = ("input_ids", "input_mask", "segment_ids", "label_ids", "is_real_example")
_SEQUENCES = SCHEMA[:3]
_FORMAT = 2  # to be raised when the same features would be written otherwise
_BATCH = 4096


def write(path: str, features: Iterable[FeatureBlock], pad_to: int | None = None,
          label_type: type = np.int32) -> int:
    """Writes features as TFRecords, completely or not at all.

    Args:
        path: any path TensorFlow can write. It appears, or is replaced, when all is written.
        features: blocks of unpadded features.
        pad_to: None to write sequences as they are; max_seq_length to pad them with zeros, as
            the original does and needs.
        label_type: np.int32 for label ids, np.float32 for the scores of a regression, uint8[L] for
            the 0 and 1 of a multi-label task (`task_kind.label_type`).

    Returns:
        The number of records.

    Raises:
        UserError: the file cannot be written, for example because the disk is full.
        ValueError: a sequence is longer than pad_to.
    """
    count = 0
    with _replacing(path) as temporary, tf.io.TFRecordWriter(temporary) as writer:
        for block in features:
            for record in serialized(block, pad_to, label_type):
                writer.write(record)
            count += len(block)
    return count


def read(path: str, label_type: type = np.int32) -> FeatureTable:
    """Reads a file of records, unpadded or padded, ours or the original's; see `write`.

    Raises:
        UserError: the file is missing or damaged; the message has the number of the record.
    """
    made, done = TableWriter(label_type, _folder(path)), 0
    try:
        for batch in tf.data.TFRecordDataset(path).batch(_BATCH):
            lengths, labels, is_real, ids, segments, windows = _parse(batch, label_type)
            made.append(ids, segments, lengths, labels, is_real, windows)
            done += len(lengths)
    except tf.errors.NotFoundError as error:
        raise UserError(f"{path}: there is no such file.") from error
    except (tf.errors.OpError, ValueError) as error:  # TensorFlow may fail to decode its own words
        number = done + _good_records(path, done, label_type) + 1
        raise UserError(f"{path}: record {number:,} is damaged; delete the file and run again. "
                        f"({getattr(error, 'message', error)})") from error
    return dataclasses.replace(made.table(), summary=None)


def cached(path: str, fingerprint: dict[str, Any],
           make: Callable[[], Iterable[FeatureBlock]],
           label_type: type = np.int32, pad_to: int | None = None) -> FeatureTable:
    """Reads records that an earlier run wrote for the same input, or makes them.

    Beside the records lies `<path>.json`: the fingerprint, number of records, size and sha256 of
    the file, lengths. The records are used again only if all of it is right; a stale, foreign or
    torn file is replaced.

    Args:
        path: for example output_dir/train.tf_record. One process at a time may make it.
        fingerprint: everything that decides the features, as JSON values.
        make: called only when the records have to be made.
        label_type, pad_to: see `write`.

    Returns:
        The table, with its summary.

    Raises:
        UserError: from `make`, or because the files cannot be written.
    """
    padded = {} if pad_to is None else {"pad_to": pad_to}
    fingerprint = json.loads(json.dumps({**fingerprint, **padded, "format": _FORMAT}))
    table = _reusable(path, fingerprint, label_type)
    if table is not None:
        return table
    made = TableWriter(label_type, _folder(path))  # of the very blocks that go into the file
    count = write(path, made.watch(make()), pad_to, label_type)
    table = made.table()
    note = {"fingerprint": fingerprint, "records": count, "bytes": tf.io.gfile.stat(path).length,
            "sha256": sha256_file(path), "lengths": dataclasses.asdict(table.summary)}
    with _replacing(f"{path}.json") as temporary, tf.io.gfile.GFile(temporary, "w") as file:
        file.write(json.dumps(note, indent=2, sort_keys=True) + "\n")
    return table


def _reusable(path: str, fingerprint: dict[str, Any], label_type: type) -> FeatureTable | None:
    """Returns the table if the files at path are intact and made for this fingerprint."""
    if not (tf.io.gfile.exists(path) and tf.io.gfile.exists(f"{path}.json")):
        return None
    try:
        with tf.io.gfile.GFile(f"{path}.json", "r") as file:
            note = json.loads(file.read())
        if note["fingerprint"] != fingerprint:
            return None
        if (note["bytes"] == tf.io.gfile.stat(path).length
                and note["sha256"] == sha256_file(path)):
            table = read(path, label_type)
            if len(table) == note["records"]:
                return dataclasses.replace(table, summary=LengthSummary(**note["lengths"]))
        wrong = "not the file that its .json describes"
    except (tf.errors.OpError, UserError, ValueError, KeyError, TypeError,
            RecursionError) as error:
        wrong = f"not to be read ({' '.join(str(error).split())[:100]})"
    LOGGER.info("note: %s is damaged, %s; the features are made anew", path, wrong)
    return None


def sha256_file(path: str) -> str:
    """Returns the sha256 of a file's bytes, as hexadecimal digits."""
    digest = hashlib.sha256()
    with tf.io.gfile.GFile(path, "rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()


def examples_digest(examples: Iterable[Any]) -> str:
    """Returns a sha256 over guid, text_a, text_b and label of all examples, in order.

    It stands for the data where the files behind a user's own processor are not known.
    """
    digest = hashlib.sha256()
    for example in examples:
        for value in (example.guid, example.text_a, example.text_b, example.label):
            if not isinstance(value, bytes):
                value = None if value is None else str(value).encode("utf-8", "surrogatepass")
            # The length in front keeps ("ab", "c") apart from ("a", "bc"), and None from "".
            digest.update(b"none;" if value is None else b"%d:%b" % (len(value), value))
    return digest.hexdigest()


def _folder(path: str) -> str | None:
    """Returns the folder of a local path, where there is room for as much again."""
    return None if "://" in path else os.path.dirname(path) or "."


def _type(name: str, label_type: type) -> tf.DType:
    """Returns the type in which a feature is written."""
    return tf.float32 if name == "label_ids" and label_type == np.float32 else tf.int64


def _parse(records: tf.Tensor, label_type: type) -> tuple[np.ndarray | None, ...]:
    """Parses serialized examples.

    Args:
        records: string[B].

    Returns:
        int64 arrays (float32 for scores): lengths [B], labels [B] or [B, L], is_real [B], and
        input_ids and segment_ids [T] without the padding, windows [B] or None.
    """
    rows = tf.io.parse_example(records, {name: tf.io.RaggedFeature(_type(name, label_type))
                                         for name in (*SCHEMA, WINDOW)})
    values = {name: row.flat_values.numpy() for name, row in rows.items()}
    widths = {name: row.row_lengths().numpy() for name, row in rows.items()}
    labels = np.dtype(label_type).shape  # of a row: () or (L,)
    for name in SCHEMA:
        expected = (widths["input_ids"] if name in _SEQUENCES else
                    labels[0] if labels and name == "label_ids" else 1)
        if not np.all(widths[name] == expected):
            raise ValueError(f"{name} has the wrong number of values")
    windows = values[WINDOW]
    if windows.size and not np.all(widths[WINDOW] == 1):
        raise ValueError(f"{WINDOW} has the wrong number of values")
    lengths = tf.reduce_sum(rows["input_mask"], axis=1).numpy()
    ends = np.repeat(np.cumsum(widths["input_ids"]) - widths["input_ids"] + lengths,
                     widths["input_ids"])
    kept = np.arange(len(ends)) < ends
    if not np.array_equal(values["input_mask"], kept):
        raise ValueError("input_mask is not a row of ones followed by zeros")
    return (lengths, values["label_ids"].reshape(-1, *labels), values["is_real_example"],
            values["input_ids"][kept], values["segment_ids"][kept],
            windows if windows.size else None)


def _good_records(path: str, skip: int, label_type: type) -> int:
    """Counts the good records after the first `skip`, up to a damaged one in the next batch."""
    records = []
    with contextlib.suppress(tf.errors.OpError):
        for record in tf.data.TFRecordDataset(path).skip(skip).take(_BATCH):
            records.append(record.numpy())

    def fails(count: int) -> bool:
        try:
            _parse(tf.constant(records[:count]), label_type)
        except (tf.errors.OpError, ValueError):
            return True
        return False

    return bisect.bisect_left(range(1, len(records) + 1), True, key=fails)


@contextlib.contextmanager
def _replacing(path: str) -> Iterator[str]:
    """Gives a temporary name in the same folder, renamed to `path` if the block succeeds."""
    temporary = f"{path}.{uuid.uuid4().hex[:8]}.tmp"
    try:
        for left in tf.io.gfile.glob(f"{path}.*.tmp"):  # by a run that was killed
            tf.io.gfile.remove(left)
        yield temporary
        tf.io.gfile.rename(temporary, path, overwrite=True)
    except (tf.errors.OpError, OSError) as error:
        reason = getattr(error, "message", None) or error
        raise UserError(f"{path}: cannot be written ({reason}).") from error
    finally:
        if tf.io.gfile.exists(temporary):
            tf.io.gfile.remove(temporary)
