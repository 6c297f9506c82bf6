"""One update: rows of the training split -> their loss, new weights.

    step = TrainingStep(strategy, state, bert_config, config, plan, table)
    loss, norm = step(order.batch(number))
    step.write_back()                       # before `state` is evaluated or saved

A batch may be computed in parts (--gradient_accumulation_steps), one after the other: the sum of
their gradients is that of the whole batch.
"""

import dataclasses
from collections.abc import Callable, Sequence

import numpy as np
import tensorflow as tf

from finetune import distribution, heads, loss_scale, model, optimizer
from finetune.batches import Batch, lay_out, longest_first
from finetune.bert_config import BertConfig
from finetune.config import RunConfig
from finetune.records import FeatureTable
from finetune.used_words import UsedWords

GROUPS = 2  # of rows in attention, each as wide as its longest; more cost what they save
PACKED = Batch(*(tf.TensorSpec([None], tf.int32) for _ in Batch._fields))
Gradients = Sequence[tf.Tensor | tf.IndexedSlices]


@dataclasses.dataclass(frozen=True)
class Plan:
    """How long to train: the original's arithmetic.

    Attributes:
        steps: int(rows / train_batch_size * num_train_epochs).
        warmup: int(steps * warmup_proportion).
    """

    steps: int
    warmup: int

    @classmethod
    def of(cls, config: RunConfig, rows: int) -> "Plan":
        """Returns the plan for a training split of so many rows."""
        steps = int(rows / config.train_batch_size * config.num_train_epochs)
        return cls(steps, int(steps * config.warmup_proportion))

    @classmethod
    def problem(cls, config: RunConfig, rows: int) -> str | None:
        """Returns why so many rows do not make a single step; None if they do."""
        if cls.of(config, rows).steps:
            return None
        return (f"int({rows} rows / {config.train_batch_size} * {config.num_train_epochs} epochs) "
                "is 0, no single step; take a smaller batch or more epochs")


class TrainingStep:
    """Makes updates of a state from rows of a table.

    Args:
        state: with slots; its word table is up to date after `write_back` only.
    """

    def __init__(self, strategy: tf.distribute.Strategy, state: model.State,
                 bert_config: BertConfig, config: RunConfig, plan: Plan, table: FeatureTable):
        self._strategy, self._table = strategy, table
        self._parts = config.gradient_accumulation_steps
        self._widths = distribution.widths(strategy, config)
        self._words = UsedWords(strategy, state, table.input_ids)
        self._step = make_step(strategy, self._words.state, bert_config, config, plan)

    def __call__(self, rows: np.ndarray) -> tuple[tf.Tensor, tf.Tensor]:
        """Makes one update.

        Args:
            rows: int64[train_batch_size], rows of the table; which part of the batch each falls
                into follows from the lengths.

        Returns:
            The mean loss, float32[], and the gradients' norm before clipping, float32[].
        """
        if not distribution.is_tpu(self._strategy):
            rows = longest_first(self._table, rows)
            return self._step(*(self._lay_out(rows[part::self._parts])
                                for part in range(self._parts)))
        replicas = self._strategy.num_replicas_in_sync
        return self._step(*(self._strategy.experimental_distribute_values_from_function(
            lambda context, some=some: Batch(*map(tf.constant, self._lay_out(
                np.array_split(some, replicas)[context.replica_id_in_sync_group]))))
            for some in np.array_split(rows, self._parts)))

    def write_back(self) -> None:
        """Brings the state's word table up to date."""
        self._words.write_back()

    def _lay_out(self, rows: np.ndarray) -> Batch:
        batch = lay_out(self._table, rows, self._widths)
        return batch._replace(input_ids=self._words.renumber(batch.input_ids))


def dropout_seed(seed: int, step: tf.Tensor, part: int = 0) -> tf.Tensor:
    """Returns int32[2], the seed of the masks of a step's part on the replica that asks.

    On one device it is (--seed + 4096 part, step); of several each draws masks of its own.
    """
    pair = tf.stack([seed, tf.cast(step, tf.int32)]) + [part << 12, 0]
    replica = tf.distribute.get_replica_context()
    if replica.num_replicas_in_sync == 1:
        return pair
    return tf.random.experimental.stateless_fold_in(pair, replica.replica_id_in_sync_group)


def make_step(strategy: tf.distribute.Strategy, state: model.State, bert_config: BertConfig,
              config: RunConfig, plan: Plan) -> Callable[..., tuple[tf.Tensor, tf.Tensor]]:
    """Returns the function of one update.

    It takes the --gradient_accumulation_steps parts of a batch, a Batch each, and returns
    (loss float32[], gradient norm float32[]).
    """
    names, replicas = list(state.weights), strategy.num_replicas_in_sync
    parts = config.gradient_accumulation_steps
    groups = max(1, min(GROUPS, config.train_batch_size // (replicas * parts)))
    scaling = state.loss_scale

    def gradients_of(batch: Batch, seed: tf.Tensor) -> tuple[tf.Tensor, Gradients]:
        with tf.GradientTape() as tape:
            logits = model.logits(state.weights, bert_config, batch, seed, groups,
                                  config.precision)
            loss = tf.reduce_sum(heads.losses(logits, batch.label_ids)) / config.train_batch_size
            scaled = loss if scaling is None else loss * scaling[0]
        return loss, tape.gradient(scaled, [state.weights[name] for name in names])

    def replica_step(*batches: Batch) -> tuple[tf.Tensor, tf.Tensor]:
        loss, gradients = summed(gradients_of, batches, [
            dropout_seed(config.seed, state.step, part) for part in range(parts)])
        if replicas > 1:
            gradients = tf.distribute.get_replica_context().all_reduce("sum", gradients)
        if scaling is not None:
            gradients = [times(one, 1.0 / scaling[0]) for one in gradients]
        gradients, norm = optimizer.clip(gradients)
        rate = optimizer.learning_rate(state.step, config.learning_rate, plan.steps, plan.warmup)
        optimizer.apply(dict(zip(names, gradients, strict=True)), state.weights, state.slots, rate,
                        state.decaying, None if scaling is None else tf.math.is_finite(norm))
        return loss, norm

    packed = PACKED._replace(label_ids=tf.TensorSpec([None], heads.label_type(state.weights)))
    static = distribution.widths(strategy, config)

    @tf.function(input_signature=None if static else [packed] * parts,
                 jit_compile=True if config.xla else None)
    def step(*batches: Batch) -> tuple[tf.Tensor, tf.Tensor]:
        loss, norm = strategy.run(replica_step, args=batches)
        loss, norm = (strategy.reduce("sum", loss, axis=None),
                      strategy.reduce("mean", norm, axis=None))
        state.step.assign_add(1)
        if scaling is not None:
            loss_scale.update(scaling, tf.math.is_finite(norm))
        return loss, norm

    return step


def summed(gradients_of: Callable[[Batch, tf.Tensor], tuple[tf.Tensor, Gradients]],
           batches: Sequence[Batch], seeds: Sequence[tf.Tensor]) -> tuple[tf.Tensor, Gradients]:
    """Sums loss and gradients of the parts of a batch, each begun when the one before is done.

    Args:
        gradients_of: Batch, seed int32[2] -> loss float32[] and its gradients.
    """
    if len(batches) > 1:
        gradients_of = tf.function(gradients_of)  # traced once
    loss, gradients = gradients_of(batches[0], seeds[0])
    for batch, seed in zip(batches[1:], seeds[1:], strict=True):
        with tf.control_dependencies(tf.nest.flatten([loss, gradients], True)):
            batch = Batch(*map(tf.identity, batch))
        more, others = gradients_of(batch, seed)
        loss, gradients = loss + more, list(map(add, gradients, others))
    return loss, gradients


def add(one: tf.Tensor | tf.IndexedSlices, other: tf.Tensor | tf.IndexedSlices
        ) -> tf.Tensor | tf.IndexedSlices:
    """Adds gradients; slices are put one behind the other, as those of one larger batch."""
    if isinstance(one, tf.IndexedSlices):
        return tf.IndexedSlices(tf.concat([one.values, other.values], 0),
                                tf.concat([one.indices, other.indices], 0), one.dense_shape)
    return one + other


def times(gradient: tf.Tensor | tf.IndexedSlices, factor: tf.Tensor
          ) -> tf.Tensor | tf.IndexedSlices:
    """Multiplies a gradient by a number."""
    if isinstance(gradient, tf.IndexedSlices):
        return tf.IndexedSlices(gradient.values * factor, gradient.indices, gradient.dense_shape)
    return gradient * factor
