"""Where the tokens of a batch lie: packed (no padding) or padded (static shapes).

The encoder works on `[tokens, hidden]` and asks its layout for `[batch, heads, length, ...]` only
where rows must not mix, in attention. Two layouts share that interface:

*   PackedLayout: T is the number of real tokens. Nothing is computed for padding but attention
    scores: the rows fall into groups, each cut to its own longest row. Used on CPU and GPU.
*   PaddedLayout: T = B * S with padding in place. Every shape is static. Used on TPU and with XLA.

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

    def heads(self, tokens: tf.Tensor, parts: int, heads: int) -> list[tf.Tensor]:
        """float[T, parts * N * D] -> `parts` tensors float[B, N, S, D].

        Empty slots hold what some other token has; nothing may come of it.
        """
        width = tokens.shape[-1] // (parts * heads)
        there = tf.minimum(self._token_of_slot, self._count - 1)
        back = self._by_token(heads)

        @tf.custom_gradient
        def move(values):
            values = tf.reshape(values, [-1, width])                         # [T * parts * N, D]
            moved = [tf.gather(values, self._by_slot(there * parts + part, heads))
                     for part in range(parts)]

            def gradient(*upstream):
                return tf.concat([_gather_rows(one, back, heads) for one in upstream], -1)
            return moved, gradient
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
        groups: into how many groups of about as many rows attention parts the batch; it is
            cheapest where they lie sorted by length.
    """

    def __init__(self, lengths: tf.Tensor, groups: int = 1):
        self.lengths = lengths
        self.length = tf.reduce_max(lengths)
        ends = [tf.shape(lengths)[0] * end // groups for end in range(1, groups)]
        self._rows = tf.stack([*ends, tf.shape(lengths)[0]]) - tf.stack([0, *ends])  # of each
        parts = tf.split(lengths, self._rows, num=groups) if groups > 1 else [lengths]
        self._tokens = tf.stack([tf.reduce_sum(part) for part in parts])
        self.groups = [PackedGroup(part) for part in parts]

    def positions(self) -> tf.Tensor:
        """Returns int32[T], the place of each token in its row, from 0."""
        return tf.concat([group.positions() for group in self.groups], 0)

    def first(self, tokens: tf.Tensor) -> tf.Tensor:
        """float[T, H] -> float[B, H], the first token ([CLS]) of every row."""
        return tf.gather(tokens, tf.cumsum(self.lengths, exclusive=True))

    def split(self, tokens: tf.Tensor) -> list[tf.Tensor]:
        """float[T, H] -> the same by group."""
        return self._split(tokens, self._tokens)

    def split_rows(self, rows: tf.Tensor) -> list[tf.Tensor]:
        """float[B, H] -> the same by group."""
        return self._split(rows, self._rows)

    def _split(self, values: tf.Tensor, sizes: tf.Tensor) -> list[tf.Tensor]:
        if len(self.groups) == 1:
            return [values]
        return tf.split(values, sizes, num=len(self.groups))


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

    split_rows = split

    def heads(self, tokens: tf.Tensor, parts: int, heads: int) -> list[tf.Tensor]:
        """float[T, parts * N * D] -> `parts` tensors float[B, N, S, D]."""
        width = tokens.shape[-1] // (parts * heads)
        split = tf.reshape(tokens, [self.batch, self.length, parts, heads, width])
        return tf.unstack(tf.transpose(split, [2, 0, 3, 1, 4]), num=parts)

    def tokens(self, context: tf.Tensor) -> tf.Tensor:
        """float[B, N, S, D] -> float[T, N * D]."""
        rows = tf.transpose(context, [0, 2, 1, 3])                               # [B, S, N, D]
        return tf.reshape(rows, [self.batch * self.length, rows.shape[2] * rows.shape[3]])
