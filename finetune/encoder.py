"""BERT (Devlin et al., 2018, arXiv:1810.04805) on packed or padded tokens.

The same mathematics as google-research/bert's modeling.py, with its variable names. Weights are a
dict of name -> variable, so that one function serves training, evaluation, export and tests:

    weights = {name: tf.Variable(...) for name in variable_shapes(config)}
    layout = PackedLayout(lengths)
    hidden = encode_cls(weights, config, layout, input_ids, segment_ids, Dropout(None))  # [B, H]
    pooled = pool(weights, hidden)                                                       # [B, H]

Letters: B batch, S longest length, T tokens, H hidden, N heads, D head width, I intermediate.
"""

import math
from collections.abc import Callable, Mapping

import numpy as np
import tensorflow as tf

from finetune.bert_config import BertConfig
from finetune.layout import PackedLayout, PaddedLayout

Layout = PackedLayout | PaddedLayout
Weights = Mapping[str, tf.Variable]
LAYER_NORM_EPSILON = 1e-12  # tensorflow.contrib.layers.layer_norm's, which the original calls


@tf.custom_gradient
def gelu(x: tf.Tensor) -> tuple[tf.Tensor, Callable]:
    """Gaussian Error Linear Unit in the original's tanh form (arXiv:1606.08415).

    0.5 x (1 + tanh(u)) = x sigmoid(2 u) with u = sqrt(2 / pi) (x + 0.044715 x^3), in half the
    passes over memory; the derivative is worked out in advance, from what is at hand.
    """
    two_a = 2.0 * math.sqrt(2.0 / math.pi)
    square = tf.square(x)
    share = tf.sigmoid(x * (square * (0.044715 * two_a) + two_a))
    y = x * share
    slope = share + (square * (3 * 0.044715 * two_a) + two_a) * (y - y * share)
    return y, lambda upstream: upstream * slope


def gelu_erf(x: tf.Tensor) -> tf.Tensor:
    """The same unit in its exact form, x * Phi(x), which Hugging Face calls gelu."""
    return tf.nn.gelu(x, approximate=False)


ACTIVATIONS = {"gelu": gelu, "relu": tf.nn.relu, "tanh": tf.tanh, "linear": tf.identity,
               "gelu_erf": gelu_erf}


def initial_value(name: str, shape: tuple[int, ...], deviation: float, seed: int) -> np.ndarray:
    """Returns the float32 value a variable starts from without a checkpoint.

    Zeros for biases and beta, ones for gamma, else a normal distribution cut at two standard
    deviations, as the original's create_initializer. The draw depends on the name and the seed
    alone, not on which other variables there are.
    """
    if name.endswith(("bias", "beta")):
        return np.zeros(shape, np.float32)
    if name.endswith("gamma"):
        return np.ones(shape, np.float32)
    words = np.frombuffer(name.encode().ljust(-(-len(name) // 4) * 4), np.uint32)
    generator = np.random.default_rng([seed, *words.tolist()])
    values = generator.standard_normal(shape, np.float32)
    while (outside := np.abs(values) > 2).any():
        values[outside] = generator.standard_normal(int(outside.sum()), np.float32)
    return values * np.float32(deviation)


class Dropout:
    """Dropout whose masks depend on a seed alone, so that a resumed run draws them again.

    Args:
        seed: int32[2], for instance (--seed, step); None turns dropout off.
    """

    def __init__(self, seed: tf.Tensor | None):
        self._seed = seed
        self._count = 0

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
        if self._seed is None or rate == 0.0:
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


def layer_norm(weights: Weights, scope: str, x: tf.Tensor) -> tf.Tensor:
    """Normalises the last dimension of x[T, H] (arXiv:1607.06450)."""
    return _layer_norm(x, tf.convert_to_tensor(weights[f"{scope}/LayerNorm/gamma"]),
                       tf.convert_to_tensor(weights[f"{scope}/LayerNorm/beta"]))


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


def embed(weights: Weights, config: BertConfig, layout: Layout, input_ids: tf.Tensor,
          segment_ids: tf.Tensor, dropout: Dropout) -> tf.Tensor:
    """Sums word, segment and position embeddings.

    Args:
        input_ids: int32[T].
        segment_ids: int32[T], 0 or 1.

    Returns:
        float32[T, H].
    """
    # The table is read first: a gather from the variable itself would make TensorFlow copy all of
    # it at every later read ("copy on read").
    table = tf.convert_to_tensor(weights["bert/embeddings/word_embeddings"])
    words = tf.gather(table, input_ids)                                                # [T, H]
    segments = tf.matmul(tf.one_hot(segment_ids, config.type_vocab_size),
                         weights["bert/embeddings/token_type_embeddings"])             # [T, H]
    # A slice and a dense gradient, as in the original: the norm that clips the gradients counts
    # each position once.
    table = weights["bert/embeddings/position_embeddings"][:layout.length]             # [S, H]
    positions = dense_gather(table, layout.positions())                                # [T, H]
    hidden = layer_norm(weights, "bert/embeddings", words + segments + positions)
    return dropout(hidden, config.hidden_dropout_prob)


@tf.custom_gradient
def dense_gather(table: tf.Tensor, indices: tf.Tensor) -> tuple[tf.Tensor, Callable]:
    """table[R, H], int32[T] -> float32[T, H]; its gradient is a dense [R, H]."""
    rows = tf.shape(table)[0]
    return tf.gather(table, indices), lambda upstream: (
        tf.math.unsorted_segment_sum(upstream, indices, rows), None)


def attention(weights: Weights, config: BertConfig, layout: Layout, scope: str,
              hidden: tf.Tensor, dropout: Dropout, cls_only: bool) -> tf.Tensor:
    """Multi-head self-attention (arXiv:1706.03762).

    A token attends to all tokens of its own row. Padding gets -10000 before the softmax, which
    leaves it exactly 0.

    Args:
        hidden: float32[T, H].
        cls_only: only the first token of each row asks; F, the places that ask, is then 1 and not
            S.

    Returns:
        float32[T, H]; with cls_only float32[B, H].
    """
    heads = config.num_attention_heads
    inner = [f"{scope}/{part}" for part in ("query", "key", "value")]
    own = 2 if cls_only else 3  # of query, key and value what every token has
    joined = layout.split(_project(weights, inner[-own:], hidden))                # [T, own * H]
    if cls_only:
        asking = layout.split_rows(_project(weights, inner[:1], layout.first(hidden)))    # [B, H]
    contexts = []
    for index, group in enumerate(layout.groups):
        parts = group.heads(joined[index], own, heads)                        # [B, N, S, D] each
        if cls_only:
            width = config.hidden_size // heads
            parts = [tf.reshape(asking[index], [group.batch, heads, 1, width]), *parts]
        shape = [group.batch, heads, 1 if cls_only else group.length, group.length]
        mask = dropout.mask(shape, config.attention_probs_dropout_prob, hidden.dtype)
        context = attend(*parts, group.mask, mask)                               # [B, N, F, D]
        contexts.append(tf.reshape(context, [group.batch, config.hidden_size]) if cls_only
                        else group.tokens(context))
    return tf.concat(contexts, 0)


def attend(query: tf.Tensor, key: tf.Tensor, value: tf.Tensor, real: tf.Tensor,
           dropout_mask: tf.Tensor | None) -> tf.Tensor:
    """softmax(query key^T / sqrt(D)) value for every row and head.

    Args:
        query: float32[B, N, F, D].
        key, value: float32[B, N, S, D].
        real: bool[B, S], False for padding.
        dropout_mask: float32[B, N, F, S], see Dropout.mask; None: no dropout.

    Returns:
        float32[B, N, F, D].
    """
    scale = 1.0 / math.sqrt(query.shape[-1])
    padding = (1.0 - tf.cast(real, query.dtype))[:, None, None, :] * -10000.0       # [B, 1, 1, S]

    @tf.custom_gradient
    def run(query, key, value):
        query *= scale
        probabilities = tf.nn.softmax(tf.matmul(query, key, transpose_b=True) + padding)
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


def _project(weights: Weights, scopes: list[str], x: tf.Tensor) -> tf.Tensor:
    """Several dense layers on one input as one product: float32[T, H] -> float32[T, parts * H]."""
    kernel = tf.concat([weights[f"{scope}/kernel"] for scope in scopes], 1)
    bias = tf.concat([weights[f"{scope}/bias"] for scope in scopes], 0)
    return tf.nn.bias_add(tf.matmul(x, kernel), bias)


def transformer_layer(weights: Weights, config: BertConfig, layout: Layout, scope: str,
                      hidden: tf.Tensor, dropout: Dropout, cls_only: bool) -> tf.Tensor:
    """One layer: attention and feed-forward, each with its residual and LayerNorm.

    Returns:
        float32[T, H]; with cls_only float32[B, H], the layer's output for [CLS] alone.
    """
    rate = config.hidden_dropout_prob
    context = attention(weights, config, layout, f"{scope}/attention/self", hidden, dropout,
                        cls_only)
    residual = layout.first(hidden) if cls_only else hidden
    context = dropout(dense(weights, f"{scope}/attention/output/dense", context), rate)
    attended = layer_norm(weights, f"{scope}/attention/output", context + residual)
    inner = ACTIVATIONS[config.hidden_act](
        dense(weights, f"{scope}/intermediate/dense", attended))                       # [T, I]
    output = dropout(dense(weights, f"{scope}/output/dense", inner), rate)
    return layer_norm(weights, f"{scope}/output", output + attended)


def encode(weights: Weights, config: BertConfig, layout: Layout, input_ids: tf.Tensor,
           segment_ids: tf.Tensor, dropout: Dropout) -> list[tf.Tensor]:
    """Runs the whole transformer.

    Args:
        input_ids: int32[T].
        segment_ids: int32[T].

    Returns:
        1 + num_hidden_layers tensors float32[T, H]: the embedding and every layer's output.
    """
    outputs = [embed(weights, config, layout, input_ids, segment_ids, dropout)]
    for index in range(config.num_hidden_layers):
        outputs.append(transformer_layer(weights, config, layout, f"bert/encoder/layer_{index}",
                                         outputs[-1], dropout, cls_only=False))
    return outputs


def encode_cls(weights: Weights, config: BertConfig, layout: Layout, input_ids: tf.Tensor,
               segment_ids: tf.Tensor, dropout: Dropout) -> tf.Tensor:
    """Runs the transformer for the sake of [CLS]: in the last layer nothing else is computed.

    Returns:
        float32[B, H], the last layer's output for the first token of every row.
    """
    hidden = embed(weights, config, layout, input_ids, segment_ids, dropout)
    last = config.num_hidden_layers - 1
    for index in range(last + 1):
        hidden = transformer_layer(weights, config, layout, f"bert/encoder/layer_{index}", hidden,
                                   dropout, cls_only=index == last)
    return hidden


def pool(weights: Weights, first_tokens: tf.Tensor) -> tf.Tensor:
    """The pooled output: tanh(dense([CLS])), float32[B, H] -> float32[B, H]."""
    return tf.tanh(dense(weights, "bert/pooler/dense", first_tokens))
