"""Checkpoints in TensorFlow 1's format and with the original's variable names.

google-research/bert reads what is written here, and what it wrote is read here. A checkpoint
`model.ckpt-N` is written under another name and renamed when it is whole; the file `checkpoint`
names the newest, `best_checkpoint.json` the best.
"""

import dataclasses
import os
import re
import shlex
from collections.abc import Mapping
from typing import Any

import numpy as np
import tensorflow as tf

from finetune import checkpoint_state, inputs, outputs
from finetune.checkpoint_state import BEST_FILE, STATE_FILE
from finetune.errors import UserError
from finetune.metrics import LOWER_IS_BETTER
from finetune.sources import tensor_files
from finetune.swept import sweep_that_deleted, why_no_checkpoint

WRITING = ".writing-"
# What TensorFlow's reader raises for a file that is cut, altered or none of its own.
UNREADABLE = (tf.errors.OpError, ValueError, RuntimeError, IndexError)
PATTERN = frozenset("*?[]\\")  # characters that TensorFlow does not take for themselves
PRETRAINED = "bert_model.ckpt"  # what released checkpoints are called


def save(prefix: str, tensors: Mapping[str, Any]) -> None:
    """Writes a checkpoint; no reader ever sees half of it.

    Args:
        prefix: for instance ".../model.ckpt-343".
        tensors: arrays, tensors or variables by name.
    """
    folder, name = os.path.split(prefix)
    temporary = os.path.join(folder, WRITING + name)
    values = list(snapshot(tensors).values())
    try:
        with tf.device("CPU:0"):
            tf.raw_ops.SaveV2(prefix=temporary, tensor_names=list(tensors),
                              shape_and_slices=[""] * len(values), tensors=values)
        for ending in (".data-00000-of-00001", ".index"):  # a checkpoint exists by its index
            tf.io.gfile.rename(temporary + ending, prefix + ending, overwrite=True)
    except BaseException:
        for leftover in tf.io.gfile.glob(temporary + "*"):
            tf.io.gfile.remove(leftover)
        raise


def snapshot(tensors: Mapping[str, Any]) -> dict[str, tf.Tensor]:
    """Returns the values as they are now, in the host's memory; no later update reaches them.

    A tensor never changes. So a variable on the CPU is not copied here but by the next update of
    it, in parallel with others, and only while its snapshot is held.
    """
    with tf.device("CPU:0"):
        return {name: tf.identity(value) for name, value in tensors.items()}


def exists(prefix: str) -> bool:
    """Whether there is a checkpoint of this prefix."""
    return inputs.is_file(prefix + ".index")


def latest(folder: str) -> str | None:
    """Returns the prefix of the folder's newest checkpoint, by its file `checkpoint`, or None."""
    prefix = checkpoint_state.newest(folder)
    return prefix if prefix and exists(prefix) else None


def best(folder: str) -> dict[str, Any] | None:
    """Returns what best_checkpoint.json says, or None: checkpoint, step, metric, value, evaluated.

    `evaluated` is the step of the last evaluation.
    """
    record = checkpoint_state.best(folder)
    return record if record and exists(os.path.join(folder, record["checkpoint"])) else None


def chosen(folder: str) -> str | None:
    """Returns the prefix of the folder's best checkpoint, else of its newest, or None."""
    record = best(folder)
    return os.path.join(folder, record["checkpoint"]) if record else latest(folder)


def resolve(path: str) -> str:
    """Returns the prefix that --init_checkpoint names: a prefix, or a folder that holds one.

    Of a folder that a run wrote it is the best checkpoint, if it knows one, else the newest.

    Raises:
        UserError: there is none.
    """
    if set(path) & PATTERN:
        raise UserError(f"--init_checkpoint={path}: TensorFlow takes * ? [ ] \\ in a path for a "
                        "pattern; rename the folder")
    if exists(path):
        return path
    _refuse_huggingface(path)
    if tf.io.gfile.isdir(path):
        found = chosen(path) or os.path.join(path, PRETRAINED)
        if exists(found):
            return found
        raise UserError(f"--init_checkpoint={path}: " + (why_no_checkpoint(path) or (
            "the folder holds no checkpoint (bert_model.ckpt.index or a file named checkpoint, and "
            "what it names)")))
    above = os.path.dirname(path)
    gone = why_no_checkpoint(above) if sweep_that_deleted(above) else None
    raise UserError(f"--init_checkpoint={path}: {gone}" if gone else
                    f"--init_checkpoint={path}: there is no {path}.index; give the prefix of a "
                    "TensorFlow checkpoint (.../bert_model.ckpt) or its folder; released ones are "
                    "fetched by scripts/download_checkpoint.sh")


def _refuse_huggingface(path: str) -> None:
    """Names the command that converts a folder in the Hugging Face layout, or a file of one."""
    folder = os.path.dirname(path) if path.endswith(tensor_files.NAMES) else path
    found = tensor_files.find(folder)
    if found and not exists(os.path.join(folder, PRETRAINED)) and not chosen(folder):
        raise UserError(
            f"--init_checkpoint={path}: is a model in the Hugging Face layout "
            f"({os.path.basename(found)}); this makes a checkpoint of it, to be given here: "
            f"scripts/convert_checkpoint.sh from-huggingface {shlex.quote(folder or '.')} "
            "checkpoints/NAME")


def shapes(prefix: str) -> dict[str, tuple[int, ...]]:
    """Returns the shape of every tensor in a checkpoint.

    Raises:
        UserError: it cannot be read.
    """
    if "://" not in prefix:  # TensorFlow would wait for a writer of a pipe
        for path in tf.io.gfile.glob(prefix + ".data-*"):
            if not os.path.isfile(path):
                raise UserError(f"{prefix}: is no whole TensorFlow checkpoint: {path} is no file")
    try:
        reader = tf.compat.v1.train.NewCheckpointReader(prefix)
    except UNREADABLE as error:
        raise UserError(f"{prefix}: is no whole TensorFlow checkpoint: "
                        f"{' '.join(str(error).split())}") from error
    return {name: tuple(shape) for name, shape in reader.get_variable_to_shape_map().items()}


def read(prefix: str, names: list[str]) -> dict[str, np.ndarray]:
    """Returns the named tensors of a checkpoint.

    Raises:
        UserError: one is damaged.
    """
    reader = tf.compat.v1.train.NewCheckpointReader(prefix)
    values = {}
    for name in names:
        try:
            values[name] = reader.get_tensor(name)
        except UNREADABLE as error:
            raise UserError(f"{prefix}: {name} is damaged and cannot be read: "
                            f"{' '.join(str(error).split())[:200]}") from error
    return values


@dataclasses.dataclass(frozen=True)
class RestoreReport:
    """What a checkpoint gives a model.

    Attributes:
        loaded: variables of the model that the checkpoint has in the right shape.
        fresh: variables of the model that it does not have.
        reshaped: variables it has in another shape, as (name, its shape, the model's shape).
        ignored: what it holds besides.
    """

    loaded: list[str]
    fresh: list[str]
    reshaped: list[tuple[str, tuple[int, ...], tuple[int, ...]]]
    ignored: list[str]


def compare(held: Mapping[str, tuple[int, ...]],
            wanted: Mapping[str, tuple[int, ...]]) -> RestoreReport:
    """Compares a checkpoint's shapes with those a model wants."""
    return RestoreReport(
        loaded=[name for name, shape in wanted.items() if held.get(name) == shape],
        fresh=[name for name in wanted if name not in held],
        reshaped=[(name, held[name], shape) for name, shape in wanted.items()
                  if name in held and held[name] != shape],
        ignored=[name for name in held if name not in wanted])


def start_problems(prefix: str, held: Mapping[str, tuple[int, ...]],
                   wanted: Mapping[str, tuple[int, ...]]) -> list[str]:
    """Returns why fine-tuning cannot start from a checkpoint.

    The original accepts any checkpoint, even one of which nothing fits, and then trains random
    weights. Here all of the encoder has to be there; a pooler may be missing.

    Args:
        held: the checkpoint's shapes.
        wanted: the encoder's, without the head.
    """
    report = compare(held, wanted)
    if not report.loaded:
        seen = ", ".join(sorted(held)[:3])
        return [f"--init_checkpoint={prefix}: nothing in it fits this model; it holds {seen}, ... "
                f"and a BERT checkpoint has {next(iter(wanted))}"]
    problems = [f"--init_checkpoint={prefix}: {name} has shape {list(shape)} there, but "
                f"bert_config.json asks for {list(asked)}"
                for name, shape, asked in report.reshaped]
    missing = [name for name in report.fresh if not name.startswith("bert/pooler/")]
    if missing:
        problems.append(f"--init_checkpoint={prefix}: lacks {len(missing)} of {len(wanted)} "
                        f"variables that bert_config.json asks for, first {missing[0]}")
    return problems[:4] + ([f"... and {len(problems) - 4} more of the same"]
                           if len(problems) > 4 else [])


class Folder:
    """The checkpoints of one output folder.

    Args:
        path: output_dir.
        keep: newest checkpoints kept besides the best one; 0 keeps all.
    """

    def __init__(self, path: str, keep: int):
        self._path, self._keep = path, keep
        for leftover in tf.io.gfile.glob(os.path.join(path, WRITING + "*")):
            tf.io.gfile.remove(leftover)

    def write(self, step: int, tensors: Mapping[str, Any]) -> str:
        """Writes model.ckpt-<step>, names it in `checkpoint`, and deletes what is too old.

        Raises:
            UserError: the folder is gone; TensorFlow would make it anew, without the rest.
        """
        if not tf.io.gfile.isdir(self._path):
            raise UserError(f"--output_dir={self._path}: the folder is gone, and with it what the "
                            "run has written; the same command starts anew")
        prefix = os.path.join(self._path, f"model.ckpt-{step}")
        save(prefix, tensors)
        # What was just written counts as the newest, whatever older runs left here.
        kept = sorted({*self.steps(), step}, key=lambda other: (other == step, other))
        if self._keep:
            kept = kept[-self._keep:]
        self._name_newest(prefix, kept)
        chosen = best(self._path)
        for old in set(self.steps()) - set(kept) - ({chosen["step"]} if chosen else set()):
            for path in tf.io.gfile.glob(os.path.join(self._path, f"model.ckpt-{old}.*")):
                tf.io.gfile.remove(path)
        return prefix

    def note_evaluation(self, step: int, metric: str, value: float) -> bool:
        """Notes in best_checkpoint.json how model.ckpt-<step> did.

        The best one is kept until another is better. The step is noted too, so that a run killed
        between checkpoint and evaluation makes up for it.

        Args:
            metric: what is compared; a loss or an error is best when lowest.
            value: of that metric.

        Returns:
            Whether it is the best so far.
        """
        record = best(self._path)
        better = record is None or record["metric"] != metric or (
            value < record["value"] if metric in LOWER_IS_BETTER else value > record["value"])
        if better:
            record = {"checkpoint": f"model.ckpt-{step}", "step": step, "metric": metric,
                      "value": value}
        outputs.write_json(os.path.join(self._path, BEST_FILE), {**record, "evaluated": step})
        return better

    def steps(self) -> list[int]:
        """Returns the steps of the checkpoints in the folder, in ascending order."""
        found = (re.fullmatch(r"model\.ckpt-(\d+)\.index", name)
                 for name in tf.io.gfile.listdir(self._path))
        return sorted(int(match[1]) for match in found if match)

    def _name_newest(self, prefix: str, steps: list[int]) -> None:
        lines = [f'model_checkpoint_path: "{os.path.basename(prefix)}"']
        lines += [f'all_model_checkpoint_paths: "model.ckpt-{step}"' for step in steps]
        outputs.write_text(os.path.join(self._path, STATE_FILE), "\n".join(lines) + "\n")
