"""What is exported: a trained classifier as plain arrays and settings."""

import dataclasses

import numpy as np

from finetune.bert_config import BertConfig
from finetune.options.long_texts import LongTexts
from finetune.task_kind import TaskKind
from finetune.windows import HEAD

INPUTS = ("input_ids", "input_mask", "segment_ids")  # int32[B, S] each, as the original names them
PROBABILITIES, LOGITS, LABEL_IDS, SCORES = "probabilities", "logits", "label_ids", "scores"


@dataclasses.dataclass(frozen=True)
class Classifier:
    """A trained classifier, without anything of the optimizer.

    Attributes:
        weights: float32 arrays by TF1 name, see model.variable_shapes.
        labels: in the order of the head's rows; [SCORE] of a regression.
        vocabulary: the bytes of vocab.txt.
        max_seq_length: longest input in training.
        step: global_step of the weights.
        long_texts: what became of longer texts in training.
        thresholds: of a multi-label classifier, from which probability on each label is given.
    """

    weights: dict[str, np.ndarray]
    bert_config: BertConfig
    labels: list[str]
    vocabulary: bytes
    do_lower_case: bool
    max_seq_length: int
    step: int
    long_texts: LongTexts = HEAD
    thresholds: list[float] | None = None

    @property
    def kind(self) -> TaskKind:
        """What the head answers with."""
        return TaskKind.of(self.labels)

    @property
    def is_regression(self) -> bool:
        """Whether the answer is a number and not one of the labels."""
        return self.kind is TaskKind.REGRESSION

    @property
    def answer(self) -> str:
        """The output that is compared: the probabilities [B, L], or the scores [B]."""
        return SCORES if self.is_regression else PROBABILITIES

    def labels_text(self) -> str | None:
        """Returns the text of labels.txt; a regression has none."""
        return None if self.is_regression else "".join(f"{label}\n" for label in self.labels)
