"""Sections of a multi-label classifier: scores, labels, the rows it gets wrong; given from 0.5."""

import numpy as np

from finetune import outputs
from finetune.multilabel import scores as scoring
from finetune.report import rows as row_tables
from finetune.report import shared
from finetune.report.facts import Facts
from finetune.report.markup import Markup, Section, element, joined, name, paragraph, table

_MOST_LABELS = 100  # in the table of labels
_MOST_NAMES = 10  # labels of a row


def scores(facts: Facts) -> Section:
    """The metrics of the split."""
    rows = len(facts.truth)
    return Section("Scores on dev", joined([
        table(f"{rows:,} rows, at step {facts.step:,}", ["metric", "value"],
              [[metric, float(value)] for metric, value in facts.scores.items()]),
        paragraph("A label is given from a probability of 0.5 on; what fitted thresholds make of "
                  f"it is in {outputs.EVAL_RESULTS} and {outputs.THRESHOLDS}.", note=True)]))


def labels(facts: Facts) -> Section:
    """Precision, recall, F1 and support of every label; of very many the worst."""
    found = scoring.per_label(facts.truth, scoring.chosen(facts.answers))
    order = sorted(range(len(found)), key=lambda one: (not found[one]["support"], found[one]["f1"]))
    shown = sorted(order[:_MOST_LABELS])
    more = paragraph(f"The {_MOST_LABELS} labels with the lowest F1 of {len(found):,}; all are in "
                     f"{outputs.EVAL_RESULTS}.", note=True) if len(found) > len(shown) else ""
    return Section("By label", joined([table(
        "Scores of each label", ["label", "precision", "recall", "F1", "rows"],
        [[name(facts.labels[one]), *(found[one][key] for key in ("precision", "recall", "f1")),
          int(found[one]["support"])] for one in shown]), more]))


def highest_losses(facts: Facts) -> Section:
    """The rows with the highest loss, and which labels are missed or too many."""
    def cells(row: int) -> list[object]:
        truth, given = facts.truth[row] > 0, scoring.chosen(facts.answers[row:row + 1])[0] > 0
        return [float(facts.losses[row]), _names(facts, row, truth & ~given),
                _names(facts, row, given & ~truth), _names(facts, row, truth & given)]

    return Section("Highest loss", row_tables.shown(
        "Rows with the highest loss; behind a label its probability",
        ["loss", "missed", "wrongly given", "rightly given"],
        [(facts.rows[row], cells(row)) for row in shared.hardest(facts)]))


def _names(facts: Facts, row: int, chosen: np.ndarray) -> Markup:
    ids = np.flatnonzero(chosen)
    parts = [joined([name(facts.labels[one]), f" {facts.answers[row, one]:.2f}"])
             for one in ids[:_MOST_NAMES].tolist()]
    more = [f"and {len(ids) - _MOST_NAMES:,} more"] if len(ids) > _MOST_NAMES else []
    return joined([element("span", one) for one in [*parts, *more]], Markup(",<br>"))


def lengths(facts: Facts) -> Section:
    """The share of rows with all labels right, by length in tokens, rows that were cut apart."""
    right = ((facts.truth > 0) == (scoring.chosen(facts.answers) > 0)).all(1)
    return shared.lengths(facts, "Errors by length", right,
                          {"all labels right": lambda group: group.value})
