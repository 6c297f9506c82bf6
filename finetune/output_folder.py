"""Whether --output_dir can take a run: what lies there, and how much room there is."""

import contextlib
import fcntl
import os
import shutil
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import tensorflow as tf

from finetune import model, outputs
from finetune.bert_config import BertConfig
from finetune.checkpoints import checkpoint
from finetune.config import RunConfig
from finetune.errors import UserError
from finetune.export.formats import chosen
from finetune.members import folder as members
from finetune.training.schedules import Plan

if TYPE_CHECKING:
    from finetune.preflight import Prepared
_LONGEST_PATH, _LONGEST_NAME = 4000, 255  # bytes; Linux has 4,096, and files' names come on top
_BESIDE_WEIGHTS = 2_000_000  # bytes of an exported format; 0.7 MB for 6 layers and 30,522 tokens


def output_problems(config: RunConfig) -> list[str]:
    """Returns why a run cannot write into --output_dir."""
    path = config.output_dir
    if set(path) & checkpoint.PATTERN:
        return [f"--output_dir={path}: TensorFlow takes * ? [ ] \\ in a path for a pattern; name "
                "another folder"]
    unusable = None if "://" in path else _unusable(path)
    if unusable:
        return [f"--output_dir={path}: {unusable}; name another folder"]
    above = path if "://" in path else _nearest(path)
    if tf.io.gfile.exists(above) and not tf.io.gfile.isdir(above):
        return [f"--output_dir={path}: {above} is a file; name a folder"]
    if checkpoint.exists(os.path.join(path, checkpoint.PRETRAINED)):
        return [f"--output_dir={path}: holds a pre-trained checkpoint ({checkpoint.PRETRAINED}), "
                "which no run may write over; name another folder"]
    if why := members.why_no_checkpoint(path):
        return [f"--output_dir={path}: {why}"]
    if config.overwrite_output_dir:
        problems = _overwrite_problems(config)
        if problems:
            return problems
    if "://" not in path and not os.access(above, os.W_OK):
        return [f"--output_dir={path}: {above} cannot be written to"]
    if "://" not in path and not shutil.disk_usage(above).total:  # /proc and the like
        return [f"--output_dir={path}: {above} lies on a file system that takes no files; name "
                "another folder"]
    return [f"--output_dir={path}: {name} there is no {kind}, and a run writes one of that name; "
            "name another folder" for name, kind in _in_the_way(path)]


def _unusable(path: str) -> str | None:
    """Returns why no folder can have this path, or None."""
    full = os.fsencode(os.path.abspath(path))
    if len(full) > _LONGEST_PATH or max(map(len, full.split(b"/"))) > _LONGEST_NAME:
        return "the name is too long"
    try:
        os.stat(path)
    except (FileNotFoundError, NotADirectoryError):
        link = os.path.abspath(path)
        while not os.path.lexists(link):
            link = os.path.dirname(link)
        return None if os.path.exists(link) else f"{link} is a link to what does not exist"
    except OSError as error:
        return error.strerror
    return None


def _in_the_way(path: str) -> Iterator[tuple[str, str]]:
    """Yields (name, kind) of what stands where a run would write, and is none of that kind."""
    if "://" in path:
        return
    for name in outputs.WRITTEN:
        place = os.path.join(path, name)
        if os.path.lexists(place) and not os.path.isfile(place):
            yield name, "file"
    for name in (outputs.EVENTS_OF_EVAL, outputs.EXPORT):
        place = os.path.join(path, name)
        if os.path.lexists(place) and not os.path.isdir(place):
            yield name, "folder"


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
    """Compares what checkpoints, one of them being written, and export take with the free disk."""
    if "://" in config.output_dir:
        return []
    needed, parts, remedies = 0, [], ["make room"]
    if plan:
        count, size = checkpoint_room(config, bert_config, num_labels, plan)
        needed += count * size
        parts.append(f"{count} checkpoints of {size / 1e6:.0f} MB")
        remedies.append("lower --keep_checkpoint_max")
    if config.do_export:
        exported = export_room(config, bert_config, num_labels)
        needed += exported
        parts.append(f"an export of {exported / 1e6:.0f} MB ({', '.join(chosen(config))})")
        remedies.append("name fewer --export_formats")
    free = usage(_nearest(config.output_dir)).free
    if needed <= free:
        return []
    return [f"--output_dir={config.output_dir}: {' and '.join(parts)} need {needed / 1e6:.0f} MB, "
            f"the disk has {free / 1e6:.0f} MB free; {' or '.join(remedies)}"]


def room_told(prepared: "Prepared") -> str:
    """Says how much room a run needs for what it writes, and how much there is.

    A row of features has up to max_seq_length tokens: an id of up to 3 bytes, mask and segment; of
    a table too large for memory as much again lies beside it. A row of predictions has up to 24
    characters a label in both files, and its id.
    """
    config, labels = prepared.config, len(prepared.labels)
    rows = sum(map(len, prepared.examples.values()))
    parts = {"features": rows * (13 * config.max_seq_length + 120)}
    if prepared.plan:
        count, size = checkpoint_room(config, prepared.bert_config, labels, prepared.plan)
        parts[f"{count} checkpoints"] = count * size
    if config.do_export:
        parts["export"] = export_room(config, prepared.bert_config, labels)
    if config.do_predict:
        parts["predictions"] = len(prepared.examples["test"]) * (24 * labels + 60)
    told = ", ".join(f"{name} {size / 1e6:.1f} MB" for name, size in parts.items())
    free = free_bytes(config.output_dir) / 1e6
    return (f"the whole run needs up to {sum(parts.values()) / 1e6:.1f} MB there: {told}; "
            f"{free:.1f} MB are free")


def checkpoint_room(config: RunConfig, bert_config: BertConfig, num_labels: int,
                    plan: Plan) -> tuple[int, int]:
    """Returns how many checkpoints a run has at most, one being written, and the bytes of each."""
    kept = plan.steps // config.save_checkpoints_steps + 1
    if config.eval_every_steps:
        kept += plan.steps // config.eval_every_steps
    if config.keep_checkpoint_max:
        kept = min(kept, config.keep_checkpoint_max)
    kept += bool(config.average_checkpoints)
    size = 3 * _weights_bytes(bert_config, num_labels)  # with adam_m and adam_v
    return kept + 1 + bool(config.eval_every_steps), size


def export_room(config: RunConfig, bert_config: BertConfig, num_labels: int) -> int:
    """Returns the bytes that --do_export writes; an earlier export goes when the new one is whole.

    Each format holds the weights; graph and vocabulary come on top.
    """
    return len(chosen(config)) * (_weights_bytes(bert_config, num_labels) + _BESIDE_WEIGHTS)


def _weights_bytes(bert_config: BertConfig, num_labels: int) -> int:
    return 4 * sum(tf.TensorShape(shape).num_elements()  # float32
                   for shape in model.variable_shapes(bert_config, num_labels).values())
