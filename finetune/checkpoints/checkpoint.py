"""Checkpoints in TensorFlow 1's format and with the original's variable names.

google-research/bert reads what is written here, and what it wrote is read here. A checkpoint
`model.ckpt-N` is written under another name and renamed when it is whole; the file `checkpoint`
names the newest, `best_checkpoint.json` the best.
"""

import contextlib
import functools
import os
import re
import shlex
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import tensorflow as tf

from finetune import inputs, outputs
from finetune.checkpoints import state as checkpoint_state
from finetune.checkpoints import tensor_bundle
from finetune.checkpoints.state import BEST_FILE, STATE_FILE, averaged
from finetune.errors import UserError
from finetune.metrics import LOWER_IS_BETTER
from finetune.sources import tensor_files
from finetune.swept import sweep_that_deleted, why_no_checkpoint
from finetune.training.optimizer import SLOTS

WRITING = ".writing-"
PATTERN = frozenset("*?[]\\")  # characters that TensorFlow does not take for themselves
PRETRAINED = "bert_model.ckpt"  # what released checkpoints are called
_DATA = ".data-00000-of-00001"


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
        for ending in (_DATA, ".index"):  # a checkpoint exists by its index
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
    prefix = next(iter(checkpoint_state.named(folder)), None)
    return prefix if prefix and exists(prefix) else None


def best(folder: str) -> dict[str, Any] | None:
    """Returns what best_checkpoint.json says, or None: checkpoint, step, metric, value, evaluated.

    `evaluated` is the step of the last evaluation.

    Raises:
        UserError: the file is damaged.
    """
    record = checkpoint_state.best(folder)
    return record if record and exists(os.path.join(folder, record["checkpoint"])) else None


def candidates(folder: str) -> list[str]:
    """Returns the prefixes of all checkpoints of a run's folder, the one to go on from first.

    That is the one that the file `checkpoint` names, then those it lists as older, then what it
    does not know, by step.
    """
    if not tf.io.gfile.isdir(folder):
        return []
    named = checkpoint_state.named(folder)
    others = (os.path.join(folder, f"model.ckpt-{step}") for step in reversed(steps(folder)))
    return [prefix for prefix in dict.fromkeys([*named, *others]) if exists(prefix)]


def steps(folder: str) -> list[int]:
    """Returns the steps of the checkpoints in a folder, in ascending order."""
    found = (re.fullmatch(r"model\.ckpt-(\d+)\.index", name)
             for name in tf.io.gfile.listdir(folder))
    return sorted(int(match[1]) for match in found if match)


def chosen(folder: str) -> str | None:
    """Returns the prefix of what answers: the mean, else the best checkpoint, else the newest."""
    record, newest = best(folder), latest(folder)
    return averaged(newest) or (os.path.join(folder, record["checkpoint"]) if record else newest)


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
            "what it names); give the --output_dir of a training, or a folder made by "
            "scripts/download_checkpoint.sh")))
    above = os.path.dirname(path)
    gone = why_no_checkpoint(above) if sweep_that_deleted(above) else None
    near = _prefix_of(path)
    near = near if exists(near) else _prefix_of(inputs.closest(path) or "")
    raise UserError(f"--init_checkpoint={path}: {gone}" if gone else
                    f"--init_checkpoint={path}: there is no such folder and no {path}.index; "
                    + (f"did you mean {near}?" if near else
                       "give the prefix of a TensorFlow checkpoint (.../bert_model.ckpt) or its "
                       "folder; released ones are fetched by scripts/download_checkpoint.sh"))


def _prefix_of(path: str) -> str:
    """Returns what --init_checkpoint takes for one of the files of a checkpoint."""
    return re.sub(r"\.(index|meta|data-\d+-of-\d+)$", "", path)


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
    with _remedied(prefix):
        return tensor_bundle.shapes(prefix)


def read(prefix: str, names: list[str]) -> dict[str, np.ndarray]:
    """Returns the named tensors of a checkpoint.

    Raises:
        UserError: one is damaged; TensorFlow compares each with its checksum.
    """
    with _remedied(prefix):
        return dict(tensor_bundle.values(prefix, names))


@contextlib.contextmanager
def _remedied(prefix: str) -> Iterator[None]:
    """Adds to what is wrong with a checkpoint what to do, and which beside it is whole."""
    try:
        yield
    except UserError as error:
        others = [one for one in candidates(os.path.dirname(prefix)) if one != prefix]
        whole = next((one for one in others if not damage(one, slots=False)), None)
        remedy = ("copy or download the checkpoint's files again" if whole is None else
                  f"{whole} beside it is whole, and the training command makes the damaged one "
                  "again")
        raise UserError([f"{problem}; {remedy}" for problem in error.problems]) from error


def damage(prefix: str, slots: bool) -> str | None:
    """Returns what is wrong with a checkpoint, every value of it compared with its checksum.

    Args:
        slots: the optimizer's slots too, which only training needs.
    """
    files = (tf.io.gfile.stat(path) for path in tf.io.gfile.glob(prefix + ".*"))
    return _damage(prefix, slots, tuple((file.length, file.mtime_nsec) for file in files))


@functools.lru_cache(maxsize=8)
def _damage(prefix: str, slots: bool, files: tuple[tuple[int, int], ...]) -> str | None:
    """The same; what the files are like makes sure that no answer outlives them."""
    del files
    try:
        names = [name for name in tensor_bundle.shapes(prefix)
                 if slots or not name.endswith(SLOTS)]
        for _ in tensor_bundle.values(prefix, names):
            pass
    except UserError as error:
        return str(error)
    return None


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
        kept = sorted({*steps(self._path), step}, key=lambda other: (other == step, other))
        if self._keep:
            kept = kept[-self._keep:]
        self._name_newest(prefix, kept)
        chosen = best(self._path)
        for old in set(steps(self._path)) - set(kept) - ({chosen["step"]} if chosen else set()):
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

    def _name_newest(self, prefix: str, steps: list[int]) -> None:
        lines = [f'model_checkpoint_path: "{os.path.basename(prefix)}"']
        lines += [f'all_model_checkpoint_paths: "model.ckpt-{step}"' for step in steps]
        outputs.write_text(os.path.join(self._path, STATE_FILE), "\n".join(lines) + "\n")
