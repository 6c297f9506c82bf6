"""How long to train, and the learning rate of every step; a picture is in docs/training.md.

    plan = Plan.of(config, rows=3668)                     # 343 steps, 34 of them warm-up
    schedules.rate(config, plan)(tf.constant(33, tf.int64))     # float32[]: 4.852941e-05

Steps count from 0, the updates made so far; `steps` are all of the run, `peak` is --learning_rate.
"""

import dataclasses
import math
from collections.abc import Callable
from fractions import Fraction

import tensorflow as tf

from finetune.config import RunConfig

# Of the peak: where a triangle begins and where it ends (ktrain's autofit).
TRIANGLE_BEGINS, TRIANGLE_ENDS = 1 / 10, 1 / 1000
# torch.optim.lr_scheduler.OneCycleLR's div_factor, and that times final_div_factor.
ONE_CYCLE_BEGINS, ONE_CYCLE_ENDS = 1 / 25, 1 / 25e4
Rate = Callable[[tf.Tensor], tf.Tensor]


@dataclasses.dataclass(frozen=True)
class Plan:
    """How long to train: the original's arithmetic.

    Attributes:
        steps: int(rows / train_batch_size * num_train_epochs).
        warmup: int(steps * warmup_proportion).
        epoch: steps an epoch, rows / train_batch_size; need not be whole.
        class_weights: of a file of --class_weights, by label id; empty: none.
    """

    steps: int
    warmup: int
    epoch: Fraction = Fraction(1)
    class_weights: tuple[float, ...] = ()

    @classmethod
    def of(cls, config: RunConfig, rows: int) -> "Plan":
        """Returns the plan for a training split of so many rows."""
        steps = int(rows / config.train_batch_size * config.num_train_epochs)
        return cls(steps, int(steps * config.warmup_proportion),
                   Fraction(rows, config.train_batch_size))

    @classmethod
    def problem(cls, config: RunConfig, rows: int) -> str | None:
        """Returns why so many rows do not make a single step; None if they do."""
        if cls.of(config, rows).steps:
            return None
        size, epochs = config.train_batch_size, config.num_train_epochs
        return (f"{rows} {'row is' if rows == 1 else 'rows are'} too few: of {size} a step in "
                f"{epochs:g} {'epoch' if epochs == 1 else 'epochs'} they make no single step "
                f"(int({rows} / {size} * {epochs}) is 0); lower --train_batch_size or raise "
                "--num_train_epochs")

    def epoch_of(self, step: int) -> int:
        """Returns the epoch, from 0, that the first row of a step belongs to."""
        return int(step // self.epoch)

    def epoch_after(self, step: int) -> int:
        """Returns the first step that begins in a later epoch than this one."""
        return math.ceil((self.epoch_of(step) + 1) * self.epoch)


def rate(config: RunConfig, plan: Plan) -> Rate:
    """Returns the function of --lr_schedule: step int64[] -> its rate, float32[]."""
    peak, steps, warmup = config.learning_rate, plan.steps, plan.warmup
    return {
        "linear": lambda step: linear(step, peak, steps, warmup),
        "constant": lambda step: constant(step, peak, warmup),
        "cosine": lambda step: cosine(step, peak, steps, warmup),
        "triangular": lambda step: triangular(step, peak, plan.epoch),
        "one_cycle": lambda step: one_cycle(step, peak, steps, config.one_cycle_rise),
    }[config.lr_schedule]


def linear(step: tf.Tensor, peak: float, steps: int, warmup: int) -> tf.Tensor:
    """The original's: rises from 0, then falls on a line to 0.

    Rises as peak * step / warmup; from `warmup` on it lies on the line from the peak at step 0 to
    0 at `steps`, so that it drops when warm-up ends (with 10 % from 0.99 to 0.90 of the peak).
    That drop is the original's, and is kept.
    """
    step = tf.cast(tf.minimum(step, tf.cast(steps, step.dtype)), tf.float32)
    # (peak - end) * (1 - step / steps) + end, in the order of tf.train.polynomial_decay.
    return _after_warmup(step, peak, warmup, peak * (1.0 - step / tf.cast(steps, tf.float32)))


def constant(step: tf.Tensor, peak: float, warmup: int) -> tf.Tensor:
    """Rises as peak * step / warmup, and stays at the peak."""
    return _after_warmup(tf.cast(step, tf.float32), peak, warmup, tf.constant(peak, tf.float32))


def cosine(step: tf.Tensor, peak: float, steps: int, warmup: int) -> tf.Tensor:
    """Rises as peak * step / warmup, then falls as half a cosine to 0 at `steps`.

    peak * (1 + cos(pi * (step - warmup) / (steps - warmup))) / 2, Hugging Face's cosine.
    """
    step = tf.cast(tf.minimum(step, tf.cast(steps, step.dtype)), tf.float32)
    share = (step - float(warmup)) / float(max(1, steps - warmup))
    return _after_warmup(step, peak, warmup, _between(peak, 0.0, share))


def triangular(step: tf.Tensor, peak: float, epoch: Fraction) -> tf.Tensor:
    """One triangle an epoch: from peak / 10 up to the peak at its half, down to peak / 1000.

    What ktrain's autofit does with the cyclical rates of Smith (2017, arXiv:1506.01186), for
    whom both feet are of one height; momentum does not cycle here. Has no warm-up.
    """
    length = epoch.numerator  # in units in which both a step and an epoch are whole
    place = tf.cast(step * epoch.denominator % length, tf.float32) / float(length)   # [0, 1)
    foot = peak * tf.where(place < 0.5, TRIANGLE_BEGINS, TRIANGLE_ENDS)
    return foot + (peak - foot) * (1.0 - tf.abs(2.0 * place - 1.0))


def one_cycle(step: tf.Tensor, peak: float, steps: int, rise: float) -> tf.Tensor:
    """One cycle a run: half a cosine up, half a cosine down (Smith, 2018, arXiv:1803.09820).

    PyTorch's OneCycleLR: from peak / 25 at step 0 to the peak at rise * steps - 1, from there to
    peak / 250000 at the last step, steps - 1. Momentum does not cycle here. Has no warm-up.
    """
    step = tf.cast(tf.minimum(step, tf.cast(steps - 1, step.dtype)), tf.float32)
    top = rise * steps - 1.0  # that of few steps may lie before the first
    rising = _between(peak * ONE_CYCLE_BEGINS, peak, tf.math.divide_no_nan(step, top))
    falling = _between(peak, peak * ONE_CYCLE_ENDS, (step - top) / (steps - 1.0 - top))
    return tf.where(step <= top, rising, falling)


def _between(begin: float, end: float, share: tf.Tensor) -> tf.Tensor:
    """Half a cosine from `begin`, at a share of 0, to `end`, at 1."""
    return end + (begin - end) * (1.0 + tf.cos(math.pi * share)) / 2.0


def _after_warmup(step: tf.Tensor, peak: float, warmup: int, later: tf.Tensor) -> tf.Tensor:
    if not warmup:
        return later
    rising = peak * (step / tf.cast(warmup, tf.float32))
    return tf.where(step < float(warmup), rising, later)
