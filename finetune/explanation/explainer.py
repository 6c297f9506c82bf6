"""Why a model answers as it does: what every word of a text adds to a logit.

    explainer = Explainer(state, bert_config, tokenizer, ["bug", "feature"], max_seq_length=128)
    for found in explainer.explain(["It crashes", ("a question", "its answer")]):
        found.prediction, [(word.text, word.attribution) for word in found.words()]

The words' attributions add up to `logit - baseline_logit`, but for `gap`; see gradients.py.
"""

import dataclasses
from collections.abc import Iterable, Iterator, Sequence

import numpy as np
import tensorflow as tf

from finetune import heads, model
from finetune.bert_config import BertConfig
from finetune.errors import UserError
from finetune.explanation.gradients import Attribution, IntegratedGradients
from finetune.explanation.words import Span, Splitter
from finetune.feature_table import FeatureBlock
from finetune.features import assemble
from finetune.options.long_texts import LongTexts
from finetune.task_kind import TaskKind
from finetune.texts import Text
from finetune.tokenization import Tokenizer
from finetune.windows import HEAD, Layout, layout


@dataclasses.dataclass(frozen=True, slots=True)
class Word:
    """A word and what it adds to the logit.

    Attributes:
        text: as it was written.
        start, end: its place in the text, in characters.
        attribution: above 0: speaks for the label (for a higher score), below: against it.
    """

    text: str
    start: int
    end: int
    attribution: float


@dataclasses.dataclass(frozen=True, slots=True)
class ExplainedText:
    """A text of a row.

    Attributes:
        text: as it was written, whole.
        words: those that the model saw, in their order.
        unseen: how many words more the text has, which --max_seq_length cut off.
        before: how many of the words stand before those; None: all.
    """

    text: str
    words: tuple[Word, ...]
    unseen: int
    before: int | None = None

    @property
    def unseen_part(self) -> tuple[int, int]:
        """Where the part begins and ends that the model did not see; if it saw all, at the end."""
        if not self.unseen:
            return len(self.text), len(self.text)
        before = len(self.words) if self.before is None else self.before
        return (self.words[before - 1].end if before else 0,
                self.words[before].start if before < len(self.words) else len(self.text))


@dataclasses.dataclass(frozen=True, slots=True)
class Explanation:
    """Why a row got its answer.

    Attributes:
        texts: one, or two of a pair.
        prediction: the label predicted, or the score as text; of a multi-label model the most
            probable label, whether or not a row so sure is given it.
        confidence: probability of that label; None of a regression.
        label: whose logit is explained; of a regression "score".
        logit, baseline_logit: of the text, and of the same with [PAD] for every token.
        baseline_prediction: the label that the baseline gets; None of a regression.
        gap: what the words lack to add up to the difference of the two.
        complete: whether the gap is small enough, see gradients.py.
        points: of the path that the gradients were taken at.
    """

    texts: tuple[ExplainedText, ...]
    prediction: str
    confidence: float | None
    label: str
    logit: float
    baseline_logit: float
    baseline_prediction: str | None
    gap: float
    complete: bool
    points: int

    def words(self) -> list[Word]:
        """Returns the words of all texts that the model saw."""
        return [word for text in self.texts for word in text.words]


class Explainer:
    """Explains the answers of a model, text by text.

    Args:
        state: the weights; what they are when `explain` works counts.
        bert_config: of the model.
        tokenizer: text -> ids.
        labels: of the model; [SCORE] for a regression.
        max_seq_length: longest input in tokens.
        long_texts: which tokens of a longer text are seen.
    """

    def __init__(self, state: model.State, bert_config: BertConfig, tokenizer: Tokenizer,
                 labels: Sequence[str], max_seq_length: int, long_texts: LongTexts = HEAD):
        self._tokenizer, self._labels, self._kind = tokenizer, labels, TaskKind.of(labels)
        self._max_seq_length, self._long_texts = max_seq_length, long_texts
        self._splitter = Splitter(tokenizer)
        self._gradients = IntegratedGradients(state, bert_config, tokenizer)

    def explain(self, texts: Iterable[Text], label: str | None = None) -> Iterator[Explanation]:
        """Yields the explanation of each text or pair of texts.

        Args:
            texts: strings, or pairs of them; a second one that is empty or None is none.
            label: whose logit is explained; None: that of the label predicted.

        Raises:
            ValueError: there is no such label.
            UserError: a text is read in windows, so that its answer is that of several sequences.
        """
        chosen = None if label is None else self._labels.index(label)
        for text in texts:
            a, b = (text, None) if isinstance(text, str) else text
            yield self._one(a, b or "", chosen)

    def _one(self, a: str, b: str, chosen: int | None) -> Explanation:
        features, seen = self._features(a, b)
        logits = self._gradients.logits(features.input_ids, features.segment_ids)
        answers = heads.answers(tf.constant(logits[None]), self._kind).numpy()[0]
        top = int(answers.argmax())
        label = top if chosen is None else chosen
        found = self._gradients.explain(features.input_ids, features.segment_ids, label)
        regression = self._kind is TaskKind.REGRESSION
        return Explanation(
            self._words((a, seen.places_a), (b, seen.places_b), found),
            f"{answers[0]:.6f}" if regression else self._labels[top],
            None if regression else float(answers[top]), self._labels[label], found.logit,
            found.baseline_logit, None if regression else self._labels[found.baseline_label],
            found.gap, found.complete, found.points)

    def _features(self, a: str, b: str) -> tuple[FeatureBlock, Layout]:
        first, second = self._tokenizer.encode_flat([a]), self._tokenizer.encode_flat([b])
        seen = layout(first[1], second[1], self._max_seq_length, self._long_texts)
        if len(seen.rows) > 1:
            raise UserError(f"{a!r:.60}: is read in {len(seen.rows)} windows, each with an answer "
                            "of its own; explained is one answer: give window_stride=0 for that to "
                            "the text when it is cut")
        return assemble(first, second, [None], self._max_seq_length, self._tokenizer,
                        self._long_texts), seen

    def _words(self, a: tuple[str, np.ndarray], b: tuple[str, np.ndarray], found: Attribution
               ) -> tuple[ExplainedText, ...]:
        """Returns texts with their words, from (text, which of its tokens were seen)."""
        (text_a, seen_a), (text_b, seen_b) = a, b
        texts = [_explained(text_a, self._splitter.split(text_a), found.tokens[1:1 + len(seen_a)],
                            seen_a)]
        if text_b:
            texts.append(_explained(text_b, self._splitter.split(text_b),
                                    found.tokens[-1 - len(seen_b):-1], seen_b))
        return tuple(texts)


def _explained(text: str, spans: Sequence[Span], tokens: np.ndarray,
               seen: np.ndarray) -> ExplainedText:
    """Sums the tokens of a text to its words, of which one may be cut within.

    Args:
        tokens: float64[S], of those that were seen.
        seen: int64[S], their places among all tokens of the text; rising.
    """
    ends = np.cumsum([span.pieces for span in spans], dtype=int)
    words, before = [], None
    for number, (span, end) in enumerate(zip(spans, ends.tolist(), strict=True)):
        first, last = np.searchsorted(seen, [end - span.pieces, end])
        if first < last:
            words.append(Word(text[span.start:span.end], span.start, span.end,
                              float(tokens[first:last].sum())))
        elif before is None:
            before = number
    return ExplainedText(text, tuple(words), len(spans) - len(words), before)


def explain(texts: Iterable[Text], state: model.State, bert_config: BertConfig,
            tokenizer: Tokenizer, labels: Sequence[str], max_seq_length: int,
            label: str | None = None, long_texts: LongTexts = HEAD) -> list[Explanation]:
    """Explains some texts or pairs of texts; see `Explainer`, which is for more than one call."""
    explainer = Explainer(state, bert_config, tokenizer, labels, max_seq_length, long_texts)
    return list(explainer.explain(texts, label))
