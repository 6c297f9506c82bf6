"""Folders that were fetched by name: the closest names, and whether a folder is there and whole.

A folder appears under its final name only when it is complete, and then holds source.json, which
records the size of each of its files. Imports no TensorFlow.
"""

import difflib
import json
import os
from collections.abc import Iterable

from finetune.bert_config import SOURCE_FILE
from finetune.errors import UserError


def no_such(what: str, name: str, known: Iterable[str]) -> str:
    """Returns the message for a name that nothing has, with the closest ones.

    Args:
        what: of what there is none: "task", say.
        name: as the user wrote it.
        known: all names, in any case.
    """
    written = {one.lower(): one for one in known}
    close = difflib.get_close_matches(name.lower(), written, n=3, cutoff=0.5)
    closest = [one for key, one in written.items() if key in close]
    hint = f"the closest: {', '.join(closest)}" if closest else "--list shows all"
    return f"{name!r}: no {what} of that name; {hint}."


def is_absent(target: str) -> bool:
    """Whether nothing is there, or an empty folder."""
    return not os.path.lexists(target) or (os.path.isdir(target) and not os.listdir(target))


def require_whole(target: str, files: Iterable[str]) -> bool:
    """Checks the sizes of what is there.

    Args:
        target: the folder; not absent.
        files: what it must hold where nothing is recorded, none of it empty.

    Returns:
        Whether there is a source.json; else the folder was filled by other means.

    Raises:
        UserError: it is damaged, or something else.
    """
    try:
        with open(os.path.join(target, SOURCE_FILE), encoding="utf-8") as file:
            recorded = {name: int(size) for name, size in json.load(file)["files"].items()}
    except (FileNotFoundError, NotADirectoryError):
        recorded = None
    except (OSError, ValueError, RecursionError, KeyError, TypeError, AttributeError) as error:
        raise in_the_way(target, f"its {SOURCE_FILE} cannot be read") from error
    for name in recorded or files:
        path = os.path.join(target, name)
        size = os.path.getsize(path) if os.path.isfile(path) else None
        if size is None:
            raise in_the_way(target, f"{name} is missing")
        if recorded is None and not size:
            raise in_the_way(target, f"{name} is empty")
        if recorded and size != recorded[name]:
            raise in_the_way(target, f"{name} has {size:,} bytes where {recorded[name]:,} were "
                                     "installed")
    return recorded is not None


def in_the_way(target: str, reason: str) -> UserError:
    """Returns the error for a folder that is there and is not what it should be."""
    return UserError(f"{target}: is there already, but is not complete: {reason}. Delete it or "
                     "move it away, then run this again.")
