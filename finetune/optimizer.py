"""The optimizer of the paper: optimization.py's AdamWeightDecayOptimizer and its schedule.

Adam without bias correction, weight decay that does not pass through Adam's moments, gradients
clipped to a global norm of 1, linear warm-up and linear decay to 0.
"""

from collections.abc import Mapping, Sequence

import tensorflow as tf

BETA_1, BETA_2, EPSILON = 0.9, 0.999, 1e-6
WEIGHT_DECAY = 0.01
CLIP_NORM = 1.0
NO_DECAY = ("LayerNorm", "layer_norm", "bias")
SLOTS = ("adam_m", "adam_v")


def learning_rate(step: tf.Tensor, peak: float, train_steps: int, warmup_steps: int) -> tf.Tensor:
    """Returns the rate of a step, float32[].

    Rises from 0 as peak * step / warmup_steps; from warmup_steps on it lies on the line from
    `peak` at step 0 to 0 at train_steps, so that it drops when warm-up ends (with 10 % from 0.99
    to 0.90 of the peak). That drop is the original's, and is kept.

    Args:
        step: int64[], updates made so far.
        peak: --learning_rate.
        train_steps: all updates of the run.
        warmup_steps: int(train_steps * --warmup_proportion).
    """
    step = tf.cast(tf.minimum(step, tf.cast(train_steps, step.dtype)), tf.float32)
    # (peak - end) * (1 - step / steps) + end, in the order of tf.train.polynomial_decay.
    decayed = peak * (1.0 - step / tf.cast(train_steps, tf.float32))
    if not warmup_steps:
        return decayed
    rising = peak * (step / tf.cast(warmup_steps, tf.float32))
    return tf.where(step < float(warmup_steps), rising, decayed)


def decays(name: str) -> bool:
    """Whether weight decay applies to the variable: all but LayerNorm and biases."""
    return not any(part in name for part in NO_DECAY)


def clip(gradients: Sequence[tf.Tensor | tf.IndexedSlices]
         ) -> tuple[list[tf.Tensor | tf.IndexedSlices], tf.Tensor]:
    """Scales gradients together so that their global norm is 1 at most.

    As in the original the norm of the word embeddings' gradient is taken over its slices, one a
    token, before tokens that occur twice are summed.

    Returns:
        The scaled gradients and the norm they had, float32[].
    """
    return tf.clip_by_global_norm(list(gradients), CLIP_NORM)


def apply(gradients: Mapping[str, tf.Tensor | tf.IndexedSlices],
          weights: Mapping[str, tf.Variable], slots: Mapping[str, tf.Variable],
          rate: tf.Tensor, decaying: Sequence[tf.Variable] = (),
          wanted: tf.Tensor | None = None) -> None:
    """Updates every variable once, on whatever devices hold it.

    Called in a replica's context with gradients that are already summed over the replicas.

    Args:
        gradients: by variable name, of the variable's shape.
        weights: the trainable variables by name.
        slots: adam_m and adam_v of each, as `<name>/adam_m`.
        rate: float32[].
        decaying: variables that weight decay alone changes.
        wanted: bool[]; False leaves everything as it is. None: always.
    """
    names, betas = list(gradients), (BETA_1, BETA_2)
    dense = [tf.convert_to_tensor(gradients[name]) for name in names]
    if wanted is not None:  # no gradient, no rate, nothing forgotten: the update changes nothing
        dense = [tf.where(wanted, gradient, 0.0) for gradient in dense]
        rate, betas = tf.where(wanted, rate, 0.0), tuple(tf.where(wanted, b, 1.0) for b in betas)

    def update_all(strategy, gradients, rate, betas):
        for name, gradient in zip(names, gradients, strict=True):
            strategy.extended.update(
                weights[name], _update, group=False,
                args=(slots[f"{name}/adam_m"], slots[f"{name}/adam_v"], gradient, rate, betas,
                      decays(name)))
        for variable in decaying:
            strategy.extended.update(variable, _decay, group=False, args=(rate,))

    tf.distribute.get_replica_context().merge_call(update_all, args=(dense, rate, betas))


def _update(variable, moment, velocity, gradient, rate, betas, decay) -> None:
    # p - rate * (m / (sqrt(v) + eps) + 0.01 p) = (1 - rate * 0.01) p - rate * m / (sqrt(v) + eps):
    # with both beta powers 0, TensorFlow's fused kernel is Adam without bias correction.
    if decay:
        _decay(variable, rate)
    tf.raw_ops.ResourceApplyAdam(
        var=variable.handle, m=moment.handle, v=velocity.handle, beta1_power=0.0, beta2_power=0.0,
        lr=rate, beta1=betas[0], beta2=betas[1], epsilon=EPSILON, grad=gradient)


def _decay(variable, rate) -> None:
    # Not assign_sub: that would read and write the variable twice.
    variable.assign(variable * (1.0 - rate * WEIGHT_DECAY))
