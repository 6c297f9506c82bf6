"""What a folder says of its checkpoints: the file `checkpoint` the newest, another the best."""

import os
from typing import Any

import tensorflow as tf

from finetune import inputs, outputs
from finetune.config_problems import shown
from finetune.errors import UserError

STATE_FILE = "checkpoint"
BEST_FILE = "best_checkpoint.json"
AVERAGED = "model.ckpt-averaged-"
_KINDS = {"checkpoint": (str,), "step": (int,), "metric": (str,), "value": (int, float),
          "evaluated": (int,)}


def named(folder: str) -> list[str]:
    """Returns the prefixes that the file `checkpoint` names, the newest first.

    There are none where there is no such file, and in a damaged one; of that TensorFlow warns, in
    words that help nobody.

    Raises:
        UserError: it is no file, or cannot be read.
    """
    if outputs.read_bytes(os.path.join(folder, STATE_FILE)) is None:
        return []
    logger = tf.get_logger()
    level = logger.level
    logger.setLevel("CRITICAL")
    try:  # not tf.train.latest_checkpoint, which says ERROR where the files it names are gone
        state = tf.train.get_checkpoint_state(folder)
    except ValueError:
        state = None
    finally:
        logger.setLevel(level)
    return [state.model_checkpoint_path,
            *reversed(state.all_model_checkpoint_paths)] if state else []


def best(folder: str) -> dict[str, Any] | None:
    """Returns what best_checkpoint.json says, or None if there is no such file.

    Raises:
        UserError: it says something else than a run writes there.
    """
    path = os.path.join(folder, BEST_FILE)
    record = outputs.read_object(path)
    if record is None:
        return None
    for name, kinds in _KINDS.items():
        if type(record.get(name)) not in kinds:
            raise UserError(f"{path}: {name} is {shown(record.get(name))}, which no run writes; "
                            "put it right or delete the file")
    return record


def averaged(newest: str | None) -> str | None:
    """Returns the prefix of the mean that belongs to a folder's newest checkpoint, or None."""
    if newest is None:
        return None
    folder, name = os.path.split(newest)
    prefix = os.path.join(folder, AVERAGED + name.rpartition("-")[2])
    return prefix if inputs.is_file(f"{prefix}.index") else None
