"""One update: rows of the training split -> their loss, new weights.

    step = TrainingStep(strategy, state, bert_config, config, plan, table)
    losses, norms = step([order.batch(number)])
    step.write_back()                       # before `state` is evaluated or saved

A batch may be computed in parts (--gradient_accumulation_steps), one after the other, and each
part on several replicas, side by side: the sum of their gradients is that of the whole batch.
"""

import functools
from collections.abc import Callable, Sequence

import numpy as np
import tensorflow as tf

from finetune import distribution, heads, model, workers
from finetune.batches import Batch, lay_out, longest_first
from finetune.bert_config import BertConfig
from finetune.config import RunConfig
from finetune.records import FeatureTable
from finetune.training import depth, loss_scale, optimizer, schedules
from finetune.training import loss as training_loss
from finetune.training.loss import Losses
from finetune.training.schedules import Plan
from finetune.training.used_words import UsedWords

GROUPS = 2  # of rows in attention, each as wide as its longest; more cost what they save
PACKED = Batch(*(tf.TensorSpec([None], tf.int32) for _ in Batch._fields))
Gradients = Sequence[tf.Tensor | tf.IndexedSlices]


class TrainingStep:
    """Makes updates of a state from rows of a table.

    Args:
        state: with slots; its word table is up to date after `write_back` only.
        rate: step int64[] -> learning rate; None: --lr_schedule's.
    """

    def __init__(self, strategy: tf.distribute.Strategy, state: model.State,
                 bert_config: BertConfig, config: RunConfig, plan: Plan, table: FeatureTable,
                 rate: schedules.Rate | None = None):
        self._strategy, self._table = strategy, table
        self._parts = config.gradient_accumulation_steps
        self._widths = distribution.widths(strategy, config)
        self._words = UsedWords(strategy, state, table.input_ids)
        self._make = functools.cache(functools.partial(  # anew where another set is trained
            make_step, strategy, self._words.state, bert_config, config, plan,
            training_loss.of(config, plan, table.label_ids), rate))
        self._lowest = lambda step: depth.lowest_trained(
            config, bert_config.num_hidden_layers, plan.epoch_of(step))
        self._made = int(state.step.numpy())
        self._static, self._replicas = distribution.is_tpu(strategy), strategy.num_replicas_in_sync
        self._own = workers.replica_ids(strategy)

    def __call__(self, steps: Sequence[np.ndarray]) -> tuple[tf.Tensor, tf.Tensor]:
        """Makes an update for each of the batches, all in one call.

        Args:
            steps: int64[train_batch_size] each, rows of the table; which part of the batch and
                which replica each falls to follows from the lengths. Of several batches only
                where shapes are static (on a TPU), and none of an epoch that trains other
                weights than the first one's.

        Returns:
            The mean losses, float32[K], and the gradients' norms before clipping, float32[K].
        """
        laid_out = [self._shares(rows) for rows in steps]
        make = self._make(self._lowest(self._made))
        self._made += len(steps)
        if not self._static:
            [shares] = laid_out
            return tuple(value[None] for value in make(*shares))
        return make(*(Batch(*map(np.stack, zip(*share, strict=True)))
                      for share in zip(*laid_out, strict=True)))

    def _shares(self, rows: np.ndarray) -> list[Batch]:
        """Returns what each replica of this process computes, part by part."""
        if self._static:
            shares = [np.array_split(some, self._replicas)
                      for some in np.array_split(rows, self._parts)]
        else:  # dealt out by length, so that all have about the same to do
            rows = longest_first(self._table, rows)
            shares = [[rows[part::self._parts][replica::self._replicas]
                       for replica in range(self._replicas)] for part in range(self._parts)]
        return [self._lay_out(some[replica]) for some in shares for replica in self._own]

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


def make_gradients(state: model.State, bert_config: BertConfig, config: RunConfig, replicas: int,
                   losses: Losses, names: Sequence[str]
                   ) -> Callable[[Batch, tf.Tensor], tuple[tf.Tensor, Gradients]]:
    """Returns the function of a share's loss and its gradients, scaled where state says so.

    It takes a Batch and int32[2], the seed of the masks. The loss, float32[], is the sum over the
    share's rows, divided by all rows of the batch. The gradients are those of the names: below
    the lowest of them nothing is computed backwards.
    """
    parts, scaling = config.gradient_accumulation_steps, state.loss_scale
    groups = max(1, min(GROUPS, config.train_batch_size // (replicas * parts)))
    trained = [state.weights[name] for name in names]

    def gradients_of(batch: Batch, seed: tf.Tensor) -> tuple[tf.Tensor, Gradients]:
        with tf.GradientTape(watch_accessed_variables=False) as tape:
            tape.watch(trained)
            logits = model.logits(state.weights, bert_config, batch, seed, groups,
                                  config.precision)
            loss = tf.reduce_sum(losses(logits, batch.label_ids)) / config.train_batch_size
            scaled = loss if scaling is None else loss * scaling[0]
        return loss, tape.gradient(scaled, trained)

    return gradients_of


def make_replica_step(state: model.State, bert_config: BertConfig, config: RunConfig,
                      replicas: int, losses: Losses, rate: schedules.Rate, lowest: int
                      ) -> Callable[..., tuple[tf.Tensor, tf.Tensor]]:
    """Returns the function of a replica's share of an update; the arguments are those of make_step.

    It takes a Batch for each part and returns loss and gradient norm, float32[].
    """
    layers, parts = bert_config.num_hidden_layers, config.gradient_accumulation_steps
    names = [name for name in state.weights if depth.depth(name, layers) >= lowest]
    decaying = state.decaying if lowest == 0 else {}  # those are rows of the word table
    scaling = state.loss_scale
    gradients_of = make_gradients(state, bert_config, config, replicas, losses, names)
    factor = functools.partial(depth.factor, layers=layers, decay=config.layerwise_lr_decay)

    def replica_step(*batches: Batch) -> tuple[tf.Tensor, tf.Tensor]:
        loss, gradients = summed(gradients_of, batches, [
            dropout_seed(config.seed, state.step, part) for part in range(parts)])
        if replicas > 1:
            gradients = tf.distribute.get_replica_context().all_reduce("sum", gradients)
        if scaling is not None:
            gradients = [times(one, 1.0 / scaling[0]) for one in gradients]
        gradients, norm = optimizer.clip(gradients)
        optimizer.apply(dict(zip(names, gradients, strict=True)), state.weights, state.slots,
                        rate(state.step), decaying,
                        None if scaling is None else tf.math.is_finite(norm), factor)
        return loss, norm

    return replica_step


def make_step(strategy: tf.distribute.Strategy, state: model.State, bert_config: BertConfig,
              config: RunConfig, plan: Plan, losses: Losses = heads.losses,
              rate: schedules.Rate | None = None, lowest: int = 0
              ) -> Callable[..., tuple[tf.Tensor, tf.Tensor]]:
    """Returns the function of one update, or on a TPU of several in a row.

    It takes a Batch for each part and each replica of this process, part by part; on a TPU each
    is a stack of K, [K, ...]. It returns loss and gradient norm, float32[] or float32[K].

    Args:
        losses: logits, labels -> the losses of the rows.
        rate: step int64[] -> learning rate; None: --lr_schedule's.
        lowest: the depth (depth.py) from which on weights are trained; the others do not change.
    """
    scaling, parts = state.loss_scale, config.gradient_accumulation_steps
    replica_step = make_replica_step(state, bert_config, config, strategy.num_replicas_in_sync,
                                     losses, rate or schedules.rate(config, plan), lowest)
    packed = PACKED._replace(label_ids=heads.label_spec(state.kind, state.weights))
    static, own = distribution.widths(strategy, config), len(workers.replica_ids(strategy))

    @tf.function(input_signature=None if static else [packed] * (parts * own),
                 jit_compile=True if config.xla else None)
    def step(*shares: Batch) -> tuple[tf.Tensor, tf.Tensor]:
        batches = [workers.each_its_own(strategy, shares[place:place + own])
                   for place in range(0, len(shares), own)]
        loss, norm = strategy.run(replica_step, args=batches)
        loss, norm = (strategy.reduce("sum", loss, axis=None),
                      strategy.reduce("mean", norm, axis=None))
        state.step.assign_add(1)
        if scaling is not None:
            loss_scale.update(scaling, tf.math.is_finite(norm))
        return loss, norm

    return in_a_row(step) if distribution.is_tpu(strategy) else step


def in_a_row(step: Callable[..., tuple[tf.Tensor, tf.Tensor]]
             ) -> Callable[..., tuple[tf.Tensor, tf.Tensor]]:
    """Returns a function that makes K steps in one call, of batches that are stacks of K."""

    @tf.function(reduce_retracing=True)
    def steps(*stacks: Batch) -> tuple[tf.Tensor, tf.Tensor]:
        count = tf.shape(stacks[0].lengths)[0]
        losses, norms = (tf.TensorArray(tf.float32, count) for _ in range(2))
        for number in tf.range(count):
            loss, norm = step(*(Batch(*(values[number] for values in stack))
                                for stack in stacks))
            losses, norms = losses.write(number, loss), norms.write(number, norm)
        return losses.stack(), norms.stack()

    return steps


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
