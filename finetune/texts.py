"""What a model is asked: a text, a pair of texts, or a list of them; and which of both it knows.

    texts.as_rows(["It crashes", "Hello"], trained_on="single")     # row.text_a, row.text_b
    texts.form(row.text_b for row in train_examples)                # "single", "pairs" or "both"
    seen = texts.Seen(examples)                                     # gone through, seen.form()

A pair given to a model that has seen single texts alone gets an answer that means nothing, and so
does the other way round. runs.json says what a model was trained on.
"""

import dataclasses
from collections.abc import Iterable, Iterator, Mapping, Sequence, Set
from typing import Any

from finetune.config_problems import is_utf8, shown
from finetune.errors import ArgumentError, InputError

Text = str | tuple[str, str | None]  # a text, or a pair of texts
SINGLE, PAIRS, BOTH = "single", "pairs", "both"  # what was trained on
TEXTS = "texts"  # its name in runs.json
_ALONE = "alone"  # a pair whose second text is empty
HALVED = ("holds half a surrogate pair, which is no character; text.encode('utf-8', 'replace')"
          ".decode() makes a question mark of it")
AS_TUPLE = '("a text", "its pair")'


@dataclasses.dataclass(frozen=True, slots=True)
class Row:
    """An example without a label, as `features.blocks` reads it."""

    guid: str
    text_a: str
    text_b: str | None
    label: None = None


class Seen:
    """Rows that tell what they are, once somebody has gone through them: a big file is read for it
    no more than it is anyway.

    Args:
        rows: examples, of which each has a text_b: None of a single text; that of a pair may be
            empty.
    """

    def __init__(self, rows: Iterable[Any]):
        self._rows, self._found = rows, {}

    def __iter__(self) -> Iterator[Any]:
        """Goes through the rows, and takes note anew."""
        found = self._found = {}
        for row in self._rows:
            kind = PAIRS if row.text_b else SINGLE if row.text_b is None else _ALONE
            if kind not in found:
                found[kind] = [row, 0]
            found[kind][1] += 1
            yield row

    def form(self) -> str:
        """Returns which of SINGLE, PAIRS and BOTH the rows were."""
        return form(kind == PAIRS for kind in self._found)

    def unlike(self, trained_on: str | None) -> tuple[Any, int] | None:
        """Returns the first of the rows that a model refuses, see `problem`, and their number."""
        first = self._found.get({SINGLE: PAIRS, PAIRS: SINGLE}.get(trained_on))
        return first and (first[0], first[1])


def form(second_texts: Iterable[Any]) -> str:
    """Returns which of SINGLE, PAIRS and BOTH some rows are, by their second texts."""
    seen = {bool(text) for text in second_texts}
    return BOTH if len(seen) > 1 else PAIRS if True in seen else SINGLE


def problem(text: Text, trained_on: str | None, as_pair: str = AS_TUPLE) -> str | None:
    """Returns why the answer to a text would mean nothing, or None.

    A pair whose second text is empty is a single text, and is one of the pairs that a model of
    pairs may be asked with.

    Args:
        trained_on: SINGLE, PAIRS or BOTH; None where nobody knows.
        as_pair: how a pair is given.
    """
    if trained_on == SINGLE and isinstance(text, tuple) and text[1]:
        return refusal(SINGLE, "give one text (what training has read from several columns is "
                               "joined by a blank)")
    if trained_on == PAIRS and isinstance(text, str):
        return refusal(PAIRS, f"give both texts: {as_pair}")
    return None


def refusal(trained_on: str, remedy: str) -> str:
    """Returns what is said of a text of the other kind than SINGLE or PAIRS."""
    given, known = (("a pair", "single texts") if trained_on == SINGLE else
                    ("a single text", "pairs"))
    return (f"is {given}, but the model was trained on {known}, so that its answer would mean "
            f"nothing; {remedy}")


def problems(texts: Iterable[Text], trained_on: str | None, name: str) -> list[str]:
    """Returns the same of many texts, in one message: the reason is the same for all.

    Args:
        name: what one of them is called.
    """
    found = [f"{name} {place} {why}" for place, text in enumerate(texts)
             if (why := problem(text, trained_on))]
    more = f" ({len(found):,} such texts)" if len(found) > 1 else ""
    return [found[0] + more] if found else []


def halved(*texts: str | None) -> bool:
    """Whether a text holds half a surrogate pair, as a string cut in JavaScript does."""
    return not all(is_utf8(text) for text in texts if text)


def is_one(given: Any) -> bool:
    """Whether a text or a pair is given, and not a list."""
    return isinstance(given, (str, tuple))


def as_rows(given: Any, trained_on: str | None) -> list[Row]:
    """Returns what a user gives, one text or many, as rows.

    Raises:
        InputError: a text of the other kind than the model was trained on; an ArgumentError, what
            is no text.
    """
    many = _many(given)
    made = list(_rows(many))
    if wrong := problems(many, trained_on, "text"):
        raise InputError(wrong)
    return made


def _many(given: Any) -> Sequence[Any]:
    if is_one(given):
        return [given]
    is_list = isinstance(given, Iterable) and not isinstance(given, (bytes, Mapping, Set))
    if not is_list or len(getattr(given, "shape", "1")) != 1:  # a table is not gone through by rows
        raise ArgumentError(f"texts are {' '.join(shown(given).split())}; give a string, a tuple "
                            "of two (a pair), or a list of those")
    return list(given)


def _rows(many: Sequence[Any]) -> Iterator[Row]:
    for place, text in enumerate(many):
        a, b = text if isinstance(text, tuple) and len(text) == 2 else (text, None)
        if not isinstance(a, str) or not isinstance(b, str | None):
            raise ArgumentError(f"text {place} is {shown(text)}; it has to be a string, or a tuple "
                                "of two")
        if halved(a, b):
            raise InputError(f"text {place} {HALVED}")
        yield Row(str(place), a, b)
