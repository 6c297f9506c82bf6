"""How fast a model trains here, measured with a few steps on the rows of the run to come.

    speed = measure(Job(config, bert_config, labels, start, table, dev_table, None, (16, 32)))
    seconds = speed.of_run(Plan.of(config, rows), config, dev_rows=1043)

The steps are made in a process of their own, so that a GPU's memory is free again afterwards, and
nothing is written.
"""

import contextlib
import dataclasses
import itertools
import multiprocessing
import multiprocessing.connection
import signal
import threading
import time
from collections.abc import Iterator

import numpy as np

from finetune import distribution, log, model
from finetune.bert_config import BertConfig
from finetune.checkpoints import checkpoint
from finetune.config import RunConfig
from finetune.predictor import Predictor
from finetune.records import FeatureTable
from finetune.start import Start
from finetune.task_kind import TaskKind
from finetune.training.step import Plan, TrainingStep

SAMPLE_ROWS = {"train": 512, "dev": 64, "test": 64}
_SECONDS = 4.0  # of steps, for each batch size
_LIMIT = 180.0  # a model that takes longer is not measured


@dataclasses.dataclass(frozen=True)
class Job:
    """What to measure.

    Attributes:
        config: settings with the paths of the model filled in.
        labels: of the classifier.
        start: the checkpoint.
        train, dev, test: some rows of each split; lengths as in the whole. test: None without
            prediction.
        batch_sizes: rows a step; the smallest and largest of the sweep.
    """

    config: RunConfig
    bert_config: BertConfig
    labels: list[str]
    start: Start
    train: FeatureTable
    dev: FeatureTable
    test: FeatureTable | None
    batch_sizes: tuple[int, ...]


@dataclasses.dataclass(frozen=True)
class Speed:
    """What was measured, in seconds.

    Attributes:
        start_up: from the start of the process to the first step.
        step: of one update, by batch size.
        dev_row: of scoring one row.
        load: from the start of the process to weights in memory, a part of start_up.
        first_answer: of the first batch without training, for which the graph is built.
        test_row: of predicting one row; 0 without prediction.
    """

    start_up: float
    step: dict[int, float]
    dev_row: float
    load: float = 0.0
    first_answer: float = 0.0
    test_row: float = 0.0

    def of_step(self, batch_size: int) -> float:
        """Returns the seconds of an update: a straight line through the sizes measured.

        A part does not depend on the rows (Adam), the rest grows with them.
        """
        small, large = min(self.step), max(self.step)
        if small == large:
            return self.step[small] * batch_size / small
        slope = max(self.step[large] - self.step[small], 0) / (large - small)
        return max(self.step[small] + slope * (batch_size - small), 1e-6)

    def of_run(self, plan: Plan, config: RunConfig, dev_rows: int) -> float:
        """Returns the seconds of a whole run: start, training, scoring."""
        scored = 1 + (plan.steps // config.eval_every_steps if config.eval_every_steps else 0)
        return (self.start_up + plan.steps * self.of_step(config.train_batch_size)
                + self.first_answer + scored * dev_rows * self.dev_row)

    def of_prediction(self, test_rows: int) -> float:
        """Returns the seconds of the process that predicts with the chosen run."""
        return self.load + self.first_answer + test_rows * self.test_row


def measure(job: Job) -> Speed | str:
    """Trains for some seconds in a process of its own; returns why if that cannot be done."""
    if job.config.use_tpu:
        return "not measured on a TPU"
    context = multiprocessing.get_context("spawn")
    receiver, sender = context.Pipe(duplex=False)
    process = context.Process(target=_work, args=(sender, job, time.time()), daemon=True)
    with log.quiet():  # the process writes to this one's standard error
        try:
            with _without_interrupts():  # Ctrl-C is for this process, which ends the other
                process.start()
            sender.close()
            if not receiver.poll(_LIMIT):
                return f"a few steps took more than {_LIMIT:.0f} s"
            return receiver.recv()
        except EOFError:
            process.join()
            return f"the process that measures ended with status {process.exitcode}"
        finally:
            process.kill()
            process.join()


@contextlib.contextmanager
def _without_interrupts() -> Iterator[None]:
    """A process that is started in this block ignores SIGINT."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


def _work(sender: multiprocessing.connection.Connection, job: Job, began: float) -> None:
    try:
        sender.send(measure_here(job, began))
    except Exception as error:  # the sweep can do without, and its runs will tell
        sender.send(f"{type(error).__name__}: {' '.join(str(error).split())[:300]}")


def measure_here(job: Job, began: float) -> Speed:
    """Measures in this process.

    Args:
        began: time.time() when the process was started.
    """
    config, strategy = job.config, distribution.make_strategy(job.config)
    values = checkpoint.read(job.start.prefix, job.start.names) if job.start.prefix else {}
    with strategy.scope():
        state = model.create(job.bert_config, len(job.labels), config.seed, values, training=True,
                             loss_scaling=config.precision == "float16",
                             kind=TaskKind.of(job.labels))
    load = time.time() - began
    seconds, start_up = {}, 0.0
    for size in job.batch_sizes:
        step = TrainingStep(
            strategy, state, job.bert_config, dataclasses.replace(
                config, train_batch_size=size, gradual_unfreezing=False, class_weights=None),
            Plan(10 ** 6, 10 ** 5), job.train)
        rows = np.resize(np.random.default_rng(0).permutation(len(job.train)), size * 50)
        batches = itertools.cycle(rows.reshape(-1, size))
        float(step([next(batches)])[0][0])  # builds the graph
        start_up = start_up or time.time() - began
        float(step([next(batches)])[0][0])
        times = []
        while sum(times) < _SECONDS and len(times) < 50:
            before = time.monotonic()
            float(step([next(batches)])[0][0])
            times.append(time.monotonic() - before)
        seconds[size] = sum(times) / len(times)
    predictor, before = Predictor(
        state, job.bert_config, distribution.widths(strategy, config), config.precision,
        config.xla), time.monotonic()
    predictor.predict(job.dev, config.eval_batch_size, "")  # builds the graph
    first = time.monotonic() - before
    dev = _seconds_a_row(predictor, job.dev, config.eval_batch_size)
    test = (0.0 if job.test is None else
            _seconds_a_row(predictor, job.test, config.predict_batch_size))
    return Speed(start_up, seconds, dev, load, max(first - dev * len(job.dev), 0.0), test)


def _seconds_a_row(predictor: Predictor, table: FeatureTable, batch_size: int) -> float:
    before = time.monotonic()
    predictor.predict(table, batch_size, "")
    return (time.monotonic() - before) / len(table)
