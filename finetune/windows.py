"""Which tokens of a text the model gets to see, and in which sequences: docs/long_texts.md.

    made = layout(lengths_a, lengths_b, 128, LongTexts("head_tail"))
    ids_a[made.places_a], made.lengths_a       # the tokens kept, one sequence behind the other

A text that is too long is cut, or read in windows. Cut, a single text keeps max_seq_length - 2
tokens; of a pair each side keeps as many as the original leaves it. Of windows see `kept`.
"""

import dataclasses

import numpy as np

from finetune.feature_table import offsets
from finetune.options.long_texts import LongTexts

HEAD = LongTexts()  # as the original cuts
_HEAD_SHARE = 0.25  # of head_tail: Sun et al. 2019 keep the first 128 and the last 382 of 510


@dataclasses.dataclass(frozen=True, eq=False)
class Layout:
    """B examples as W sequences, W >= B.

    Attributes:
        rows: int64[W], which example a sequence is of; rising.
        windows: int64[W], its number among those of its example, from 0.
        lengths_a, lengths_b: int64[W], tokens of each text in a sequence.
        places_a, places_b: where in the ids of all texts, one behind the other, they stand.
        read: int64[B], different tokens of an example that are in some sequence.
    """

    rows: np.ndarray
    windows: np.ndarray
    lengths_a: np.ndarray
    lengths_b: np.ndarray
    places_a: np.ndarray
    places_b: np.ndarray
    read: np.ndarray


@dataclasses.dataclass(frozen=True, eq=False)
class Kept:
    """What is kept of B examples, and how it is read.

    Attributes:
        a, b: int64[B], tokens of each text that are in some sequence.
        width_a, width_b: int64[B], tokens of each text in a sequence: all of a or of b, or a window
            of it.
        step: int64[B], from a window to the next.
        count: int64[B], windows.
    """

    a: np.ndarray
    b: np.ndarray
    width_a: np.ndarray
    width_b: np.ndarray
    step: np.ndarray
    count: np.ndarray

    def tokens(self) -> np.ndarray:
        """Returns int64[B], the tokens of all windows of an example, special ones included."""
        return self.count * (self.width_a + self.width_b + np.where(self.width_b > 0, 3, 2))


def kept(a: np.ndarray, b: np.ndarray, max_seq_length: int, long_texts: LongTexts = HEAD) -> Kept:
    """Returns how much is kept of some examples.

    With windows, and where an example does not fit: a single text, and of a pair the longer side (b
    where both are as long) is read in windows; the other is in each of them, cut to half the room.
    A window is as wide as the room that is left, and the next begins window_stride tokens behind
    it, or just where it ends if it is narrower; the last one ends with the text. Where that would
    be more than max_windows, the side is first cut to what they hold.

    Args:
        a, b: int64[B], lengths of the texts in tokens; b is 0 for a single text.
        max_seq_length: of a sequence.
        long_texts: cut, or windows.
    """
    pair = b > 0
    room = max_seq_length - np.where(pair, 3, 2)
    if not long_texts.window_stride:
        keep_a, keep_b = pair_lengths(a, b, max_seq_length - 3)
        keep_a = np.where(pair, keep_a, np.minimum(a, max_seq_length - 2))
        keep_b = np.where(pair, keep_b, 0)
        ones = np.ones_like(keep_a)
        return Kept(keep_a, keep_b, keep_a, keep_b, ones, ones)
    fits, in_b = a + b <= room, pair & (b >= a)
    longer, shorter = np.where(in_b, b, a), np.where(in_b, a, b)
    shorter = np.where(fits, shorter, np.minimum(shorter, room // 2))
    width = room - shorter
    step = np.minimum(long_texts.window_stride, width)
    longer = np.minimum(longer, width + (long_texts.max_windows - 1) * step)
    count = 1 - np.minimum(width - longer, 0) // step  # -(-x // y): upwards
    width = np.minimum(width, longer)
    return Kept(np.where(in_b, shorter, longer), np.where(in_b, longer, shorter),
                np.where(in_b, shorter, width), np.where(in_b, width, shorter), step, count)


def estimated(characters: int, max_seq_length: int, long_texts: LongTexts = HEAD) -> int:
    """Returns about how many windows a text of so many characters has, 4 a token; 1 when cut."""
    if not long_texts.window_stride:
        return 1
    behind_the_first = max(0, characters // 4 - (max_seq_length - 2))
    return min(long_texts.max_windows, 1 - -behind_the_first // long_texts.window_stride)


def layout(a: np.ndarray, b: np.ndarray, max_seq_length: int,
           long_texts: LongTexts = HEAD) -> Layout:
    """Returns where the tokens of each sequence stand; see `kept` for the arguments."""
    keep = kept(a, b, max_seq_length, long_texts)
    if not long_texts.window_stride:
        rows, windows = np.arange(len(a)), np.zeros(len(a), np.int64)
    else:
        rows, windows = np.repeat(np.arange(len(a)), keep.count), ranges(0 * a, keep.count)
    places = []
    for lengths, kept_, width in ((a, keep.a, keep.width_a), (b, keep.b, keep.width_b)):
        first = np.minimum(windows * keep.step[rows], (kept_ - width)[rows])
        places.append(_places(lengths, kept_, rows, first, width[rows], long_texts.truncation))
    return Layout(rows, windows, keep.width_a[rows], keep.width_b[rows], *places, keep.a + keep.b)


def _places(lengths: np.ndarray, keep: np.ndarray, rows: np.ndarray, first: np.ndarray,
            widths: np.ndarray, truncation: str) -> np.ndarray:
    """Returns where tokens stand in the ids of all texts.

    Args:
        lengths, keep: int64[B], tokens that the texts have, and that are kept.
        rows, first, widths: int64[W], of each sequence its text, and which of the tokens kept.
    """
    begins = offsets(lengths)[:-1][rows]
    if truncation == "head":
        return ranges(begins + first, widths)
    head = np.rint(_HEAD_SHARE * keep).astype(np.int64) if truncation == "head_tail" else 0 * keep
    place = ranges(first, widths)
    behind = place >= np.repeat(head[rows], widths)
    return place + np.repeat(begins, widths) + behind * np.repeat((lengths - keep)[rows], widths)


def ranges(starts: np.ndarray, lengths: np.ndarray) -> np.ndarray:
    """Returns the numbers start, start + 1, ... of each row, one row behind the other.

    >>> ranges(np.array([10, 20]), np.array([2, 3]))
    array([10, 11, 20, 21, 22])
    """
    ends = np.cumsum(lengths)
    return np.repeat(starts - ends + lengths, lengths) + np.arange(ends[-1])


def pair_lengths(a: np.ndarray, b: np.ndarray, room: int) -> tuple[np.ndarray, np.ndarray]:
    """How much the original keeps of a pair: it drops from the longer side, ties from b.

    Args:
        a, b: int64[B], lengths in tokens.
        room: tokens that fit.

    Returns:
        The lengths kept, for example (5, 2) of (10, 2) in 7, and (4, 3) of (10, 9) in 7.
    """
    fits = a + b <= room
    keep_a = np.where(fits, a, np.minimum(a, np.maximum(room - b, (room + 1) // 2)))
    return keep_a, np.where(fits, b, room - keep_a)
