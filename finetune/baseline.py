"""--baseline: what a simple model makes of the same rows, so that one sees what BERT is worth.

    scored = run(prepared, {})                  # trains on train, writes baseline_results.txt
    scored.compare(truth, answers_of_bert, scores_of_bert)

TF-IDF of words and pairs of words, and of pieces of words, with logistic regression (of a
multi-label task one for each label); for scores with ridge regression. Of a pair each text has its
own, and there is what both have in common.
"""

import dataclasses
import time
from collections.abc import Iterable, Mapping, Sequence
from itertools import compress
from typing import Any

import numpy as np

from finetune import eval_results, evaluation, metrics, outputs
from finetune.check.findings import as_text
from finetune.errors import UserError
from finetune.log import LOGGER, duration
from finetune.multilabel import scores as scoring
from finetune.multilabel import thresholds
from finetune.multilabel.names import finder
from finetune.multilabel.report import written
from finetune.predictor import Predictions
from finetune.preflight import Prepared
from finetune.task_kind import TaskKind, number

MOST_ROWS = 100_000  # that it is trained on
_INVERSE_PENALTY = 10.0  # of the weights' squares: C of scikit-learn
_PENALTY = 10.0  # the same of a regression
_FEATURES = 300_000  # of each kind, the most frequent
_OFTEN = 100  # rows, from which a feature has to be in two of them
_LONGEST = 5000  # characters of a text that are read; 512 tokens have 2,500
_LEAST = 1e-7  # of a probability, in the loss


@dataclasses.dataclass(frozen=True)
class Scored:
    """The baseline's answers on dev.

    Attributes:
        answers: float32[N, L], probabilities; of a regression the scores, L = 1.
        scores: as they are written.
    """

    answers: np.ndarray
    scores: Mapping[str, float]

    def compare(self, truth: np.ndarray, answers: np.ndarray, scores: Mapping[str, float]
                ) -> str | None:
        """Logs BERT's scores of dev beside the baseline's, and how sure the difference is.

        Args:
            truth: int32[N] label ids, float32[N] scores, or uint8[N, L] of a multi-label task.
            answers: BERT's, as `answers` here.
            scores: BERT's.

        Returns:
            How sure the difference is; None of a regression.
        """
        told = ", ".join(f"{name} {scores[name]:.4f} and {value:.4f}"
                         for name, value in self.scores.items() if name in scores)
        LOGGER.info("BERT and the baseline on dev: %s", told)
        if answers.shape[1] == 1:
            return None
        ours, theirs = (_right(one, truth) for one in (answers, self.answers))
        better, worse = int((ours & ~theirs).sum()), int((theirs & ~ours).sum())
        verdict = (f"BERT alone is right in {better} rows, the baseline alone in {worse}: "
                   f"{_verdict(better, worse)}")
        LOGGER.info("%s", verdict)
        return verdict


def _right(answers: np.ndarray, truth: np.ndarray) -> np.ndarray:
    """Returns bool[N], the rows answered rightly; of a multi-label task with all their labels."""
    if truth.ndim == 1:
        return answers.argmax(1) == truth
    return (scoring.chosen(answers) == truth.astype(bool)).all(1)


def _verdict(better: int, worse: int) -> str:
    """Says whether chance can explain that one is right where the other is wrong (a sign test)."""
    from scipy import stats

    if better + worse and stats.binomtest(better, better + worse).pvalue < 0.05:
        return "BERT is better" if better > worse else "the baseline is better"
    return "so small a difference can be chance"


def run(prepared: Prepared, others: Mapping[str, Sequence[Any]]) -> Scored:
    """Trains and scores the baseline, and writes baseline_results.txt.

    Args:
        others: train or dev, where the run itself does not need it.
    """
    began = time.monotonic()
    train, dev = ({**others, **prepared.examples}[split] for split in ("train", "dev"))
    labels, seed = prepared.labels, prepared.config.seed
    rows = np.zeros(len(train), bool)
    rows[np.random.default_rng(seed).permutation(len(train))[:MOST_ROWS]] = True
    answers = fitted_answers(lambda: compress(train, rows), dev, labels, seed)
    truth = targets(dev, labels)
    scores = _write(prepared, truth, answers)
    kind = "logistic" if answers.shape[1] > 1 else "ridge"
    LOGGER.info("baseline: TF-IDF and %s regression, %s of %s rows, %s; dev %s", kind,
                f"{rows.sum():,}", f"{len(train):,}", duration(time.monotonic() - began),
                " ".join(f"{name} {value:.4f}" for name, value in scores.items()))
    return Scored(answers, scores)


def targets(examples: Iterable[Any], labels: Sequence[str]) -> np.ndarray:
    """Returns int32[N], the ids of the labels, or float32[N], the scores of a regression.

    Of a multi-label task uint8[N, L], 1 for each label that a row has.
    """
    kind, ids = TaskKind.of(labels), {label: code for code, label in enumerate(labels)}
    if kind is TaskKind.MULTILABEL:
        find = finder(ids, labels.separator)
        places = np.arange(len(labels))
        return np.array([np.isin(places, find(row.label)) for row in examples], np.uint8)
    find = number if kind is TaskKind.REGRESSION else ids.__getitem__
    return np.array([find(str(row.label)) for row in examples], kind.label_type)


def fitted_answers(train: Any, dev: Iterable[Any], labels: Sequence[str], seed: int) -> np.ndarray:
    """Trains on some examples and answers others; the same every time.

    Args:
        train: called for the examples, more than once.
        dev: examples that can be gone through more than once.

    Returns:
        float32[N, L], probabilities of the labels; of a regression the scores, L = 1.
    """
    from sklearn.linear_model import Ridge

    truth, features = targets(train(), labels), _Features()
    known, asked = features.fit(train), features.of(dev)
    if TaskKind.of(labels) is TaskKind.REGRESSION:
        model = Ridge(alpha=_PENALTY, random_state=seed).fit(known, truth)
        return model.predict(asked).astype(np.float32).reshape(-1, 1)
    answers = np.zeros((asked.shape[0], len(labels)), np.float32)
    if truth.ndim == 2:
        for label, has in enumerate(truth.T):
            answers[:, label] = has[0] if np.ptp(has) == 0 else _logistic(seed).fit(
                known, has).predict_proba(asked)[:, 1]
        return answers
    present = np.unique(truth)
    if len(present) == 1:  # nothing to learn from
        answers[:, present] = 1
        return answers
    if len(present) == 2:
        answers[:, present] = _logistic(seed).fit(known, truth).predict_proba(asked)
        return answers
    # One label against the rest, in the dual: 50 labels in 13 s, where all at once took 109 s. One
    # after the other: the weights of a thousand labels, 5 MB and more each, would not fit.
    each = np.stack([_logistic(seed).fit(known, truth == label).predict_proba(asked)[:, 1]
                     for label in present], 1)
    answers[:, present] = each / each.sum(1, keepdims=True)
    return answers


def _logistic(seed: int) -> Any:
    from sklearn.linear_model import LogisticRegression

    return LogisticRegression(C=_INVERSE_PENALTY, solver="liblinear", dual=True, max_iter=1000,
                              random_state=seed)


class _Features:
    """Texts -> TF-IDF, of the words of the rows that it was fitted to."""

    def __init__(self):
        self._kinds: list[Any] = []
        self._pairs = False

    def fit(self, examples: Any) -> Any:
        """Learns the words of examples and returns their features."""
        from sklearn.feature_extraction.text import TfidfVectorizer

        self._pairs = any(row.text_b for row in examples())
        least = 2 if sum(1 for _ in examples()) >= _OFTEN else 1
        for kind in ({"ngram_range": (1, 2), "token_pattern": r"(?u)\w+|[^\w\s]"},
                     {"ngram_range": (2, 4), "analyzer": "char_wb"}):
            made = TfidfVectorizer(sublinear_tf=True, min_df=least, max_features=_FEATURES, **kind)
            try:
                made.fit(text for row in examples() for text in self._texts(row))
            except ValueError as error:  # of names, for example, no word is in two rows
                if hasattr(error, "problems"):  # a DataError: the file has changed
                    raise
                continue
            self._kinds.append(made)
        if not self._kinds:
            raise UserError("--baseline: the texts of the training split have nothing in common, "
                            "or are empty: see whether --text_column names the right columns")
        return self.of(examples())

    def _texts(self, row: Any) -> list[str]:
        texts = (row.text_a, row.text_b) if self._pairs else (row.text_a,)
        return [as_text(text)[:_LONGEST] for text in texts]

    def of(self, examples: Iterable[Any]) -> Any:
        """Returns the features of examples, a sparse [N, features]."""
        from scipy import sparse

        columns = list(zip(*map(self._texts, examples), strict=True))
        parts = []
        for kind in self._kinds:
            sides = [kind.transform(texts) for texts in columns]
            parts += sides
            if self._pairs:
                common = sides[0].multiply(sides[1])
                parts += [common, sparse.csr_matrix(common.sum(1))]
        return sparse.hstack(parts, "csr")


def _write(prepared: Prepared, truth: np.ndarray, answers: np.ndarray) -> dict[str, float]:
    """Writes baseline_results.txt and returns the scores of the split as a whole."""
    labels, config = prepared.labels, prepared.config
    if truth.ndim == 2:
        return _write_many(prepared, truth, answers)
    if answers.shape[1] == 1:
        losses = (answers[:, 0] - truth) ** 2
        first, classes = metrics.original_losses(losses, config.eval_batch_size), []
    else:
        losses = -np.log(np.maximum(answers[np.arange(len(truth)), truth], _LEAST))
        predicted = answers.argmax(1)
        first = metrics.original(truth, predicted, losses, config.eval_batch_size)
        classes = metrics.per_class(truth, predicted, labels)
    scores = evaluation.of(labels).scores(truth, Predictions(answers, losses))
    ours = {key: value for key, value in scores.items() if key not in ("accuracy", "loss")}
    eval_results.write(config.output_dir, first, None, ours, classes, labels if classes else [],
                       outputs.BASELINE)
    return {key: value for key, value in scores.items() if key != "loss"}


def _write_many(prepared: Prepared, truth: np.ndarray, answers: np.ndarray) -> dict[str, float]:
    """Writes the baseline_results.txt of a multi-label task; thresholds are fitted to dev, too."""
    labels, config = prepared.labels, prepared.config
    likely = np.where(truth, answers, 1 - answers)
    losses = -np.log(np.maximum(likely, _LEAST)).mean(1)
    scores = evaluation.of(labels).scores(truth, Predictions(answers, losses))
    ours, classes = written(truth, answers, thresholds.fit(truth, answers), scores)
    first = {"eval_accuracy": np.float32(scores["accuracy"]),
             **metrics.original_losses(losses, config.eval_batch_size)}
    eval_results.write(config.output_dir, first, None, ours, classes, labels, outputs.BASELINE)
    return {key: value for key, value in scores.items() if key != "loss"}
