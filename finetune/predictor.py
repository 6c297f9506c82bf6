"""Probabilities and losses of a whole split, in the order of its rows."""

import dataclasses
from collections.abc import Callable, Sequence

import numpy as np
import tensorflow as tf

from finetune import heads, model
from finetune.batches import Batch, by_length, lay_out
from finetune.bert_config import BertConfig
from finetune.log import Progress
from finetune.records import FeatureTable


@dataclasses.dataclass(frozen=True)
class Predictions:
    """What a model says of N rows.

    Attributes:
        probabilities: float32[N, L], softmax of the logits; of a regression the scores, L = 1.
        losses: float32[N], cross-entropy against the rows' label ids; of a regression the
            squared error.
    """

    probabilities: np.ndarray
    losses: np.ndarray


MIN_TOKENS = 4096  # of a step; fewer make for slower products


class Predictor:
    """Runs a model without dropout; the graph is traced once.

    Args:
        state: the weights; what they are when a method is called counts.
        widths: pad rows to one of these, so that shapes are few (for a TPU and XLA); empty: no
            padding.
        precision: see model.logits.
        xla: compile the graph, once for every width.
    """

    def __init__(self, state: model.State, bert_config: BertConfig, widths: Sequence[int] = (),
                 precision: str = "float32", xla: bool = False):
        self._widths = widths
        packed = Batch(*(tf.TensorSpec([None], tf.int32) for _ in Batch._fields))._replace(
            label_ids=tf.TensorSpec([None], heads.label_type(state.weights)))

        @tf.function(input_signature=None if widths else [packed],
                     jit_compile=True if xla else None)
        def forward(batch: Batch) -> tuple[tf.Tensor, tf.Tensor]:
            logits = model.logits(state.weights, bert_config, batch, precision=precision)
            return heads.answers(logits), heads.losses(logits, batch.label_ids)

        self._forward: Callable = forward

    def predict(self, table: FeatureTable, batch_size: int, what: str = "predict") -> Predictions:
        """Returns the predictions for every row of the table, in its order.

        Rows are batched by length and put back into their places.

        Args:
            batch_size: rows at a time, of the longest; of shorter ones as many more as take the
                same room, or MIN_TOKENS. Of padded rows always as many.
            what: the name of the work in the progress line.
        """
        probabilities, losses = None, np.empty(len(table), np.float32)
        batches = list(by_length(table.lengths(), batch_size, 0 if self._widths else MIN_TOKENS,
                                 fill=not self._widths))
        progress = Progress(what, len(batches))
        for rows in batches:
            some, losses[rows] = self._run(table, rows, batch_size)
            if probabilities is None:
                probabilities = np.empty((len(table), some.shape[1]), np.float32)
            probabilities[rows] = some
            progress.advance(len(rows))
        return Predictions(probabilities, losses)

    def _run(self, table: FeatureTable, rows: np.ndarray,
             batch_size: int) -> tuple[np.ndarray, np.ndarray]:
        count = len(rows)
        if self._widths:  # the last batch is filled up with rows that do not count
            rows = np.resize(rows, batch_size)
        batch = lay_out(table, rows, self._widths)
        if self._widths:
            batch = Batch(*map(tf.constant, batch))
        probabilities, losses = self._forward(batch)
        return probabilities.numpy()[:count], losses.numpy()[:count]
