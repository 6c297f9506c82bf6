"""The rows of the word table that training can touch: those of tokens that its split holds.

Most of a vocabulary never occurs in a training split (CoLA: 5,227 of 30,522 tokens), and the word
table is half of a small model's weights. A row without a token gets no gradient in any step, so
that its moments stay 0 and all that happens to it is weight decay. Training therefore works on a
table of the used rows alone: the same bits, for less of the memory traffic that an update is.

    used = UsedWords(strategy, state, table.input_ids)
    step = make_step(strategy, used.state, ...)
    step(batch._replace(input_ids=used.renumber(batch.input_ids)))
    used.write_back()                       # before `state` is evaluated or saved
"""

import dataclasses

import numpy as np
import tensorflow as tf

from finetune.model import State
from finetune.training import optimizer

WORDS = "bert/embeddings/word_embeddings"
_SCANNED = 1 << 22  # ids looked through at a time
_WORTHWHILE = 0.75  # of the rows; above it the copies cost more than they save


class UsedWords:
    """A state without the rows of the word table that nothing will read.

    Args:
        state: the whole state, with slots; its word table only decays from now on, until
            `write_back`.
        input_ids: int32[T], all tokens of the training split.

    Attributes:
        state: what to train. It shares every variable with the whole state but the word table
            and its slots, or is the whole state where nearly every row is used.
    """

    def __init__(self, strategy: tf.distribute.Strategy, state: State, input_ids: np.ndarray):
        self._whole, names = state, [WORDS, *(f"{WORDS}/{slot}" for slot in optimizer.SLOTS)]
        used = np.zeros(state.weights[WORDS].shape[0], bool)
        used[0] = True  # what padding holds on a TPU
        for start in range(0, len(input_ids), _SCANNED):
            used[input_ids[start:start + _SCANNED]] = True
        for name in names[1:]:  # a row with moments, from a run on other data, goes on moving
            used |= tf.reduce_any(tf.not_equal(state.slots[name], 0.0), 1).numpy()
        self._rows = np.flatnonzero(used)
        self._number = (np.cumsum(used) - 1).astype(np.int32)
        self.state, self._tables = state, {}
        if len(self._rows) > _WORTHWHILE * len(used):
            return
        with strategy.scope():
            self._tables = {name: tf.Variable(
                tf.gather(tf.convert_to_tensor(state.variables()[name]), self._rows),
                trainable=name == WORDS, name=name) for name in names}
        weights, slots = (
            {name: self._tables.get(name, variable) for name, variable in variables.items()}
            for variables in (state.weights, state.slots))
        self.state = dataclasses.replace(
            state, weights=weights, slots=slots, decaying={WORDS: state.weights[WORDS]})

    def renumber(self, input_ids: np.ndarray) -> np.ndarray:
        """Returns the rows of `state`'s word table for tokens of the training split."""
        return self._number[input_ids] if self._tables else input_ids

    def write_back(self) -> None:
        """Brings the whole state up to date."""
        for name, table in self._tables.items():
            whole = self._whole.variables()[name]
            whole.assign(tf.tensor_scatter_nd_update(
                tf.convert_to_tensor(whole), self._rows[:, None], tf.convert_to_tensor(table)))
