"""BERT (Devlin et al., 2018, arXiv:1810.04805) on packed or padded tokens.

The same mathematics as google-research/bert's modeling.py, with its variable names. Weights are a
dict of name -> variable, so that one function serves training, evaluation, export and tests.
The layers compute in the type of their kernels, see `model.logits`:

    weights = {name: tf.Variable(...) for name in variable_shapes(config)}
    layout = PackedLayout(lengths)
    hidden = encode_cls(weights, config, layout, input_ids, segment_ids, Dropout(None))  # [B, H]
    pooled = pool(weights, hidden)                                                       # [B, H]

Letters: B batch, S longest length, T tokens, H hidden, N heads, D head width, I intermediate.
"""

import numpy as np
import tensorflow as tf

from finetune.bert_config import BertConfig
from finetune.layers import (
    Dropout,
    Weights,
    activation,
    attend,
    dense,
    dense_gather,
    layer_norm,
)
from finetune.layout import PackedLayout, PaddedLayout

Layout = PackedLayout | PaddedLayout


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


def embed(weights: Weights, config: BertConfig, layout: Layout, input_ids: tf.Tensor,
          segment_ids: tf.Tensor, dropout: Dropout, fused: bool = False) -> tf.Tensor:
    """Sums word, segment and position embeddings.

    Args:
        input_ids: int32[T].
        segment_ids: int32[T], 0 or 1.
        fused: see `layers.layer_norm`; so everywhere here.

    Returns:
        float[T, H], in the type in which the layers compute.
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
    hidden = layer_norm(weights, "bert/embeddings", words + segments + positions, fused)
    hidden = dropout(hidden, config.hidden_dropout_prob)
    return tf.cast(hidden, weights["bert/encoder/layer_0/output/dense/kernel"].dtype)


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


def _project(weights: Weights, scopes: list[str], x: tf.Tensor) -> tf.Tensor:
    """Several dense layers on one input as one product: float32[T, H] -> float32[T, parts * H]."""
    kernel = tf.concat([weights[f"{scope}/kernel"] for scope in scopes], 1)
    bias = tf.concat([weights[f"{scope}/bias"] for scope in scopes], 0)
    return tf.nn.bias_add(tf.matmul(x, kernel), bias)


def transformer_layer(weights: Weights, config: BertConfig, layout: Layout, scope: str,
                      hidden: tf.Tensor, dropout: Dropout, cls_only: bool,
                      fused: bool = False) -> tf.Tensor:
    """One layer: attention and feed-forward, each with its residual and LayerNorm.

    Returns:
        float32[T, H]; with cls_only float32[B, H], the layer's output for [CLS] alone.
    """
    rate = config.hidden_dropout_prob
    context = attention(weights, config, layout, f"{scope}/attention/self", hidden, dropout,
                        cls_only)
    residual = layout.first(hidden) if cls_only else hidden
    context = dropout(dense(weights, f"{scope}/attention/output/dense", context), rate)
    attended = layer_norm(weights, f"{scope}/attention/output", context + residual, fused)
    inner = activation(config.hidden_act, dropout.active)(
        dense(weights, f"{scope}/intermediate/dense", attended))                       # [T, I]
    output = dropout(dense(weights, f"{scope}/output/dense", inner), rate)
    return layer_norm(weights, f"{scope}/output", output + attended, fused)


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
               segment_ids: tf.Tensor, dropout: Dropout, fused: bool = False) -> tf.Tensor:
    """Runs the transformer for the sake of [CLS]: in the last layer nothing else is computed.

    Returns:
        float32[B, H], the last layer's output for the first token of every row.
    """
    hidden = embed(weights, config, layout, input_ids, segment_ids, dropout, fused)
    last = config.num_hidden_layers - 1
    for index in range(last + 1):
        hidden = transformer_layer(weights, config, layout, f"bert/encoder/layer_{index}", hidden,
                                   dropout, cls_only=index == last, fused=fused)
    return hidden


def pool(weights: Weights, first_tokens: tf.Tensor) -> tf.Tensor:
    """The pooled output: tanh(dense([CLS])), float32[B, H] -> float32[B, H]."""
    return tf.tanh(dense(weights, "bert/pooler/dense", first_tokens))
