"""What scripts/compare_with_original.sh compares: features, probabilities, scores over seeds.

    differing(ours, theirs)                         rows whose features differ
    answers(prefix, prepared, table)                our answers with a checkpoint of either engine
    scores(answers, truth, labels)                  the metrics, by the same code for both
    Spread.of([0.61, 0.59, 0.62], [0.60, 0.63, 0.61], rows=277).within
"""

import dataclasses
import statistics
from collections.abc import Sequence

import numpy as np
from scipy import stats

from finetune import metrics, model
from finetune.bert_config import BertConfig
from finetune.checkpoints import checkpoint
from finetune.predictor import Predictor
from finetune.records import FeatureTable
from finetune.task_kind import TaskKind

TOLERANCE = 1e-4  # of probabilities and scores; float32, other kernels, other order of summation
CHANCE = 0.01  # of an alarm where both engines are the same


def differing(ours: FeatureTable, theirs: FeatureTable) -> int:
    """Returns how many rows differ in ids, segments or label; a row too many counts as one."""
    together = min(len(ours), len(theirs))
    count = abs(len(ours) - len(theirs))
    for index in range(together):
        one, other = ours.row(index), theirs.row(index)
        count += not (np.array_equal(one[0], other[0]) and np.array_equal(one[1], other[1])
                      and ours.label_ids[index] == theirs.label_ids[index])
    return count


def with_scores(table: FeatureTable, values: Sequence[float]) -> FeatureTable:
    """Returns records of the original with the score that each label id stands for."""
    return dataclasses.replace(table, label_ids=np.array(values, np.float32)[table.label_ids])


def answers(prefix: str, bert_config: BertConfig, num_labels: int, table: FeatureTable,
            batch_size: int) -> np.ndarray:
    """Returns float32[N, L], the fast engine's answers with a trained checkpoint."""
    names = list(model.variable_shapes(bert_config, num_labels))
    state = model.create(bert_config, num_labels, 0, checkpoint.read(prefix, names),
                         training=False)
    return Predictor(state, bert_config).predict(table, batch_size, "").probabilities


def scores(given: np.ndarray, truth: np.ndarray, labels: Sequence[str]) -> dict[str, float]:
    """Returns the metrics of answers float32[N, L]; truth are label ids or scores, [N]."""
    if TaskKind.of(labels) is TaskKind.REGRESSION:
        return metrics.regression(truth, given[:, 0])
    return metrics.classification(truth, given.argmax(1), labels)


@dataclasses.dataclass(frozen=True)
class Spread:
    """One metric of several runs of both engines.

    Attributes:
        original, fast: a number for each seed.
        allowed: how far the means may lie apart.
    """

    original: Sequence[float]
    fast: Sequence[float]
    allowed: float

    @classmethod
    def of(cls, original: Sequence[float], fast: Sequence[float], rows: int) -> "Spread":
        """Works out what is allowed.

        Were both engines the same, the difference of the means would follow Student's t with the
        pooled deviation of all runs and n + m - 2 degrees of freedom; `allowed` is its two-sided
        limit at 1 %: of a hundred comparisons of an engine with itself one exceeds it. It is at
        least one row of the dev split, for no score tells less apart.

        Args:
            original, fast: at least two numbers each.
            rows: of the dev split.
        """
        count = len(original) + len(fast)
        squares = sum(metrics.deviation(one) ** 2 * (len(one) - 1) for one in (original, fast))
        pooled = (squares / (count - 2)) ** 0.5
        limit = stats.t.ppf(1 - CHANCE / 2, count - 2)
        allowed = limit * pooled * (1 / len(original) + 1 / len(fast)) ** 0.5
        return cls(original, fast, max(1 / rows, float(allowed)))

    @property
    def difference(self) -> float:
        """The mean of fast minus that of the original."""
        return statistics.fmean(self.fast) - statistics.fmean(self.original)

    @property
    def within(self) -> bool:
        """Whether the means lie as close together as those of one engine would."""
        return abs(self.difference) <= self.allowed + 1e-9
