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

from collections.abc import Sequence

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
          segment_ids: tf.Tensor, dropout: Dropout) -> tf.Tensor:
    """Sums word, segment and position embeddings.

    Args:
        input_ids: int32[T].
        segment_ids: int32[T], 0 or 1.

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
    hidden = layer_norm(weights, "bert/embeddings", words + segments + positions)
    hidden = dropout(hidden, config.hidden_dropout_prob)
    return tf.cast(hidden, weights["bert/encoder/layer_0/output/dense/kernel"].dtype)


def attention(weights: Weights, config: BertConfig, layout: Layout, scope: str,
              hidden: Sequence[tf.Tensor], dropout: Dropout, cls_only: bool) -> list[tf.Tensor]:
    """Multi-head self-attention (arXiv:1706.03762).

    A token attends to all tokens of its own row. Padding gets -10000 before the softmax, which
    leaves it exactly 0.

    Args:
        hidden: float32[T, H] of each group.
        cls_only: only the first token of each row asks; F, the places that ask, is then 1 and not
            S.

    Returns:
        float32[T, H] of each group; with cls_only float32[B, H].
    """
    heads, rate = config.num_attention_heads, config.attention_probs_dropout_prob
    asking = _first(layout, hidden) if cls_only else hidden
    query, key, value = (dense(weights, f"{scope}/{name}", of)
                         for name, of in (("query", asking), ("key", hidden), ("value", hidden)))
    contexts = []
    for group, q, k, v in zip(layout.groups, query, key, value, strict=True):
        q = (tf.reshape(q, [group.batch, heads, 1, config.hidden_size // heads]) if cls_only
             else group.heads(q, heads))                                        # [B, N, F, D]
        shape = [group.batch, heads, 1 if cls_only else group.length, group.length]
        context = attend(q, group.heads(k, heads), group.heads(v, heads), group.mask,
                         dropout.mask(shape, rate, q.dtype))                    # [B, N, F, D]
        contexts.append(tf.reshape(context, [group.batch, config.hidden_size]) if cls_only
                        else group.tokens(context))
    return contexts


def transformer_layer(weights: Weights, config: BertConfig, layout: Layout, scope: str,
                      hidden: Sequence[tf.Tensor], dropout: Dropout, cls_only: bool
                      ) -> list[tf.Tensor]:
    """One layer: attention and feed-forward, each with its residual and LayerNorm.

    Args:
        hidden: float32[T, H] of each group.

    Returns:
        float32[T, H] of each group; with cls_only float32[B, H], the output for [CLS] alone.
    """
    def output(scope: str, inner: Sequence[tf.Tensor], residual: Sequence[tf.Tensor]
               ) -> list[tf.Tensor]:
        return [layer_norm(weights, scope, dropout(one, config.hidden_dropout_prob) + rest)
                for one, rest in zip(dense(weights, f"{scope}/dense", inner), residual,
                                     strict=True)]

    context = attention(weights, config, layout, f"{scope}/attention/self", hidden, dropout,
                        cls_only)
    attended = output(f"{scope}/attention/output", context,
                      _first(layout, hidden) if cls_only else hidden)
    inner = map(activation(config.hidden_act, dropout.active),
                dense(weights, f"{scope}/intermediate/dense", attended))               # [T, I]
    return output(f"{scope}/output", list(inner), attended)


def _first(layout: Layout, hidden: Sequence[tf.Tensor]) -> list[tf.Tensor]:
    """float32[T, H] of each group -> float32[B, H], the first token ([CLS]) of its rows."""
    return [group.first(one) for group, one in zip(layout.groups, hidden, strict=True)]


def encode(weights: Weights, config: BertConfig, layout: Layout, input_ids: tf.Tensor,
           segment_ids: tf.Tensor, dropout: Dropout) -> list[tf.Tensor]:
    """Runs the whole transformer.

    Args:
        input_ids: int32[T].
        segment_ids: int32[T].

    Returns:
        1 + num_hidden_layers tensors float32[T, H]: the embedding and every layer's output.
    """
    outputs = [layout.split(embed(weights, config, layout, input_ids, segment_ids, dropout))]
    for index in range(config.num_hidden_layers):
        outputs.append(transformer_layer(weights, config, layout, f"bert/encoder/layer_{index}",
                                         outputs[-1], dropout, cls_only=False))
    return [tf.concat(groups, 0) for groups in outputs]


def encode_cls(weights: Weights, config: BertConfig, layout: Layout, input_ids: tf.Tensor,
               segment_ids: tf.Tensor, dropout: Dropout) -> tf.Tensor:
    """Runs the transformer for the sake of [CLS]: in the last layer nothing else is computed.

    Returns:
        float32[B, H], the last layer's output for the first token of every row.
    """
    hidden = layout.split(embed(weights, config, layout, input_ids, segment_ids, dropout))
    last = config.num_hidden_layers - 1
    for index in range(last + 1):
        hidden = transformer_layer(weights, config, layout, f"bert/encoder/layer_{index}", hidden,
                                   dropout, cls_only=index == last)
    return tf.concat(hidden, 0)


def pool(weights: Weights, first_tokens: tf.Tensor) -> tf.Tensor:
    """The pooled output: tanh(dense([CLS])), float32[B, H] -> float32[B, H]."""
    [pooled] = dense(weights, "bert/pooler/dense", [first_tokens])
    return tf.tanh(pooled)
