"""Whether an exported file answers what the model itself answers, on a handful of made-up rows.

The rows are drawn from the vocabulary by a fixed seed, so that no data is needed: single texts and
pairs by turns, the shortest and the longest that the model was trained for among them.
"""

from collections.abc import Callable, Iterator, Sequence

import numpy as np
import tensorflow as tf

from finetune import model
from finetune.batches import pad
from finetune.bert_config import BertConfig
from finetune.errors import UserError
from finetune.export.classifier import INPUTS, Classifier
from finetune.feature_table import FeatureTable, InputFeatures
from finetune.predictor import Predictor

ROWS = 8
TOLERANCE = 1e-5  # of a probability; of a score, relative to the largest where that is above 1

Answers = Callable[[Classifier, str, Sequence[dict[str, np.ndarray]]], Iterator[np.ndarray]]


def made_up(config: BertConfig, max_seq_length: int, label_type: type) -> FeatureTable:
    """Returns ROWS rows of random tokens, the shortest first."""
    random, rows = np.random.default_rng(0), []
    for number, length in enumerate(np.linspace(2, max_seq_length, ROWS).astype(int)):
        second = length // 2 if number % 2 and config.type_vocab_size > 1 else length
        segments = (np.arange(length) >= second).astype(int).tolist()
        rows.append(InputFeatures(random.integers(config.vocab_size, size=length).tolist(),
                                  segments, None, int(length)))
    return FeatureTable.from_features(rows, label_type)


def expected(classifier: Classifier, table: FeatureTable) -> np.ndarray:
    """Returns the model's own answers, without padding: float32[ROWS, L]."""
    with tf.device("CPU:0"):
        state = model.create(classifier.bert_config, len(classifier.labels), 0, classifier.weights,
                             training=False, kind=classifier.kind)
    return Predictor(state, classifier.bert_config).predict(table, ROWS, "").probabilities


def batches(table: FeatureTable) -> list[dict[str, np.ndarray]]:
    """Returns inputs int32[B, S]: all rows padded beyond the longest, then the first one alone."""
    lengths, found = table.lengths(), []
    for rows, width in ((np.arange(len(table)), int(lengths.max())),
                        (np.arange(1), int(lengths[0]))):
        batch = pad(table, rows, width)
        mask = (np.arange(width) < batch.lengths[:, None]).astype(np.int32)
        found.append(dict(zip(INPUTS, (batch.input_ids, mask, batch.segment_ids), strict=True)))
    return found


def largest_difference(classifier: Classifier, table: FeatureTable, own: np.ndarray,
                       answers: Answers, folder: str) -> float:
    """Returns by how much the answers of an exported file differ from our own at most.

    Args:
        own: see `expected`.
        answers: of the format's module.
        folder: where the export lies.

    Raises:
        UserError: by more than TOLERANCE, or they are not numbers.
    """
    differences = []
    for given in answers(classifier, folder, batches(table)):
        given = np.reshape(given, [len(given), -1])
        differences.append(np.abs(given - own[:len(given)]).max())
    largest = float(np.max(differences))
    allowed = TOLERANCE * (max(1.0, float(np.abs(own).max())) if classifier.is_regression else 1.0)
    if not largest <= allowed:
        what = answers.__module__.rpartition(".")[2]
        raise UserError(f"the export is given up and nothing of it kept: what {what} wrote answers "
                        f"otherwise than the model, by up to {largest:.2g} (allowed: "
                        f"{allowed:.0e}). Leave it out by --export_formats")
    return largest
