"""Draws docs/schedules.svg: the learning rate of every --lr_schedule over a run.

    python -m scripts.draw_schedules
"""

import pathlib

import tensorflow as tf

from finetune.config import RunConfig
from finetune.report import charts
from finetune.training import schedules

PICTURE = pathlib.Path(__file__).parents[1] / "docs" / "schedules.svg"
CONFIG = RunConfig(learning_rate=1.0, train_batch_size=32, num_train_epochs=3.0)
ROWS = 3680  # 115 steps an epoch, about MRPC's


def picture() -> str:
    """Returns the picture, SVG."""
    plan = schedules.Plan.of(CONFIG, ROWS)
    lines = []
    for name in ("linear", "constant", "cosine", "triangular", "one_cycle"):
        rate = schedules.rate(RunConfig(**{**CONFIG.as_dict(), "lr_schedule": name}), plan)
        lines.append(charts.Line(name, range(plan.steps), [
            float(rate(tf.constant(step, tf.int64))) for step in range(plan.steps)]))
    return charts.file("--lr_schedule over 3 epochs, 10 % warm-up",
                       charts.Axis(f"step (of {plan.steps})", 0, plan.steps),
                       charts.Axis("learning rate / --learning_rate", 0, 1), lines)


if __name__ == "__main__":
    PICTURE.write_text(picture(), encoding="utf-8")
