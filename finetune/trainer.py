"""The training loop: steps, checkpoints, evaluations, early stopping.

The update of step N depends on the weights before it, on (--seed, N) and on the training split;
nothing else is carried from step to step. That is why a run that was killed and started again
ends with the same bits.
"""

import dataclasses
import math
import statistics
from collections.abc import Callable

import numpy as np
import tensorflow as tf

from finetune import checkpoint, distribution, heads, model, optimizer
from finetune.batches import Batch, longest_first, pack, pad, training_order
from finetune.bert_config import BertConfig
from finetune.checkpoint_writer import Writer
from finetune.config import RunConfig
from finetune.errors import UserError
from finetune.log import LOGGER, Progress
from finetune.outputs import EventWriter
from finetune.records import FeatureTable
from finetune.stages import Stopwatch
from finetune.used_words import UsedWords

GROUPS = 2  # of rows in attention, each as wide as its longest; more cost what they save
PACKED = Batch(*(tf.TensorSpec([None], tf.int32) for _ in Batch._fields))


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


def dropout_seed(seed: int, step: tf.Tensor) -> tf.Tensor:
    """Returns int32[2], the seed of a step's masks on the replica that asks.

    On one device it is (--seed, step); of several each draws masks of its own.
    """
    pair = tf.stack([seed, tf.cast(step, tf.int32)])
    replica = tf.distribute.get_replica_context()
    if replica.num_replicas_in_sync == 1:
        return pair
    return tf.random.experimental.stateless_fold_in(pair, replica.replica_id_in_sync_group)


def make_step(strategy: tf.distribute.Strategy, state: model.State, bert_config: BertConfig,
              config: RunConfig, plan: Plan) -> Callable[[Batch], tuple[tf.Tensor, tf.Tensor]]:
    """Returns the function of one update: Batch -> (loss float32[], gradient norm float32[])."""
    names = list(state.weights)
    groups = min(GROUPS, config.train_batch_size // strategy.num_replicas_in_sync)

    def replica_step(batch: Batch) -> tuple[tf.Tensor, tf.Tensor]:
        seed = dropout_seed(config.seed, state.step)
        with tf.GradientTape() as tape:
            logits = model.logits(state.weights, bert_config, batch, seed, groups)
            loss = tf.reduce_sum(heads.losses(logits, batch.label_ids)) / config.train_batch_size
        gradients = tape.gradient(loss, [state.weights[name] for name in names])
        if strategy.num_replicas_in_sync > 1:
            gradients = tf.distribute.get_replica_context().all_reduce("sum", gradients)
        gradients, norm = optimizer.clip(gradients)
        rate = optimizer.learning_rate(state.step, config.learning_rate, plan.steps, plan.warmup)
        optimizer.apply(dict(zip(names, gradients, strict=True)), state.weights, state.slots, rate,
                        state.decaying)
        return loss, norm

    static = distribution.is_tpu(strategy)

    packed = PACKED._replace(label_ids=tf.TensorSpec([None], heads.label_type(state.weights)))

    @tf.function(input_signature=None if static else [packed])
    def step(batch: Batch) -> tuple[tf.Tensor, tf.Tensor]:
        loss, norm = strategy.run(replica_step, args=(batch,))
        state.step.assign_add(1)
        return strategy.reduce("sum", loss, axis=None), strategy.reduce("mean", norm, axis=None)

    return step


class Trainer:
    """Trains to the end of a plan.

    Args:
        evaluate: returns the metrics of the dev split with the weights as they are; None: no
            evaluation during training.
        best_metric: name in those metrics that decides which checkpoint is best.
        watch: counts train, compile, eval and, where a step has to wait for it, checkpoint.
    """

    def __init__(self, strategy: tf.distribute.Strategy, state: model.State,
                 bert_config: BertConfig, config: RunConfig, plan: Plan, table: FeatureTable,
                 evaluate: Callable[[], dict[str, float]] | None, best_metric: str,
                 watch: Stopwatch | None = None):
        self._strategy, self._state, self._config, self._plan = strategy, state, config, plan
        self._table, self._evaluate, self._best_metric = table, evaluate, best_metric
        self._watch = watch or Stopwatch()
        self._words = UsedWords(strategy, state, table.input_ids)
        self._step = self._watch.compiling(
            make_step(strategy, self._words.state, bert_config, config, plan))
        self._folder = checkpoint.Folder(config.output_dir, config.keep_checkpoint_max)
        self._checkpoints = Writer(self._folder)
        self._saved = int(state.step.numpy())
        self._losses: list[float] = []
        self._pending: list[tuple[tf.Tensor, tf.Tensor]] = []

    def run(self, events: EventWriter) -> list[float]:
        """Trains and writes checkpoints, the last one too; returns the loss of every step made."""
        first = int(self._state.step.numpy())
        with self._watch.stage("checkpoint"), self._checkpoints, self._watch.stage("train"):
            try:
                self._make_steps(events, first)
            except KeyboardInterrupt:
                self._save(first)
                raise
            self._save(first)
        return self._losses

    def _make_steps(self, events: EventWriter, first: int) -> None:
        config, steps = self._config, self._plan.steps
        order = training_order(len(self._table), config.train_batch_size, config.seed,
                               config.shuffle_buffer_size)
        progress = Progress("train", steps, first, config.log_every_steps)
        if self.missed_evaluation():
            self._compare(events, first)
        for step in range(first, steps):
            if self._patience_is_over(step):
                LOGGER.info("early stop at step %d: no better %s in %d evaluations", step,
                            self._best_metric, config.early_stopping_patience)
                break
            self._checkpoints.check()
            self._pending.append(self._step(self._batch(order.batch(step))))
            self._tell(progress, events, first, step + 1)
            if self._evaluation_is_due(step + 1):
                self._save(first)
                self._compare(events, step + 1)
            elif (step + 1) % config.save_checkpoints_steps == 0:
                self._save(first)

    def _tell(self, progress: Progress, events: EventWriter, first: int, done: int) -> None:
        log_every = self._config.log_every_steps
        plain = done % log_every == 0 or done == self._plan.steps
        if plain or progress.due():
            self._collect(first)
        if plain:
            self._write_events(events, done)
        note = f"loss {statistics.fmean(self._losses[-20:]):.4f}" if self._losses else ""
        progress.advance(self._config.train_batch_size, note)

    def _batch(self, rows: np.ndarray) -> Batch:
        if distribution.is_tpu(self._strategy):
            share = len(rows) // self._strategy.num_replicas_in_sync
            return self._strategy.experimental_distribute_values_from_function(
                lambda context: Batch(*map(tf.constant, self._renumbered(pad(
                    self._table, rows[context.replica_id_in_sync_group * share:][:share],
                    self._config.max_seq_length)))))
        return self._renumbered(pack(self._table, longest_first(self._table, rows)))

    def _renumbered(self, batch: Batch) -> Batch:
        return batch._replace(input_ids=self._words.renumber(batch.input_ids))

    def _collect(self, first: int) -> None:
        for loss, norm in self._pending:
            loss, norm = float(loss), float(norm)
            if not (math.isfinite(loss) and math.isfinite(norm)):
                step = first + len(self._losses) + 1
                self._checkpoints.wait()  # one that is being written is the last one kept
                raise UserError(
                    f"step {step}: the loss is {loss}, the gradients' norm {norm}; training has "
                    f"diverged. Last checkpoint kept: {checkpoint.latest(self._config.output_dir)}"
                    f". Try a learning rate below --learning_rate={self._config.learning_rate}")
            self._losses.append(loss)
        self._pending.clear()

    def _save(self, first: int) -> None:
        """Begins to write a checkpoint of the weights as they are, unless there is one."""
        self._collect(first)  # nothing that has diverged is ever written
        step = int(self._state.step.numpy())
        with self._watch.stage("checkpoint"):
            self._words.write_back()
            if step > self._saved:
                self._checkpoints.write(step, self._state.variables())
                self._saved = step

    def _write_events(self, events: EventWriter, step: int) -> None:
        rate = optimizer.learning_rate(tf.constant(step - 1, tf.int64), self._config.learning_rate,
                                       self._plan.steps, self._plan.warmup)
        window = self._losses[-self._config.log_every_steps:]
        events.write(step, {"loss": statistics.fmean(window), "learning_rate": float(rate)})

    def _evaluation_is_due(self, step: int) -> bool:
        return self._evaluate is not None and (
            step % self._config.eval_every_steps == 0 or step == self._plan.steps)

    def missed_evaluation(self) -> bool:
        """Whether the earlier run was killed before it evaluated the step it had come to."""
        step, chosen = int(self._state.step.numpy()), checkpoint.best(self._config.output_dir)
        return step > 0 and self._evaluation_is_due(step) and (
            chosen is None or chosen["evaluated"] < step)

    def _compare(self, events: EventWriter, step: int) -> None:
        with self._watch.stage("eval"):
            metrics = self._evaluate()
        events.write(step, {f"dev/{name}": value for name, value in metrics.items()})
        value = metrics[self._best_metric]
        with self._watch.stage("checkpoint"):
            self._checkpoints.wait()  # best_checkpoint.json names what is on disk
        better = self._folder.note_evaluation(step, self._best_metric, value)
        chosen = checkpoint.best(self._config.output_dir)
        LOGGER.info("step %d: dev %s %.4f%s", step, self._best_metric, value,
                    ", the best so far" if better else f" (best {chosen['value']:.4f} at step "
                    f"{chosen['step']})")

    def _patience_is_over(self, step: int) -> bool:
        # Counted from what the folder says, so that a resumed run stops where it would have.
        config = self._config
        chosen = checkpoint.best(config.output_dir) if config.early_stopping_patience else None
        if chosen is None or step % config.eval_every_steps:
            return False
        return (step - chosen["step"]) // config.eval_every_steps >= config.early_stopping_patience
