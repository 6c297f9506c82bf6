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

from finetune.config_problems import shown
from finetune.errors import UserError
from finetune.feature_table import FeatureBlock, InputFeatures, LabelId, offsets
from finetune.multilabel import names as multilabel
from finetune.options.long_texts import LongTexts
from finetune.task_kind import TaskKind, number
from finetune.tokenization import Tokenizer
from finetune.windows import HEAD, kept, layout, ranges

CHUNK = 1000  # examples tokenized at a time
CODE_VERSION = 1  # to be raised when the same examples would get other features
_MAX_PROBLEMS = 20
_MISSING = (None, "")
_Find = Callable[[Any], LabelId]  # what a label stands for, None: nothing


def convert(examples: Iterable[Any], labels: Sequence[str], max_seq_length: int,
            tokenizer: Tokenizer, progress: Callable[[int], None] | None = None,
            require_labels: bool = True, long_texts: LongTexts = HEAD
            ) -> Iterator[InputFeatures]:
    """Does what `blocks` does, for a use that wants the sequences one by one."""
    made = blocks(examples, labels, max_seq_length, tokenizer, progress, require_labels, long_texts)
    return (features for block in made for features in block.rows())


def blocks(examples: Iterable[Any], labels: Sequence[str], max_seq_length: int,
           tokenizer: Tokenizer, progress: Callable[[int], None] | None = None,
           require_labels: bool = True, long_texts: LongTexts = HEAD) -> Iterator[FeatureBlock]:
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
        long_texts: what becomes of those that are longer.

    Returns:
        An iterator over blocks of at most CHUNK examples, in order; each is a sequence, or several
        where it is read in windows.

    Raises:
        UserError: at once, before the first text is tokenized, for every unknown or missing
            label and every text that is none.
        ValueError: max_seq_length is below 3.
    """
    if max_seq_length < 3:
        raise ValueError(f"max_seq_length is {max_seq_length}, at least 3 is needed")
    find = _checked(examples, labels, require_labels)
    return _blocks(iter(examples), find, max_seq_length, tokenizer, progress, long_texts)


def decided_by(labels: Sequence[str], max_seq_length: int, tokenizer: Tokenizer,
               long_texts: LongTexts = HEAD) -> dict[str, Any]:
    """Returns all but the examples that decides features, for `records.cached`."""
    names = (["truncation"] if long_texts.truncation != HEAD.truncation else []) + (
        ["window_stride", "max_windows"] if long_texts.window_stride else [])
    return {"labels": list(labels), "max_seq_length": max_seq_length, **tokenizer.fingerprint(),
            "code": CODE_VERSION, **{name: getattr(long_texts, name) for name in names}}


def count_sequences(examples: Iterable[Any], max_seq_length: int, tokenizer: Tokenizer,
                    long_texts: LongTexts) -> int:
    """Returns how many sequences `blocks` would make; only for windows the texts are tokenized."""
    if not long_texts.window_stride:
        return len(examples)
    rows, count = iter(examples), 0
    while chunk := list(islice(rows, CHUNK)):
        (_, a), (_, b) = _tokens(chunk, tokenizer)
        count += int(kept(a, b, max_seq_length, long_texts).count.sum())
    return count


def label_problems(examples: Iterable[Any], labels: Sequence[str],
                   require_labels: bool = True) -> list[str]:
    """Returns what `convert` would refuse, without tokenizing anything; empty if all is well."""
    try:
        _checked(examples, labels, require_labels)
    except UserError as error:
        return list(error.problems)
    return []


def _blocks(examples: Iterator[Any], find: _Find, max_seq_length: int, tokenizer: Tokenizer,
            progress: Callable[[int], None] | None, long_texts: LongTexts
            ) -> Iterator[FeatureBlock]:
    done = 0
    while chunk := list(islice(examples, CHUNK)):
        label_ids = [None if example.label is None else find(example.label) for example in chunk]
        yield assemble(*_tokens(chunk, tokenizer), label_ids, max_seq_length, tokenizer,
                       long_texts)
        done += len(chunk)
        if progress:
            progress(done)


def _tokens(chunk: Sequence[Any], tokenizer: Tokenizer
            ) -> tuple[tuple[np.ndarray, np.ndarray], tuple[np.ndarray, np.ndarray]]:
    """Returns ids and lengths of first and second texts, as `assemble` takes them."""
    ids_a, a = tokenizer.encode_flat([example.text_a for example in chunk])
    if any(example.text_b for example in chunk):
        return (ids_a, a), tokenizer.encode_flat([example.text_b or "" for example in chunk])
    return (ids_a, a), (np.empty(0, np.int32), np.zeros_like(a))


def assemble(a: tuple[np.ndarray, np.ndarray], b: tuple[np.ndarray, np.ndarray],
             label_ids: Sequence[LabelId], max_seq_length: int,
             tokenizer: Tokenizer, long_texts: LongTexts = HEAD) -> FeatureBlock:
    """Puts the ids of some examples together, cut to max_seq_length or in windows.

    Args:
        a: (int32[T], int64[B]), ids and lengths of the texts, as `Tokenizer.encode_flat` has them.
        b: those of the second texts; of length 0 for a single text, also where the original was
            given a second text that holds no token.
        label_ids: B, passed on.
        max_seq_length: longest sequence to keep.
        tokenizer: knows the ids of [CLS] and [SEP].
        long_texts: what becomes of those that are longer.

    Returns:
        The features.
    """
    (ids_a, len_a), (ids_b, len_b) = a, b
    made = layout(len_a, len_b, max_seq_length, long_texts)
    keep_a, keep_b = made.lengths_a, made.lengths_b
    second = np.where(keep_b > 0, keep_b + 1, 0)  # nothing may be left where the maximum is 3 or 4
    bounds = offsets(keep_a + 2 + second)
    starts, ends = bounds[:-1], bounds[1:]
    input_ids, segment_ids = np.empty(ends[-1], np.int32), np.zeros(ends[-1], np.int32)
    input_ids[starts] = tokenizer.cls_id
    input_ids[ranges(starts + 1, keep_a)] = ids_a[made.places_a]
    input_ids[starts + 1 + keep_a] = tokenizer.sep_id
    input_ids[ranges(starts + 2 + keep_a, keep_b)] = ids_b[made.places_b]
    input_ids[ends - 1] = tokenizer.sep_id
    segment_ids[ranges(ends - second, second)] = 1
    before = len_a + len_b + np.where(len_b > 0, 3, 2)
    if not long_texts.window_stride:
        return FeatureBlock(input_ids, segment_ids, ends - starts, label_ids, before)
    return FeatureBlock(input_ids, segment_ids, ends - starts,
                        [label_ids[row] for row in made.rows.tolist()], before[made.rows],
                        made.windows, (made.read < len_a + len_b)[made.rows])


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
    more = len(problems) + len(unknown) - _MAX_PROBLEMS
    problems += islice(_unknown_labels(unknown, labels), _MAX_PROBLEMS)
    if problems:
        raise UserError(problems[:_MAX_PROBLEMS] + [f"... and {more:,} more"] * (more > 0))
    return find


def _unknown_labels(unknown: dict[str, list[Any]], labels: Sequence[str]) -> Iterator[str]:
    names = f"of {_listed(str(label) for label in labels)}"
    allowed = {TaskKind.REGRESSION: "a finite number", TaskKind.CLASSIFICATION: f"one {names}",
               TaskKind.MULTILABEL: f"a list {names}, each once at most, or empty"}
    allowed = allowed[TaskKind.of(labels)]
    for label, (row, rows) in unknown.items():
        what = f"label {_spelled(row.label)} is not" if label else "has no label; must be"
        count = f" ({rows:,} such rows)" if rows > 1 else ""
        yield f"{where(row)}: {what} {allowed}{count}"


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
        yield f"{where(example)}: text_a is {example.text_a!r}; it has to be a string."
    if example.text_b and not isinstance(example.text_b, (str, bytes)):
        yield f"{where(example)}: text_b is {example.text_b!r}; it has to be a string or None."


def where(example: Any) -> str:
    """Returns file and line of an example where they are known, else its id."""
    return getattr(example, "source", None) or f"example {example.guid}"


def _spelled(label: Any) -> str:
    """Returns a row's label, or several, for a message."""
    if isinstance(label, (list, tuple)):
        return f"[{', '.join(map(_spelled, label))}]"
    return f'"{label if len(label) <= 100 else label[:100] + "..."}"' if isinstance(
        label, str) else shown(label)


def _listed(labels: Iterable[str], most: int = 20) -> str:
    quoted = [f'"{label}"' for label in labels]
    more = f" ... and {len(quoted) - most:,} more" if len(quoted) > most else ""
    return ", ".join(quoted[:most]) + more
