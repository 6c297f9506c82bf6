"""The scale of the loss in float16 training (Micikevicius et al., 2018, arXiv:1710.03740).

Gradients of float16 that are too small become 0, and those too large infinite. The loss is
therefore multiplied by a scale and the gradients divided by it: the scale doubles after GROWTH
steps without an infinite gradient, and is halved after a step with one, whose update is left out.
It is kept in the checkpoint as `loss_scale`, so that a resumed run goes on with the same bits.
"""

import tensorflow as tf

FIRST = (2.0 ** 15, 0.0)  # the scale; steps since it last changed
GROWTH = 2000.0
MOST_IN_A_ROW = 15  # steps left out one after the other; by then the scale is 1


def update(state: tf.Variable, finite: tf.Tensor) -> None:
    """Adapts the scale after a step.

    Args:
        state: float32[2], as FIRST.
        finite: bool[], whether the step's gradients were.
    """
    scale, steps = tf.unstack(state)
    grows = steps + 1.0 >= GROWTH
    good = tf.where(grows, [scale * 2.0, 0.0], [scale, steps + 1.0])
    state.assign(tf.where(finite, good, [tf.maximum(scale / 2.0, 1.0), 0.0]))
