"""The parameters of Classifier and Regressor: the flags of the command by their names.

There is no second list of them: names, defaults and types are those of RunConfig. Left out are the
flags that say where rows come from, which `fit` is given, and what a run does, which is to fit.
"""

import contextlib
import dataclasses
import inspect
import numbers
import operator
import os
import re
import typing
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np

from finetune import arguments
from finetune.config import RunConfig, flag_type
from finetune.config_problems import must_be, shown
from finetune.errors import InputError, UserError

FIELDS = {field.name: field for field in dataclasses.fields(RunConfig)}
_GROUPS = ("Model", "Training", "Long texts",
           "Evaluation and prediction", "Devices")
_OTHERS = ("output_dir", "overwrite_output_dir", "seed", "do_check", "baseline", "do_export",
           "export_formats", "show_stage_times")
NAMES = tuple(name for name, field in FIELDS.items()
              if (field.metadata["group"] in _GROUPS
                  and not name.startswith(("explain_", "label_"))) or name in _OTHERS)
SEVERAL = ("Classifier gives a text one label, Regressor a number; several labels a text are for "
           "the command (--task_type=multilabel, docs/multilabel.md), and finetune.Predictor asks "
           "its folder")
_ELSEWHERE = {
    **{name: "it is for the command" for name in FIELDS if name not in NAMES},
    **{name: "rows are given to fit(X, y), which reads no file" for name, field in FIELDS.items()
       if field.metadata["group"] == "Data"},
    **dict.fromkeys(("task_type", "label_separator", "label_threshold"), SEVERAL),
    **dict.fromkeys(("do_train", "do_eval", "do_predict"),
                    "fit trains, its dev=(texts, labels) is scored, predict answers"),
    **dict.fromkeys(("do_explain", "explain_rows", "explain_label"), "explain(X, label) does it"),
    "kfold": "scikit-learn's cross_val_score and cross_val_predict do it (docs/python.md); with "
             "the command: docs/folds.md",
    "sweep": "scikit-learn's GridSearchCV does it (docs/python.md); with the command: "
             "docs/sweep.md",
    "ensemble": "it is for the command, and finetune.Predictor asks its folder (docs/folds.md)"}
_OF_DEV = ("eval_every_steps", "early_stopping_patience", "baseline", "calibrate", "min_precision")
_PATHS = ("init_checkpoint", "bert_config_file", "vocab_file", "bert_hub_module_handle",
          "class_weights", "output_dir")  # where ~ is the home folder, as in `save` and `load`
_FLAG = re.compile(rf"--(no)?(?=({'|'.join(FIELDS)})\b)")
_KINDS = {bool: "True or False", int: "a whole number", float: "a number", str: "a string",
          tuple: "a list of strings"}
_MEANT = {"class_weights": '"balanced" or the name of a file'}


def signature(init: Callable[..., None]) -> inspect.Signature:
    """Returns the signature of an __init__ whose **flags stand for all the others, written out.

    scikit-learn asks the signature which parameters an estimator has; so do help() and Tab.
    """
    own = inspect.signature(init)
    named = [one for one in own.parameters.values() if one.kind is not one.VAR_KEYWORD]
    known = {one.name for one in named}
    return own.replace(parameters=named + [
        inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=FIELDS[name].default)
        for name in NAMES if name not in known])


def completed(flags: Mapping[str, Any], given: inspect.Signature) -> dict[str, Any]:
    """Returns the flags with the defaults of those that are not given.

    Args:
        flags: what **flags holds.
        given: the whole signature.

    Raises:
        ArgumentError: there is no such parameter.
    """
    arguments.refuse_unknown([name for name in flags if name not in given.parameters],
                             given.parameters, _ELSEWHERE)
    return {name: flags.get(name, one.default) for name, one in given.parameters.items()
            if one.kind is one.KEYWORD_ONLY and name in NAMES}


def make_config(values: Mapping[str, Any], **decided: Any) -> RunConfig:
    """Returns the settings of a run.

    Args:
        values: the parameters as the user gave them; those that are no flags are left out.
        decided: flags that fit decides.

    Raises:
        UserError: values of another type than the flag's.
    """
    problems: list[str] = []
    settings = {name: _typed(name, values[name], problems) for name in NAMES}
    if not isinstance(values["verbose"], (bool, np.bool_)):
        problems.append(f"verbose={shown(values['verbose'])}: must be {_KINDS[bool]}")
    if settings["distribution"] == "multi_worker":
        problems.append("distribution='multi_worker': every worker has to run the whole program; "
                        "that is for the command (docs/running.md)")
    if problems:
        raise UserError(problems)
    for name in _PATHS:
        if settings[name] is not None:
            settings[name] = os.path.expanduser(settings[name])
    if settings["bert_hub_module_handle"] and values["do_lower_case"] == FIELDS[
            "do_lower_case"].default:
        settings["do_lower_case"] = None  # the module says
    return RunConfig(**{**settings, **decided})


def lacking(config: RunConfig, dev: Any) -> list[str]:
    """Returns which settings ask for rows of dev, where fit was given none."""
    asked = [f"{name}={value}" for name in _OF_DEV if (value := getattr(config, name))]
    if dev is None and asked:
        return [f"{', '.join(asked)}: needs rows to score: fit(X, y, dev=(texts, labels))"]
    return []


@contextlib.contextmanager
def errors_in_python() -> Iterator[None]:
    """Makes an InputError of the command's error, whose flags are parameters here."""
    try:
        yield
    except UserError as error:
        made = type(error) if isinstance(error, InputError) else InputError
        raise made(_FLAG.sub("", problem) for problem in error.problems) from error


def _typed(name: str, value: Any, problems: list[str]) -> Any:
    """Returns a value in the type of its flag, as the command line would have parsed it."""
    field, kind = FIELDS[name], flag_type(FIELDS[name])
    if value is None and (field.default is None or None.__class__ in typing.get_args(field.type)):
        return None
    choices = field.metadata["choices"]
    try:
        found = _CONVERT[kind](value)
        if choices and found not in choices:
            problems.append(f"{name}={shown(value)}: {must_be(found, str, choices)}")
    except (TypeError, ValueError, OverflowError):
        problems.append(f"{name}={shown(value)}: must be {_MEANT.get(name, _KINDS[kind])}")
        return None
    return found


def _bool(value: Any) -> bool:
    if not isinstance(value, (bool, np.bool_)):
        raise TypeError
    return bool(value)


def _int(value: Any) -> int:
    if isinstance(value, (bool, np.bool_)):
        raise TypeError
    return operator.index(value)


def _float(value: Any) -> float:
    if isinstance(value, (bool, np.bool_)) or not isinstance(value, numbers.Real):
        raise TypeError
    return float(value)


def _str(value: Any) -> str:
    found = os.fspath(value)
    if not isinstance(found, str):
        raise TypeError
    return str(found)


def _tuple(value: Any) -> tuple[str, ...]:
    if isinstance(value, str):
        raise TypeError
    return tuple(map(_str, value))


_CONVERT = {bool: _bool, int: _int, float: _float, str: _str, tuple: _tuple}
