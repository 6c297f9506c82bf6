"""Parts of a Markdown text, for the model card."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

UNKNOWN = "not stated"

def table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> Iterator[str]:
    """Yields the lines of a table."""
    yield f"| {' | '.join(heads)} |"
    yield "|" + "---|" * len(heads)
    for row in rows:
        yield f"| {' | '.join(row)} |"


def known(value: Any) -> str:
    """Returns a value as people read it, or that it is not known."""
    if value is None:
        return UNKNOWN
    return f"{value:,}" if type(value) is int else plain(str(value))


def flag(name: str, value: Any) -> str:
    """Returns a flag with its value as one writes it."""
    if isinstance(value, bool):
        value = str(value).lower()
    return code(f"{name}={','.join(map(str, value)) if isinstance(value, list) else value}")


def code(text: str) -> str:
    """Returns a text as code."""
    return f"`{' '.join(text.replace('`', chr(39)).split())}`"


def shown_versions(versions: Mapping[str, str]) -> str:
    """Returns packages with their versions."""
    return ", ".join(f"{name} {version}" for name, version in versions.items()) or UNKNOWN


def plain(text: str) -> str:
    """Returns text that Markdown shows as it is, in a cell of a table too."""
    for character, shown in (("&", "&amp;"), ("<", "&lt;"), ("|", "&#124;"), ("`", "&#96;"),
                             ("*", "&#42;"), ("[", "&#91;"), ("_", "\\_"), ("\n", " ")):
        text = text.replace(character, shown)
    return text
