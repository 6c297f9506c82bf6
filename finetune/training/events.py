"""TensorBoard's event files."""

from collections.abc import Mapping

import tensorflow as tf


class EventWriter:
    """TensorBoard summaries in the format of the original's Estimator.

    Args:
        folder: where the events file goes.
    """

    def __init__(self, folder: str):
        with tf.Graph().as_default():  # the plain file writer is a graph-mode API
            self._writer = tf.compat.v1.summary.FileWriter(folder)

    def write(self, step: int, values: Mapping[str, float]) -> None:
        """Adds numbers under their names at a step."""
        summary = tf.compat.v1.Summary(value=[
            tf.compat.v1.Summary.Value(tag=tag, simple_value=value)
            for tag, value in values.items()])
        self._writer.add_summary(summary, step)

    def close(self) -> None:
        """Writes out what is left."""
        self._writer.close()
