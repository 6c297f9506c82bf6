"""Sections of a regression: scores, truth against prediction, residuals, the worst rows."""

import numpy as np

from finetune.report import charts, shared
from finetune.report import rows as row_tables
from finetune.report.facts import Facts
from finetune.report.markup import Section, element, folded, joined, paragraph, table

_MOST_POINTS, _BARS = 1000, 20


def scores(facts: Facts) -> Section:
    """The metrics of the split."""
    return Section("Scores on dev", "How near the model's predictions are to the true scores; "
                   "correlations are best at 1, errors at 0.",
                   shared.scores(facts))


def predictions(facts: Facts) -> Section:
    """Truth against prediction; of very many rows every so manyth."""
    every = -(-len(facts.truth) // _MOST_POINTS)
    drawn = charts.scatter("Truth against prediction", "truth", "predicted", facts.truth[::every],
                           facts.answers[::every, 0])
    note = [paragraph(f"Drawn is one row of {every:,}.", note=True)] if every > 1 else []
    return Section("Predictions", "A dot is a dev row: the nearer to the dashed diagonal, the "
                   "better its prediction.",
                   joined([element("div", drawn, class_="charts"), *note]))


def residuals(facts: Facts) -> Section:
    """How far predictions lie from the truth, and on which side."""
    apart = facts.answers[:, 0].astype(np.float64) - facts.truth
    counts, edges = np.histogram(apart, _BARS)
    rows = [[f"{low:.4g} to {high:.4g}", int(count)]
            for count, low, high in zip(counts, edges[:-1], edges[1:], strict=True) if count]
    return Section("Residuals", "How far predictions lie from the truth: right of 0 those that are "
                   "too high, left of it those that are too low.", joined([
        element("div", charts.histogram("Prediction minus truth", "prediction minus truth", counts,
                                        edges), class_="charts"),
        paragraph(f"Mean {apart.mean():.4g}: predictions are "
                  f"{'too high' if apart.mean() > 0 else 'too low'} on the whole. Half of the rows "
                  f"lie within {np.median(np.abs(apart)):.4g} of the truth."),
        folded("The bars, as a table", table("Prediction minus truth", ["between", "rows"],
                                             rows))]))


def highest_losses(facts: Facts) -> Section:
    """The rows with the highest loss."""
    return Section("Highest loss", shared.hardest_lead(facts), row_tables.shown(
        "Rows with the highest loss, the squared error", ["loss", "truth", "predicted"],
        [(facts.rows[row], [float(facts.losses[row]), float(facts.truth[row]),
                            float(facts.answers[row, 0])]) for row in shared.hardest(facts)]))


def lengths(facts: Facts) -> Section:
    """The error by length in tokens, rows that were cut apart."""
    return shared.lengths(facts, "Errors by length", np.abs(facts.answers[:, 0] - facts.truth),
                          {"mean absolute error": lambda group: group.value})
