"""InputExample -> features: the original's `convert_single_example` without the padding.

    for block in blocks(examples, ["bug", "feature", "question"], 128, tokenizer):
        block.input_ids, block.segment_ids, block.lengths, block.label_ids
    for features in convert(examples, ["bug", "feature", "question"], 128, tokenizer):
        features.input_ids, features.segment_ids, features.label_id

A single text becomes `[CLS] a [SEP]`, a pair `[CLS] a [SEP] b [SEP]` with segment 1 from b on.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import islice
from typing import Any

import numpy as np

from finetune.errors import UserError
from finetune.feature_table import FeatureBlock, InputFeatures, LabelId, offsets
from finetune.multilabel import names as multilabel
from finetune.task_kind import TaskKind, number
from finetune.tokenization import Tokenizer

CHUNK = 1000  # examples tokenized at a time
CODE_VERSION = 1  # to be raised when the same examples would get other features
_MAX_PROBLEMS = 20
_MISSING = (None, "")
_Find = Callable[[Any], LabelId]  # what a label stands for, None: nothing


def convert(examples: Iterable[Any], labels: Sequence[str], max_seq_length: int,
            tokenizer: Tokenizer, progress: Callable[[int], None] | None = None,
            require_labels: bool = True) -> Iterator[InputFeatures]:
    """Does what `blocks` does, for a use that wants the examples one by one."""
    made = blocks(examples, labels, max_seq_length, tokenizer, progress, require_labels)
    return (features for block in made for features in block.rows())


def blocks(examples: Iterable[Any], labels: Sequence[str], max_seq_length: int,
           tokenizer: Tokenizer, progress: Callable[[int], None] | None = None,
           require_labels: bool = True) -> Iterator[FeatureBlock]:
    """Turns examples into features, a chunk at a time, so that huge sets stream.

    Args:
        examples: objects with guid, text_a, text_b and label, ours or the original's; they are
            gone through more than once.
        labels: the label list; a label's id is its position. Compared as text, so that a
            processor may name its labels 0 and 1 as well as "0" and "1". A list of one stands for
            a regression (`task_kind`): labels are then finite numbers. Of a multi-label task a row
            has a list of labels, or a text of them (`multilabel.names`).
        max_seq_length: longest sequence to keep, at least 3.
        tokenizer: text -> ids.
        progress: called with the number of examples done after each chunk.
        require_labels: False for a split to predict: rows may lack a label, and one unknown label
            shared by all rows is the placeholder that processors of the original put there.

    Returns:
        An iterator over blocks of at most CHUNK examples, in order.

    Raises:
        UserError: at once, before the first text is tokenized, for every unknown or missing
            label and every text that is none.
        ValueError: max_seq_length is below 3.
    """
    if max_seq_length < 3:
        raise ValueError(f"max_seq_length is {max_seq_length}, at least 3 is needed")
    find = _checked(examples, labels, require_labels)
    return _blocks(iter(examples), find, max_seq_length, tokenizer, progress)


def decided_by(labels: Sequence[str], max_seq_length: int, tokenizer: Tokenizer) -> dict[str, Any]:
    """Returns all but the examples that decides features, for `records.cached`."""
    return {"labels": list(labels), "max_seq_length": max_seq_length, **tokenizer.fingerprint(),
            "code": CODE_VERSION}


def label_problems(examples: Iterable[Any], labels: Sequence[str],
                   require_labels: bool = True) -> list[str]:
    """Returns what `convert` would refuse, without tokenizing anything; empty if all is well."""
    try:
        _checked(examples, labels, require_labels)
    except UserError as error:
        return list(error.problems)
    return []


def _blocks(examples: Iterator[Any], find: _Find, max_seq_length: int, tokenizer: Tokenizer,
            progress: Callable[[int], None] | None) -> Iterator[FeatureBlock]:
    done = 0
    while chunk := list(islice(examples, CHUNK)):
        ids_a, a = tokenizer.encode_flat([example.text_a for example in chunk])
        if any(example.text_b for example in chunk):
            ids_b, b = tokenizer.encode_flat([example.text_b or "" for example in chunk])
        else:
            ids_b, b = np.empty(0, np.int32), np.zeros_like(a)
        label_ids = [None if example.label is None else find(example.label) for example in chunk]
        yield assemble((ids_a, a), (ids_b, b), label_ids, max_seq_length, tokenizer)
        done += len(chunk)
        if progress:
            progress(done)


def assemble(a: tuple[np.ndarray, np.ndarray], b: tuple[np.ndarray, np.ndarray],
             label_ids: Sequence[LabelId], max_seq_length: int,
             tokenizer: Tokenizer) -> FeatureBlock:
    """Puts the ids of some examples together, cut to max_seq_length.

    Args:
        a: (int32[T], int64[B]), ids and lengths of the texts, as `Tokenizer.encode_flat` has them.
        b: those of the second texts; of length 0 for a single text, also where the original was
            given a second text that holds no token.
        label_ids: B, passed on.
        max_seq_length: longest sequence to keep.
        tokenizer: knows the ids of [CLS] and [SEP].

    Returns:
        The features.
    """
    (ids_a, len_a), (ids_b, len_b) = a, b
    pair = len_b > 0
    keep_a, keep_b = pair_lengths(len_a, len_b, max_seq_length - 3)
    keep_a = np.where(pair, keep_a, np.minimum(len_a, max_seq_length - 2))
    keep_b = np.where(pair, keep_b, 0)
    second = np.where(keep_b > 0, keep_b + 1, 0)  # nothing may be left where the maximum is 3 or 4
    bounds = offsets(keep_a + 2 + second)
    starts, ends = bounds[:-1], bounds[1:]
    input_ids, segment_ids = np.empty(ends[-1], np.int32), np.zeros(ends[-1], np.int32)
    input_ids[starts] = tokenizer.cls_id
    input_ids[ranges(starts + 1, keep_a)] = ids_a[ranges(offsets(len_a)[:-1], keep_a)]
    input_ids[starts + 1 + keep_a] = tokenizer.sep_id
    input_ids[ranges(starts + 2 + keep_a, keep_b)] = ids_b[ranges(offsets(len_b)[:-1], keep_b)]
    input_ids[ends - 1] = tokenizer.sep_id
    segment_ids[ranges(ends - second, second)] = 1
    return FeatureBlock(input_ids, segment_ids, ends - starts, label_ids,
                        len_a + len_b + np.where(pair, 3, 2))


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


def _checked(examples: Iterable[Any], labels: Sequence[str], require_labels: bool) -> _Find:
    """Looks every label up; see `blocks` for the rules and the errors."""
    find = _finder(labels)
    placeholder = not require_labels and _is_placeholder(examples, find)
    problems: list[str] = []
    unknown: dict[str, list[Any]] = {}  # label -> [first example, how many]
    for example in examples:
        problems.extend(_text_problems(example))
        label = example.label
        missing = label in _MISSING
        if label is not None and find(label) is not None:
            continue
        if placeholder or missing and not require_labels:
            continue
        unknown.setdefault("" if missing else str(label), [example, 0])[1] += 1
    problems += _unknown_labels(unknown, labels)
    if problems:
        more = len(problems) - _MAX_PROBLEMS
        raise UserError(problems[:_MAX_PROBLEMS] + [f"... and {more:,} more"] * (more > 0))
    return find


def _unknown_labels(unknown: dict[str, list[Any]], labels: Sequence[str]) -> Iterator[str]:
    names = f"of {_listed(str(label) for label in labels)}"
    allowed = {TaskKind.REGRESSION: "a finite number", TaskKind.CLASSIFICATION: f"one {names}",
               TaskKind.MULTILABEL: f"a list {names}, each once at most, or empty"}
    allowed = allowed[TaskKind.of(labels)]
    for label, (row, rows) in unknown.items():
        shown = f'"{label}"' if isinstance(row.label, str) else repr(row.label)
        what = f"label {shown} is not" if label else "has no label; must be"
        count = f" ({rows:,} such rows)" if rows > 1 else ""
        yield f"{_where(row)}: {what} {allowed}{count}"


def _finder(labels: Sequence[str]) -> _Find:
    """Returns what tells a label's id, its position, or its score."""
    ids, kind = {str(label): index for index, label in enumerate(labels)}, TaskKind.of(labels)
    if kind is TaskKind.MULTILABEL:
        return multilabel.finder(ids, labels.separator)
    return number if kind is TaskKind.REGRESSION else lambda label: ids.get(str(label))


def _is_placeholder(examples: Iterable[Any], find: _Find) -> bool:
    """True if all rows share one label and it is not in the list (the original's test rows)."""
    rows = iter(examples)
    first = next(rows, None)
    if first is None or find(first.label) is not None:
        return False
    return all(str(example.label) == str(first.label) for example in rows)


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
