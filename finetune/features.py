"""InputExample -> InputFeatures: the original's `convert_single_example` without the padding.

    for features in convert(examples, ["bug", "feature", "question"], 128, tokenizer):
        features.input_ids, features.segment_ids, features.label_id

A single text becomes `[CLS] a [SEP]`, a pair `[CLS] a [SEP] b [SEP]` with segment 1 from b on.
"""

import dataclasses
from array import array
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

import numpy as np

from finetune.errors import UserError
from finetune.task_kind import TaskKind, number
from finetune.tokenization import Tokenizer

CHUNK = 1000  # examples tokenized at a time
_MAX_PROBLEMS = 20
_MISSING = (None, "")


@dataclasses.dataclass(frozen=True, slots=True)
class InputFeatures:
    """One example as the encoder reads it, unpadded.

    Attributes:
        input_ids: [CLS] a [SEP] or [CLS] a [SEP] b [SEP], at most max_seq_length ids.
        segment_ids: 0 or 1 for each of the input_ids.
        label_id: position in the label list, or the score of a regression; None for a row
            without a label.
        tokens_before: how many ids there were before truncation, the special ones included.
    """

    input_ids: list[int]
    segment_ids: list[int]
    label_id: int | float | None
    tokens_before: int


def convert(examples: Sequence[Any], labels: Sequence[str], max_seq_length: int,
            tokenizer: Tokenizer, progress: Callable[[int], None] | None = None,
            require_labels: bool = True) -> Iterator[InputFeatures]:
    """Turns examples into features, a chunk at a time, so that huge sets stream.

    Args:
        examples: objects with guid, text_a, text_b and label, ours or the original's.
        labels: the label list; a label's id is its position. Compared as text, so that a
            processor may name its labels 0 and 1 as well as "0" and "1". A list of one stands for
            a regression (`task_kind`): labels are then finite numbers.
        max_seq_length: longest sequence to keep, at least 3.
        tokenizer: text -> ids.
        progress: called with the number of examples done after each chunk.
        require_labels: False for a split to predict: rows may lack a label, and one unknown label
            shared by all rows is the placeholder that processors of the original put there.

    Returns:
        An iterator over one InputFeatures an example, in order.

    Raises:
        UserError: at once, before the first text is tokenized, for every unknown or missing
            label and every text that is none.
        ValueError: max_seq_length is below 3.
    """
    if max_seq_length < 3:
        raise ValueError(f"max_seq_length is {max_seq_length}, at least 3 is needed")
    label_ids = _label_ids(examples, labels, require_labels)
    return _convert(examples, label_ids, max_seq_length, tokenizer, progress)


def label_problems(examples: Sequence[Any], labels: Sequence[str],
                   require_labels: bool = True) -> list[str]:
    """Returns what `convert` would refuse, without tokenizing anything; empty if all is well."""
    try:
        _label_ids(examples, labels, require_labels)
    except UserError as error:
        return list(error.problems)
    return []


def _convert(examples: Sequence[Any], label_ids: list[int | float | None], max_seq_length: int,
             tokenizer: Tokenizer,
             progress: Callable[[int], None] | None) -> Iterator[InputFeatures]:
    for start in range(0, len(examples), CHUNK):
        chunk = examples[start:start + CHUNK]
        ids_a = tokenizer.encode([example.text_a for example in chunk])
        ids_b = tokenizer.encode([example.text_b or "" for example in chunk])
        for a, b, label_id in zip(ids_a, ids_b, label_ids[start:start + CHUNK],
                                  strict=True):
            yield assemble(a, b, label_id, max_seq_length, tokenizer)
        if progress:
            progress(start + len(chunk))


def assemble(a: list[int], b: list[int], label_id: int | float | None, max_seq_length: int,
             tokenizer: Tokenizer) -> InputFeatures:
    """Puts the ids of one example together, cut to max_seq_length.

    Args:
        a: ids of the text.
        b: ids of the second text; empty for a single text, also where the original was given a
            second text that holds no token.
        label_id: passed on.
        max_seq_length: longest sequence to keep.
        tokenizer: knows the ids of [CLS] and [SEP].

    Returns:
        The features.
    """
    before = len(a) + len(b) + (3 if b else 2)
    if b:
        keep_a, keep_b = pair_lengths(len(a), len(b), max_seq_length - 3)
        a, b = a[:keep_a], b[:keep_b]
    else:
        a = a[:max_seq_length - 2]
    input_ids = [tokenizer.cls_id, *a, tokenizer.sep_id]
    segment_ids = [0] * len(input_ids)
    if b:  # nothing may be left of it where max_seq_length is 3 or 4
        input_ids += [*b, tokenizer.sep_id]
        segment_ids += [1] * (len(b) + 1)
    return InputFeatures(input_ids, segment_ids, label_id, before)


def pair_lengths(a: int, b: int, room: int) -> tuple[int, int]:
    """How much the original keeps of a pair: it drops from the longer side, ties from b.

    Args:
        a, b: lengths in tokens.
        room: tokens that fit.

    Returns:
        The lengths kept, for example (5, 2) of (10, 2) in 7, and (4, 3) of (10, 9) in 7.
    """
    if a + b <= room:
        return a, b
    keep_a = min(a, max(room - b, (room + 1) // 2))
    return keep_a, room - keep_a


def _label_ids(examples: Sequence[Any], labels: Sequence[str],
               require_labels: bool) -> list[int | float | None]:
    """Looks every label up; see `convert` for the rules and the errors."""
    position = _values(examples, labels)
    if not require_labels and _is_placeholder(examples, position):
        position = dict.fromkeys((str(example.label) for example in examples), None)
    label_ids, problems, unknown = [], [], {}
    for example in examples:
        problems.extend(_text_problems(example))
        label = example.label
        if label is not None and str(label) in position:
            label_ids.append(position[str(label)])
        elif label in _MISSING and not require_labels:
            label_ids.append(None)
        else:
            unknown.setdefault("" if label in _MISSING else str(label), []).append(example)
    allowed = ("a finite number" if TaskKind.of(len(labels)) is TaskKind.REGRESSION else
               f"one of {_listed(str(label) for label in labels)}")
    for label, rows in unknown.items():
        shown = f'"{label}"' if isinstance(rows[0].label, str) else repr(rows[0].label)
        what = f"label {shown} is not" if label else "has no label; must be"
        count = f" ({len(rows):,} such rows)" if len(rows) > 1 else ""
        problems.append(f"{_where(rows[0])}: {what} {allowed}{count}")
    if problems:
        more = len(problems) - _MAX_PROBLEMS
        raise UserError(problems[:_MAX_PROBLEMS] + [f"... and {more:,} more"] * (more > 0))
    return label_ids


def _values(examples: Sequence[Any], labels: Sequence[str]) -> dict[str, int | float]:
    """Returns what every label that is allowed stands for: its position, or its score."""
    if TaskKind.of(len(labels)) is TaskKind.CLASSIFICATION:
        return {str(label): index for index, label in enumerate(labels)}
    scores = {label: number(label) for label in {str(example.label) for example in examples}}
    return {label: score for label, score in scores.items() if score is not None}


def _is_placeholder(examples: Sequence[Any], position: dict[str, int | float]) -> bool:
    """True if all rows share one label and it is not in the list (the original's test rows)."""
    seen = {str(example.label) for example in examples}
    return len(seen) == 1 and seen.isdisjoint(position)


def _text_problems(example: Any) -> Iterator[str]:
    if not isinstance(example.text_a, (str, bytes)):
        yield f"{_where(example)}: text_a is {example.text_a!r}; it has to be a string."
    if example.text_b and not isinstance(example.text_b, (str, bytes)):
        yield f"{_where(example)}: text_b is {example.text_b!r}; it has to be a string or None."


def _where(example: Any) -> str:
    return getattr(example, "source", None) or f"example {example.guid}"


def _listed(labels: Iterable[str], most: int = 20) -> str:
    quoted = [f'"{label}"' for label in labels]
    more = f" ... and {len(quoted) - most:,} more" if len(quoted) > most else ""
    return ", ".join(quoted[:most]) + more


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
    """Collects the LengthSummary of features as they pass by; 4 bytes an example."""

    def __init__(self):
        """Starts with nothing seen."""
        self._lengths = array("i")
        self._truncated = 0

    def watch(self, features: Iterable[InputFeatures]) -> Iterator[InputFeatures]:
        """Hands the features on, taking note of their lengths."""
        for item in features:
            self._lengths.append(item.tokens_before)
            self._truncated += item.tokens_before > len(item.input_ids)
            yield item

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
    for _ in stats.watch(features):
        pass
    return stats.summary()
