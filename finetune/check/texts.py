"""What can be wrong with a text by itself: it is empty, damaged, marked up, or no language.

    marks("<b>Save</b> the file")             # ["html"]
    plain("  Save, the FILE! ")               # "save the file"
"""

import re
import unicodedata
from collections.abc import Iterator
from typing import TYPE_CHECKING

from finetune.check.findings import Finding, graded, samples, share

if TYPE_CHECKING:
    from finetune.check.survey import Survey

# The tokenizer drops them; a tab and line breaks are blanks to it.
_CONTROL = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")
# U+FFFD; quotation marks of Windows-1252 read as Latin-1; and UTF-8 read as either of them, which
# makes two signs of an e acute.
_DAMAGED = re.compile(
    "[\ufffd\x80-\x9f]|\u00c3[\u00a0-\u00bf\u2018-\u201d\u2020-\u2022]|\u00c2[\u00a0-\u00bf]"
    "|\u00e2\u20ac[\u2122\u0153\u201c\u201d\u00a6\u02dc]")
# Elements by name, since <file> and List<String> are no markup.
_HTML = re.compile(
    r"</?(?:a|abbr|b|blockquote|body|br|code|dd|details|div|dl|dt|em|font|h[1-6]|head|hr|html|i|img|"
    r"li|ol|p|pre|script|section|small|span|strong|style|sub|summary|sup|table|tbody|td|th|thead|tr|"
    r"u|ul)(?:\s[^<>]*)?/?>|&(?:amp|lt|gt|quot|apos|nbsp|#\d{2,5}|#x[0-9a-f]{2,5});", re.IGNORECASE)
# A blank or the end stands behind each, so that one in another is not tried in every way.
_URLS = re.compile(r"\s*(?:<?(?:https?://|www\.)\S+(?:\s+|\Z))+")
_LETTER = re.compile(r"[^\W\d_]")

WHAT = {"empty": "have a text without a single token", "encoding": "hold damaged characters",
        "control": "hold control characters", "html": "hold HTML", "only_url": "are nothing but "
        "addresses", "no_letters": "have a text without a letter"}
# Share of a split from which a mark is a problem, and from which it is worth a look.
_LEVELS = {"empty": (0.01, 0.0), "encoding": (0.01, 0.0), "control": (2.0, 0.0),
           "html": (2.0, 0.01), "only_url": (2.0, 0.0), "no_letters": (2.0, 0.0)}


def marks(text: str) -> Iterator[str]:
    """Yields what is odd about a text; "empty" only the tokenizer can tell."""
    if not text.isascii() and _DAMAGED.search(text):
        yield "encoding"
    if not text.isprintable() and _CONTROL.search(text):
        yield "control"
    if ("<" in text or "&" in text) and _HTML.search(text):
        yield "html"
    if "://" in text or "www." in text:
        if _URLS.fullmatch(text):
            yield "only_url"
    elif not _LETTER.search(text) and not text.isspace() and text:
        yield "no_letters"


class _Plain(dict):
    """Code point -> the character, a blank for punctuation; nothing for what cannot be seen."""

    def __missing__(self, code: int) -> str:
        kind = unicodedata.category(chr(code))
        made = "" if kind == "Cf" else " " if kind[0] in "PZC" else chr(code)
        self[code] = made
        return made


_PLAIN = _Plain()


def plain(text: str) -> str:
    """Returns a text without case, punctuation and more than single blanks."""
    return " ".join(text.translate(_PLAIN).split()).casefold()


def findings(survey: "Survey") -> Iterator[Finding]:
    """Yields a finding for each mark that a row of the split has."""
    for mark, what in WHAT.items():
        count, rows = survey.marks[mark]
        if count:
            yield Finding(mark, graded(count, survey.rows, *_LEVELS[mark]), survey.split,
                          f"{share(count, survey.rows)} {what}", count, survey.rows,
                          samples=samples(survey.split, rows))
