"""The matrix products of a training step and nothing else, in TensorFlow.

    dense, attention = Products(bert_config).prepare(lengths)
    dense(); attention()        # each runs its products once

What a step could not do without: for each dense layer y = x W, and for its gradients dx = dy W^T
and dW = x^T dy, with the rows that ours has: all real tokens, and [CLS] alone for what nothing else
of the last layer needs; query, key and value are one product where one input feeds them. Attention:
q k^T and p v, and the two gradients of each, in as many groups as ours makes, each as wide as its
longest row. Every product has operands of its own, filled with random numbers; layers are run one
after the other, the products of one layer as TensorFlow likes.

Letters: B batch, S longest length, T tokens, H hidden, N heads, D head width, I intermediate.
"""

from collections.abc import Callable, Sequence

import numpy as np
import tensorflow as tf

from finetune.bert_config import BertConfig
from finetune.training.step import GROUPS

Shape = tuple[int, int, int]  # rows, in, out


def dense_shapes(config: BertConfig, tokens: int, rows: int) -> list[list[Shape]]:
    """Returns (rows, in, out) of every dense product: a list for each layer, then the pooler."""
    hidden, inner = config.hidden_size, config.intermediate_size
    full = [(tokens, hidden, 3 * hidden), (tokens, hidden, hidden), (tokens, hidden, inner),
            (tokens, inner, hidden)]
    last = [(tokens, hidden, 2 * hidden), (rows, hidden, hidden), (rows, hidden, hidden),
            (rows, hidden, inner), (rows, inner, hidden)]
    return [full] * (config.num_hidden_layers - 1) + [last, [(rows, hidden, hidden)]]


def attention_groups(lengths: np.ndarray, groups: int = GROUPS) -> list[tuple[int, int]]:
    """Returns (rows, longest) of each group of a batch; lengths int[B] fall."""
    ends = [len(lengths) * end // groups for end in range(groups + 1)]
    return [(end - start, int(max(lengths[start:end])))
            for start, end in zip(ends, ends[1:], strict=False) if end > start]


@tf.function(reduce_retracing=True)
def forward_and_backward(operands: list[tuple[tf.Tensor, ...]]) -> list[tf.Tensor]:
    """y = x W, dx = dy W^T, dW = x^T dy of each (x, W, dy), of rank 2 or 4."""
    found = []
    for x, weights, upstream in operands:
        found += [tf.matmul(x, weights), tf.matmul(upstream, weights, transpose_b=True),
                  tf.matmul(x, upstream, transpose_a=True)]
    return found


class Products:
    """The products of a model.

    Args:
        config: the model.
    """

    def __init__(self, config: BertConfig):
        self._config = config

    def prepare(self, lengths: np.ndarray) -> tuple[Callable[[], None], Callable[[], None]]:
        """Makes the operands of a batch, rows of int[B] tokens, and returns what runs them.

        Returns:
            The dense products, and those of attention.
        """
        config = self._config
        dense = [[_operands((rows, inner), (inner, outer), (rows, outer))
                  for rows, inner, outer in layer]
                 for layer in dense_shapes(config, int(lengths.sum()), len(lengths))]
        heads, width = config.num_attention_heads, config.hidden_size // config.num_attention_heads
        layers = []
        for number in range(config.num_hidden_layers):
            operands = []
            for rows, longest in attention_groups(lengths):
                query = 1 if number == config.num_hidden_layers - 1 else longest
                around = rows, heads
                operands += [  # q k^T with its gradients, p v with its gradients
                    _operands((*around, query, width), (*around, width, longest),
                              (*around, query, longest)),
                    _operands((*around, query, longest), (*around, longest, width),
                              (*around, query, width))]
            layers.append(operands)
        return lambda: _run(dense), lambda: _run(layers)

    def operations(self, lengths: np.ndarray) -> tuple[int, int]:
        """Returns the multiplications and additions of the dense products and of attention's."""
        config = self._config
        dense = sum(6 * rows * inner * outer for layer in dense_shapes(
            config, int(lengths.sum()), len(lengths)) for rows, inner, outer in layer)
        attention = 0
        for rows, longest in attention_groups(lengths):
            asked = (config.num_hidden_layers - 1) * longest + 1
            attention += 12 * rows * asked * longest * config.hidden_size
        return dense, attention


def _run(layers: Sequence[list[tuple[tf.Tensor, ...]]]) -> None:
    for operands in layers:
        last = forward_and_backward(operands)
    last[-1].numpy()  # waits


def _operands(*shapes: tuple[int, ...]) -> tuple[tf.Tensor, ...]:
    return tuple(tf.random.normal(shape, stddev=0.05) for shape in shapes)
