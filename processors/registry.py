"""Finds a processor by the name of its task, or in a module of the user's.

    registry.get("mrpc")                         the class Mrpc
    registry.load("my_tasks:TicketProcessor")    a class in ./my_tasks.py
"""

import importlib
import inspect
import os
import re
import sys
import traceback
from collections.abc import Collection, Mapping
from types import ModuleType
from typing import Any

from processors.errors import DataError, quoted, suggestion

METHODS = ("get_train_examples", "get_dev_examples", "get_test_examples", "get_labels")

_by_name: dict[str, type] = {}  # names and aliases


def register(cls: type) -> type:
    """Makes a processor known by its `name` and `aliases` (a class decorator).

    Raises:
        ValueError: a name that is bad or taken.
        TypeError: a class without the original's four methods.
    """
    missing = _missing_methods(cls)
    if missing:
        raise TypeError(f"{cls.__qualname__} lacks {', '.join(missing)}")
    names = (getattr(cls, "name", ""), *getattr(cls, "aliases", ()))
    for name in names:
        if not isinstance(name, str) or not re.fullmatch("[a-z0-9_-]+", name):
            raise ValueError(f"{cls.__qualname__}: the name {name!r} is not made of a-z 0-9 _ -")
        taken = _by_name.get(name)
        if taken is not None or names.count(name) > 1:
            raise ValueError(f"{cls.__qualname__}: the name {name!r} is taken by "
                             f"{(taken or cls).__module__}.{(taken or cls).__qualname__}")
    _by_name.update(dict.fromkeys(names, cls))
    return cls


def names() -> list[str]:
    """Returns the sorted names of the tasks, without aliases."""
    return sorted({cls.name for cls in _by_name.values()})


def get(name: str) -> type:
    """Returns the class of a task.

    Args:
        name: a name or alias; case is disregarded, as in the original.

    Raises:
        DataError: there is no such task; the closest name and all of them are told.
    """
    try:
        return _by_name[name.lower()]
    except KeyError:
        raise DataError(f"--task_name={name}: there is no such task"
                        f"{suggestion(name, _by_name)}; tasks: {', '.join(names())}") from None


def options(cls: type) -> frozenset[str]:
    """Returns the names of the arguments that a processor's constructor takes by keyword."""
    parameters = inspect.signature(cls).parameters.values()
    return frozenset(each.name for each in parameters
                     if each.kind in (each.KEYWORD_ONLY, each.POSITIONAL_OR_KEYWORD))


def create(cls: type, settings: Mapping[str, Any], general: Collection[str]) -> Any:
    """Makes a processor from the flags that the user gave.

    Args:
        settings: flag name -> value.
        general: flags that need not be of use to the constructor.

    Raises:
        DataError: flags that the processor has no use for, or the constructor fails.
    """
    takes = options(cls)
    useless = sorted(set(settings) - takes - set(general))
    if useless:
        raise DataError([f"--{name} has no meaning for {cls.__name__}, which knows its own files"
                         for name in useless])
    try:
        return cls(**{name: value for name, value in settings.items() if name in takes})
    except DataError:
        raise
    except Exception as error:  # a user's own constructor can raise anything
        frame = traceback.extract_tb(error.__traceback__)[-1]
        raise DataError(f"{cls.__name__}() failed: {type(error).__name__}: {error} "
                        f"({frame.filename}:{frame.lineno}: {frame.line})") from error


def load(spec: str) -> type:
    """Imports a user's own processor class; the current folder is searched first.

    Args:
        spec: "package.module:ClassName".

    Raises:
        DataError: bad spelling, no such module or class, a module that fails while it is imported,
            a class that lacks one of the original's four methods or defines none.
    """
    flag = f"--processor={spec}"
    module_name, _, class_name = spec.partition(":")
    if module_name.endswith(".py") or not all(
            part.isidentifier() for part in [*module_name.split("."), class_name]):
        raise DataError(f"{flag}: write package.module:ClassName, for example "
                        "my_tasks:TicketProcessor for a class in ./my_tasks.py")
    module = _import(module_name, flag)
    found = getattr(module, class_name, None)
    if found is None:
        classes = [name for name, value in vars(module).items()
                   if inspect.isclass(value) and not _missing_methods(value)]
        raise DataError(f"{flag}: {_file(module)} has no {class_name}"
                        f"{suggestion(class_name, classes)}; its processors: "
                        f"{', '.join(classes) or 'none'}")
    if not inspect.isclass(found):
        raise DataError(f"{flag}: {class_name} in {_file(module)} is not a class, "
                        f"but {type(found).__name__}")
    missing = _missing_methods(found)
    if missing:
        raise DataError(f"{flag}: {class_name} in {_file(module)} lacks {', '.join(missing)}; a "
                        f"processor has {', '.join(METHODS)}")
    abstract = _abstract_methods(found)
    if abstract:
        raise DataError(f"{flag}: {class_name} in {_file(module)} is abstract: it does not define "
                        f"{', '.join(abstract)}")
    return found


def _missing_methods(cls: type) -> list[str]:
    return [method for method in METHODS if not callable(getattr(cls, method, None))]


def _abstract_methods(cls: type) -> list[str]:
    """Returns the methods a usable processor would define.

    One that reads a part of the splits is usable (the original's XnliProcessor has no test). What
    comes from a class named DataProcessor, ours or the original's, only raises NotImplementedError.
    """
    if inspect.isabstract(cls):
        return sorted(cls.__abstractmethods__)
    bare = [method for method in METHODS
            if next(base for base in cls.__mro__ if method in vars(base)).__name__
            == "DataProcessor"]
    return bare if "get_labels" in bare or len(bare) == 3 else []


def _import(module_name: str, flag: str) -> ModuleType:
    if os.getcwd() not in sys.path:
        sys.path.insert(0, os.getcwd())
    try:
        return importlib.import_module(module_name)
    except ModuleNotFoundError as error:
        if error.name and f"{module_name}.".startswith(f"{error.name}."):
            raise DataError(f"{flag}: there is no module {error.name} in {os.getcwd()} or among "
                            f"the installed ones{suggestion(error.name, _modules_here())}"
                            ) from error
        raise DataError(_import_problem(module_name, error, flag)) from error
    except (Exception, SystemExit) as error:  # whatever the user's code does while it is imported
        raise DataError(_import_problem(module_name, error, flag)) from error


def _import_problem(module_name: str, error: BaseException, flag: str) -> str:
    """Names the error and the last line of the user's module that led to it."""
    where = ""
    if isinstance(error, SyntaxError):
        where = f" at {error.filename}:{error.lineno}"
    else:
        ending = module_name.replace(".", os.sep)
        frames = [frame for frame in traceback.extract_tb(error.__traceback__)
                  if os.path.splitext(frame.filename)[0].removesuffix(f"{os.sep}__init__")
                  .endswith(ending)]
        if frames:
            where = f" at {frames[-1].filename}:{frames[-1].lineno}"
    return f"{flag}: importing {module_name} failed{where}: {type(error).__name__}: {error}"


def _modules_here() -> list[str]:
    return [name.removesuffix(".py") for name in os.listdir() if name.endswith(".py")]


def _file(module: ModuleType) -> str:
    return quoted(getattr(module, "__file__", None) or module.__name__, limit=200)
