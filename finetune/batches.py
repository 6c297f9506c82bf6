"""Which rows make a batch, and how their tokens are laid out; plain numpy.

Training reads an endless stream of epochs, each a new permutation that depends on (seed, epoch)
alone; batch i holds the places i * batch_size to (i + 1) * batch_size of that stream, so a run
that resumes at step i meets the rows it would have met. The original repeats the file and then
shuffles a buffer of 100, unseeded, so that a file sorted by label stays sorted; BufferedOrder
draws like that.
"""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np

from finetune.records import FeatureTable


class Batch(NamedTuple):
    """Rows ready for the encoder.

    Attributes:
        input_ids: int32[T] packed, or int32[B, S] padded.
        segment_ids: like input_ids.
        lengths: int32[B], real tokens of each row.
        label_ids: int32[B]; float32[B] scores of a regression; float32[B, L], 0 or 1 for each
            label, of a multi-label task.
    """

    input_ids: np.ndarray
    segment_ids: np.ndarray
    lengths: np.ndarray
    label_ids: np.ndarray


class TrainingOrder:
    """The rows of each training step.

    Args:
        rows: rows in the training split.
        batch_size: rows in a step.
        seed: --seed.
    """

    def __init__(self, rows: int, batch_size: int, seed: int):
        self._rows, self._batch_size, self._seed = rows, batch_size, seed
        self._epoch, self._order = -1, np.empty(0, np.int64)

    def batch(self, step: int) -> np.ndarray:
        """Returns int64[batch_size], the rows of a step (from 0); it may span two epochs."""
        places = np.arange(step * self._batch_size, (step + 1) * self._batch_size)
        epochs, places = np.divmod(places, self._rows)
        return np.concatenate([self._permutation(int(epoch))[places[epochs == epoch]]
                               for epoch in np.unique(epochs)])

    def _permutation(self, epoch: int) -> np.ndarray:
        if epoch != self._epoch:
            generator = np.random.default_rng([self._seed, epoch])
            self._epoch, self._order = epoch, generator.permutation(self._rows)
        return self._order


class BufferedOrder:
    """The original's order: the file again and again, through a buffer (tf.data's repeat, shuffle).

    A row leaves the buffer by chance and the next one of the file takes its place, so that no row
    comes earlier than buffer - 1 places before where it stands. What step i gets follows from all
    draws before, which are made again where a run resumes: some seconds for ten million rows.

    Args:
        rows: rows in the training split.
        batch_size: rows in a step.
        seed: --seed.
        buffer: rows in the buffer; 100 in the original.
    """

    def __init__(self, rows: int, batch_size: int, seed: int, buffer: int):
        self._rows, self._batch_size, self._seed, self._size = rows, batch_size, seed, buffer
        self._restart()

    def batch(self, step: int) -> np.ndarray:
        """Returns int64[batch_size], the rows of a step (from 0)."""
        if step < self._step:
            self._restart()
        while self._step <= step:
            rows = self._draw()
            self._step += 1
        return rows

    def _restart(self) -> None:
        self._step, self._read = 0, self._size
        self._generator = np.random.default_rng([self._seed, self._size])
        self._buffer = [place % self._rows for place in range(self._size)]

    def _draw(self) -> np.ndarray:
        drawn = []
        for place in self._generator.integers(self._size, size=self._batch_size).tolist():
            drawn.append(self._buffer[place])
            self._buffer[place] = self._read % self._rows
            self._read += 1
        return np.array(drawn, np.int64)


def training_order(rows: int, batch_size: int, seed: int,
                   buffer: int) -> TrainingOrder | BufferedOrder:
    """Returns the order of --shuffle_buffer_size: 0 shuffles all rows."""
    if buffer:
        return BufferedOrder(rows, batch_size, seed, buffer)
    return TrainingOrder(rows, batch_size, seed)


def by_length(lengths: np.ndarray, batch_size: int, tokens: int = 0,
              fill: bool = True) -> Iterator[np.ndarray]:
    """Yields every row once, longest first, in batches that fill a step.

    Rows of one length cost least together; the longest come first, so that a batch too large for
    the memory fails at once and not at the end.

    Args:
        lengths: int[N].
        batch_size: rows of the first batch, the longest there are. The later ones have as many
            as take no more room than those.
        tokens: what a batch may hold at least, however small that room is.
        fill: False: every batch has batch_size rows, the last one what is left.
    """
    order, start = np.argsort(-lengths, kind="stable"), 0
    room = max(tokens, batch_size * int(lengths.max(initial=0)))
    while start < len(order):
        rows = max(batch_size, room // max(1, int(lengths[order[start]]))) if fill else batch_size
        yield order[start:start + rows]
        start += rows


def longest_first(table: FeatureTable, rows: np.ndarray) -> np.ndarray:
    """Returns the rows of a batch by falling length, so that neighbours are of a size."""
    lengths = table.offsets[rows + 1] - table.offsets[rows]
    return rows[np.argsort(-lengths, kind="stable")]


def pack(table: FeatureTable, rows: np.ndarray) -> Batch:
    """Lays the real tokens of the rows one after the other, without padding."""
    starts = table.offsets[rows]
    lengths = table.offsets[rows + 1] - starts
    ends = np.cumsum(lengths)
    # Token i of the batch stands at i - (tokens before its row) + (where its row starts).
    tokens = np.arange(ends[-1]) + np.repeat(starts - ends + lengths, lengths)
    labels = table.label_ids[rows]
    return Batch(table.input_ids[tokens], table.segment_ids[tokens], lengths.astype(np.int32),
                 labels.astype(np.float32) if labels.ndim == 2 else labels)


def pad(table: FeatureTable, rows: np.ndarray, length: int) -> Batch:
    """Lays the rows out as [B, length] with zeros behind each, as the original does."""
    packed = pack(table, rows)
    places = np.arange(length) < packed.lengths[:, None]
    input_ids, segment_ids = np.zeros((2, len(rows), length), np.int32)
    input_ids[places], segment_ids[places] = packed.input_ids, packed.segment_ids
    return Batch(input_ids, segment_ids, packed.lengths, packed.label_ids)


def widths_up_to(longest: int) -> tuple[int, ...]:
    """Returns 8, 16, 24, 32, 48, 64, 96, ... up to `longest`: padding to one of them costs a third
    at most from 16 on, and there are few."""
    steps = sorted(base << power for power in range(longest.bit_length()) for base in (8, 12))
    return (*(width for width in steps if width != 12 and width < longest), longest)


def lay_out(table: FeatureTable, rows: np.ndarray, widths: Sequence[int]) -> Batch:
    """Packs the rows, or pads them to the smallest of the widths that holds them all.

    Args:
        widths: rising; empty: packed.

    Raises:
        ValueError: a row is longer than the last width.
    """
    if not widths:
        return pack(table, rows)
    longest = (table.offsets[rows + 1] - table.offsets[rows]).max()
    fitting = (width for width in widths if width >= longest)
    return pad(table, rows, next(fitting, widths[-1]))
