"""Probabilities and losses of a whole split, in the order of its rows."""

import dataclasses
from collections.abc import Callable

import numpy as np
import tensorflow as tf

from finetune import heads, model
from finetune.batches import Batch, by_length, pack, pad
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


MIN_TOKENS = 1024  # of a step; fewer do not fill two cores


class Predictor:
    """Runs a model without dropout; the graph is traced once.

    Args:
        state: the weights; what they are when a method is called counts.
        static_length: pad every row to this length (for TPU); None: no padding.
    """

    def __init__(self, state: model.State, bert_config: BertConfig,
                 static_length: int | None = None):
        self._static_length = static_length
        specification = Batch(*(tf.TensorSpec([None], tf.int32) for _ in Batch._fields))
        specification = specification._replace(
            label_ids=tf.TensorSpec([None], heads.label_type(state.weights)))
        if static_length:
            ids = tf.TensorSpec([None, static_length], tf.int32)
            specification = specification._replace(input_ids=ids, segment_ids=ids)

        @tf.function(input_signature=[specification])
        def forward(batch: Batch) -> tuple[tf.Tensor, tf.Tensor]:
            logits = model.logits(state.weights, bert_config, batch)
            return heads.answers(logits), heads.losses(logits, batch.label_ids)

        self._forward: Callable = forward

    def predict(self, table: FeatureTable, batch_size: int, what: str = "predict") -> Predictions:
        """Returns the predictions for every row of the table, in its order.

        Rows are batched by length and put back into their places.

        Args:
            batch_size: rows at a time, of the longest; of shorter ones as many more as take the
                same room, or MIN_TOKENS. Padded rows are all of a length.
            what: the name of the work in the progress line.
        """
        probabilities, losses = None, np.empty(len(table), np.float32)
        batches = list(by_length(np.full(len(table), self._static_length), batch_size)
                       if self._static_length else
                       by_length(table.lengths(), batch_size, MIN_TOKENS))
        progress = Progress(what, len(batches))
        for rows in batches:
            some, losses[rows] = self._run(table, rows)
            if probabilities is None:
                probabilities = np.empty((len(table), some.shape[1]), np.float32)
            probabilities[rows] = some
            progress.advance(len(rows))
        return Predictions(probabilities, losses)

    def _run(self, table: FeatureTable, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        batch = (pad(table, rows, self._static_length) if self._static_length
                 else pack(table, rows))
        probabilities, losses = self._forward(batch)
        return probabilities.numpy(), losses.numpy()
