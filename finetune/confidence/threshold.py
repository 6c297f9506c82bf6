"""From which confidence on a model is right often enough; pure functions.

    choose(confidence, right, 0.95)       # the smallest threshold whose rows are 95 % right
"""

import dataclasses
import math

import numpy as np

_Z = 1.959963984540054  # of a 95 % interval


@dataclasses.dataclass(frozen=True)
class Threshold:
    """A threshold and what it does to the rows it was counted on.

    Attributes:
        value: least confidence of an answered row.
        rows: all.
        answered: how many reach it.
        right: how many of those are right.
    """

    value: float
    rows: int
    answered: int
    right: int

    @property
    def precision(self) -> float:
        """Share of the answered rows that are right."""
        return self.right / self.answered

    @property
    def coverage(self) -> float:
        """Share of the rows that are answered."""
        return self.answered / self.rows


def choose(confidence: np.ndarray, right: np.ndarray, wanted: float) -> tuple[Threshold, bool]:
    """Finds the threshold that answers most rows with a wanted precision.

    Args:
        confidence: float[N], N > 0, of the predicted label.
        right: bool[N], whether that is the true one.
        wanted: least precision of the answered rows.

    Returns:
        (the smallest confidence that occurs from which on the precision is reached, True), or (the
        one with the highest precision, of equal ones that which answers most, False).
    """
    order = np.argsort(-confidence, kind="stable")
    sorted_ = confidence[order]
    ends = np.flatnonzero(np.append(np.diff(sorted_) != 0, True))  # rows of one confidence: whole
    answered, hits = ends + 1, np.cumsum(right[order])[ends]
    precision = hits / answered
    reached = np.flatnonzero(precision >= wanted)
    best = reached if reached.size else np.flatnonzero(precision == precision.max())
    place = best[-1]
    return Threshold(float(sorted_[ends[place]]), len(confidence), int(answered[place]),
                     int(hits[place])), bool(reached.size)


def wilson(right: int, count: int) -> tuple[float, float]:
    """Returns the ends of Wilson's 95 % interval (1927) of a share, `right` of `count`."""
    if not count:
        return 0.0, 1.0
    share, square = right / count, _Z * _Z
    middle = share + square / (2 * count)
    half = _Z * math.sqrt(share * (1 - share) / count + square / (4 * count * count))
    return (max(0.0, (middle - half) / (1 + square / count)),
            min(1.0, (middle + half) / (1 + square / count)))
