"""The curves of a training, read back from the event files of its folder.

    curves = read("output/mine")
    curves["loss"].steps, curves["loss"].values          # over all runs that went on in the folder

Each run that goes on writes a file of its own. What an earlier one wrote of steps that a later one
made again is left out, as TensorBoard does; the last record of a run that was killed may be torn.
"""

import contextlib
import dataclasses
import os
import re
from collections.abc import Iterator

import numpy as np
import tensorflow as tf

EVENTS = "events.out.tfevents."
MOST_POINTS = 400  # of a curve that is drawn


@dataclasses.dataclass(frozen=True, eq=False)
class Curve:
    """Values at steps.

    Attributes:
        steps: int64[P], rising.
        values: float64[P].
    """

    steps: np.ndarray
    values: np.ndarray

    def thinned(self, most: int = MOST_POINTS) -> "Curve":
        """Returns the same with so many points at most, evenly chosen, first and last included."""
        if len(self.steps) <= most:
            return self
        kept = np.linspace(0, len(self.steps) - 1, most).round().astype(np.int64)
        return Curve(self.steps[kept], self.values[kept])


def read(folder: str) -> dict[str, Curve]:
    """Returns the curves in a folder by their names in TensorBoard; none of a folder without."""
    found: dict[str, dict[int, float]] = {}
    names = tf.io.gfile.listdir(folder) if tf.io.gfile.isdir(folder) else []
    for name in sorted((name for name in names if name.startswith(EVENTS)), key=_age):
        add(found, _summaries(os.path.join(folder, name)))
    return {tag: Curve(np.fromiter(sorted(points), np.int64),
                       np.array([points[step] for step in sorted(points)], np.float64))
            for tag, points in found.items()}


def add(found: dict[str, dict[int, float]], later: Iterator[tuple[int, str, float]]) -> None:
    """Adds the (step, name, value) of a later run to {name: {step: value}} of those before it.

    Of each name, what the earlier ones wrote from the later one's first step on no longer counts.
    """
    begun = set()
    for step, tag, value in later:
        points = found.setdefault(tag, {})
        if tag not in begun:
            begun.add(tag)
            for made in [made for made in points if made >= step]:
                del points[made]
        points[step] = value


def _summaries(path: str) -> Iterator[tuple[int, str, float]]:
    with contextlib.suppress(tf.errors.DataLossError):
        for record in tf.data.TFRecordDataset(path, buffer_size=2 ** 18):
            event = tf.compat.v1.Event.FromString(record.numpy())
            for value in event.summary.value:
                yield event.step, value.tag, value.simple_value


def _age(name: str) -> tuple[int, str]:
    """Sorts event files by the second in which they were begun, which is in their names."""
    begun = re.match(r"\d+", name.removeprefix(EVENTS))
    return int(begun[0]) if begun else 0, name
