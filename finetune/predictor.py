"""Probabilities and losses of a whole split, in the order of its rows."""

import collections
import concurrent.futures
import dataclasses
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TypeVar

import numpy as np
import tensorflow as tf

from finetune import heads, model, workers
from finetune.batches import Batch, by_length, lay_out
from finetune.bert_config import BertConfig
from finetune.log import Progress
from finetune.pooling import pooled
from finetune.records import FeatureTable


@dataclasses.dataclass(frozen=True)
class Predictions:
    """What a model says of N rows.

    Attributes:
        probabilities: float32[N, L], softmax or sigmoid of the logits; of a regression the
            scores, L = 1.
        losses: float32[N], see `heads.losses`.
    """

    probabilities: np.ndarray
    losses: np.ndarray


MIN_TOKENS = 2048  # of a batch; fewer make for slower products
AT_ONCE = 2  # batches, on a CPU: while one waits for memory, the other multiplies
Item, Result = TypeVar("Item"), TypeVar("Result")


def side_by_side(function: Callable[[Item], Result], items: Iterable[Item]) -> Iterator[Result]:
    """Yields what the function makes of the items, in their order, AT_ONCE of them at a time."""
    with concurrent.futures.ThreadPoolExecutor(AT_ONCE) as pool:
        begun = collections.deque()
        for item in items:
            begun.append(pool.submit(function, item))
            if len(begun) > AT_ONCE:
                yield begun.popleft().result()
        while begun:
            yield begun.popleft().result()


def mean(answers: Sequence[np.ndarray]) -> np.ndarray:
    """Returns float32[N, L], the mean of what several models answer, float32[N, L] each."""
    return np.mean(answers, axis=0, dtype=np.float64).astype(np.float32)


class Predictor:
    """Runs a model without dropout; the graph is traced once.

    Args:
        state: the weights; what they are when a method is called counts.
        widths: pad rows to one of these, so that shapes are few (for a TPU and XLA); empty: no
            padding.
        precision: see model.logits.
        xla: compile the graph, once for every width.
        strategy: whose replicas share the batches, those of other workers too; None: the CPU.
        pooling: how the answers of a text's windows become one.
    """

    def __init__(self, state: model.State, bert_config: BertConfig, widths: Sequence[int] = (),
                 precision: str = "float32", xla: bool = False,
                 strategy: tf.distribute.Strategy | None = None, pooling: str = "mean"):
        self._widths, self._pooling = widths, pooling
        self._strategy = strategy = strategy or tf.distribute.OneDeviceStrategy("CPU:0")
        self._own = workers.replica_ids(strategy)
        on_cpu = not widths and all("CPU" in one for one in strategy.extended.worker_devices)
        self._alone_on_cpu = on_cpu and strategy.num_replicas_in_sync == 1
        self._num_labels = state.weights["output_weights"].shape[0]
        packed = Batch(*(tf.TensorSpec([None], tf.int32) for _ in Batch._fields))._replace(
            label_ids=heads.label_spec(state.kind, state.weights))

        def on_replica(batch: Batch) -> tuple[tf.Tensor, tf.Tensor]:
            logits = model.logits(state.weights, bert_config, batch, precision=precision,
                                  fused=on_cpu)
            return heads.answers(logits, state.kind), heads.losses(logits, batch.label_ids)

        @tf.function(input_signature=None if widths else [packed] * len(self._own),
                     jit_compile=True if xla else None)
        def forward(*batches: Batch) -> list[tuple[tf.Tensor, ...]]:
            answers = strategy.run(on_replica, args=(workers.each_its_own(strategy, batches),))
            return [strategy.experimental_local_results(answer) for answer in answers]

        self._forward: Callable = forward

    def predict(self, table: FeatureTable, batch_size: int, what: str = "predict") -> Predictions:
        """Returns the predictions for every example of the table, in its order.

        Rows are batched by length, each batch is computed by one replica, and put back into their
        places. Every worker gets all of them.

        Args:
            batch_size: rows at a time, of the longest; of shorter ones as many more as take the
                same room, or MIN_TOKENS. Of padded rows always as many.
            what: the name of the work in the progress line.
        """
        answers = np.zeros((len(table), self._num_labels), np.float32)
        losses = np.zeros(len(table), np.float32)
        batches = list(by_length(table.lengths(), batch_size, 0 if self._widths else MIN_TOKENS,
                                 fill=not self._widths))
        replicas = self._strategy.num_replicas_in_sync
        calls = [[batches[call + replica] for replica in self._own
                  if call + replica < len(batches)] for call in range(0, len(batches), replicas)]
        progress = Progress(what, len(calls))
        several = side_by_side if self._alone_on_cpu and len(calls) > 1 else map
        made = several(lambda own: self._run(table, own, batch_size), calls)
        for own, results in zip(calls, made, strict=True):
            for rows, (some, loss) in zip(own, results, strict=True):
                answers[rows], losses[rows] = some[:len(rows)], loss[:len(rows)]
            progress.advance(sum(map(len, own)))
        found = Predictions(workers.summed(self._strategy, answers),
                            workers.summed(self._strategy, losses))
        return pooled(found, table, self._pooling)

    def _run(self, table: FeatureTable, batches: Sequence[np.ndarray], batch_size: int
             ) -> list[tuple[np.ndarray, np.ndarray]]:
        """Returns answers and losses of as many batches as there are replicas here, or fewer."""
        if not batches:
            return []
        idle = [batches[0][:1]] * (len(self._own) - len(batches))  # a row that does not count
        laid_out = []
        for rows in [*batches, *idle]:
            if self._widths:  # filled up with rows that do not count
                rows = np.resize(rows, batch_size)
            batch = lay_out(table, rows, self._widths)
            laid_out.append(Batch(*map(tf.constant, batch)) if self._widths else batch)
        answers, losses = self._forward(*laid_out)
        return [(answers[place].numpy(), losses[place].numpy()) for place in range(len(batches))]
