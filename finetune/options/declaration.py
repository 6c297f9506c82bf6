"""How a flag is declared: a field of a dataclass, with what --help says of it."""

import dataclasses
from typing import Any


def setting(group: str, help_text: str, default: Any = None, original: bool = False,
            choices: tuple[str, ...] | None = None) -> Any:
    """Declares one field of RunConfig and so one flag.

    Args:
        group: the heading it stands under in --help.
        help_text: what it does, with units.
        default: its value when the flag is not given.
        original: whether google-research/bert's run_classifier.py has this flag; name, type and
            default are then the original's.
        choices: the values allowed, for a flag with few.
    """
    return dataclasses.field(default=default, metadata={
        "group": group, "help": help_text, "original": original, "choices": choices})
