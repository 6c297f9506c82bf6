"""One pass over a split: all that the checks need of it, in 40 bytes a row.

    codes = {}                                             # label -> number, shared by all splits
    train = survey("train", examples, tokenizer, codes)
    train.tokens, train.labels, train.pieces[tokenizer.unk_id], train.marks["html"]

Texts are not kept. Doubles are told by 64-bit hashes: among ten million texts the chance that two
different ones share theirs is 1 in 350,000.
"""

import dataclasses
from array import array
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from itertools import islice
from typing import Any

import numpy as np

from finetune.check import texts
from finetune.check.findings import SHOWN, as_text, label_of
from finetune.options.long_texts import LongTexts
from finetune.task_kind import number
from finetune.tokenization import Tokenizer
from finetune.windows import kept

_CHUNK = 1000
_MOST_WORDS = 200_000  # unknown words that are counted before the rare ones are forgotten


@dataclasses.dataclass(frozen=True, eq=False)
class Survey:
    """What there is to know of a split of N rows.

    Attributes:
        split: "train", "dev" or "test".
        exact, plain: int64[N], hashes of the texts as they are, and without case, punctuation and
            surplus blanks.
        labels: float64[N], codes of labels or scores of a regression; nan: none.
        names: what the codes stand for, by code; of a regression empty.
        ids: int64[N], hashes of the rows' own ids; 0: none.
        tokens: int32[N], before truncation, the special ones included.
        second: int32[N], those of the second text; 0: there is none.
        pieces: int64[V], how often each token of the vocabulary occurs, before truncation.
        characters: how often each character occurs.
        unknown: words that have no pieces, with how often they occur.
        unknown_rows: rows with such a word, and the first of them.
        marks: by mark of `texts`, how many rows have it, and the first of them.
        pairs: rows with a second text.
    """

    split: str
    exact: np.ndarray
    plain: np.ndarray
    labels: np.ndarray
    names: list[str]
    ids: np.ndarray
    tokens: np.ndarray
    second: np.ndarray
    pieces: np.ndarray
    characters: Counter[str]
    unknown: Counter[str]
    unknown_rows: tuple[int, list[int]]
    marks: Mapping[str, tuple[int, list[int]]]
    pairs: int

    @property
    def rows(self) -> int:
        """Number of rows, N."""
        return len(self.tokens)

    def kept(self, max_seq_length: int, long_texts: LongTexts) -> tuple[np.ndarray, np.ndarray]:
        """Returns int64[N] twice: tokens of each row that are read, and that are computed.

        Special ones are included; a token in two windows is computed twice.
        """
        b = self.second.astype(np.int64)
        special = np.where(b > 0, 3, 2)
        found = kept(self.tokens - b - special, b, max_seq_length, long_texts)
        return found.a + found.b + special, found.tokens()

    def counts(self) -> dict[str, int]:
        """Returns how many rows each label has, of those that occur anywhere."""
        codes = self.labels[~np.isnan(self.labels)].astype(np.int64)
        found = np.bincount(codes, minlength=len(self.names)).tolist()
        return dict(zip(self.names, found, strict=True))


class _Marks:
    """Counts rows, and keeps the first few."""

    def __init__(self):
        self.count, self.first = 0, []

    def add(self, row: int) -> None:
        self.count += 1
        if len(self.first) < SHOWN:
            self.first.append(row)

    def both(self) -> tuple[int, list[int]]:
        return self.count, self.first


class _Pass:
    """Collects a survey, a chunk of examples at a time."""

    def __init__(self, tokenizer: Tokenizer, codes: dict[str, int] | None,
                 name_of: Callable[[Any], str | None]):
        self.tokenizer, self.codes, self.row, self.name_of = tokenizer, codes, 0, name_of
        self.exact, self.plain, self.ids = array("q"), array("q"), array("q")
        self.labels, self.tokens, self.second = array("d"), array("i"), array("i")
        self.pieces = np.zeros(max(tokenizer.vocab.values()) + 1, np.int64)
        self.characters: Counter[str] = Counter()
        self.unknown: Counter[str] = Counter()
        self.unknown_rows, self.pairs = _Marks(), 0
        self.marks = {mark: _Marks() for mark in texts.WHAT}

    def take(self, chunk: list[Any]) -> None:
        first = [as_text(row.text_a) for row in chunk]
        second = [as_text(row.text_b) for row in chunk]
        self._tokens(first, second, [row.text_b is not None for row in chunk])
        for row, a, b in zip(chunk, first, second, strict=True):
            self._one(row, a, b)
            self.row += 1
        self.characters.update("".join(first + second))

    def _one(self, row: Any, a: str, b: str) -> None:
        self.exact.append(hash((a, b)))
        plain = texts.plain(a), texts.plain(b)
        self.plain.append(hash(plain if any(plain) else (a, b)))  # ":-)" is not "!!!"
        self.labels.append(self._label(self.name_of(row)))
        row_id = getattr(row, "row_id", None)
        self.ids.append(hash(row_id) if row_id else 0)
        self.pairs += bool(b)
        for mark in {*texts.marks(a), *(texts.marks(b) if b else ())}:
            self.marks[mark].add(self.row)

    def _label(self, label: str | None) -> float:
        if label is None:
            return float("nan")
        if self.codes is None:
            score = number(label)
            return float("nan") if score is None else score
        return self.codes.setdefault(label, len(self.codes))

    def _tokens(self, first: list[str], second: list[str], asked: list[bool]) -> None:
        counts, has_unknown = [], np.zeros(len(first), np.int64)
        for some in (first, second if any(second) else None):
            if some is None:
                counts.append(np.zeros_like(counts[0]))
                continue
            ids, lengths = self.tokenizer.encode_flat(some)
            counts.append(lengths)
            self.pieces += np.bincount(ids, minlength=len(self.pieces))
            unknown = np.repeat(np.arange(len(some)), lengths)[ids == self.tokenizer.unk_id]
            rows = np.bincount(unknown, minlength=len(some))
            has_unknown += rows
            self.unknown.update(self.tokenizer.unknown_words(
                [some[row] for row in np.flatnonzero(rows)]))
        a, b = counts
        for row in np.flatnonzero((a == 0) | (b == 0) & asked):
            self.marks["empty"].add(self.row + int(row))
        for row in np.flatnonzero(has_unknown):
            self.unknown_rows.add(self.row + int(row))
        self.tokens.frombytes((a + b + np.where(b > 0, 3, 2)).astype(np.int32).tobytes())
        self.second.frombytes(b.astype(np.int32).tobytes())
        if len(self.unknown) > _MOST_WORDS:
            self.unknown = Counter(dict(self.unknown.most_common(_MOST_WORDS // 2)))


def survey(split: str, examples: Iterable[Any], tokenizer: Tokenizer,
           codes: dict[str, int] | None, progress: Callable[[int], None] | None = None,
           name_of: Callable[[Any], str | None] = label_of) -> Survey:
    """Goes through the examples of a split once.

    Args:
        codes: label -> number; new labels are added. None: labels are the scores of a regression.
        progress: called with the number of rows done after each chunk.
        name_of: example -> its label, or what stands for its labels.
    """
    made, rows = _Pass(tokenizer, codes, name_of), iter(examples)
    while chunk := list(islice(rows, _CHUNK)):
        made.take(chunk)
        if progress:
            progress(made.row)
    return Survey(
        split, *(np.array(column, np.int64) for column in (made.exact, made.plain)),
        np.array(made.labels, np.float64), list(codes or ()), np.array(made.ids, np.int64),
        *(np.array(column, np.int32) for column in (made.tokens, made.second)),
        made.pieces, made.characters, made.unknown,
        made.unknown_rows.both(), {mark: one.both() for mark, one in made.marks.items()},
        made.pairs)
