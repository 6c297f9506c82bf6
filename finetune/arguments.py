"""What is wrong with the arguments of Predictor, Classifier and Regressor: their names and types.

    arguments.refuse_unknown(["max_seq_lenght"], ["labels", "max_seq_length"])
"""

import difflib
import os
from collections.abc import Iterable, Mapping
from numbers import Integral
from typing import Any

from finetune.config_problems import shown
from finetune.errors import ArgumentError


def refuse_unknown(given: Iterable[str], known: Iterable[str],
                   why: Mapping[str, str] | None = None) -> None:
    """Refuses keyword arguments that there are not.

    Args:
        given: their names.
        known: the names that there are.
        why: by name, what to do instead.

    Raises:
        ArgumentError: there is one, with the closest that there is.
    """
    known, problems = list(known), []
    for name in given:
        near = difflib.get_close_matches(name, known, 1, 0.5)
        hint = (why or {}).get(name) or (f"did you mean {near[0]}?" if near else
                                         "help() lists those that there are")
        problems.append(f"unexpected keyword argument {name!r}; {hint}")
    if problems:
        raise ArgumentError(problems)


def path(folder: Any) -> str:
    """Returns a path as text.

    Raises:
        ArgumentError: it is none.
    """
    if not isinstance(folder, (str, os.PathLike)):
        raise ArgumentError(f"folder={shown(folder)}: must be a string or a path")
    return os.fspath(folder)


def type_problems(batch_size: Any, labels: Any, **truths: Any) -> list[str]:
    """Returns which arguments of a Predictor are of a wrong type.

    Args:
        truths: what has to be True, False or None, by name.
    """
    found = [f"{name}={shown(value)}: must be True or False" for name, value in truths.items()
             if not isinstance(value, bool | None)]
    if isinstance(batch_size, bool) or not isinstance(batch_size, Integral) or batch_size < 1:
        found.append(f"batch_size={shown(batch_size)}: must be a whole number, 1 or more")
    if labels is not None and (isinstance(labels, str) or not isinstance(labels, Iterable)):
        found.append(f"labels={shown(labels)}: must be a list of names")
    return found
