"""Deals rows to folds: the labels alike in all of them, the same text in one only.

    folds = deal(same_text(examples), strata(examples, labels), folds=5, seed=42)      # int64[N]
"""

import hashlib
from array import array
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from finetune.check import texts
from finetune.check.duplicates import first_alike
from finetune.check.findings import as_text
from finetune.task_kind import TaskKind, number

_BINS = 10  # of the scores of a regression


def same_text(examples: Iterable[Any]) -> np.ndarray:
    """Returns int64[N], the first row with the same text as each.

    The same are texts that differ in case, punctuation and blanks only, as for --do_check. They are
    told by 64-bit hashes; two texts that share one by chance lie in one fold, which does no harm.
    """
    keys = array("q")
    for example in examples:
        pair = as_text(example.text_a), as_text(example.text_b)
        plain = tuple(map(texts.plain, pair))
        text = repr(plain if any(plain) else pair).encode("utf-8", "surrogatepass")
        digest = hashlib.blake2b(text, digest_size=8).digest()
        keys.append(int.from_bytes(digest, "big", signed=True))
    return first_alike(np.array(keys, np.int64))


def strata(examples: Iterable[Any], labels: Sequence[str]) -> np.ndarray:
    """Returns int64[N], what is to be alike in all folds: the label, of a score its tenth.

    Args:
        labels: of the head; a single one is that of a regression.
    """
    if TaskKind.of(labels) is TaskKind.REGRESSION:
        scores = np.array([number(example.label) for example in examples], np.float64)
        return np.searchsorted(np.quantile(scores, np.arange(1, _BINS) / _BINS), scores, "right")
    codes: dict[str, int] = {}
    return np.array([codes.setdefault(str(example.label), len(codes)) for example in examples],
                    np.int64)


def deal(first: np.ndarray, stratum: np.ndarray, folds: int, seed: int) -> np.ndarray:
    """Returns int64[N], the fold of each row, from 0.

    Rows of one text are dealt together, the largest lots first: each to the fold that has the
    fewest rows of its stratum (that of its first row), of several such to the smallest. Where no
    text is there twice, folds differ by one row at most, in all and of every stratum.

    Args:
        first: int64[N], as `same_text` has it.
        stratum: int64[N], as `strata` has it.
        folds: how many; no more than there are texts, so that none stays empty.
        seed: decides the order of lots that are alike.
    """
    lots, sizes = np.unique(first, return_counts=True)
    order = np.random.default_rng(seed).permutation(len(lots))
    # Lots of one text after the others, a stratum after the other: what is left of one is evened
    # out by the next.
    order = order[np.lexsort((stratum[lots[order]], -sizes[order]))]
    of_stratum = np.zeros((int(stratum.max()) + 1, folds), np.int64).tolist()
    in_all, chosen = [0] * folds, np.zeros(len(first), np.int64)
    for lot, size, group in zip(*(values[order].tolist() for values in (
            lots, sizes, stratum[lots])), strict=True):
        counts = of_stratum[group]
        fold = min(range(folds), key=lambda one: (counts[one], in_all[one]))
        counts[fold] += size
        in_all[fold] += size
        chosen[lot] = fold
    return chosen[first]
