"""Sections of a multi-label classifier: scores, labels, the rows it gets wrong.

Scores are told at 0.5 and at the fitted thresholds, which predictions use; rows at the latter.
"""

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
    """The metrics of the split, at 0.5 and at the fitted thresholds."""
    fitted = scoring.of_choice(facts.truth, facts.given)
    return Section("Scores on dev", "How well the model finds the labels of rows; 1 is perfect, "
                   "but of loss less is better.", joined([
        shared.scores(facts, "at 0.5", {"fitted": fitted}),
        paragraph("At 0.5: a row is given the labels whose probability is 0.5 or more. Fitted: "
                  "each label has a threshold of its own, that of its best F1 on these very rows, "
                  "so that the scores flatter. ",
                  element("b", "Predictions use the fitted thresholds"),
                  f", those of {outputs.THRESHOLDS}.")]))


def labels(facts: Facts) -> Section:
    """Precision, recall, F1 and support of every label; of very many the worst."""
    half, fitted = (scoring.per_label(facts.truth, given) for given in
                    (scoring.chosen(facts.answers), facts.given))
    order = sorted(range(len(half)), key=lambda one: (not half[one]["support"], half[one]["f1"]))
    shown = sorted(order[:_MOST_LABELS])
    more = paragraph(f"The {_MOST_LABELS} labels with the lowest F1 of {len(half):,}; all are in "
                     f"{outputs.EVAL_RESULTS}.", note=True) if len(half) > len(shown) else ""
    measured = ("precision", "recall", "f1")
    return Section("By label", f"{shared.BY_LABEL} Predictions use the fitted threshold.", joined([
        table("Scores of each label, at 0.5 and at its fitted threshold",
              ["label", "rows", "precision at 0.5", "recall at 0.5", "F1 at 0.5",
               "fitted threshold", "precision fitted", "recall fitted", "F1 fitted"],
              [[name(facts.labels[one]), int(half[one]["support"]),
                *(half[one][key] for key in measured), float(facts.thresholds[one]),
                *(fitted[one][key] for key in measured)] for one in shown]), more]))


def highest_losses(facts: Facts) -> Section:
    """The rows with the highest loss, and which labels are missed or too many."""
    right = _all_right(facts)

    def cells(row: int) -> list[object]:
        truth, given = facts.truth[row] > 0, facts.given[row]
        return [float(facts.losses[row]), shared.answer_cell(right[row]),
                _names(facts, row, truth & ~given), _names(facts, row, given & ~truth),
                _names(facts, row, truth & given)]

    return Section("Highest loss", shared.hardest_lead(facts, right), row_tables.shown(
        "Rows with the highest loss; behind a label its probability, which gives it to the row "
        "from its fitted threshold on",
        ["loss", "answer", "missed", "wrongly given", "rightly given"],
        [(facts.rows[row], cells(row)) for row in shared.hardest(facts)]))


def _names(facts: Facts, row: int, chosen: np.ndarray) -> Markup:
    ids = np.flatnonzero(chosen)
    parts = [joined([name(facts.labels[one]), f" {facts.answers[row, one]:.2f}"])
             for one in ids[:_MOST_NAMES].tolist()]
    more = [f"and {len(ids) - _MOST_NAMES:,} more"] if len(ids) > _MOST_NAMES else []
    return joined([element("span", one) for one in [*parts, *more]], Markup(",<br>"))


def lengths(facts: Facts) -> Section:
    """The share of rows with all labels right, by length in tokens, rows that were cut apart."""
    return shared.lengths(facts, "Errors by length", _all_right(facts),
                          {"all labels right, at fitted thresholds": lambda group: group.value})


def _all_right(facts: Facts) -> np.ndarray:
    """Returns bool[N], whether a row is given exactly its labels."""
    return ((facts.truth > 0) == facts.given).all(1)
