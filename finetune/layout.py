"""Where the tokens of a batch lie: packed (no padding) or padded (static shapes).

The encoder works on `[tokens, hidden]`, on each group of a batch's rows by itself, and asks the
group for `[batch, heads, length, ...]` only where rows must not mix, in attention. Two layouts
share that interface:

*   PackedLayout: T is the number of real tokens. Nothing is computed for padding but attention
    scores, up to the longest row of the group. Used on CPU and GPU.
*   PaddedLayout: T = B * S with padding in place. Every shape is static, and there is one group.
    Used on TPU and with XLA.

Example, rows of 3 and 1 tokens in one group, one head:

    tokens          a b c d                 T = 4
    group.heads     [[a b c]
                     [d . .]]               B = 2, S = 3; a dot is anything, which the mask hides
    group.tokens    a b c d

Letters: B batch, S longest length in the group, T tokens, H hidden, N heads, D head width.
"""

import tensorflow as tf


class PackedGroup:
    """Neighbouring rows of a batch, padded to the longest of them where attention needs it.

    Args:
        lengths: int32[B], tokens of each row.
    """

    def __init__(self, lengths: tf.Tensor):
        self._lengths = lengths
        self.batch = tf.shape(lengths)[0]
        self.length = tf.reduce_max(lengths)
        self.mask = tf.sequence_mask(lengths, self.length)                             # [B, S]
        self._slot_of_token = tf.cast(
            tf.where(tf.reshape(self.mask, [-1]))[:, 0], tf.int32)                     # [T]
        self._count = tf.shape(self._slot_of_token)[0]
        # The token in each of the B * S slots; empty slots name token T, a row of zeros.
        self._token_of_slot = tf.tensor_scatter_nd_update(
            tf.fill([self.batch * self.length], self._count), self._slot_of_token[:, None],
            tf.range(self._count))                                                     # [B * S]

    def positions(self) -> tf.Tensor:
        """Returns int32[T], the place of each token in its row, from 0."""
        return self._slot_of_token % self.length

    def first(self, tokens: tf.Tensor) -> tf.Tensor:
        """float[T, H] -> float[B, H], the first token ([CLS]) of every row."""
        return tf.gather(tokens, tf.cumsum(self._lengths, exclusive=True))

    def heads(self, tokens: tf.Tensor, heads: int) -> tf.Tensor:
        """float[T, N * D] -> float[B, N, S, D].

        Empty slots hold what some other token has; nothing may come of it.
        """
        width = tokens.shape[-1] // heads
        there = tf.minimum(self._token_of_slot, self._count - 1)

        @tf.custom_gradient
        def move(values):
            def gradient(upstream):
                return _gather_rows(upstream, self._by_token(heads), heads)
            return tf.gather(tf.reshape(values, [-1, width]), self._by_slot(there, heads)), gradient
        return move(tokens)

    def tokens(self, context: tf.Tensor) -> tf.Tensor:
        """float[B, N, S, D] -> float[T, N * D]."""
        heads, width = context.shape[1], context.shape[3]

        @tf.custom_gradient
        def move(values):
            def gradient(upstream):  # [T, N * D]; what came of empty slots is not to count
                padded = tf.reshape(tf.pad(upstream, [[0, 1], [0, 0]]), [-1, width])
                return tf.gather(padded, self._by_slot(self._token_of_slot, heads))
            return _gather_rows(values, self._by_token(heads), heads), gradient
        return move(context)

    # Both moves are gathers of rows D wide, and each is the other's gradient: TensorFlow's own
    # gradient of a gather is a scatter-add, several times slower.
    def _by_slot(self, tokens: tf.Tensor, heads: int) -> tf.Tensor:
        """Returns int32[B, N, S], the row of each slot and head where tokens lie [T, N]."""
        tokens = tf.reshape(tokens, [self.batch, 1, self.length])
        return tokens * heads + tf.range(heads)[None, :, None]

    def _by_token(self, heads: int) -> tf.Tensor:
        """Returns int32[T, N], the row of each token and head where slots lie [B, N, S]."""
        row, place = self._slot_of_token // self.length, self._slot_of_token % self.length
        return ((row * heads)[:, None] + tf.range(heads)) * self.length + place[:, None]


def _gather_rows(values: tf.Tensor, index: tf.Tensor, heads: int) -> tf.Tensor:
    """float[B, N, S, D], int32[T, N] -> float[T, N * D]."""
    width = values.shape[-1]
    return tf.reshape(tf.gather(tf.reshape(values, [-1, width]), index), [-1, heads * width])


class PackedLayout:
    """Real tokens only, row after row.

    Args:
        lengths: int32[B], tokens of each row.
        halved: whether the rows, two at least, fall into two groups of about as many tokens. The
            groups are computed side by side, and attention is cheapest where they lie sorted by
            length.
    """

    def __init__(self, lengths: tf.Tensor, halved: bool = False):
        self.length = tf.reduce_max(lengths)
        if not halved:
            self._parts = [lengths]
        else:
            ends = tf.cumsum(lengths)
            first = tf.maximum(1, tf.reduce_sum(tf.cast(2 * ends <= ends[-1], tf.int32)))
            self._parts = [lengths[:first], lengths[first:]]
        self.groups = [PackedGroup(part) for part in self._parts]

    def positions(self) -> tf.Tensor:
        """Returns int32[T], the place of each token in its row, from 0."""
        return tf.concat([group.positions() for group in self.groups], 0)

    def split(self, tokens: tf.Tensor) -> list[tf.Tensor]:
        """float[T, H] -> the same by group."""
        if len(self._parts) == 1:
            return [tokens]
        first = tf.reduce_sum(self._parts[0])
        return [tokens[:first], tokens[first:]]


class PaddedLayout:
    """All B * S places, padding included, in one group; `lengths` only feeds the attention mask.

    Args:
        lengths: int32[B], real tokens of each row.
        length: S, the static width of the batch.
    """

    def __init__(self, lengths: tf.Tensor, length: int):
        self.lengths = lengths
        self.length = length
        self.batch = lengths.shape[0] or tf.shape(lengths)[0]
        self.mask = tf.sequence_mask(lengths, length)                                  # [B, S]
        self.groups = [self]

    def positions(self) -> tf.Tensor:
        """Returns int32[T], the place of each token in its row, from 0."""
        return tf.tile(tf.range(self.length), [self.batch])

    def first(self, tokens: tf.Tensor) -> tf.Tensor:
        """float[T, H] -> float[B, H], the first token ([CLS]) of every row."""
        return tf.reshape(tokens, [self.batch, self.length, tokens.shape[-1]])[:, 0]

    def split(self, tokens: tf.Tensor) -> list[tf.Tensor]:
        """float[T, H] -> the same by group."""
        return [tokens]

    def heads(self, tokens: tf.Tensor, heads: int) -> tf.Tensor:
        """float[T, N * D] -> float[B, N, S, D]."""
        split = [self.batch, self.length, heads, tokens.shape[-1] // heads]
        return tf.transpose(tf.reshape(tokens, split), [0, 2, 1, 3])

    def tokens(self, context: tf.Tensor) -> tf.Tensor:
        """float[B, N, S, D] -> float[T, N * D]."""
        rows = tf.transpose(context, [0, 2, 1, 3])                               # [B, S, N, D]
        return tf.reshape(rows, [self.batch * self.length, rows.shape[2] * rows.shape[3]])
