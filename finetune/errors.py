"""The one exception that stands for a mistake of the user: its forms, and how several are told."""

import contextlib
from collections.abc import Iterable, Iterator


class UserError(Exception):
    """What the user has to change before the run can work.

    The entry point prints every problem and exits with `status`; nothing has been written.

    Attributes:
        status: the program's exit status.
        problems: complete messages, each naming the flag or the file, the value and what is
            allowed.
    """

    status = 2

    def __init__(self, problems: str | Iterable[str]):
        self.problems = (problems,) if isinstance(problems, str) else tuple(problems)
        super().__init__("\n".join(self.problems))


class Problem(str):
    """A message that knows which flags it is about, whatever else it names.

    Args:
        text: the message.
        flags: their names.
    """

    flags: tuple[str, ...]

    def __new__(cls, text: str, flags: Iterable[str]) -> "Problem":
        """Makes a message."""
        made = super().__new__(cls, text)
        made.flags = tuple(flags)
        return made

    def within(self, place: str) -> "Problem":
        """Returns the message of a flag that stands in a file."""
        return Problem(f"{place}: {self}", self.flags)


class Missing(str):
    """A message: there is no such split, which is a mistake only of a run that needs it.

    The processors shipped here mark such messages by the same attribute.
    """

    is_missing = True


class InputError(UserError, ValueError):
    """A UserError that is a ValueError too, as users of scikit-learn expect."""


class ArgumentError(InputError, TypeError):
    """An argument of an unknown name or a wrong type: a TypeError too, as Python raises one."""


@contextlib.contextmanager
def collected(problems: list[str]) -> Iterator[None]:
    """Adds the problems of an exception that carries some to the list."""
    try:
        yield
    except (UserError, ValueError) as error:
        if not hasattr(error, "problems"):
            raise
        problems.extend(error.problems)
