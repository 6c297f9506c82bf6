"""HTML that no text of the data can break: what is not Markup already is escaped wherever it goes.

    element("p", "1 < 2", title='"x"')                 # <p title="&quot;x&quot;">1 &lt; 2</p>
    table("Scores", ["metric", "value"], [["accuracy", 0.5]])
"""

import dataclasses
import html
import re
from collections.abc import Iterable, Sequence
from typing import Any

from finetune.explanation.table import visible

LONGEST = 60  # characters of a name, such as a label


class Markup(str):
    """HTML that was put together here; every other text is escaped."""

    __slots__ = ()

    def __add__(self, other: Any) -> "Markup":
        """Returns this and another, escaped if it is no Markup."""
        return Markup(str.__add__(self, escaped(other)))


@dataclasses.dataclass(frozen=True)
class Section:
    """A part of the page.

    Attributes:
        title: its heading.
        lead: what it shows, in a sentence for those who never saw one.
        body: below it.
    """

    title: str
    lead: str
    body: Markup

    @property
    def anchor(self) -> str:
        """The name that links lead to."""
        return re.sub(r"\W+", "-", self.title.lower())


def escaped(value: Any) -> Markup:
    """Returns a value as HTML; characters that no page may hold become U+FFFD."""
    return value if isinstance(value, Markup) else Markup(html.escape(visible(str(value))))


def joined(parts: Iterable[Any], between: Any = "") -> Markup:
    """Returns the parts one behind the other, those that are no Markup escaped."""
    return Markup(escaped(between).join(map(escaped, parts)))


def element(tag: str, *content: Any, **attributes: Any) -> Markup:
    """Returns an element; an attribute's _ is written as -, and one that is None is left out."""
    written = "".join(f' {name.strip("_").replace("_", "-")}="{escaped(value)}"'
                      for name, value in attributes.items() if value is not None)
    return Markup(f"<{tag}{written}>{joined(content)}</{tag}>")


def paragraph(*content: Any, note: bool = False) -> Markup:
    """Returns a paragraph; a note is small print."""
    return element("p", *content, class_="note" if note else None) + "\n"


def name(text: str, longest: int = LONGEST) -> Markup:
    """Returns a label or an id, shortened, in its own direction of writing."""
    return element("bdi", shortened(text, longest))


def shortened(text: str, longest: int) -> str:
    """Returns a text of so many characters at most; " …" says that something is missing."""
    return text if len(text) <= longest else f"{text[:longest]} …"


def number(value: float) -> str:
    """Returns a number as tables show it: 1,234 0.9130 5.712e-05."""
    if isinstance(value, int):
        return f"{value:,}"
    return f"{value:.4f}" if 1e-3 <= abs(value) < 1000 or not value else f"{value:.4g}"


def table(caption: str, head: Sequence[Any], rows: Iterable[Sequence[Any]],
          class_: str | None = None) -> Markup:
    """Returns a table; int and float cells are numbers, and the first of a row is its heading.

    Args:
        head: of the columns; all empty: it has none.
        class_: in the style sheet; its cells then have `data-of`, the head of their column.
    """
    lines = [element("tr", *(element("th", one, scope="col") for one in head)) + "\n"] * any(head)
    told = head if class_ else [None] * len(head)
    lines += [element("tr", *(_cell(cell, not at, of) for at, (cell, of) in
                              enumerate(zip(row, told, strict=True)))) + "\n" for row in rows]
    inner = element("table", element("caption", caption), *lines, class_=class_)
    return element("div", inner, class_="wide") + "\n"


def _cell(value: Any, first: bool, of: str | None) -> Markup:
    if isinstance(value, Markup) and value.startswith("<td"):
        return value
    digits = isinstance(value, int | float)
    return element("th" if first else "td", number(value) if digits else value,
                   class_="n" if digits else None, scope="row" if first else None, data_of=of)


def folded(summary: str, *content: Any) -> Markup:
    """Returns something that is shown when its summary is clicked."""
    return element("details", element("summary", summary), *content) + "\n"
