"""What the encoder is made of: activations, dropout, LayerNorm, attention's core.

Each with a gradient of its own where TensorFlow's takes more passes over memory. Weights and
inputs may be of a lower precision (--precision): products are then made in it, and what is not a
product (softmax, LayerNorm, gelu) is worked out in float32.

Letters: B batch, F tokens that ask, S tokens asked, T tokens, H hidden, N heads, D head width.
"""

import math
from collections.abc import Callable, Mapping

import tensorflow as tf

Weights = Mapping[str, tf.Variable]
LAYER_NORM_EPSILON = 1e-12  # tensorflow.contrib.layers.layer_norm's, which the original calls


@tf.custom_gradient
def gelu(x: tf.Tensor) -> tuple[tf.Tensor, Callable]:
    """Gaussian Error Linear Unit in the original's tanh form (arXiv:1606.08415).

    0.5 x (1 + tanh(u)) = x sigmoid(2 u) with u = sqrt(2 / pi) (x + 0.044715 x^3), in half the
    passes over memory; the derivative is worked out in advance, from what is at hand.
    """
    two_a, dtype = 2.0 * math.sqrt(2.0 / math.pi), x.dtype
    x = tf.cast(x, tf.float32)
    square = tf.square(x)
    share = tf.sigmoid(x * (square * (0.044715 * two_a) + two_a))
    y = x * share
    slope = share + (square * (3 * 0.044715 * two_a) + two_a) * (y - y * share)
    slope = tf.cast(slope, dtype)
    return tf.cast(y, dtype), lambda upstream: upstream * slope


def fused_gelu(x: tf.Tensor) -> tf.Tensor:
    """The same where no gradient is asked for: TensorFlow makes it one with the product before.

    It knows its own form only, and that in float32.
    """
    return tf.nn.gelu(x, approximate=True) if x.dtype == tf.float32 else gelu(x)


def gelu_erf(x: tf.Tensor) -> tf.Tensor:
    """The same unit in its exact form, x * Phi(x), which Hugging Face calls gelu."""
    return tf.nn.gelu(x, approximate=False)


ACTIVATIONS = {"gelu": gelu, "relu": tf.nn.relu, "tanh": tf.tanh, "linear": tf.identity,
               "gelu_erf": gelu_erf}


def activation(name: str, training: bool) -> Callable[[tf.Tensor], tf.Tensor]:
    """Returns the function for a bert_config.json's hidden_act."""
    return fused_gelu if name == "gelu" and not training else ACTIVATIONS[name]


class Dropout:
    """Dropout whose masks depend on a seed alone, so that a resumed run draws them again.

    Args:
        seed: int32[2], for instance (--seed, step); None turns dropout off.
    """

    def __init__(self, seed: tf.Tensor | None):
        self._seed = seed
        self._count = 0

    @property
    def active(self) -> bool:
        """Whether this is training."""
        return self._seed is not None

    def __call__(self, x: tf.Tensor, rate: float) -> tf.Tensor:
        """Zeroes a share `rate` of x and scales the rest by 1 / (1 - rate), as tf.nn.dropout."""
        mask = self.mask(tf.shape(x), rate, x.dtype)
        return x if mask is None else x * mask

    def mask(self, shape: tf.Tensor, rate: float, dtype: tf.DType = tf.float32
             ) -> tf.Tensor | None:
        """Returns what to multiply by, 0 or 1 / (1 - rate); None where nothing is dropped.

        Each value takes 16 random bits: two to a number of the generator, and the rate is met to
        8e-6.
        """
        if not self.active or rate == 0.0:
            return None
        self._count += 1
        seed = self._seed + tf.constant([self._count << 20, 0], tf.int32)
        size = tf.reduce_prod(shape)
        numbers = tf.random.stateless_uniform([(size + 1) // 2], seed, minval=None, maxval=None,
                                              dtype=tf.uint32)
        bits = tf.reshape(tf.bitcast(numbers, tf.uint16), [-1])[:size]
        keep = tf.reshape(bits >= tf.constant(round(rate * 2 ** 16), tf.uint16), shape)
        return tf.cast(keep, dtype) * (1.0 / (1.0 - rate))


def dense(weights: Weights, scope: str, x: tf.Tensor) -> tf.Tensor:
    """x[..., in] @ kernel[in, out] + bias[out]."""
    return tf.nn.bias_add(tf.matmul(x, weights[f"{scope}/kernel"]), weights[f"{scope}/bias"])


def layer_norm(weights: Weights, scope: str, x: tf.Tensor, fused: bool = False) -> tf.Tensor:
    """Normalises the last dimension of x[T, H] (arXiv:1607.06450).

    Args:
        fused: in the form that is fastest on a CPU where no gradient is asked for.
    """
    normal = (_fused_layer_norm if fused else _layer_norm)(
        tf.cast(x, tf.float32), tf.convert_to_tensor(weights[f"{scope}/LayerNorm/gamma"]),
        tf.convert_to_tensor(weights[f"{scope}/LayerNorm/beta"]))
    return tf.cast(normal, x.dtype)


def _fused_layer_norm(x: tf.Tensor, gamma: tf.Tensor, beta: tf.Tensor) -> tf.Tensor:
    """As a batch norm whose channels are the tokens: a form that oneDNN does in one pass."""
    count, none = tf.shape(x)[0], tf.constant([], tf.float32)
    normal = tf.raw_ops.FusedBatchNormV3(
        x=tf.reshape(x, [1, count, x.shape[-1], 1]), scale=tf.fill([count], 1.0),
        offset=tf.fill([count], 0.0), mean=none, variance=none, epsilon=LAYER_NORM_EPSILON,
        data_format="NCHW", is_training=True).y
    return tf.reshape(normal, tf.shape(x)) * gamma + beta


@tf.custom_gradient
def _layer_norm(x: tf.Tensor, gamma: tf.Tensor, beta: tf.Tensor) -> tuple[tf.Tensor, Callable]:
    centred = x - tf.reduce_mean(x, -1, keepdims=True)
    variance = tf.reduce_mean(tf.square(centred), -1, keepdims=True)                   # [T, 1]
    scale = tf.math.rsqrt(variance + LAYER_NORM_EPSILON)
    normal = centred * scale

    def gradient(upstream):
        by_normal = upstream * normal
        inner = upstream * gamma
        inner -= tf.reduce_mean(inner, -1, keepdims=True)
        inner -= normal * (tf.linalg.matvec(by_normal, gamma)[:, None] / x.shape[-1])
        return inner * scale, tf.reduce_sum(by_normal, 0), tf.reduce_sum(upstream, 0)
    return normal * gamma + beta, gradient


@tf.custom_gradient
def dense_gather(table: tf.Tensor, indices: tf.Tensor) -> tuple[tf.Tensor, Callable]:
    """table[R, H], int32[T] -> float32[T, H]; its gradient is a dense [R, H]."""
    rows = tf.shape(table)[0]
    return tf.gather(table, indices), lambda upstream: (
        tf.math.unsorted_segment_sum(upstream, indices, rows), None)


def attend(query: tf.Tensor, key: tf.Tensor, value: tf.Tensor, real: tf.Tensor,
           dropout_mask: tf.Tensor | None) -> tf.Tensor:
    """softmax(query key^T / sqrt(D)) value for every row and head (arXiv:1706.03762).

    Args:
        query: float[B, N, F, D].
        key, value: float[B, N, S, D].
        real: bool[B, S], False for padding.
        dropout_mask: float[B, N, F, S], see Dropout.mask; None: no dropout.

    Returns:
        float[B, N, F, D].
    """
    scale, dtype = 1.0 / math.sqrt(query.shape[-1]), query.dtype
    padding = (1.0 - tf.cast(real, tf.float32)) * -10000.0                           # [B, S]
    padding = tf.expand_dims(tf.expand_dims(padding, 1), 1)  # TFLite takes no [:, None, None, :]

    @tf.custom_gradient
    def run(query, key, value):
        query *= scale
        scores = tf.cast(tf.matmul(query, key, transpose_b=True), tf.float32)    # [B, N, F, S]
        probabilities = tf.cast(tf.nn.softmax(scores + padding), dtype)
        kept = probabilities if dropout_mask is None else probabilities * dropout_mask
        context = tf.matmul(kept, value)                                         # [B, N, F, D]

        def gradient(upstream):
            # The softmax's own sum over S is taken over D: sum_s(kept * by_kept) =
            # sum_d(upstream * context), as in FlashAttention (arXiv:2205.14135, appendix B.2).
            by_kept = tf.matmul(upstream, value, transpose_b=True)               # [B, N, F, S]
            total = tf.reduce_sum(upstream * context, -1, keepdims=True)
            by_scores = kept * by_kept - probabilities * total
            return (tf.matmul(by_scores, key) * scale,
                    tf.matmul(by_scores, query, transpose_a=True),
                    tf.matmul(kept, upstream, transpose_a=True))
        return context, gradient
    return run(query, key, value)
