"""The optimizer of the paper: optimization.py's AdamWeightDecayOptimizer.

Adam without bias correction, weight decay that does not pass through Adam's moments, gradients
clipped to a global norm of 1. The learning rate: schedules.py.
"""

from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType

import tensorflow as tf

BETA_1, BETA_2, EPSILON = 0.9, 0.999, 1e-6
WEIGHT_DECAY = 0.01
CLIP_NORM = 1.0
NO_DECAY = ("LayerNorm", "layer_norm", "bias")
SLOTS = ("adam_m", "adam_v")


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
          rate: tf.Tensor, decaying: Mapping[str, tf.Variable] = MappingProxyType({}),
          wanted: tf.Tensor | None = None,
          factor: Callable[[str], float] = lambda name: 1.0) -> None:
    """Updates every variable that has a gradient once, on whatever devices hold it.

    Called in a replica's context with gradients that are already summed over the replicas.

    Args:
        gradients: by variable name, of the variable's shape.
        weights: the variables by name.
        slots: adam_m and adam_v of each, as `<name>/adam_m`.
        rate: float32[].
        decaying: variables that weight decay alone changes, by name.
        wanted: bool[]; False leaves everything as it is. None: always.
        factor: variable name -> what the rate is multiplied by for it.
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
                args=(slots[f"{name}/adam_m"], slots[f"{name}/adam_v"], gradient,
                      rate, factor(name), betas, decays(name)))
        for name, variable in decaying.items():
            strategy.extended.update(variable, _decay, group=False, args=(rate, factor(name)))

    tf.distribute.get_replica_context().merge_call(update_all, args=(dense, rate, betas))


def _update(variable, moment, velocity, gradient, rate, factor, betas, decay) -> None:
    # p - rate * (m / (sqrt(v) + eps) + 0.01 p) = (1 - rate * 0.01) p - rate * m / (sqrt(v) + eps):
    # with both beta powers 0, TensorFlow's fused kernel is Adam without bias correction.
    if decay:
        _decay(variable, rate, factor)
    tf.raw_ops.ResourceApplyAdam(
        var=variable.handle, m=moment.handle, v=velocity.handle, beta1_power=0.0, beta2_power=0.0,
        lr=_times(rate, factor), beta1=betas[0], beta2=betas[1], epsilon=EPSILON, grad=gradient)


def _decay(variable, rate, factor) -> None:
    # Not assign_sub: that would read and write the variable twice.
    variable.assign(variable * (1.0 - _times(rate, factor) * WEIGHT_DECAY))


def _times(rate: tf.Tensor, factor: float) -> tf.Tensor:
    # Not before `update`: of several replicas each has a rate of its own there.
    return rate if factor == 1.0 else rate * factor
