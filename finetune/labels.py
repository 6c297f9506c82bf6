"""Which labels a run has, and whether it has any: from flags, checkpoint and processor."""

import contextlib
import dataclasses
import os
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from finetune import bound_labels, config_problems, outputs
from finetune.checkpoints import checkpoint
from finetune.config import RunConfig
from finetune.config_problems import named, shown
from finetune.errors import UserError
from finetune.multilabel import problems as multilabel_problems
from finetune.multilabel.names import names_of
from finetune.start import own_checkpoint
from finetune.task_kind import SCORE, SEPARATOR, TaskKind, described, same


def labels_of_run(config: RunConfig, processor: Any, problems: list[str],
                  ask: Callable[[], Any], doubtful: bool = False) -> list[str] | None:
    """Returns --labels, else those bound to the checkpoint, else the processor's.

    Args:
        processor: an object with the original's four methods.
        problems: receives what is wrong.
        ask: calls the processor's get_labels; what that raises goes into the problems.
        doubtful: whether flags are wrong. With flags or rows wrong the labels of a training may
            be, too: that the folder has others of the same kind is then not told.

    Returns:
        The labels, [SCORE] for a regression, None if there was a problem. They know their kind.
    """
    kind = _kind(config, processor, problems)
    if kind in (None, TaskKind.REGRESSION):
        return kind and [SCORE]
    bound, folder = _bound_labels(config)
    if config.labels is not None:
        labels = list(config.labels)
    elif bound and not config.do_train:
        labels = bound
        problems += _other_task(config, processor, bound, folder)
    else:
        before = len(problems)
        labels = ask()
        if labels is None:
            if len(problems) == before and not problems:
                problems.append("the labels are not known: give --labels or --labels_file")
            return None
        if isinstance(labels, str) or not isinstance(labels, Sequence):
            problems.append(f"{type(processor).__name__}.get_labels gave {shown(labels)}; must be "
                            "a list of labels")
            return None
        labels = [str(label) for label in labels]
    labels = bound_labels.of_kind(labels, kind, config.label_separator)
    origin = "--labels" if config.labels else "labels"
    if bound and not config.do_train and config.labels is None:
        origin = f"{folder}: {outputs.LABELS}"
    found = config_problems.of_labels(labels, origin) + multilabel_problems.of_labels(
        config, labels, origin)
    if not found and bound and not same(bound, labels):
        of_one_kind = TaskKind.of(bound) is TaskKind.of(labels)
        if config.do_train and of_one_kind and (problems or doubtful):
            return None
        found.append(_others_bound(bound, labels, folder))
    problems += found
    return None if found else labels


def _others_bound(bound: list[str], labels: list[str], folder: str) -> str:
    """Says that a folder's checkpoint has other labels than the run."""
    remedy = ("leave --labels out" if folder.startswith("--init_checkpoint") else
              "name another --output_dir, or give --overwrite_output_dir to delete it")
    held = described(len(bound), TaskKind.of(bound))
    return (f"{folder} holds {held} ({named(bound)}); this run {_has(bound, labels)} "
            f"({named(labels)}): {remedy}")


def as_trained(config: RunConfig) -> RunConfig:
    """Returns the settings of a run without training, which reads labels as that training did.

    What was multi-label is so again without --task_type, and with the --label_separator of then.
    """
    if config.do_train or config.task_type not in (None, TaskKind.MULTILABEL.value):
        return config
    with contextlib.suppress(UserError):  # damaged, or no checkpoint: preflight tells
        prefix = own_checkpoint(config) or (config.init_checkpoint
                                            and checkpoint.resolve(config.init_checkpoint))
        bound = bound_labels.read(os.path.dirname(prefix)) if prefix else None
        if TaskKind.of(bound or ()) is TaskKind.MULTILABEL:
            between = config.label_separator
            return dataclasses.replace(
                config, task_type=TaskKind.MULTILABEL.value,
                label_separator=bound.separator if between == SEPARATOR else between)
    return config


def _kind(config: RunConfig, processor: Any, problems: list[str]) -> TaskKind | None:
    """Returns what --task_type, else the processor, else the checkpoint says."""
    own, asked = getattr(processor, "task_type", None), config.task_type
    rows, before, held = 0, len(problems), None
    prefix = None if config.do_train else own_checkpoint(config) or config.init_checkpoint
    if prefix:
        try:
            rows = checkpoint.shapes(prefix).get("output_weights", (0,))[0]
            held = bound_labels.kind(os.path.dirname(prefix), rows)
        except UserError as error:
            problems.extend(error.problems)
    if own and asked not in (None, own):
        problems.append(f"--task_type={asked}: {type(processor).__name__} is a {own}")
    kinds = [kind for kind in TaskKind if kind.value == (asked or own)]
    kind = kinds[0] if kinds else held or TaskKind.of_rows(rows)
    if rows and kind is not held:
        problems.append(_other_kind(config, prefix, (rows, held), kind,
                                    f"--task_type={asked}" if asked else
                                    f"{type(processor).__name__} is one"))
    if kind is TaskKind.REGRESSION and config.labels is not None:
        problems.append("--labels: a regression has none, its answers are numbers")
    return kind if len(problems) == before else None


def _has(bound: Sequence[str], labels: Sequence[str]) -> str:
    if TaskKind.of(bound) is TaskKind.of(labels):
        return f"has {len(labels)}"
    one = "one" if TaskKind.of(labels) is TaskKind.CLASSIFICATION else "any number"
    return f"gives a row {one} of {len(labels)} labels"


def _other_kind(config: RunConfig, prefix: str, held: tuple[int, TaskKind], kind: TaskKind,
                because: str) -> str:
    """Says which head a checkpoint has, and what to do for one of another kind.

    Args:
        held: rows and kind of that head.
        kind: of this run.
        because: why it is of that kind.
    """
    rows = held[0]
    flag = (f"--output_dir={config.output_dir}" if own_checkpoint(config) else
            f"--init_checkpoint={config.init_checkpoint}")
    names = outputs.read_labels(os.path.dirname(prefix)) if rows > 1 else None
    kind = {TaskKind.REGRESSION: "a regression", TaskKind.CLASSIFICATION: "a classification",
            TaskKind.MULTILABEL: "a multi-label classification"}[kind]
    use = ("leave --task_type out" if config.task_type else "name the task that it was trained for")
    return (f"{flag}: the head of {os.path.basename(prefix)} is that of {described(*held)}"
            + (f" ({named(names)})" if names else "") + f", and this run is {kind} ({because})."
            f" To use that head, {use}; for {kind} train another: --do_train, a new --output_dir, "
            "and --init_checkpoint=a pre-trained checkpoint")


def _other_task(config: RunConfig, processor: Any, bound: list[str], folder: str) -> list[str]:
    """Compares a checkpoint's labels with those that a task has whatever its files say."""
    own = getattr(processor, "labels", None)
    if not config.task_name or not own or set(own) == set(bound):
        return []
    return [f"{folder} holds a classifier of {named(bound)}; the task {config.task_name} has "
            f"{named(own)}. If that is meant, give the checkpoint's labels by --labels"]


def _bound_labels(config: RunConfig) -> tuple[list[str] | None, str]:
    if own_checkpoint(config):
        return bound_labels.read(config.output_dir), f"--output_dir={config.output_dir}"
    if config.init_checkpoint and not config.do_train:
        folder = os.path.dirname(config.init_checkpoint)
        return bound_labels.read(folder), f"--init_checkpoint={config.init_checkpoint}"
    return None, ""


def notices(examples: Mapping[str, Sequence[Any]], labels: list[str]) -> list[str]:
    """Tells which labels training hardly sees: a name mistyped, or a header taken for a row.

    And of a multi-label task whose rows have one label each that it may be none.
    """
    kind, rows = TaskKind.of(labels), examples.get("train", ())
    if kind is TaskKind.REGRESSION or not rows:
        return []
    counts, found = Counter(name for row in rows for name in names_of(row.label, labels)), []
    rare = [f"{label} ({counts[label]})" for label in labels if counts[label] < 2]
    if counts and rare:
        found.append(f"labels with no or one training row: {named(rare)}")
    if kind is TaskKind.MULTILABEL and counts.total() == len(rows) and all(
            len(names_of(row.label, labels)) == 1 for row in rows):
        found.append("every training row has exactly one label: where a row cannot have several, "
                     f"or none, train with --task_type={TaskKind.CLASSIFICATION.value}; where a "
                     "cell has several, --label_separator says what is between them")
    return found
