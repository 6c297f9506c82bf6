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


def gelu(x: tf.Tensor) -> tf.Tensor:
    """Gaussian Error Linear Unit in the original's tanh form (arXiv:1606.08415)."""
    return tf.nn.gelu(x, approximate=True)


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
        if self._seed is None or rate == 0.0:
            return x
        self._count += 1
        seed = self._seed + tf.constant([self._count << 20, 0], tf.int32)
        keep = tf.random.stateless_uniform(tf.shape(x), seed, dtype=tf.float32) >= rate
        return tf.where(keep, x * (1.0 / (1.0 - rate)), tf.zeros_like(x))


def dense(weights: Weights, scope: str, x: tf.Tensor) -> tf.Tensor:
    """x[..., in] @ kernel[in, out] + bias[out]."""
    return tf.nn.bias_add(tf.matmul(x, weights[f"{scope}/kernel"]), weights[f"{scope}/bias"])


def layer_norm(weights: Weights, scope: str, x: tf.Tensor) -> tf.Tensor:
    """Normalises the last dimension of x[T, H] (arXiv:1607.06450)."""
    mean, variance = tf.nn.moments(x, [-1], keepdims=True)                             # [T, 1]
    return tf.nn.batch_normalization(
        x, mean, variance, weights[f"{scope}/LayerNorm/beta"],
        weights[f"{scope}/LayerNorm/gamma"], LAYER_NORM_EPSILON)


def embed(weights: Weights, config: BertConfig, layout: Layout, input_ids: tf.Tensor,
          segment_ids: tf.Tensor, dropout: Dropout) -> tf.Tensor:
    """Sums word, segment and position embeddings.

    Args:
        input_ids: int32[T].
        segment_ids: int32[T], 0 or 1.

    Returns:
        float32[T, H].
    """
    words = tf.gather(weights["bert/embeddings/word_embeddings"], input_ids)           # [T, H]
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
    heads, width = config.num_attention_heads, config.hidden_size // config.num_attention_heads
    inner = [f"{scope}/{part}" for part in ("query", "key", "value")]
    if cls_only:
        asking = _project(weights, inner[:1], layout.first(hidden))                    # [B, H]
        keys = layout.unpack(_project(weights, inner[1:], hidden))                     # [B, S, 2H]
        (query,), (key, value) = (_by_head(x, layout.batch, heads, width) for x in (asking, keys))
    else:
        joined = layout.unpack(_project(weights, inner, hidden))                       # [B, S, 3H]
        query, key, value = _by_head(joined, layout.batch, heads, width)         # [B, N, S, D] each
    scores = tf.matmul(query, key, transpose_b=True) * (1.0 / math.sqrt(width))      # [B, N, F, S]
    padding = (1.0 - tf.cast(layout.mask, tf.float32)) * -10000.0                      # [B, S]
    probabilities = tf.nn.softmax(scores + padding[:, None, None, :])
    probabilities = dropout(probabilities, config.attention_probs_dropout_prob)
    context = tf.transpose(tf.matmul(probabilities, value), [0, 2, 1, 3])            # [B, F, N, D]
    if cls_only:
        return tf.reshape(context, [layout.batch, config.hidden_size])                 # [B, H]
    return layout.pack(tf.reshape(
        context, [layout.batch, layout.length, config.hidden_size]))                   # [T, H]


def _project(weights: Weights, scopes: list[str], x: tf.Tensor) -> tf.Tensor:
    """Several dense layers on one input as one product: float32[T, H] -> float32[T, parts * H]."""
    kernel = tf.concat([weights[f"{scope}/kernel"] for scope in scopes], 1)
    bias = tf.concat([weights[f"{scope}/bias"] for scope in scopes], 0)
    return tf.nn.bias_add(tf.matmul(x, kernel), bias)


def _by_head(x: tf.Tensor, batch: tf.Tensor | int, heads: int, width: int) -> list[tf.Tensor]:
    """float32[B, F, parts * H] -> `parts` tensors float32[B, N, F, D]."""
    parts = x.shape[-1] // (heads * width)
    split = tf.reshape(x, [batch, -1, parts, heads, width])
    return tf.unstack(tf.transpose(split, [2, 0, 3, 1, 4]), num=parts)


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
