"""Integrated gradients (Sundararajan, Taly, Yan, 2017, arXiv:1703.01365) of a logit by token.

The path leads from a baseline, where [MASK] stands for every token of the text and [CLS] and [SEP]
stay, straight to the text's own word embeddings. What token i adds to logit F is

    sum_d (x_id - x'_id) * integral over a from 0 to 1 of dF/dx_id (x' + a (x - x')) da

and over all tokens that sums to F(x) - F(x') (completeness), which tells whether the integral was
taken finely enough: it is taken by Gauss-Legendre quadrature, with more and more points until the
sum is right.

Every text is worked on by itself, so that its bits do not depend on what else is explained.
Letters: K points of the path, S tokens, H hidden, L labels.
"""

import dataclasses
from collections.abc import Callable

import numpy as np
import tensorflow as tf

from finetune import model
from finetune.batches import Batch
from finetune.bert_config import BertConfig
from finetune.tokenization import Tokenizer
from finetune.used_words import WORDS

BASELINE_TOKENS = ("[MASK]", "[PAD]", "[UNK]")  # the first that the vocabulary has
POINTS = (16, 32, 64, 128, 256)  # tried one after the other
RELATIVE, ABSOLUTE = 0.01, 0.001  # what may lack: a share of the logit's difference, or so much
_TOKENS = 2048  # on all points of a call: bounds the memory


@dataclasses.dataclass(frozen=True)
class Attribution:
    """What each token of a text adds to a logit.

    Attributes:
        tokens: float64[S]; exactly 0 for [CLS] and [SEP].
        logit: F(x), of the text.
        baseline_logit: F(x'), of the baseline.
        points: of the path.
    """

    tokens: np.ndarray
    logit: float
    baseline_logit: float
    points: int

    @property
    def gap(self) -> float:
        """What the tokens lack to add up to the logit's difference."""
        return self.logit - self.baseline_logit - float(self.tokens.sum())

    @property
    def complete(self) -> bool:
        """Whether they add up to it, within RELATIVE or ABSOLUTE."""
        difference = abs(self.logit - self.baseline_logit)
        return abs(self.gap) <= max(RELATIVE * difference, ABSOLUTE)


def baseline_token(tokenizer: Tokenizer) -> str:
    """Returns which token stands for the words of a text in the baseline."""
    return next(token for token in BASELINE_TOKENS if token in tokenizer.vocab)


class IntegratedGradients:
    """Attributes a logit to tokens, in float32 and without dropout; the graph is traced once.

    Args:
        state: the weights; what they are when a method is called counts.
        bert_config: of the model.
        tokenizer: knows which tokens stay, and which stands for the others.
    """

    def __init__(self, state: model.State, bert_config: BertConfig, tokenizer: Tokenizer):
        self._kept = (tokenizer.cls_id, tokenizer.sep_id)
        self._baseline = tokenizer.vocab[baseline_token(tokenizer)]

        # The encoder is given a word table with a row for every token of the call, and these
        # rows' numbers as tokens: it then reads the path's embeddings as it reads words.
        @tf.function(input_signature=[tf.TensorSpec([None], dtype) for dtype in (
            tf.int32, tf.int32, tf.int32, tf.float32)] + [tf.TensorSpec([], tf.int32)])
        def along(input_ids, baseline_ids, segment_ids, places, label):
            table = tf.convert_to_tensor(state.weights[WORDS])
            start = tf.gather(table, baseline_ids)                                     # [S, H]
            way = tf.gather(table, input_ids) - start                                  # [S, H]
            count, length, hidden = tf.size(places), tf.size(input_ids), way.shape[-1]
            words = tf.reshape(start + places[:, None, None] * way, [-1, hidden])  # [K * S, H]
            batch = Batch(tf.range(count * length), tf.tile(segment_ids, [count]),
                          tf.fill([count], length), None)
            with tf.GradientTape(watch_accessed_variables=False) as tape:
                tape.watch(words)
                logits = model.logits({**state.weights, WORDS: words}, bert_config, batch)
                explained = tf.gather(logits, label, axis=1)                           # [K]
            slopes = tf.convert_to_tensor(tape.gradient(explained, words))         # [K * S, H]
            slopes = tf.reshape(slopes, [count, length, hidden])
            return tf.reduce_sum(slopes * way, 2), logits                      # [K, S], [K, L]

        self._along: Callable = along

    def logits(self, input_ids: np.ndarray, segment_ids: np.ndarray) -> np.ndarray:
        """Returns the logits of a text, float32[L].

        Args:
            input_ids, segment_ids: int32[S], [CLS] and [SEP] included.
        """
        return self._walk(input_ids, segment_ids, np.ones(1, np.float32), 0)[1][0]

    def explain(self, input_ids: np.ndarray, segment_ids: np.ndarray, label: int) -> Attribution:
        """Attributes a logit to the tokens of a text.

        Args:
            input_ids, segment_ids: as for `logits`.
            label: which logit.

        Returns:
            The attribution with the fewest of POINTS that is complete, else that with the most.
        """
        ends = self._walk(input_ids, segment_ids, np.array([0, 1], np.float32), label)[1]
        baseline_logit, logit = ends[:, label].astype(float).tolist()
        for points in POINTS:
            nodes, weights = np.polynomial.legendre.leggauss(points)
            slopes, _ = self._walk(input_ids, segment_ids,
                                   ((nodes + 1) / 2).astype(np.float32), label)        # [K, S]
            tokens = (weights / 2) @ slopes.astype(np.float64)                          # [S]
            found = Attribution(tokens, logit, baseline_logit, points)
            if found.complete:
                break
        return found

    def _walk(self, input_ids: np.ndarray, segment_ids: np.ndarray, places: np.ndarray,
              label: int) -> tuple[np.ndarray, np.ndarray]:
        """Returns slopes float32[K, S] and logits float32[K, L] at places of the path, 0 to 1."""
        baseline_ids = np.where(np.isin(input_ids, self._kept), input_ids, self._baseline)
        at_once = max(1, _TOKENS // len(input_ids))
        parts = [self._along(input_ids, baseline_ids.astype(np.int32), segment_ids,
                             places[start:start + at_once], label)
                 for start in range(0, len(places), at_once)]
        slopes, logits = (np.concatenate([part.numpy() for part in each])
                          for each in zip(*parts, strict=True))
        return slopes, logits
