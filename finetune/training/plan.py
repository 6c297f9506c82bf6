"""The plan of a training, checked against its model, its labels and its rows.

--class_weights=FILE holds a line for each label, in any order:

    bug<TAB>1
    question<TAB>2.5
"""

import dataclasses
import math
from collections.abc import Mapping, Sequence
from typing import Any

from finetune import config_problems, inputs
from finetune.bert_config import BertConfig
from finetune.checkpoints import checkpoint
from finetune.config import RunConfig
from finetune.errors import UserError
from finetune.features import count_sequences
from finetune.task_kind import TaskKind
from finetune.tokenization import Tokenizer
from finetune.training import chosen_weights
from finetune.training.loss import BALANCED
from finetune.training.schedules import Plan

_LARGEST = 1e6  # of a weight; the least is 1 / _LARGEST
_MOST = 20  # messages, or labels in one
_FORM = 'a label, a tab and its weight on each line, as "bug<TAB>2.5"'


def find(config: RunConfig, bert_config: BertConfig | None, labels: Sequence[str] | None,
         examples: Mapping[str, Sequence[Any]], tokenizer: Tokenizer | None,
         problems: list[str]) -> Plan | None:
    """Returns how to train; None without training.

    Args:
        bert_config: None if it is wrong itself; so labels.
        examples: by split.
        tokenizer: None if the vocabulary is wrong itself.
        problems: receives what is wrong.
    """
    if not config.do_train:
        return None
    layers = config.trainable_layers
    if bert_config and layers is not None and layers > bert_config.num_hidden_layers:
        problems.append(f"--trainable_layers={layers}: the model of {config.bert_config_file} has "
                        f"{bert_config.num_hidden_layers}")
    if config.find_lr and (held := checkpoint.latest(config.output_dir)):
        problems.append(f"--find_lr begins with the weights that a training would: "
                        f"--output_dir={config.output_dir} has trained ones, {held}; name another")
    weights = _class_weights(config, labels, problems)
    if "train" not in examples:
        return None
    if problems and config.window_stride:  # a text may be none: who knows how many windows it has
        return None
    rows = count_sequences(examples["train"], config.max_seq_length, tokenizer, config)
    problem = Plan.problem(config, rows)
    if problem:
        problems.append(f"--train_batch_size={config.train_batch_size}: {problem}")
    plan = dataclasses.replace(Plan.of(config, rows), class_weights=weights)
    problems += chosen_weights.problems(config, plan.steps)
    return plan


def _class_weights(config: RunConfig, labels: Sequence[str] | None, problems: list[str]
                   ) -> tuple[float, ...]:
    given = {"class_weights": config.class_weights, "focal_gamma": config.focal_gamma or None}
    kind = TaskKind.of(labels) if labels else None
    if kind is TaskKind.MULTILABEL and config.class_weights is not None:
        problems.append(f"--class_weights={config.class_weights}: goes with one label a row; with "
                        "--task_type=multilabel a row may have several")
        return ()
    if kind is TaskKind.REGRESSION:
        problems += [f"--{name}={value}: goes with labels; a regression has none"
                     for name, value in given.items() if value is not None]
        return ()
    if config.class_weights in (None, BALANCED):
        return ()
    try:
        return read_class_weights(config.class_weights, labels)
    except UserError as error:
        problems += error.problems
        return ()


def is_over(config: RunConfig, plan: Plan, step: int) -> bool:
    """Whether a training ends at a step: it is the last, or the patience is over.

    Counted from what the folder says, so that a resumed run stops where it would have.
    """
    if step >= plan.steps or not config.early_stopping_patience or step % config.eval_every_steps:
        return step >= plan.steps
    best = checkpoint.best(config.output_dir)
    without = (step - best["step"]) // config.eval_every_steps if best else 0
    return without >= config.early_stopping_patience


def read_class_weights(path: str, labels: Sequence[str] | None) -> tuple[float, ...]:
    """Reads --class_weights=FILE: a label, a tab and its weight on each line, UTF-8.

    Args:
        path: of the file.
        labels: of the run; None: not known, and only the form of the lines is looked at.

    Returns:
        The weights in the order of the labels.

    Raises:
        UserError: the file cannot be read, or does not give every label once.
    """
    flag = f"--class_weights={path}"
    try:
        text = inputs.read_bytes(path).decode("utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"{flag}: {inputs.why_unreadable(path, error)}; must be {BALANCED}, or a "
                        f"file with {_FORM}{config_problems.closest(path, [BALANCED])}") from error
    found: dict[str, tuple[int, float]] = {}
    problems, formless, unknown = [], [], []
    for number, line in enumerate(text.replace("\r\n", "\n").removesuffix("\n").split("\n"), 1):
        label, tab, weight = line.rpartition("\t")
        where = f"{path}:{number}: "
        if not tab:
            formless.append(f"{where}{config_problems.shown(line)}")
        elif labels and label not in labels:
            unknown.append(f"{where}{config_problems.shown(label)}")
        elif label in found:
            problems.append(f"{where}{config_problems.shown(label)} stands in line "
                            f"{found[label][0]} already")
        else:
            value = _weight(weight)
            if value is None:
                problems.append(f"{where}the weight {config_problems.shown(weight)}: must be a "
                                f"number from {1 / _LARGEST:g} to {_LARGEST:.0f}")
            found[label] = number, value or 0.0
    problems += _once(formless, f": must be {_FORM}")
    problems += _once(unknown, f" is not one of the labels, {_named(labels or ())}")
    missing = [label for label in labels or () if label not in found]
    if missing and not (formless or unknown):  # else it may stand in one of those
        problems.append(f"{flag}: has no weight for {_named(missing)}; it must have {_FORM}")
    if problems:
        raise UserError(problems[:_MOST])
    return tuple(found[label][1] for label in labels or ())


def _once(lines: Sequence[str], problem: str) -> list[str]:
    """Tells a problem that lines share with the first of them, and how many they are."""
    more = f" ({len(lines):,} such lines)" if len(lines) > 1 else ""
    return [f"{line}{problem}{more}" for line in lines[:1]]


def _named(labels: Sequence[str]) -> str:
    return ", ".join(map(config_problems.shown, labels[:_MOST])) + (
        " ..." if len(labels) > _MOST else "")


def _weight(text: str) -> float | None:
    try:
        value = float(text)
    except ValueError:
        return None
    within = math.isfinite(value) and 1 / _LARGEST <= value <= _LARGEST
    return value if within and "_" not in text else None
