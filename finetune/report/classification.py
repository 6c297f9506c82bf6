"""Sections of a classifier: scores, labels, confusion, calibration, and the rows it gets wrong."""

import numpy as np

from finetune import calibration, metrics, outputs
from finetune.confidence.threshold import wilson
from finetune.report import charts, shared
from finetune.report import rows as row_tables
from finetune.report.accuracy import Group
from finetune.report.facts import Facts
from finetune.report.markup import (
    Markup,
    Section,
    element,
    folded,
    joined,
    name,
    number,
    paragraph,
    table,
)

_MOST_LABELS = 100  # in the table of labels
_MOST_MATRIX = 25  # labels of a matrix that is shown whole
_MOST_PAIRS = 30
_CONFUSION = "Which labels the model takes for which others, in numbers of rows."


def scores(facts: Facts) -> Section:
    """The metrics of the split."""
    rows = len(facts.truth)
    right = int((facts.predicted == facts.truth).sum())
    low, high = wilson(right, rows)
    return Section("Scores on dev", "How well the model predicts the labels of rows; 1 is perfect, "
                   "but of loss less is better.", joined([
        shared.scores(facts),
        paragraph(f"{right:,} of {rows:,} rows are right. So many rows leave the accuracy on rows "
                  f"of their kind between {low:.3f} and {high:.3f} (95 % interval, Wilson).")]))


def labels(facts: Facts) -> Section:
    """Precision, recall, F1 and support of every label; of very many the worst."""
    found = metrics.per_class(facts.truth, facts.predicted, facts.labels)
    order = range(len(found))
    note = []
    if len(found) > _MOST_LABELS:
        order = sorted(order, key=lambda one: (not found[one]["support"], found[one]["f1"])
                       )[:_MOST_LABELS]
        note = [paragraph(f"The {_MOST_LABELS} labels with the lowest F1 of {len(found):,}; all "
                          f"are in {outputs.EVAL_RESULTS}.", note=True)]
    return Section("By label", shared.BY_LABEL, joined([table(
        "Scores of each label", ["label", "precision", "recall", "F1", "rows"],
        [[name(facts.labels[one]), *(found[one][key] for key in
                                     ("precision", "recall", "f1", "support"))]
         for one in order]), *note]))


def confusion(facts: Facts) -> Section:
    """The confusion matrix as a heat map, or of many labels the pairs that are confused most."""
    matrix = metrics.confusion_matrix(facts.truth, facts.predicted, len(facts.labels))
    pairs = matrix * (1 - np.eye(len(matrix), dtype=matrix.dtype))
    order = np.argsort(-pairs, axis=None, kind="stable")[:_MOST_PAIRS]
    worst = [divmod(int(one), len(matrix)) for one in order if pairs.flat[one]]
    confused = table("Confused most often", ["truth", "predicted", "rows", "of the label's rows"], [
        [name(facts.labels[truth]), name(facts.labels[predicted]),
         int(matrix[truth, predicted]), f"{matrix[truth, predicted] / matrix[truth].sum():.1%}"]
        for truth, predicted in worst]) if worst else paragraph("No row is wrong.")
    if len(matrix) <= _MOST_MATRIX:
        return Section("Confusion", _CONFUSION, joined([
            _heat_map(matrix, facts.labels), folded("The pairs in their order", confused)]))
    return Section("Confusion", _CONFUSION, joined([confused, paragraph(
        f"The matrix of {len(matrix):,} labels is in {outputs.CONFUSION}.", note=True)]))


def _heat_map(matrix: np.ndarray, names: list[str]) -> Markup:
    shares = matrix / np.maximum(matrix.sum(1, keepdims=True), 1)
    rows = [[name(label, 30), *(
        element("td", f"{count:,}", class_="n heat" + " wrong" * (at != place),
                style=f"--share:{share:.3f}", title=f"{share:.1%} of the row")
        for place, (count, share) in enumerate(zip(counts.tolist(), row.tolist(), strict=True)))]
        for at, (label, counts, row) in enumerate(zip(names, matrix, shares, strict=True))]
    return joined([
        table("Confusion matrix: a row for each true label, a column for each predicted one",
              ["truth \\ predicted", *(name(label, 30) for label in names)], rows),
        paragraph("The darker, the larger the share of the true label's rows; right answers are "
                  "blue, wrong ones orange.", note=True)])


def confidence(facts: Facts) -> Section:
    """The reliability diagram and the expected calibration error."""
    bins = calibration.reliability(facts.answers, facts.truth)
    error = calibration.expected_calibration_error(bins)
    size, mean = len(bins.counts), float(facts.answers.max(1).mean(dtype=np.float64))
    right = float(np.mean(facts.predicted == facts.truth))
    rows = [[f"{place / size:.2f} to {(place + 1) / size:.2f}", int(count), float(sure),
             float(share)] for place, (count, sure, share) in enumerate(zip(
                 bins.counts, bins.confidence, bins.accuracy, strict=True)) if count]
    return Section("Confidence", "Whether the model is as sure as it is right: of rows that it "
                   "answers with a confidence of 0.9, nine of ten should be right.", joined([
        paragraph("Expected calibration error: ", element("b", number(error)), f". Mean confidence "
                  f"is {mean:.3f}, accuracy {right:.3f}: on these rows the model is "
                  f"{'surer than it is right' if mean > right else 'right more often than sure'}."),
        element("div", charts.reliability("Reliability diagram", bins), class_="charts"),
        paragraph(f"Rows are put into {size} bins by their confidence, the probability of the "
                  "predicted label. The error is the mean distance between confidence and "
                  "accuracy in a bin, weighted by its rows (Guo et al. 2017). Bins of few rows say "
                  "little, and make the error larger than it is.", note=True),
        folded("The bins, as a table", table(
            "Bins that hold rows", ["confidence", "rows", "mean confidence", "accuracy"], rows))]))


def highest_losses(facts: Facts) -> Section:
    """The rows with the highest loss."""
    def cells(row: int) -> list[object]:
        truth, predicted = int(facts.truth[row]), int(facts.predicted[row])
        return [float(facts.losses[row]), shared.answer_cell(truth == predicted),
                name(facts.labels[truth]), name(facts.labels[predicted]),
                float(facts.answers[row, truth]), float(facts.answers[row, predicted])]

    lead = shared.hardest_lead(facts, facts.predicted == facts.truth)
    return Section("Highest loss", lead, row_tables.shown(
        "Rows with the highest loss; p is the probability of a label",
        ["loss", "answer", "label", "predicted", "p(label)", "p(predicted)"],
        [(facts.rows[row], cells(row)) for row in shared.hardest(facts)]))


def likely_label_errors(facts: Facts) -> Section:
    """Rows whose label is likely wrong, by confident learning."""
    found = facts.label_errors
    parts = [paragraph(
        "Look at them: some are wrong labels, some the model's mistakes. The rule is that of "
        "confident learning (Northcutt et al. 2021): the threshold of a label is the mean of its "
        "probability over the rows that have it; a row is named if, among the labels whose "
        "probability reaches their threshold, the likeliest is not its own. The first rows "
        "are those where its probability lies furthest above that of the row's own label.",
        note=True)]
    if len(found.rows):
        shown = list(zip(found.rows.tolist(), found.suggested.tolist(), strict=True)
                     )[:row_tables.MOST]
        parts.append(row_tables.shown(
            f"Likely label errors, {len(shown):,} of {len(found.rows):,}",
            ["label", "suggested", "p(label)", "p(suggested)"],
            [(facts.rows[row], [
                name(facts.labels[facts.truth[row]]), name(facts.labels[other]),
                float(facts.answers[row, facts.truth[row]]), float(facts.answers[row, other])])
             for row, other in shown]))
    if len(facts.labels) <= _MOST_LABELS:
        parts.append(folded("The thresholds", table("Thresholds", ["label", "threshold"], [
            [name(label), "no rows" if np.isnan(value) else float(value)]
            for label, value in zip(facts.labels, found.thresholds, strict=True)])))
    return Section(
        "Likely label errors", f"{len(found.rows):,} of {len(facts.truth):,} dev rows may have a "
        "wrong label: the model gives another one more than it "
        "gives that label's own rows on average. The columns p say how sure it is.",
        joined(parts))


def lengths(facts: Facts) -> Section:
    """Accuracy by length in tokens, rows that were cut apart."""
    def sure(group: Group) -> str:
        low, high = wilson(round(group.value * group.rows), group.rows)
        return f"{low:.3f} to {high:.3f}"

    return shared.lengths(facts, "Errors by length", facts.predicted == facts.truth,
                          {"accuracy": lambda group: group.value, "95 % interval": sure})


def shown_rows(facts: Facts) -> list[int]:
    """Returns the numbers of the rows that the sections show."""
    errors = facts.label_errors.rows[:row_tables.MOST]
    return [*shared.hardest(facts), *errors.tolist()]
