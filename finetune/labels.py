"""Which labels a run has, and whether it has any: from flags, checkpoint and processor."""

import os
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from finetune import checkpoint, config_problems, outputs
from finetune.config import RunConfig
from finetune.errors import UserError
from finetune.start import own_checkpoint
from finetune.task_kind import SCORE, TaskKind, described


def labels_of_run(config: RunConfig, processor: Any, problems: list[str],
                  ask: Callable[[], Any]) -> list[str] | None:
    """Returns --labels, else those bound to the checkpoint, else the processor's.

    Args:
        processor: an object with the original's four methods.
        problems: receives what is wrong.
        ask: calls the processor's get_labels; what that raises goes into the problems.

    Returns:
        The labels, [SCORE] for a regression, None if there was a problem.
    """
    kind = _kind(config, processor, problems)
    if kind is not TaskKind.CLASSIFICATION:
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
            problems.append(f"{type(processor).__name__}.get_labels gave {labels!r}; must be a "
                            "list of labels")
            return None
        labels = [str(label) for label in labels]
    origin = "--labels" if config.labels else "labels"
    if labels is bound:
        origin = f"{folder}: {outputs.LABELS}"
    found = config_problems.of_labels(labels, origin)
    if not found and bound and bound != labels:
        remedy = ("leave --labels out" if folder.startswith("--init_checkpoint") else
                  "name another --output_dir, or give --overwrite_output_dir to delete it")
        found.append(
            f"{folder} holds a classifier of {len(bound)} labels ({', '.join(bound)}); this run "
            f"has {len(labels)} ({', '.join(labels)}): {remedy}")
    problems += found
    return None if found else labels


def _kind(config: RunConfig, processor: Any, problems: list[str]) -> TaskKind | None:
    """Returns what --task_type, else the processor, else the checkpoint says."""
    own, asked = getattr(processor, "task_type", None), config.task_type
    rows, before = 0, len(problems)
    prefix = None if config.do_train else own_checkpoint(config) or config.init_checkpoint
    if prefix:
        try:
            rows = checkpoint.shapes(prefix).get("output_weights", (0,))[0]
        except UserError as error:
            problems.extend(error.problems)
    if own and asked not in (None, own):
        problems.append(f"--task_type={asked}: {type(processor).__name__} is a {own}")
    kinds = [kind for kind in TaskKind if kind.value == (asked or own)]
    kind = kinds[0] if kinds else TaskKind.of(rows)
    if rows and kind is not TaskKind.of(rows):
        problems.append(_other_kind(config, prefix, rows, f"--task_type={asked}" if asked else
                                    f"{type(processor).__name__} is one"))
    if kind is TaskKind.REGRESSION and config.labels is not None:
        problems.append("--labels: a regression has none, its answers are numbers")
    return kind if len(problems) == before else None


def _other_kind(config: RunConfig, prefix: str, rows: int, because: str) -> str:
    """Says which head a checkpoint has, and what to do for one of the other kind.

    Args:
        because: why this run is of the other kind.
    """
    flag = (f"--output_dir={config.output_dir}" if own_checkpoint(config) else
            f"--init_checkpoint={config.init_checkpoint}")
    names = outputs.read_labels(os.path.dirname(prefix)) if rows > 1 else None
    kind = "a regression" if rows > 1 else "a classification"
    use = ("leave --task_type out" if config.task_type else "name the task that it was trained for")
    return (f"{flag}: the head of {os.path.basename(prefix)} is that of {described(rows)}"
            + (f" ({', '.join(names)})" if names else "") + f", and this run is {kind} ({because})."
            f" To use that head, {use}; for {kind} train another: --do_train, a new --output_dir, "
            "and --init_checkpoint=a pre-trained checkpoint")


def _other_task(config: RunConfig, processor: Any, bound: list[str], folder: str) -> list[str]:
    """Compares a checkpoint's labels with those that a task has whatever its files say."""
    own = getattr(processor, "labels", None)
    if not config.task_name or not own or set(own) == set(bound):
        return []
    return [f"{folder} holds a classifier of {', '.join(bound)}; the task {config.task_name} has "
            f"{', '.join(own)}. If that is meant, give the checkpoint's labels by --labels"]


def _bound_labels(config: RunConfig) -> tuple[list[str] | None, str]:
    if own_checkpoint(config):
        return outputs.read_labels(config.output_dir), f"--output_dir={config.output_dir}"
    if config.init_checkpoint and not config.do_train:
        folder = os.path.dirname(config.init_checkpoint)
        return outputs.read_labels(folder), f"--init_checkpoint={config.init_checkpoint}"
    return None, ""


def rare_labels(examples: Mapping[str, Sequence[Any]], labels: list[str]) -> list[str]:
    """Tells which labels training hardly sees: a name mistyped, or a header taken for a row."""
    if TaskKind.of(len(labels)) is TaskKind.REGRESSION:
        return []
    counts = Counter(str(row.label) for row in examples.get("train", ()))
    rare = [f"{label} ({counts[label]})" for label in labels if counts[label] < 2]
    return [f"labels with no or one training row: {', '.join(rare)}"] if counts and rare else []
