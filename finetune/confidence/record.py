"""calibration.json: written beside a checkpoint, and used for that checkpoint alone.

    reading = record.reading(64, True, config)           # how texts are read
    record.write("output/run", prefix, 84, fitted, 0.95, reading)
    record.look(["output/run"], prefix, reading).calibration     # Calibration(1.8, 0.83), or RAW

Its checkpoint is known by the SHA-256 sum of the index, which holds the checksum of every tensor.
A file that is of another checkpoint is told and not used; so is one that was fitted while texts
were read otherwise, as they had other probabilities then.
"""

import dataclasses
import hashlib
import math
import os
from collections.abc import Iterable, Mapping
from typing import Any

from finetune import outputs
from finetune.confidence.calibration import RAW, Calibration
from finetune.confidence.fitting import Fitted
from finetune.config_problems import shown
from finetune.errors import UserError
from finetune.log import LOGGER
from finetune.options.long_texts import NAMES, OF_WINDOWS, LongTexts


@dataclasses.dataclass(frozen=True)
class Found:
    """What the folders say of a checkpoint.

    Attributes:
        calibration: to be used; RAW if nothing is.
        path: of the file it is from; None: there is none.
        content: of that file.
        notices: what is not used, and why.
    """

    calibration: Calibration = RAW
    path: str | None = None
    content: dict[str, Any] = dataclasses.field(default_factory=dict)
    notices: tuple[str, ...] = ()


def reading(max_seq_length: int, do_lower_case: bool, long_texts: LongTexts) -> dict[str, Any]:
    """Returns all that decides the probabilities of a text besides the weights."""
    return {"max_seq_length": max_seq_length, "do_lower_case": do_lower_case,
            **{name: getattr(long_texts, name) for name in NAMES
               if long_texts.window_stride or name not in OF_WINDOWS}}


def write(folder: str, prefix: str, step: int, rows: int, fitted: Fitted,
          wanted: float | None, read_as: Mapping[str, Any]) -> None:
    """Writes calibration.json, whole or not at all.

    Args:
        prefix: of the checkpoint that answered dev.
        step: its global_step.
        rows: of dev.
        wanted: --min_precision.
        read_as: how the texts of dev were read, see `reading`.
    """
    outputs.write_json(os.path.join(folder, outputs.CALIBRATION), {
        "checkpoint": os.path.basename(prefix), "step": step, "index_sha256": _sum(prefix),
        "rows": rows, "reading": dict(read_as), "temperature": fitted.calibration.temperature,
        "threshold": fitted.calibration.threshold, **fitted.as_dict(wanted)})


def carry(source: str, target: str) -> None:
    """Writes the calibration of a checkpoint, if it has one, beside a copy with the same weights.

    Args:
        source, target: prefixes of the checkpoint and of its copy.
    """
    found = look([os.path.dirname(source)], source)
    if found.path:
        outputs.write_json(os.path.join(os.path.dirname(target), outputs.CALIBRATION), {
            **found.content, "checkpoint": os.path.basename(target), "index_sha256": _sum(target)})


def look(folders: Iterable[str], prefix: str | None,
         read_as: Mapping[str, Any] | None = None) -> Found:
    """Looks for the calibration of a checkpoint.

    Args:
        folders: the first that has one of this very checkpoint counts.
        prefix: of the checkpoint; None: of none.
        read_as: how texts are read now, see `reading`; None: however they were.

    Raises:
        UserError: a calibration.json is damaged.
    """
    notices = []
    for folder in dict.fromkeys(folders):
        content = read(folder)
        if content is None:
            continue
        path = os.path.join(folder, outputs.CALIBRATION)
        if prefix is not None and content["index_sha256"] == _sum(prefix):
            if differ := _differ(content.get("reading"), read_as):
                notices.append(f"{path} was fitted with {differ}: it is not used; read texts as "
                               "then, or fit it anew (--do_eval with --calibrate or "
                               "--min_precision)")
                continue
            return Found(Calibration(float(content["temperature"]), content.get("threshold")), path,
                         content, tuple(notices))
        notices.append(f"{path} is of {content.get('checkpoint')} (step {content.get('step')}) "
                       f"and not of the weights used, {prefix}: it is not used; --do_eval with "
                       "--calibrate or --min_precision makes it anew")
    return Found(notices=tuple(notices))


def _differ(then: Mapping[str, Any] | None, now: Mapping[str, Any] | None) -> str:
    """Returns how texts were read otherwise; "" if not so, or where an older file does not tell."""
    if then is None or now is None:
        return ""
    return ", ".join(f"{name}={then.get(name)} (here {now.get(name)})" for name in {**then, **now}
                     if then.get(name) != now.get(name))


def in_use(folders: Iterable[str], prefix: str, read_as: Mapping[str, Any]) -> Calibration:
    """Looks for the calibration of a checkpoint that is to answer, and tells of it; see `look`."""
    found = look(folders, prefix, read_as)
    for notice in found.notices:
        LOGGER.warning("note: %s", notice)
    if found.path:
        one = found.calibration
        LOGGER.info("%s: temperature %.4f, %s", found.path, one.temperature, "no threshold"
                    if one.threshold is None else f"threshold {one.threshold:.4f}")
    return found.calibration


def read(folder: str) -> dict[str, Any] | None:
    """Returns what calibration.json says, or None if there is no such file.

    Raises:
        UserError: it says something else than a run writes there.
    """
    path = os.path.join(folder, outputs.CALIBRATION)
    content = outputs.read_object(path)
    if content is None:
        return None
    temperature, threshold = content.get("temperature"), content.get("threshold")
    wrong = [f"{path}: {name} is {shown(value)}; must be {allowed}" for name, value, good, allowed
             in (("temperature", temperature, _is_number(temperature) and temperature > 0,
                  "a number above 0"),
                 ("threshold", threshold, threshold is None or (
                     _is_number(threshold) and 0 <= threshold <= 1), "null or from 0 to 1"),
                 ("reading", content.get("reading"),
                  isinstance(content.get("reading", {}), dict), "how texts were read"),
                 ("index_sha256", content.get("index_sha256"),
                  isinstance(content.get("index_sha256"), str), "a SHA-256 sum")) if not good]
    if wrong:
        raise UserError([f"{one}. Put it right or delete the file" for one in wrong])
    return content


def _is_number(value: Any) -> bool:
    return type(value) in (int, float) and math.isfinite(value)


def _sum(prefix: str) -> str | None:
    content = outputs.read_bytes(f"{prefix}.index")
    return None if content is None else hashlib.sha256(content).hexdigest()
