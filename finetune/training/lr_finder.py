"""--find_lr: the range test of Smith (2017, arXiv:1506.01186), into lr_finder.tsv and .svg.

Steps are made at rates that rise from 1e-7 to 1, each by the same factor; the loss falls where the
rate is large enough and climbs where it is too large. What was trained is thrown away.
"""

import dataclasses
import math
import os
from collections.abc import Sequence

import numpy as np
import tensorflow as tf

from finetune import model, outputs, workers
from finetune.batches import training_order
from finetune.errors import UserError
from finetune.log import LOGGER, Progress
from finetune.preflight import Prepared
from finetune.records import FeatureTable
from finetune.report import charts
from finetune.training.step import TrainingStep

LOWEST, HIGHEST = 1e-7, 1.0
STEPS = 100, 200  # an epoch's, but not fewer and not more than these
WINDOW = 10  # steps whose mean loss is looked at
_STOP = 4.0  # times the lowest mean: ktrain's, and fastai's


@dataclasses.dataclass(frozen=True)
class Found:
    """What a test says.

    Attributes:
        rates: of the middles of the windows, rising.
        means: of the losses in each window.
        steepest: the rate at which the loss falls fastest; None if it never falls.
        lowest: a tenth of the rate at which it is lowest; None if it never falls.
    """

    rates: np.ndarray
    means: np.ndarray
    steepest: float | None
    lowest: float | None


def run(strategy: tf.distribute.Strategy, state: model.State, prepared: Prepared,
        table: FeatureTable) -> None:
    """Makes the test and writes what it says; `state` is of no use afterwards.

    Args:
        state: with the optimizer's slots, at step 0.
        table: the training split.
    """
    config, plan = prepared.config, prepared.plan
    steps = min(max(math.ceil(plan.epoch), STEPS[0]), STEPS[1])
    rates = LOWEST * (HIGHEST / LOWEST) ** (np.arange(steps) / (steps - 1))
    known = tf.constant(rates, tf.float32)
    # All that the training trains in the end is tried from the start.
    settings = dataclasses.replace(config, gradual_unfreezing=False)
    make = TrainingStep(strategy, state, prepared.bert_config, settings, plan, table,
                        rate=lambda step: tf.gather(known, step))
    order = training_order(len(table), config.train_batch_size, config.seed,
                           config.shuffle_buffer_size)
    losses: list[float] = []
    progress = Progress("find_lr", steps)
    for step in range(steps):
        [loss] = make([order.batch(step)])[0].numpy()
        if not math.isfinite(loss):
            break
        losses.append(float(loss))
        progress.advance(1, f"rate {rates[step]:.1e}, loss {loss:.4f}")
        if diverged(losses):
            break
    if len(losses) < 2 * WINDOW:
        raise UserError(f"--find_lr: the loss is not a number any more after {len(losses)} steps, "
                        f"at the rate {rates[len(losses)]:.1e}: too few to tell anything")
    if workers.is_chief(strategy):
        _tell(config.output_dir, rates[:len(losses)], losses)


def diverged(losses: Sequence[float]) -> bool:
    """Whether the mean loss of the last steps is more than 4 times the lowest there was."""
    means = windows(losses)
    return len(means) > 0 and bool(means[-1] > _STOP * means.min())


def windows(losses: Sequence[float]) -> np.ndarray:
    """Returns the mean of every WINDOW losses in a row, float64[N - WINDOW + 1]."""
    if len(losses) < WINDOW:
        return np.empty(0)
    return np.convolve(losses, np.full(WINDOW, 1.0 / WINDOW), "valid")


def suggest(rates: np.ndarray, losses: Sequence[float]) -> Found:
    """Looks for the fastest fall of the mean loss before its lowest point.

    A mean stands at the middle of its window on the logarithmic axis, and so does not lag behind.

    Args:
        rates: float64[N], of every step.
        losses: of every step.
    """
    means = windows(losses)
    middles = np.exp(windows(np.log(rates)))
    bottom = int(means.argmin())
    if bottom < 1:
        return Found(middles, means, None, None)
    slopes = np.gradient(means, np.log10(middles))[:bottom + 1]
    return Found(middles, means, float(middles[slopes.argmin()]), float(middles[bottom] / 10.0))


def _tell(folder: str, rates: np.ndarray, losses: list[float]) -> None:
    found = suggest(rates, losses)
    before = (WINDOW - 1) // 2
    shown = ["" if not 0 <= place < len(found.means) else f"{found.means[place]:.6f}"
             for place in (step - before for step in range(len(losses)))]
    outputs.write_text(os.path.join(folder, outputs.LR_FINDER), "\n".join([
        "step\tlearning_rate\tloss\tmean_loss",
        *(f"{step}\t{rate:.4e}\t{loss:.6f}\t{mean}" for step, (rate, loss, mean) in
          enumerate(zip(rates, losses, shown, strict=True)))]) + "\n")
    outputs.write_text(os.path.join(folder, outputs.LR_FINDER_PLOT), plot(rates, losses, found))
    if found.steepest is None:
        LOGGER.warning("find_lr: the loss never falls; there is nothing to suggest. See %s",
                       os.path.join(folder, outputs.LR_FINDER_PLOT))
        return
    LOGGER.info("find_lr: the loss falls fastest at --learning_rate=%.1e; a tenth of the rate "
                "where it is lowest is --learning_rate=%.1e", found.steepest, found.lowest)
    LOGGER.info("find_lr: both are guesses; look at %s",
                os.path.join(folder, outputs.LR_FINDER_PLOT))


def plot(rates: np.ndarray, losses: Sequence[float], found: Found) -> str:
    """Returns the chart of a test, SVG."""
    first, least, most = (float(one) for one in (found.means[0], found.means.min(),
                                                 found.means.max()))
    fall = max(first - least, 0.05 * first)  # what one looks for, and not how far it climbs
    low, high = max(0.0, least - fall), min(most, first + 2.0 * fall) + fall
    marks = [] if found.steepest is None else [
        (f"falls fastest: {found.steepest:.1e}", found.steepest),
        (f"lowest / 10: {found.lowest:.1e}", found.lowest)]
    return charts.file(
        "--find_lr: loss by learning rate",
        charts.Axis("learning rate", float(rates[0]), float(rates[-1]), log=True),
        charts.Axis("training loss", low, high),
        [charts.Line("of each step", rates, np.clip(losses, low, high), faint=True),
         charts.Line(f"mean of {WINDOW} steps", found.rates, np.minimum(found.means, high))],
        marks)
