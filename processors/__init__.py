"""WHAT a task is: where its texts and labels stand. Pure Python, imports no TensorFlow.

    from processors import get
    examples = get("mrpc")().get_train_examples("data/MRPC")

Every module of this folder is imported here, so a new file with a `@register` class is all that a
new task needs; there is no list of tasks anywhere. Its names: `names()`.
"""

import importlib
import pkgutil

from processors.base import DataError, DataProcessor, InputExample, Split, TsvProcessor
from processors.registry import create, get, load, names, options, register

__all__ = ["DataError", "DataProcessor", "InputExample", "Split", "TsvProcessor", "create", "get",
           "load", "names", "options", "register"]

for _module in pkgutil.iter_modules(__path__):
    importlib.import_module(f"{__name__}.{_module.name}")
