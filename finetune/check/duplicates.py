"""Rows that are there twice: within a split, in two splits, and with two labels."""

from collections.abc import Iterator, Mapping

import numpy as np

from finetune.check.findings import Finding, Severity, doubles, graded, share
from finetune.check.survey import Survey

LEAKS = (("train", "dev"), ("train", "test"), ("dev", "test"))


def first_alike(keys: np.ndarray) -> np.ndarray:
    """Returns int64[N], the first row with the same key as each.

    >>> first_alike(np.array([7, 9, 7]))
    array([0, 1, 0])
    """
    _, first, place = np.unique(keys, return_index=True, return_inverse=True)
    return first[place]


def findings(surveys: Mapping[str, Survey], regression: bool) -> Iterator[Finding]:
    """Yields what is double in some splits; `regression`: labels are scores."""
    for survey in surveys.values():
        yield from _repeated(survey)
        if survey.split != "test":  # what stands for a label there may be a placeholder
            yield from _conflicting(survey, regression)
        yield from _row_ids(survey)
    for source, target in LEAKS:
        if source in surveys and target in surveys:
            yield from _leaked(surveys[source], surveys[target], regression)


def _repeated(survey: Survey) -> Iterator[Finding]:
    first = first_alike(survey.plain)
    rows = np.flatnonzero(first != np.arange(survey.rows))
    exact = int(np.sum(first_alike(survey.exact) != np.arange(survey.rows)))
    if rows.size:
        yield Finding(
            "duplicates", Severity.LOOK, survey.split,
            f"{share(rows.size, survey.rows)} repeat an earlier one, {exact:,} of them letter for "
            "letter", rows.size, survey.rows, details={"exact": exact},
            samples=doubles(survey.split, rows, survey.split, first[rows]))


def differ(one: np.ndarray, other: np.ndarray, tolerance: float) -> np.ndarray:
    """Returns bool[N], where both have a label, and not the same; scores: not nearly."""
    with np.errstate(invalid="ignore"):
        return np.abs(one - other) > tolerance  # False for nan


def _tolerance(survey: Survey, regression: bool) -> float:
    """A tenth of the range of the scores; two people do not give the same to a hair."""
    known = survey.labels[~np.isnan(survey.labels)]
    return 0.1 * float(np.ptp(known)) if regression and known.size else 0.0


def clashing(keys: np.ndarray, labels: np.ndarray, tolerance: float
             ) -> tuple[np.ndarray, np.ndarray, int]:
    """Finds the texts whose rows have labels further apart than a tolerance.

    Args:
        keys: int64[N], the same for rows of the same text.
        labels: float64[N]; nan: none.

    Returns:
        A row with the lowest and one with the highest label of each such text; how many rows with a
        label these texts have in all.
    """
    rows = np.flatnonzero(~np.isnan(labels))
    rows = rows[np.lexsort((labels[rows], keys[rows]))]  # text by text, from the lowest label on
    _, begins, sizes = np.unique(keys[rows], return_index=True, return_counts=True)
    lowest, highest = rows[begins], rows[begins + sizes - 1]
    apart = differ(labels[lowest], labels[highest], tolerance)
    return lowest[apart], highest[apart], int(sizes[apart].sum())


def _conflicting(survey: Survey, regression: bool) -> Iterator[Finding]:
    tolerance = _tolerance(survey, regression)
    lowest, highest, count = clashing(survey.plain, survey.labels, tolerance)
    if count:
        exact = clashing(survey.exact, survey.labels, tolerance)[2]
        later, earlier = np.maximum(lowest, highest), np.minimum(lowest, highest)
        order = np.argsort(later)
        what = "scores more than a tenth of their range apart" if regression else "different labels"
        yield Finding(
            "conflicts", graded(count, survey.rows, 0.01), survey.split,
            f"{share(count, survey.rows)} share {len(later):,} "
            f"{'text' if len(later) == 1 else 'texts'} with {what}, {exact:,} of them letter for "
            "letter", count, survey.rows, details={"texts": len(later), "exact": exact},
            samples=doubles(survey.split, later[order], survey.split, earlier[order]))


def _row_ids(survey: Survey) -> Iterator[Finding]:
    first = first_alike(survey.ids)
    rows = np.flatnonzero((first != np.arange(survey.rows)) & (survey.ids != 0))
    if rows.size:
        yield Finding("row_ids", Severity.LOOK, survey.split,
                      f"{share(rows.size, survey.rows)} have the id of an earlier one", rows.size,
                      survey.rows, samples=doubles(survey.split, rows, survey.split, first[rows]))


def _leaked(source: Survey, target: Survey, regression: bool) -> Iterator[Finding]:
    known, first = np.unique(source.plain, return_index=True)
    rows = np.flatnonzero(np.isin(target.plain, known))
    if not rows.size:
        return
    there = first[np.searchsorted(known, target.plain[rows])]
    exact = int(np.isin(target.exact[rows], source.exact).sum())
    text = (f"{share(rows.size, target.rows)} are in {source.split} too, {exact:,} of them letter "
            "for letter")
    details = {"source": source.split, "exact": exact}
    if target.split != "test":
        other = int(differ(target.labels[rows], source.labels[there],
                           _tolerance(source, regression)).sum())
        text += f"; {other:,} with another {'score' if regression else 'label'}"
        details["other_label"] = other
    yield Finding("leakage", graded(rows.size, target.rows, 0.01), target.split, text, rows.size,
                  target.rows, details=details,
                  samples=doubles(target.split, rows, source.split, there))
