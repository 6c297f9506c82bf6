"""How accuracy, or an error, depends on the length of a row: pure functions."""

import dataclasses

import numpy as np

GROUPS = 5  # of rows that were not cut, by length


@dataclasses.dataclass(frozen=True)
class Group:
    """Rows of some lengths.

    Attributes:
        least, most: lengths in tokens, both of them included.
        rows: how many rows there are.
        value: mean over them of what was asked for.
    """

    least: int
    most: int
    rows: int
    value: float


def by_length(lengths: np.ndarray, values: np.ndarray, longest: int, groups: int = GROUPS
              ) -> tuple[list[Group], Group | None]:
    """Sorts rows into groups of about as many rows each, by their length.

    Args:
        lengths: int[N], tokens of each row after the cut.
        values: float[N], what is averaged: 1 for a right answer, 0 for a wrong one, or an error.
        longest: the length at which rows are cut.
        groups: how many at most; fewer where many rows are of one length.

    Returns:
        The groups of the rows shorter than `longest`, the shortest first, and the group of the
        rows of that length, which may have been cut; None if there are none.
    """
    whole, full = lengths < longest, lengths >= longest
    ranks = np.sort(lengths[whole])
    cuts = [-(-len(ranks) * part // groups) - 1 for part in range(1, groups + 1)]
    edges = sorted({int(ranks[cut]) for cut in cuts}) if len(ranks) else []
    found, before = [], -1
    for edge in edges:
        found.append(_group(lengths, values, whole & (lengths > before) & (lengths <= edge)))
        before = edge
    return found, _group(lengths, values, full) if full.any() else None


def _group(lengths: np.ndarray, values: np.ndarray, chosen: np.ndarray) -> Group:
    return Group(int(lengths[chosen].min()), int(lengths[chosen].max()), int(chosen.sum()),
                 float(values[chosen].mean(dtype=np.float64)))
