"""What is wrong with the settings of a run, by themselves: no file is opened for it."""

import math
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from finetune.config import RunConfig


def of_numbers(config: "RunConfig") -> list[str]:
    """Returns the numbers that lie out of bounds."""
    found = []
    for name, least in (("train_batch_size", 1), ("gradient_accumulation_steps", 1),
                        ("eval_batch_size", 1),
                        ("predict_batch_size", 1), ("max_seq_length", 3),
                        ("save_checkpoints_steps", 1), ("iterations_per_loop", 1),
                        ("num_tpu_cores", 1), ("log_every_steps", 1),
                        ("keep_checkpoint_max", 0), ("eval_every_steps", 0),
                        ("early_stopping_patience", 0), ("seed", 0),
                        ("shuffle_buffer_size", 0), ("inter_op_threads", 0),
                        ("intra_op_threads", 0)):
        value = getattr(config, name)
        if value < least:
            found.append(f"--{name}={value}: must be {least} or more")
    for name in ("learning_rate", "num_train_epochs"):
        value = getattr(config, name)
        if not (0 < value < math.inf):
            found.append(f"--{name}={value}: must be a number above 0")
    if config.seed >= 2 ** 31:
        found.append(f"--seed={config.seed}: must be below 2147483648")
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
        found.append(f"{origin}: a classifier needs two labels or more, here {list(labels)}")
    for position, label in enumerate(labels):
        if not str(label).strip():
            found.append(f"{origin}: label {position + 1} is empty")
        elif label != label.strip() or "\t" in label or label.splitlines() != [label]:
            found.append(f"{origin}: label {label!r} begins or ends with a blank, or holds a tab "
                         "or a line break")
    twice = sorted({label for label in labels if list(labels).count(label) > 1})
    if twice:
        found.append(f"{origin}: label names must differ; given more than once: "
                     + ", ".join(map(repr, twice)))
    return found
