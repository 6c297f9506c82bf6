"""What is wrong with the settings of long texts, and which of them a trained folder tells.

The settings themselves are declared in options/long_texts.py; what they do is in windows.py.
"""

import dataclasses
from collections.abc import Mapping
from typing import Any

from finetune.config_problems import must_be
from finetune.options.long_texts import NAMES, OF_WINDOWS, LongTexts

_LEAST_LENGTH = 5  # of max_seq_length: a pair then has a token of each text
_MOST = 2 ** 31 - 1
_FIELDS = {field.name: field for field in dataclasses.fields(LongTexts)}


def problems(settings: LongTexts, max_seq_length: int, mark: str = "--") -> list[str]:
    """Returns what is wrong with the settings.

    Args:
        max_seq_length: of a sequence.
        mark: what stands before a name in a message.
    """
    stride, found = settings.window_stride, []
    for name, least in (("window_stride", 0), ("max_windows", 1)):
        value = getattr(settings, name)
        if not least <= value <= _MOST:
            bound = f"{least} or more" if value < least else f"{_MOST} or less"
            found.append(f"{mark}{name}={value}: must be {bound}")
    if found or not stride:
        return found
    if max_seq_length < _LEAST_LENGTH:
        return [f"{mark}window_stride={stride}: windows need {mark}max_seq_length={_LEAST_LENGTH} "
                "or more"]
    if stride > max_seq_length - 2:
        return [f"{mark}window_stride={stride}: must be {max_seq_length - 2} or less, the tokens "
                f"of a text in {mark}max_seq_length={max_seq_length}; those between two windows "
                "would not be read"]
    return []


def problems_of_flags(settings: LongTexts, max_seq_length: int, explains: bool) -> list[str]:
    """Returns what is wrong with the flags of a run.

    Args:
        explains: whether the run has --do_explain.
    """
    found = problems(settings, max_seq_length)
    if not settings.window_stride:
        found += [f"--{name}={getattr(settings, name)} is of windows: give --window_stride"
                  for name in OF_WINDOWS
                  if getattr(settings, name) != _FIELDS[name].default
                  and not any(f"--{name}=" in problem for problem in found)]
    elif explains:
        found.append(f"--do_explain: explains one answer of the model, and --window_stride="
                     f"{settings.window_stride} makes one of several; explain without it what the "
                     "model says of a text that is cut")
    return found


def of_folder(told: Mapping[str, Any], where: str, asked: Mapping[str, Any], max_seq_length: int,
              found: list[str]) -> LongTexts:
    """Returns the settings of a trained model.

    Args:
        told: what run_config.json or source.json holds.
        where: the name of that file, for messages.
        asked: what is to take its place, by name; None: nothing.
        max_seq_length: of a sequence.
        found: gets what is wrong.
    """
    values = {}
    for name in NAMES:
        given = asked.get(name)
        value = told.get(name, _FIELDS[name].default) if given is None else given
        if (problem := _value_problem(name, value)) is not None:
            found.append(f"{where + ': ' if given is None else ''}{name}={value!r:.100}: {problem}")
            value = _FIELDS[name].default
        values[name] = value
    settings = LongTexts(**values)
    found += problems(settings, max_seq_length, "")
    return settings


def _value_problem(name: str, value: Any) -> str | None:
    choices = _FIELDS[name].metadata["choices"]
    if choices:
        return None if value in choices else must_be(value, str, choices)
    return None if type(value) is int else "must be a whole number"


def among(values: Mapping[str, Any]) -> dict[str, Any]:
    """Returns those of some values that are settings of long texts."""
    return {name: values[name] for name in NAMES if name in values}


def described(settings: LongTexts) -> dict[str, Any]:
    """Returns the settings that are not the original's, by name: what others have to be told."""
    names = [*(["truncation"] if settings.truncation != "head" else []),
             *(["window_stride", *OF_WINDOWS] if settings.window_stride else [])]
    return {name: getattr(settings, name) for name in names}
