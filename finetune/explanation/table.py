"""explanations.tsv: a line for every word that the model saw.

    row  id  prediction  confidence  label  logit  baseline_logit  gap  text  position  start  end
    word  attribution  unseen

Of a row, the attributions and the gap add up to logit - baseline_logit.
"""

import unicodedata
from collections.abc import Iterable, Iterator, Sequence

from finetune import outputs
from finetune.explanation.explainer import Explanation

COLUMNS = ("row", "id", "prediction", "confidence", "label", "logit", "baseline_logit", "gap",
           "text", "position", "start", "end", "word", "attribution", "unseen")


def write(path: str, ids: Sequence[str], explanations: Sequence[Explanation]) -> None:
    """Writes the table whole or not at all.

    Args:
        path: of the file.
        ids: the rows' own ids.
        explanations: of the rows.
    """
    lines = (line for row, (row_id, one) in enumerate(zip(ids, explanations, strict=True), 1)
             for line in _lines(row, row_id, one))
    outputs.write_text(path, "".join("\t".join(line) + "\n" for line in (COLUMNS, *lines)))


def visible(text: str) -> str:
    """Returns a text with U+FFFD for what is no character of a text file: controls, surrogates."""
    return "".join("\ufffd" if unicodedata.category(character) in ("Cc", "Cs")
                   and character not in "\t\n\r" else character for character in text)


def _lines(row: int, row_id: str, one: Explanation) -> Iterator[Iterable[str]]:
    confidence = "" if one.confidence is None else f"{one.confidence:.6f}"
    front = (str(row), _escaped(row_id), one.prediction, confidence, one.label,
             *(f"{value:.6f}" for value in (one.logit, one.baseline_logit, one.gap)))
    for name, text in zip("ab", one.texts, strict=False):
        if not text.words:  # nothing of it was seen: the row is there all the same
            yield (*front, name, "", "", "", "", "", str(text.unseen))
        for position, word in enumerate(text.words, 1):
            yield (*front, name, *map(str, (position, word.start, word.end)),
                   _escaped(word.text), f"{word.attribution:.6f}", str(text.unseen))


def _escaped(text: str) -> str:
    return (visible(text).replace("\t", "\\t").replace("\n", "\\n").replace("\r", "\\r")
            .replace("\u2028", " ").replace("\u2029", " ").replace("\x85", " "))
