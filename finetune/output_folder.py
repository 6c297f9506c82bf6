"""Whether --output_dir can take a run: what lies there, and how much room there is."""

import contextlib
import fcntl
import os
import re
import shutil
from collections.abc import Callable, Iterator
from typing import Any

import tensorflow as tf

from finetune import checkpoint, model, outputs
from finetune.bert_config import BertConfig
from finetune.config import RunConfig
from finetune.errors import UserError
from finetune.training_step import Plan


def output_problems(config: RunConfig) -> list[str]:
    """Returns why a run cannot write into --output_dir."""
    path = config.output_dir
    if set(path) & checkpoint.PATTERN:
        return [f"--output_dir={path}: TensorFlow takes * ? [ ] \\ in a path for a pattern; name "
                "another folder"]
    above = path if "://" in path else _nearest(path)
    if tf.io.gfile.exists(above) and not tf.io.gfile.isdir(above):
        return [f"--output_dir={path}: {above} is a file; name a folder"]
    if checkpoint.exists(os.path.join(path, checkpoint.PRETRAINED)):
        return [f"--output_dir={path}: holds a pre-trained checkpoint ({checkpoint.PRETRAINED}), "
                "which no run may write over; name another folder"]
    if config.overwrite_output_dir:
        problems = _overwrite_problems(config)
        if problems:
            return problems
    if "://" not in path and not os.access(above, os.W_OK):
        return [f"--output_dir={path}: {above} cannot be written to"]
    return []


def trouble(error: Exception, config: RunConfig) -> UserError | None:
    """Returns the user's view of a full disk, a lost folder or lost rights; else None."""
    text = re.sub(r"\{\{.*?\}\}", "", str(getattr(error, "message", error)))  # names of operations
    folder, text = config.output_dir, " ".join(text.split())
    if folder in text and not tf.io.gfile.isdir(folder):
        return UserError(f"--output_dir={folder}: the folder is gone ({text}), and with it what "
                         "the run has written; the same command starts anew")
    for sign, reason, remedy in (
            ("No space left on device", "the disk is full", "make room"),
            ("Disk quota exceeded", "the disk is full", "make room"),
            ("Permission denied", "cannot be written to", "allow it"),
            ("Read-only file system", "cannot be written to", "allow it")):
        if sign in text:
            last = checkpoint.latest(folder)
            return UserError(f"--output_dir={folder}: {reason} ({text}); {remedy} and run the same "
                             f"command again. Last whole checkpoint: {last or 'none yet'}")
    return None


@contextlib.contextmanager
def held(path: str) -> Iterator[None]:
    """Keeps other runs out of a folder for the block, or for as long as the process lives.

    Nothing is left there. On gs:// and on network drives that know no locks nobody is kept out.

    Raises:
        UserError: another run is at work in the folder.
    """
    with contextlib.ExitStack() as opened:
        if "://" not in path:
            folder = os.open(path, os.O_RDONLY)
            opened.callback(os.close, folder)
            try:
                fcntl.flock(folder, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as error:
                raise UserError(f"--output_dir={path}: another run is at work there; wait for its "
                                "end, or name another folder") from error
            except OSError:
                pass  # no locks here
        yield


def _overwrite_problems(config: RunConfig) -> list[str]:
    path = config.output_dir
    needed = [f"--{flag}={file}" for flag in ("init_checkpoint", "vocab_file", "bert_config_file")
              if (file := getattr(config, flag))
              and os.path.realpath(path) in (os.path.realpath(os.path.dirname(file)),
                                             os.path.dirname(os.path.realpath(file)))]
    if needed:
        return [f"--overwrite_output_dir would delete {', '.join(needed)}; name another "
                "--output_dir"]
    present = outputs.run_files(path)
    if present and not any(name == outputs.RUNS or "model.ckpt-" in name
                           for name in map(os.path.basename, present)):
        return [f"--overwrite_output_dir would delete {', '.join(present[:3])} in a folder that no "
                "run has written; name another --output_dir"]
    return []


def _nearest(path: str) -> str:
    """Returns the path, or the nearest folder above it that exists."""
    path = os.path.abspath(path)
    while not os.path.exists(path):
        path = os.path.dirname(path)
    return path


def free_bytes(path: str) -> int:
    """Returns the free room of the disk that a folder lies on or would be made on."""
    return shutil.disk_usage(_nearest(path)).free


def room_problems(config: RunConfig, bert_config: BertConfig, num_labels: int, plan: Plan | None,
                  usage: Callable[[str], Any] = shutil.disk_usage) -> list[str]:
    """Compares what the run's checkpoints take, with one being written, with the free disk."""
    if plan is None or "://" in config.output_dir:
        return []
    count, size = checkpoint_room(config, bert_config, num_labels, plan)
    needed = size * count
    free = usage(_nearest(config.output_dir)).free
    if needed <= free:
        return []
    return [f"--output_dir={config.output_dir}: {count} checkpoints of {size / 1e6:.0f} MB "
            f"need {needed / 1e6:.0f} MB, the disk has {free / 1e6:.0f} MB free; make room or "
            "lower --keep_checkpoint_max"]


def checkpoint_room(config: RunConfig, bert_config: BertConfig, num_labels: int,
                    plan: Plan) -> tuple[int, int]:
    """Returns how many checkpoints a run has at most, one being written, and the bytes of each."""
    values = sum(tf.TensorShape(shape).num_elements()
                 for shape in model.variable_shapes(bert_config, num_labels).values())
    kept = plan.steps // config.save_checkpoints_steps + 1
    if config.eval_every_steps:
        kept += plan.steps // config.eval_every_steps
    if config.keep_checkpoint_max:
        kept = min(kept, config.keep_checkpoint_max)
    return kept + 1 + bool(config.eval_every_steps), 12 * values  # weight, adam_m, adam_v: float32
