"""What is wrong with the settings of a run, by themselves: no file is opened for it."""

import difflib
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from finetune.errors import Problem

if TYPE_CHECKING:
    from finetune.config import RunConfig

_MOST = 20  # messages, or names in one
_LONGEST = 100  # characters of a value in a message
_SURROGATE = re.compile("[\ud800-\udfff]")


_WHOLE = 2 ** 31 - 1
# Flag -> least and most.
_BOUNDS = {
    **dict.fromkeys(("train_batch_size", "gradient_accumulation_steps", "eval_batch_size",
                     "predict_batch_size"), (1, _WHOLE)),
    "max_seq_length": (3, _WHOLE),
    **dict.fromkeys(("save_checkpoints_steps", "iterations_per_loop", "num_tpu_cores",
                     "log_every_steps"), (1, _WHOLE)),
    **dict.fromkeys(("keep_checkpoint_max", "eval_every_steps", "early_stopping_patience",
                     "seed", "explain_rows"), (0, _WHOLE)),
    "shuffle_buffer_size": (0, 10_000_000),  # kept in memory
    **dict.fromkeys(("inter_op_threads", "intra_op_threads"), (0, 4096))}


_KINDS = {bool: "true or false", int: "a whole number", float: "a number"}


def unknown_flag(name: str, known: Iterable[str]) -> Problem:
    """Says that there is no such flag, and which are close: it is about those."""
    near = difflib.get_close_matches(name.removeprefix("no"), list(known), 3)
    hint = f"did you mean --{' or --'.join(near)}?" if near else "see --help"
    return Problem(f"unknown flag --{name}: {hint}", near)


def must_be(value: str, kind: type, choices: Iterable[str] | None = None) -> str | None:
    """Returns what a flag takes that has been given another value; None: text, of any kind.

    must_be("cosin", str, ("linear", "cosine")) is "must be one of linear, cosine; did you mean
    cosine?".
    """
    if not choices:
        return f"must be {_KINDS[kind]}" if kind in _KINDS else None
    return f"must be one of {', '.join(choices)}{closest(value, choices)}"


def closest(value: str, choices: Iterable[str]) -> str:
    """Returns "; did you mean cosine?" of the choice that is near to a value, or ""."""
    near = difflib.get_close_matches(str(value).lower(), list(choices), 1, 0.5)
    return f"; did you mean {near[0]}?" if near else ""


def of_numbers(config: "RunConfig") -> list[str]:
    """Returns the numbers that lie out of bounds."""
    found = []
    for name, (least, most) in _BOUNDS.items():
        value = getattr(config, name)
        if value < least:
            found.append(f"--{name}={shown(value)}: must be {least} or more")
        elif value > most:
            found.append(f"--{name}={shown(value)}: must be {most} or less")
    for name in ("learning_rate", "num_train_epochs"):
        value = getattr(config, name)
        if not value > 0:  # NaN is not either
            found.append(f"--{name}={value}: must be a number above 0")
        elif value > 1e6:  # infinity, and what overflows a float32 or the number of steps
            found.append(f"--{name}={value}: must be 1000000 or less")
    if config.gradient_accumulation_steps > max(config.train_batch_size, 1):
        found.append(f"--gradient_accumulation_steps={config.gradient_accumulation_steps}: a "
                     f"step of --train_batch_size={config.train_batch_size} rows has no more "
                     "parts than rows")
    if not 0 <= config.warmup_proportion <= 1:
        found.append(f"--warmup_proportion={config.warmup_proportion}: must lie between 0 and 1")
    return found


def of_modes(config: "RunConfig") -> list[str]:
    """Returns what does not go together, or lacks what it needs."""
    found = []
    if config.task_name and config.processor:
        found.append(f"--task_name={config.task_name} and --processor={config.processor} exclude "
                     "each other: give one of them")
    if config.bert_hub_module_handle and config.init_checkpoint:
        found.append(f"--bert_hub_module_handle={config.bert_hub_module_handle} and "
                     f"--init_checkpoint={config.init_checkpoint} exclude each other: give one "
                     "of them")
    if config.overwrite_output_dir and not config.do_train:
        found.append("--overwrite_output_dir deletes the classifier in output_dir: it goes "
                     "with --do_train")
    if config.sweep == "":
        found.append("--sweep=: must name a file")
    if config.sweep and not (config.do_train and config.do_eval):
        found.append(f"--sweep={config.sweep} trains every run and chooses by its score on dev: "
                     "give --do_train and --do_eval")
    if config.sweep and config.overwrite_output_dir:
        found.append(f"--overwrite_output_dir does not go with --sweep={config.sweep}: runs of "
                     "other settings get folders of their own; name another --output_dir")
    if config.sweep and "://" in (config.output_dir or ""):
        found.append(f"--output_dir={config.output_dir}: a --sweep needs a local folder")
    if config.sweep and (config.do_check or config.baseline):
        flag = "--do_check" if config.do_check else "--baseline"
        found.append(f"{flag} does not go with --sweep={config.sweep}: run it before, on its own")
    if config.baseline and not (config.do_check or config.do_eval):
        found.append("--baseline is scored on dev: give --do_eval, or --do_check")
    if config.early_stopping_patience and not config.eval_every_steps:
        found.append("--early_stopping_patience counts evaluations: give --eval_every_steps")
    if config.metric_for_best and not config.eval_every_steps:
        found.append("--metric_for_best compares evaluations: give --eval_every_steps")
    return found


def of_explanation(config: "RunConfig") -> list[str]:
    """Returns why --do_explain cannot go with the other flags, or lacks from them."""
    if not config.do_explain:
        return [f"--explain_label={config.explain_label} goes with --do_explain"
                ] * (config.explain_label is not None)
    later = (f"train without it, then explain with --init_checkpoint={config.output_dir} "
             "--do_explain and another --output_dir")
    found = []
    if config.engine == "original":
        found.append(f"--do_explain: --engine=original cannot; {later}")
    if config.kind_of_distribution == "tpu":
        found.append(f"--do_explain: works on a CPU or GPU, not on a TPU; {later}")
    if config.sweep:
        found.append(f"--do_explain does not go with --sweep={config.sweep}: explain its chosen "
                     "run, with --init_checkpoint=that run's folder")
    return found


def of_devices(config: "RunConfig") -> list[str]:
    """Returns what is wrong with the choice of devices."""
    found = []
    if config.use_tpu and config.kind_of_distribution != "tpu":
        found.append(f"--use_tpu and --distribution={config.distribution} exclude each other: "
                     "give one of them")
    if config.distribution in ("mirrored", "multi_worker"):
        if config.engine == "original":
            found.append(f"--distribution={config.distribution}: --engine=original works on one "
                         "device")
        if config.sweep and config.distribution == "multi_worker":
            found.append(f"--sweep={config.sweep}: runs are started here, not on the other "
                         "machines of --distribution=multi_worker")
    if config.master and config.master != "local":
        found.append(
            f"--master={config.master}: TPU Nodes (a grpc master) ended on 2025-04-25; run on a "
            "TPU VM with --use_tpu --tpu_name=local")
    return found


def of_labels(labels: tuple[str, ...] | list[str], origin: str) -> list[str]:
    """Returns what is wrong with a list of label names; `origin` is the flag or file it is from."""
    found = []
    if len(labels) < 2:
        found.append(f"{origin}: a classifier needs two labels or more, here "
                     f"[{', '.join(map(shown, labels))}]")
    for position, label in enumerate(labels):
        if not label.strip():
            found.append(f"{origin}: label {position + 1} is empty")
        elif label != label.strip() or "\t" in label or label.splitlines() != [label]:
            found.append(f"{origin}: label {shown(label)} begins or ends with a blank, or holds a "
                         "tab or a line break")
        elif not is_utf8(label):
            found.append(f"{origin}: label {shown(label)} holds half a surrogate pair, which is no "
                         "character")
    twice = sorted(label for label, count in Counter(labels).items() if count > 1)
    if twice:
        found.append(f"{origin}: label names must differ; given more than once: "
                     + named(list(map(shown, twice))))
    more = len(found) - _MOST
    return found[:_MOST] + ([f"{origin}: ... and {more:,} more problems"] if more > 0 else [])


def shown(value: Any) -> str:
    """Returns a value for a message: as Python writes it, and not longer than a line."""
    try:
        text = repr(value)
    except ValueError:  # Python does not write integers of more than 4,300 digits
        return "a number of very many digits"
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}..."


def named(names: Sequence[str]) -> str:
    """Returns names for a message, which is not to grow with their number."""
    more = f", ... ({len(names):,} in all)" if len(names) > _MOST else ""
    return ", ".join(names[:_MOST]) + more


def as_given(value: Any) -> str:
    """Returns the value of a flag for a message, as one writes it behind the flag."""
    if value is None:
        return "not given"
    return ",".join(map(str, value)) if isinstance(value, (list, tuple)) else str(value)


def is_utf8(text: str) -> bool:
    """Whether a text can be written: halves of surrogate pairs, which stand for bytes, cannot."""
    return not _SURROGATE.search(text)
