"""Where the tokens of a batch lie: packed (no padding) or padded (static shapes).

The encoder works on `[tokens, hidden]` and asks its layout for `[batch, length, ...]` only where
rows must not mix, in attention. Two layouts share that interface:

*   PackedLayout: T is the number of real tokens. Nothing is computed for padding but attention
    scores, cut to the longest row of the batch. Used on CPU and GPU.
*   PaddedLayout: T = B * S with padding in place. Every shape is static. Used on TPU and with XLA.

Example, rows of 3 and 1 tokens:

    packed tokens   a b c d                 T = 4
    unpack          [[a b c]
                     [d 0 0]]               B = 2, S = 3
    pack            a b c d

Letters: B batch, S longest length in the batch, T tokens, H hidden.
"""

import tensorflow as tf


class PackedLayout:
    """Real tokens only, row after row.

    Args:
        lengths: int32[B], tokens of each row.
    """

    def __init__(self, lengths: tf.Tensor):
        self.lengths = lengths
        self.batch = tf.shape(lengths)[0]
        self.length = tf.reduce_max(lengths)
        self.mask = tf.sequence_mask(lengths, self.length)                             # [B, S]
        self._slot_of_token = tf.cast(
            tf.where(tf.reshape(self.mask, [-1]))[:, 0], tf.int32)                     # [T]
        tokens = tf.shape(self._slot_of_token)[0]
        # The token in each of the B * S slots; empty slots name token T, a row of zeros.
        self._token_of_slot = tf.tensor_scatter_nd_update(
            tf.fill([self.batch * self.length], tokens), self._slot_of_token[:, None],
            tf.range(tokens))                                                          # [B * S]

    def positions(self) -> tf.Tensor:
        """Returns int32[T], the place of each token in its row, from 0."""
        return self._slot_of_token % self.length

    def unpack(self, tokens: tf.Tensor) -> tf.Tensor:
        """float[T, H] -> float[B, S, H], zeros where there is no token."""
        return tf.reshape(self._to_slots(tokens), [self.batch, self.length, tokens.shape[-1]])

    def pack(self, padded: tf.Tensor) -> tf.Tensor:
        """float[B, S, H] -> float[T, H]."""
        return self._to_tokens(tf.reshape(padded, [-1, padded.shape[-1]]))

    def first(self, tokens: tf.Tensor) -> tf.Tensor:
        """float[T, H] -> float[B, H], the first token ([CLS]) of every row."""
        return tf.gather(tokens, tf.cumsum(self.lengths, exclusive=True))

    # Both moves are gathers, and each is the other's gradient: TensorFlow's own gradient of a
    # gather is a scatter-add, several times slower.
    def _to_slots(self, tokens: tf.Tensor) -> tf.Tensor:
        @tf.custom_gradient
        def move(values):
            padded = tf.pad(values, [[0, 1], [0, 0]])                                  # [T + 1, H]
            return (tf.gather(padded, self._token_of_slot),                            # [B * S, H]
                    lambda upstream: tf.gather(upstream, self._slot_of_token))
        return move(tokens)

    def _to_tokens(self, slots: tf.Tensor) -> tf.Tensor:
        @tf.custom_gradient
        def move(values):
            def gradient(upstream):
                return tf.gather(tf.pad(upstream, [[0, 1], [0, 0]]), self._token_of_slot)
            return tf.gather(values, self._slot_of_token), gradient                    # [T, H]
        return move(slots)


class PaddedLayout:
    """All B * S places, padding included; `lengths` only feeds the attention mask.

    Args:
        lengths: int32[B], real tokens of each row.
        length: S, the static width of the batch.
    """

    def __init__(self, lengths: tf.Tensor, length: int):
        self.lengths = lengths
        self.length = length
        self.batch = lengths.shape[0] or tf.shape(lengths)[0]
        self.mask = tf.sequence_mask(lengths, length)                                  # [B, S]

    def positions(self) -> tf.Tensor:
        """Returns int32[T], the place of each token in its row, from 0."""
        return tf.tile(tf.range(self.length), [self.batch])

    def unpack(self, tokens: tf.Tensor) -> tf.Tensor:
        """float[T, H] -> float[B, S, H]."""
        return tf.reshape(tokens, [self.batch, self.length, tokens.shape[-1]])

    def pack(self, padded: tf.Tensor) -> tf.Tensor:
        """float[B, S, H] -> float[T, H]."""
        return tf.reshape(padded, [self.batch * self.length, padded.shape[-1]])

    def first(self, tokens: tf.Tensor) -> tf.Tensor:
        """float[T, H] -> float[B, H], the first token ([CLS]) of every row."""
        return self.unpack(tokens)[:, 0]
