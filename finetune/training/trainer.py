"""The training loop: steps, checkpoints, evaluations, early stopping.

The update of step N depends on the weights before it, on (--seed, N) and on the training split;
nothing else is carried from step to step. That is why a run that was killed and started again
ends with the same bits.
"""

import math
import statistics
from collections.abc import Callable

import numpy as np
import tensorflow as tf

from finetune import distribution, model, workers
from finetune.batches import training_order
from finetune.bert_config import BertConfig
from finetune.checkpoints import checkpoint
from finetune.checkpoints.writer import Writer
from finetune.config import RunConfig
from finetune.errors import UserError
from finetune.log import LOGGER, Progress
from finetune.records import FeatureTable
from finetune.stages import Stopwatch
from finetune.training import loss_scale, schedules, stopping
from finetune.training import plan as training_plan
from finetune.training.events import EventWriter
from finetune.training.schedules import Plan
from finetune.training.step import TrainingStep

_CURVE = 100  # points of a training curve, or a point at every step of a run that has fewer


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
        self._state, self._config, self._plan = state, config, plan
        self._table, self._evaluate, self._best_metric = table, evaluate, best_metric
        self._watch = watch or Stopwatch()
        self._step = TrainingStep(strategy, state, bert_config, config, plan, table)
        self._order = training_order(len(table), config.train_batch_size, config.seed,
                                     config.shuffle_buffer_size)
        self._timed_step = self._watch.compiling(self._step)
        self._folder = checkpoint.Folder(config.output_dir, config.keep_checkpoint_max)
        self._checkpoints = Writer(self._folder)
        self._saved = self._recorded = int(state.step.numpy())
        self._losses: list[float] = []
        self._left_out = 0  # steps in a row whose update float16 made impossible
        self._pending: list[tuple[tf.Tensor, tf.Tensor]] = []
        self._strategy, self._writes = strategy, workers.is_chief(strategy)
        self._most = config.iterations_per_loop if distribution.is_tpu(strategy) else 1

    def run(self, events: EventWriter) -> list[float]:
        """Trains and writes checkpoints, the last one too; returns the loss of every step made."""
        first = int(self._state.step.numpy())
        with self._watch.stage("checkpoint"), self._checkpoints, self._watch.stage("train"):
            with stopping.deferred() as stop:
                self._make_steps(events, first, stop)
                self._save(first)
            stop.obey()
        return self._losses

    def _make_steps(self, events: EventWriter, first: int, stop: stopping.Stop) -> None:
        config, steps = self._config, self._plan.steps
        progress = Progress("train", steps, first, config.log_every_steps)
        if self.missed_evaluation():
            self._compare(events, first, stop)
        step = first
        while step < steps and not stop.asked:
            if self._patience_is_over(step):
                LOGGER.info("early stop at step %d: no better %s in %d evaluations", step,
                            self._best_metric, config.early_stopping_patience)
                break
            count = self._steps_in_a_call(step)
            self._update([self._order.batch(step + number) for number in range(count)])
            for _ in range(count):
                step += 1
                self._tell(progress, events, first, step)
            if self._evaluation_is_due(step) and not stop.asked:
                self._save(first)
                self._compare(events, step, stop)
            elif step % config.save_checkpoints_steps == 0:
                self._save(first)

    def _update(self, batches: list[np.ndarray]) -> None:
        self._checkpoints.check()
        self._pending.append(self._timed_step(batches))

    def _steps_in_a_call(self, step: int) -> int:
        """Returns how many steps to make before anybody has to look at the weights."""
        ends = [self._plan.steps, step + self._most]
        if self._config.gradual_unfreezing:
            ends.append(self._plan.epoch_after(step))
        every = [self._config.save_checkpoints_steps]
        if self._evaluate is not None:
            every.append(self._config.eval_every_steps)
        return min(ends + [(step // one + 1) * one for one in every]) - step

    def _tell(self, progress: Progress, events: EventWriter, first: int, done: int) -> None:
        log_every = self._config.log_every_steps
        plain = done % log_every == 0 or done == self._plan.steps
        if plain or progress.due():
            self._collect(first)
        if plain:
            self._write_events(events, first, done)
        recent = self._losses[max(0, done - first - 20):done - first]
        progress.advance(self._config.train_batch_size,
                         f"loss {statistics.fmean(recent):.4f}" if recent else "")

    def _collect(self, first: int) -> None:
        for loss, norm in (pair for losses, norms in self._pending
                           for pair in zip(losses.numpy(), norms.numpy(), strict=True)):
            loss, norm, step = float(loss), float(norm), first + len(self._losses) + 1
            self._left_out = 0 if math.isfinite(norm) else self._left_out + 1
            if (self._config.precision == "float16" and math.isfinite(loss)
                    and 0 < self._left_out <= loss_scale.MOST_IN_A_ROW):
                LOGGER.info("step %d: a gradient was too large for float16; the step changes "
                            "nothing, and the loss is scaled by half as much from now on", step)
            elif not (math.isfinite(loss) and math.isfinite(norm)):
                self._checkpoints.wait()  # one that is being written is the last one kept
                rows = ", ".join(str(row + 1) for row in self._table.examples_of(
                    self._order.batch(step - 1)))
                raise UserError(
                    f"step {step}: the loss is {loss}, the gradients' norm {norm}; training has "
                    f"diverged, in the batch of the training rows {rows} (the first is 1). Last "
                    f"checkpoint kept: {checkpoint.latest(self._config.output_dir) or 'none yet'}. "
                    f"Try a learning rate below --learning_rate={self._config.learning_rate}")
            self._losses.append(loss)
        self._pending.clear()

    def _save(self, first: int) -> None:
        """Begins to write a checkpoint of the weights as they are, unless there is one."""
        self._collect(first)  # nothing that has diverged is ever written
        step = int(self._state.step.numpy())
        with self._watch.stage("checkpoint"):
            self._step.write_back()
            if step > self._saved and self._writes:
                self._checkpoints.write(step, self._state.variables())
                self._saved = step

    def _write_events(self, events: EventWriter, first: int, done: int) -> None:
        """Records the steps since the last line of the log: `done`, and what a curve needs."""
        rate = schedules.rate(self._config, self._plan)
        every = math.ceil(self._plan.steps / _CURVE)
        for step in range(self._recorded + 1, done + 1):
            if step % every and step < done:
                continue
            made = step - first
            window = self._losses[max(0, made - self._config.log_every_steps):made]
            events.write(step, {"loss": statistics.fmean(window),
                                "learning_rate": float(rate(tf.constant(step - 1, tf.int64)))})
        self._recorded = done

    def _evaluation_is_due(self, step: int) -> bool:
        return self._evaluate is not None and (
            step % self._config.eval_every_steps == 0 or step == self._plan.steps)

    def missed_evaluation(self) -> bool:
        """Whether the earlier run was killed before it evaluated the step it had come to."""
        step, chosen = int(self._state.step.numpy()), checkpoint.best(self._config.output_dir)
        missed = chosen is None or chosen["evaluated"] < step
        return step > 0 and self._evaluation_is_due(step) and bool(
            workers.from_chief(self._strategy, np.int32(missed)))

    def _compare(self, events: EventWriter, step: int, stop: stopping.Stop) -> None:
        with self._watch.stage("eval"), stop.at_once():  # the run that goes on makes up for it
            metrics = self._evaluate()
        events.write(step, {f"dev/{name}": value for name, value in metrics.items()})
        value = metrics[self._best_metric]
        if not self._writes:
            return
        with self._watch.stage("checkpoint"):
            self._checkpoints.wait()  # best_checkpoint.json names what is on disk
        better = self._folder.note_evaluation(step, self._best_metric, value)
        chosen = checkpoint.best(self._config.output_dir)
        LOGGER.info("step %d: dev %s %.4f%s", step, self._best_metric, value,
                    ", the best so far" if better else f" (best {chosen['value']:.4f} at step "
                    f"{chosen['step']})")

    def _patience_is_over(self, step: int) -> bool:
        if not self._config.early_stopping_patience or not self._evaluation_is_due(step):
            return False
        over = training_plan.is_over(self._config, self._plan, step)
        return bool(workers.from_chief(self._strategy, np.int32(over)))
