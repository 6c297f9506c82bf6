"""Integrated gradients (Sundararajan, Taly, Yan, 2017, arXiv:1703.01365) of a logit by token.

The path leads from a baseline, where [PAD] stands for every token of the text and [CLS] and [SEP]
stay, straight to the text's own word embeddings. What token i adds to logit F is

    sum_d (x_id - x'_id) * integral over a from 0 to 1 of dF/dx_id (x' + a (x - x')) da

and over all tokens that sums to F(x) - F(x') (completeness). It holds for each part of the path as
well, and so tells where the integral was taken too coarsely: such parts are halved, until each
adds up to its own share. Within a part it is Gauss-Lobatto quadrature, whose points include both
ends.

Every text is worked on by itself, so that its bits do not depend on what else is explained.
Letters: K points of the path, P parts of it, S tokens, H hidden, L labels.
"""

import dataclasses
from collections.abc import Callable

import numpy as np
import tensorflow as tf

from finetune import model
from finetune.batches import Batch
from finetune.bert_config import BertConfig
from finetune.tokenization import Tokenizer
from finetune.training.used_words import WORDS

BASELINE_TOKENS = ("[PAD]", "[MASK]", "[UNK]")  # the first that the vocabulary has
RELATIVE, ABSOLUTE = 0.01, 0.001  # what may lack: a share of the logit's difference, or so much
_POINTS = 9  # of a part of the path: exact for polynomials up to degree 15
_SHORT = 1 / 64  # shorter parts may lack as much as one of this: float32 gives no more digits
_SHORTEST = 1 / 4096  # part that is halved no more
_TOKENS = 1024  # on all points of a call: bounds the memory, and more would not be faster


@dataclasses.dataclass(frozen=True)
class Attribution:
    """What each token of a text adds to a logit.

    Attributes:
        tokens: float64[S]; exactly 0 for [CLS] and [SEP].
        logit: F(x), of the text.
        baseline_logit: F(x'), of the baseline.
        baseline_label: which label the baseline gets.
        points: of the path at which gradients were taken, in all.
    """

    tokens: np.ndarray
    logit: float
    baseline_logit: float
    baseline_label: int
    points: int

    @property
    def gap(self) -> float:
        """What the tokens lack to add up to the logit's difference."""
        return self.logit - self.baseline_logit - float(self.tokens.sum())

    @property
    def complete(self) -> bool:
        """Whether they add up to it, within RELATIVE or ABSOLUTE."""
        return abs(self.gap) <= allowed(self.logit, self.baseline_logit)


def allowed(logit: float, baseline_logit: float) -> float:
    """Returns how much the tokens may lack to add up to the difference of two logits."""
    return max(RELATIVE * abs(logit - baseline_logit), ABSOLUTE)


def lobatto(count: int) -> tuple[np.ndarray, np.ndarray]:
    """Returns nodes and weights, float64[count], of Gauss-Lobatto quadrature from 0 to 1."""
    legendre = np.polynomial.Legendre.basis(count - 1)
    inner = legendre.deriv().roots().real  # all are; NumPy 2.5 gives them as complex numbers
    nodes = np.concatenate([[-1.0], inner, [1.0]])
    return (nodes + 1) / 2, 1 / (count * (count - 1) * legendre(nodes) ** 2)


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
        """
        nodes, weights = lobatto(_POINTS)
        tokens, points = np.zeros(len(input_ids)), 0
        starts, width, ends = np.zeros(1), 1.0, None
        while len(starts):
            places = (starts[:, None] + nodes * width).astype(np.float32)              # [P, K]
            slopes, logits = self._walk(input_ids, segment_ids, places.ravel(), label)
            slopes = slopes.reshape(*places.shape, -1).astype(np.float64)           # [P, K, S]
            logits = logits.reshape(*places.shape, -1)                              # [P, K, L]
            if ends is None:
                ends = logits[0, 0], logits[0, -1]
                lacking = allowed(float(ends[1][label]), float(ends[0][label]))
            sums = width * np.einsum("k,pks->ps", weights, slopes)                     # [P, S]
            change = (logits[:, -1, label] - logits[:, 0, label]).astype(np.float64)
            coarse = np.abs(change - sums.sum(1)) > lacking * max(width, _SHORT)
            coarse &= width > _SHORTEST
            tokens += sums[~coarse].sum(0)
            points += places.size
            width /= 2
            starts = np.concatenate([starts[coarse], starts[coarse] + width])
        return Attribution(tokens, float(ends[1][label]), float(ends[0][label]),
                           int(ends[0].argmax()), points)

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
