"""The examples of a run, as its processor gives them; whatever is wrong with them is told.

Imports no TensorFlow: a command line that cannot be read is answered with this, at once.
"""

import dataclasses
import traceback
from collections.abc import Callable, Sequence
from typing import Any

from finetune import inputs
from finetune.config import RunConfig
from finetune.errors import Missing, Problem, collected

SPLIT_METHODS = {"train": "get_train_examples", "dev": "get_dev_examples",
                 "test": "get_test_examples"}
NEEDED = ", which this run needs"
EXAMPLE_ATTRIBUTES = ("guid", "text_a", "text_b", "label")


# Headings of flags that have no say in what the rows are.
_APART = ("Training", "Long texts", "Evaluation and prediction", "Devices")


def problems(config: RunConfig, make_processor: Callable[[RunConfig], Any],
             misread: Sequence[Problem]) -> list[str]:
    """Returns what is wrong with the rows of a training whose flags cannot all be read.

    Args:
        config: the settings, with the defaults of those that cannot be read.
        make_processor: settings -> an object with the original's four DataProcessor methods.
        misread: what is wrong with the flags. Where one of them may decide what the rows are,
            nothing is looked at.
    """
    if config.missing() or not config.do_train or config.processor or not all(
            map(_is_apart, misread)):
        return []
    found: list[str] = []
    with collected(found):
        read_examples(make_processor(config), needed_splits(config), config.data_dir or "", found)
    return found


def _is_apart(problem: Problem) -> bool:
    """Whether a flag that cannot be read, or what it is likely meant to be, is _APART."""
    groups = {field.metadata["group"] for field in dataclasses.fields(RunConfig)
              if field.name in problem.flags}
    return bool(groups) and groups <= set(_APART)


def needed_splits(config: RunConfig) -> list[str]:
    """Returns which of train, dev and test the flags ask for."""
    dev = config.do_eval or (config.do_train and config.eval_every_steps > 0)
    wanted = {"train": config.do_train, "dev": dev, "test": config.do_predict or config.do_explain}
    return [split for split, needed in wanted.items() if needed]


def read_examples(processor: Any, splits: Sequence[str], data_dir: str, problems: list[str]
                  ) -> dict[str, Sequence[Any]]:
    """Returns the examples of splits; what is wrong with one goes into the problems instead."""
    examples = {}
    for split in splits:
        asked = f"{type(processor).__name__}.{SPLIT_METHODS[split]}"
        rows = ask(processor, SPLIT_METHODS[split], own := [], data_dir)
        if own:
            of_folder = inputs.why_no_folder(data_dir) if hasattr(processor, "data_files") else None
            if data_dir and of_folder:  # told once, and not for each of its files
                problems.append(f"--data_dir={data_dir}: {of_folder}")
                return examples
            problems += [problem for problem in own if problem not in problems]
            continue
        if not isinstance(rows, Sequence) or isinstance(rows, str):
            looked_at = [rows]
        else:  # of a sequence that is not in memory one example stands for all
            looked_at = rows if isinstance(rows, (list, tuple)) else rows[:1]
        wrong = [row for row in looked_at
                 if not all(hasattr(row, name) for name in EXAMPLE_ATTRIBUTES)]
        if wrong:
            problems.append(f"{asked} gave {type(wrong[0]).__name__}; must be a list of examples "
                            "with " + ", ".join(EXAMPLE_ATTRIBUTES))
        elif not rows:
            problems.append(f"the {split} split is empty: {asked} gave no rows")
        else:
            examples[split] = rows
    return examples


def ask(processor: Any, method: str, problems: list[str], *arguments: Any) -> Any:
    """Calls a method of a processor; whatever it raises becomes a problem, not a traceback."""
    before = len(problems)
    try:
        with collected(problems):
            return getattr(processor, method)(*arguments)
    except NotImplementedError:
        problems.append(Missing(
            f"{type(processor).__name__} has no {method}{NEEDED}"))
    except (Exception, SystemExit) as error:  # a user's own code can raise anything
        frame = traceback.extract_tb(error.__traceback__)[-1]
        told = (f"{type(processor).__name__}.{method} failed: {type(error).__name__}: "
                f"{error} ({frame.filename}:{frame.lineno}: {frame.line})")
        problems.append(Missing(told) if isinstance(error, FileNotFoundError) else told)
    if problems[before:] and all(one in problems[:before] for one in problems[before:]):
        del problems[before:]  # get_labels reads the training file again
    return None
