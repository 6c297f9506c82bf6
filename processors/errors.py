"""How a mistake in the user's data is told: where it is, what stands there, what is allowed."""

import difflib
from collections.abc import Iterable

MAX_SHOWN = 20
_MOST_KEPT = 1000  # problems of a file, until only those to be shown are left


class DataError(ValueError):
    """One or more mistakes in the user's data, all those that were found.

    Attributes:
        problems: complete messages, "path:line: ..." wherever there is a line.
    """

    def __init__(self, problems: str | Iterable[str]):
        """Makes an error of one message or several."""
        self.problems = (problems,) if isinstance(problems, str) else tuple(problems)
        super().__init__("\n".join(self.problems))


class Missing(str):
    """A message: a file is not there, which is a mistake only of a run that needs it."""

    is_missing = True


class Report:
    """Collects what is wrong (problems) and what is worth telling (notices) about one file."""

    def __init__(self, path: str):
        """Makes an empty report; the path goes in front of every message."""
        self.path = path
        self.notices: list[str] = []
        self._problems: list[tuple[int, str]] = []
        self._count = 0

    def problem(self, line: int, text: str) -> None:
        """Records a problem at a 1-based line; line 0 stands for the file as a whole."""
        self._count += 1
        self._problems.append((line, f"{self.path}:{line}: {text}" if line
                               else f"{self.path}: {text}"))
        if len(self._problems) >= _MOST_KEPT:  # every row of a big file may have one
            self._problems = self._first()

    def notice(self, text: str, line: int = 0) -> None:
        """Records something the user should know, but that stops nothing."""
        self.notices.append(f"{self.path}:{line}: {text}" if line else f"{self.path}: {text}")

    def warning(self, text: str) -> None:
        """Records a notice that is to be told as a warning, by what it begins with."""
        self.notices.append(f"warning: {self.path}: {text}")

    def __len__(self) -> int:
        """Returns the number of problems."""
        return self._count

    @property
    def failed(self) -> bool:
        """Whether a problem was recorded."""
        return bool(self._problems)

    def error(self) -> DataError:
        """Returns one error with all problems in the order of the file.

        Only the first MAX_SHOWN are worded; what is left is counted.
        """
        texts = [text for _, text in self._first()]
        if self._count > MAX_SHOWN:
            texts.append(f"{self.path}: ... and {self._count - MAX_SHOWN:,} more problems")
        return DataError(texts)

    def _first(self) -> list[tuple[int, str]]:
        # sorted() is stable: problems of the same line stay in the order they were found.
        return sorted(self._problems, key=lambda problem: problem[0])[:MAX_SHOWN]

    def check(self) -> None:
        """Raises `error()` if there is any problem."""
        if self.failed:
            raise self.error()


def quoted(value: str, limit: int = 60) -> str:
    """Returns the value in double quotes, cut to `limit` characters, invisible ones escaped.

    >>> print(quoted("\\ufeff2"))
    "\\ufeff2"
    """
    cut = value if len(value) <= limit else value[:limit] + "..."
    return f'"{repr(cut)[1:-1]}"'


def listed(values: Iterable[str], limit: int = MAX_SHOWN) -> str:
    """Returns the values quoted and separated by commas, at most `limit` of them."""
    values = list(values)
    shown = ", ".join(quoted(value) for value in values[:limit])
    return shown + (f", ... and {len(values) - limit:,} more" if len(values) > limit else "")


def suggestion(value: str, allowed: Iterable[str], cutoff: float = 0.6) -> str:
    """Returns `, closest is "..."` with the nearest allowed value, "" if none is near.

    Case and surrounding blanks are disregarded; from the cutoff on (of 1) two are near.
    """
    plain = {}
    for name in allowed:
        plain.setdefault(name.strip().lower(), name)
    close = difflib.get_close_matches(value.strip().lower(), plain, 1, cutoff)
    return f", closest is {quoted(plain[close[0]])}" if close else ""
