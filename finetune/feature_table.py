"""Features of many examples in flat arrays: a block as it is made, a table of a whole split.

    block.input_ids[block.lengths[:3].sum():][:block.lengths[3]]       # of the block's row 3
    table.row(3)                                                       # of the table's

A block holds some hundred rows on their way from the tokenizer to the file; a table holds all rows
of a split, for batches to be drawn from.
"""

import dataclasses
from array import array
from collections.abc import Iterable, Iterator, Sequence

import numpy as np

from finetune.columns import ColumnWriter, FileColumn

LabelId = int | float | tuple[int, ...] | None


@dataclasses.dataclass(frozen=True, slots=True)
class InputFeatures:
    """One example as the encoder reads it, unpadded.

    Attributes:
        input_ids: [CLS] a [SEP] or [CLS] a [SEP] b [SEP], at most max_seq_length ids.
        segment_ids: 0 or 1 for each of the input_ids.
        label_id: position in the label list, the score of a regression, or a multi-label row's
            positions; None for a row of which nothing is known.
        tokens_before: how many ids there were before truncation, the special ones included.
    """

    input_ids: list[int]
    segment_ids: list[int]
    label_id: LabelId
    tokens_before: int


@dataclasses.dataclass(frozen=True, slots=True, eq=False)
class FeatureBlock:
    """Some sequences, B of them, one behind the other: an example each, or a window of one.

    Attributes:
        input_ids: int32[T], T the sum of all lengths.
        segment_ids: int32[T].
        lengths: int64[B].
        label_ids: B of what `InputFeatures.label_id` is.
        tokens_before: int64[B], of the whole example.
        windows: int64[B], a window's number among those of its example, from 0; None: every example
            is one sequence.
        cut: bool[B], where there are windows: some token of the example is in none of them.
    """

    input_ids: np.ndarray
    segment_ids: np.ndarray
    lengths: np.ndarray
    label_ids: Sequence[LabelId]
    tokens_before: np.ndarray
    windows: np.ndarray | None = None
    cut: np.ndarray | None = None

    @classmethod
    def of(cls, items: Sequence[InputFeatures]) -> "FeatureBlock":
        """Returns the block of features that are at hand one by one."""
        return cls(np.array([id_ for item in items for id_ in item.input_ids], np.int32),
                   np.array([id_ for item in items for id_ in item.segment_ids], np.int32),
                   np.array([len(item.input_ids) for item in items], np.int64),
                   [item.label_id for item in items],
                   np.array([item.tokens_before for item in items], np.int64))

    def __len__(self) -> int:
        """Number of sequences, B."""
        return len(self.lengths)

    def rows(self) -> Iterator[InputFeatures]:
        """Yields the sequences one by one."""
        ends = np.cumsum(self.lengths)
        for start, end, label_id, before in zip(
                (ends - self.lengths).tolist(), ends.tolist(), self.label_ids,
                self.tokens_before.tolist(), strict=True):
            yield InputFeatures(self.input_ids[start:end].tolist(),
                                self.segment_ids[start:end].tolist(), label_id, before)

    def labels(self, label_type: type) -> np.ndarray:
        """Returns label_type[B]; 0, the original's placeholder, where there is no label.

        Of a multi-label task uint8[B, L], 1 for each label that a row has.
        """
        if not np.dtype(label_type).shape:
            return np.array([label_id or 0 for label_id in self.label_ids], label_type)
        made = np.zeros(len(self), label_type)
        for row, label_ids in zip(made, self.label_ids, strict=True):
            row[list(label_ids or ())] = 1
        return made


@dataclasses.dataclass(frozen=True, slots=True)
class LengthSummary:
    """Lengths of a split in tokens, special ones included, before truncation.

    Attributes:
        count: number of examples.
        mean: average length.
        p50, p90, p95, p99: lengths that this share (in percent) of the examples does not exceed.
        max: the longest.
        truncated: number of examples that were cut to max_seq_length.
    """

    count: int
    mean: float
    p50: int
    p90: int
    p95: int
    p99: int
    max: int
    truncated: int


class LengthStats:
    """Collects the LengthSummary of blocks as they pass by; 4 bytes an example."""

    def __init__(self):
        """Starts with nothing seen."""
        self._lengths = array("i")
        self._truncated = 0

    def watch(self, blocks: Iterable[FeatureBlock]) -> Iterator[FeatureBlock]:
        """Hands the blocks on, taking note of their lengths."""
        for block in blocks:
            before, cut = block.tokens_before, block.tokens_before > block.lengths
            if block.windows is not None:  # the first of an example stands for it
                before, cut = before[block.windows == 0], block.cut[block.windows == 0]
            self._lengths.frombytes(before.astype(np.int32).tobytes())
            self._truncated += int(np.sum(cut))
            yield block

    def summary(self) -> LengthSummary:
        """Returns the summary of what passed so far; all zeros if nothing did."""
        lengths = np.sort(np.asarray(self._lengths, np.int64))
        if not lengths.size:
            return LengthSummary(0, 0.0, 0, 0, 0, 0, 0, 0)
        ranks = [-(-lengths.size * percent // 100) - 1 for percent in (50, 90, 95, 99, 100)]
        return LengthSummary(lengths.size, float(lengths.mean()), *lengths[ranks].tolist(),
                             self._truncated)


def length_summary(features: Iterable[InputFeatures]) -> LengthSummary:
    """Returns the LengthSummary of features that are at hand."""
    stats = LengthStats()
    for _ in stats.watch([FeatureBlock.of(list(features))]):
        pass
    return stats.summary()


@dataclasses.dataclass(frozen=True, slots=True, eq=False)
class FeatureTable:
    """All examples of a split in flat arrays; sequence i is at offsets[i]:offsets[i + 1].

    A sequence is an example, or a window of one; those of an example follow each other.

    Attributes:
        input_ids: int32[T], T the sum of all lengths; of a long split in a temporary file.
        segment_ids: int32[T], kept likewise.
        offsets: int64[N + 1].
        label_ids: int32[N], or float32[N], the scores of a regression, or uint8[N, L], 1 for each
            label of a multi-label row; 0 where the example has no label.
        is_real: bool[N]; False for the rows with which the original fills a TPU's last batch,
            of length 0.
        summary: lengths before truncation; None where the records do not tell.
        windows: int64[N], a window's number among those of its example, from 0; None: every example
            is one sequence.
    """

    input_ids: np.ndarray | FileColumn
    segment_ids: np.ndarray | FileColumn
    offsets: np.ndarray
    label_ids: np.ndarray
    is_real: np.ndarray
    summary: LengthSummary | None = None
    windows: np.ndarray | None = None

    @classmethod
    def from_blocks(cls, blocks: Iterable[FeatureBlock],
                    label_type: type = np.int32) -> "FeatureTable":
        """Builds the table from blocks that need no file; see `records.write`."""
        writer = TableWriter(label_type)
        for _ in writer.watch(blocks):
            pass
        return writer.table()

    @classmethod
    def from_features(cls, features: Iterable[InputFeatures],
                      label_type: type = np.int32) -> "FeatureTable":
        """Builds the table from features that need no file; see `records.write`."""
        return cls.from_blocks([FeatureBlock.of(list(features))], label_type)

    def __len__(self) -> int:
        """Number of sequences, N."""
        return len(self.label_ids)

    def first_windows(self) -> np.ndarray | slice:
        """Returns what picks the first sequence of every example out of a column."""
        return slice(None) if self.windows is None else np.flatnonzero(self.windows == 0)

    def example_labels(self) -> np.ndarray:
        """Returns the label_ids of the examples, one each."""
        return self.label_ids[self.first_windows()]

    def examples_of(self, sequences: np.ndarray) -> np.ndarray:
        """Returns int64[K], which examples some sequences are of."""
        if self.windows is None:
            return sequences
        return np.searchsorted(self.first_windows(), sequences, side="right") - 1

    def lengths(self) -> np.ndarray:
        """Returns int64[N], the length of each example in tokens."""
        return np.diff(self.offsets)

    def row(self, index: int) -> tuple[np.ndarray, np.ndarray]:
        """Returns (input_ids, segment_ids) of one example, int32[length] each, as views."""
        span = slice(self.offsets[index], self.offsets[index + 1])
        return self.input_ids[span], self.segment_ids[span]


def offsets(lengths: np.ndarray) -> np.ndarray:
    """Returns int64[N + 1], where the rows of these lengths begin, and where the last ends."""
    return np.concatenate([np.zeros(1, np.int64), np.cumsum(lengths, dtype=np.int64)])


class TableWriter:
    """Makes a table of what passes by.

    Args:
        label_type: see `records.write`.
        folder: where the long columns of a big table may lie, see `columns`.
    """

    def __init__(self, label_type: type, folder: str | None = None):
        """Starts an empty table."""
        self._tokens = ColumnWriter(np.int32, folder), ColumnWriter(np.int32, folder)
        self._rows = tuple(ColumnWriter(dtype, folder) for dtype in (np.int64, label_type, bool))
        self._windows = ColumnWriter(np.int64, folder)
        self._label_type, self._stats = label_type, LengthStats()

    def watch(self, blocks: Iterable[FeatureBlock]) -> Iterator[FeatureBlock]:
        """Hands blocks on, and adds them to the table."""
        for block in self._stats.watch(blocks):
            self.append(block.input_ids, block.segment_ids, block.lengths,
                        block.labels(self._label_type), np.ones(len(block), bool), block.windows)
            yield block

    def append(self, input_ids: np.ndarray, segment_ids: np.ndarray, lengths: np.ndarray,
               label_ids: np.ndarray, is_real: np.ndarray,
               windows: np.ndarray | None = None) -> None:
        """Adds rows, as the columns of FeatureTable hold them, of which no summary is known."""
        for column, values in zip((*self._tokens, *self._rows),
                                  (input_ids, segment_ids, lengths, label_ids, is_real),
                                  strict=True):
            column.append(values)
        if windows is not None:
            self._windows.append(windows)

    def table(self) -> FeatureTable:
        """Returns the table; its summary is that of the blocks that were watched."""
        lengths, label_ids, is_real = (np.asarray(column.finished()) for column in self._rows)
        windows = np.asarray(self._windows.finished())
        return FeatureTable(*(column.finished() for column in self._tokens), offsets(lengths),
                            label_ids, is_real, self._stats.summary(),
                            windows if windows.size else None)
