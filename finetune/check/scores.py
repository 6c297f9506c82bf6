"""What the scores of a regression look like."""

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from finetune.check.findings import Finding, Severity, samples, share
from finetune.check.survey import Survey

_SAME = 0.9  # of the rows with one score
_FAR = 0.25  # of train's standard deviation, between the means
_SHORTCUT = 0.4  # rank correlation of length and score
_BINS = 10


def distribution(scores: np.ndarray) -> dict[str, Any]:
    """Returns smallest, mean, middle and largest of float[N], and how many lie in each tenth."""
    counts, edges = np.histogram(scores, _BINS)
    return {"min": float(scores.min()), "mean": float(scores.mean()),
            "median": float(np.median(scores)), "max": float(scores.max()),
            "deviation": float(scores.std()),
            "histogram": {"edges": edges.tolist(), "counts": counts.tolist()}}


def known(survey: Survey) -> np.ndarray:
    """Returns the scores of the rows that have one."""
    return survey.labels[~np.isnan(survey.labels)]


def findings(surveys: Mapping[str, Survey]) -> Iterator[Finding]:
    """Yields what the scores of train and dev show."""
    train, dev = surveys.get("train"), surveys.get("dev")
    if not (train and known(train).size):  # without scores, a run refuses it
        return
    yield _spread(train)
    yield from _by_length(train)
    if dev and known(dev).size:
        yield from _outside(train, dev)
        yield from _shifted(train, dev)


def _spread(train: Survey) -> Finding:
    scores = known(train)
    values, counts = np.unique(scores, return_counts=True)
    most, top = int(counts.max()), float(values[counts.argmax()])
    severity = (Severity.PROBLEM if len(values) == 1 else
                Severity.LOOK if most >= _SAME * scores.size else Severity.FINE)
    return Finding("spread", severity, "train",
                   f"{len(values):,} different scores from {values[0]:g} to {values[-1]:g}, mean "
                   f"{scores.mean():.4g}; {share(most, scores.size)} have {top:g}", most,
                   scores.size)


def _outside(train: Survey, dev: Survey) -> Iterator[Finding]:
    scores = known(train)
    rows = np.flatnonzero((dev.labels < scores.min()) | (dev.labels > scores.max()))
    if rows.size:
        yield Finding("outside", Severity.LOOK, "dev",
                      f"{share(rows.size, dev.rows)} have a score outside of train's, "
                      f"{scores.min():g} to {scores.max():g}", rows.size, dev.rows,
                      samples=samples("dev", rows))


def _shifted(train: Survey, dev: Survey) -> Iterator[Finding]:
    one, other = known(train), known(dev)
    apart = abs(float(one.mean() - other.mean()))
    chance = (one.var() / one.size + other.var() / other.size) ** 0.5
    if apart > max(_FAR * one.std(), 4 * chance):
        yield Finding("label_shift", Severity.LOOK, "dev",
                      f"the mean score is {other.mean():.4g}, and {one.mean():.4g} in train",
                      dev.rows, dev.rows)


def _by_length(train: Survey) -> Iterator[Finding]:
    from scipy import stats  # takes its time to import

    there = ~np.isnan(train.labels)
    lengths, scores = train.tokens[there], train.labels[there]
    if there.sum() < 100 or not np.ptp(lengths) or not np.ptp(scores):
        return
    correlation = float(stats.spearmanr(lengths, scores).statistic)
    if abs(correlation) >= _SHORTCUT:
        yield Finding("length", Severity.LOOK, "train",
                      "the length of a text alone tells its score: rank correlation "
                      f"{correlation:.2f}", train.rows, train.rows,
                      details={"spearman": correlation})
