"""Sections of every kind of task: curves, findings of the check, baseline, the run, its files."""

import os
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import tensorflow as tf

from finetune import outputs
from finetune.metrics import LOWER_IS_BETTER
from finetune.report import accuracy, charts
from finetune.report import rows as row_tables
from finetune.report.accuracy import Group
from finetune.report.curves import Curve
from finetune.report.facts import Facts
from finetune.report.markup import (
    Markup,
    Section,
    element,
    folded,
    joined,
    paragraph,
    shortened,
    table,
)

_MOST_RUNS, _MOST_FINDINGS, _MOST_POINTS = 20, 60, 40
_LONGEST_COMMAND, _LONGEST_FINDING = 20_000, 500
_SEVERITIES = ("problem", "worth a look")
# What else lies in the folder, in the order of reading, and the flag of the run that writes it.
_FILES = (
    (outputs.EVAL_RESULTS, "all scores, by label too", "do_eval"),
    (outputs.CONFUSION, "the confusion matrix", None),
    (outputs.PREDICTIONS, "the test split: prediction and probabilities of each row", "do_predict"),
    (outputs.TEST_RESULTS, "the same probabilities as google-research/bert writes them",
     "do_predict"),
    (outputs.EXPLANATIONS_PAGE, "what each word of test rows adds to the answer", "do_explain"),
    (outputs.DATA_CHECK, "what --do_check found", "do_check"),
    (outputs.BASELINE, "scores of the simple model", "baseline"),
    (f"{outputs.EXPORT}/README.md", "the model card of the exported classifier", "do_export"),
    (outputs.LABELS, "the labels in the order of their ids", None),
    (outputs.RUN_CONFIG, "the flags of the training; --config reads them", None),
    (outputs.RUNS, "every run in this folder: command, versions, data hashes", None),
    (outputs.LOG, "what was shown", None))


BY_LABEL = ("How well the model finds each label: precision is the share of right ones among the "
            "rows that it gives the label, recall the share that it finds of the rows that have "
            "it, F1 their harmonic mean.")
METRICS = {  # what they mean
    "accuracy": "share of rows with the right answer",
    "precision": "share of right ones among the rows given the second label",
    "recall": "share that is found of the rows that have the second label",
    "f1": "harmonic mean of precision and recall",
    "f1_macro": "mean of the labels' F1, rare labels counting as much as frequent ones",
    "f1_micro": "F1 of all decisions together, one for each row and label",
    "mcc": "Matthews correlation of truth and prediction; 0 is no better than chance",
    "average_precision": "how well each label's probability puts the rows that have it first",
    "roc_auc": "how often a row that has a label gets more probability for it than one without",
    "pearson": "correlation of truth and prediction",
    "spearman": "correlation of their ranks",
    "pearson_spearman": "mean of these two correlations",
    "mse": "mean squared error",
    "mae": "mean absolute error",
    "loss": "what training makes small; less is better"}


def scores(facts: Facts, value: str = "value",
           more: Mapping[str, Mapping[str, float]] | None = None) -> Markup:
    """The metrics of the split, and what they mean.

    Args:
        value: heading of their values.
        more: other values by their heading, then by metric.
    """
    more = more or {}
    meaning = {**METRICS, "accuracy": "share of rows with exactly the right labels"} if (
        facts.truth.ndim == 2) else METRICS
    return table(f"{len(facts.truth):,} rows, at step {facts.step:,}",
                 ["metric", value, *more, "meaning"],
                 [[metric, float(found), *(other.get(metric, "") for other in more.values()),
                   meaning.get(metric, "")] for metric, found in facts.scores.items()], "stack")


def curves(facts: Facts) -> Section | None:
    """Training loss, learning rate, and dev where it was evaluated during training."""
    found, metric = facts.folder.curves, facts.best_metric
    if "loss" not in found:
        return None
    best = {} if metric == "loss" else {metric: f"dev/{metric}"}
    drawn = [*_drawn("Loss", found, {"train": "loss", "dev": "dev/loss"}),
             *_drawn(f"{metric} on dev", found, best),
             *_drawn("Learning rate", found, {"learning rate": "learning_rate"})]
    evaluated = [tag for tag in found if tag.startswith("dev/")]
    told = [paragraph("Train is the mean loss of the last --log_every_steps steps, with dropout; "
                      "dev is without it, so that the two are not quite of a kind."
                      if "dev/loss" in found else "The loss of a step is the mean of the last "
                      "--log_every_steps steps, with dropout.", note=True)]
    if os.path.normpath(facts.folder.trained_in) != os.path.normpath(facts.config.output_dir):
        told.append(paragraph("Trained in ", element("code", facts.folder.trained_in), ".",
                              note=True))
    if evaluated:
        steps = found[evaluated[0]].thinned(_MOST_POINTS).steps.tolist()
        rows = [[step, *(_at(found[tag], step) for tag in evaluated)] for step in steps]
        told.append(folded("Dev during training, as a table", table(
            "Dev during training", ["step", *(tag[4:] for tag in evaluated)], rows)))
    told.append(folded("Training, as a table", table(
        "Training", ["step", "loss", "learning rate"],
        [[step, _at(found["loss"], step), _at(found.get("learning_rate"), step)]
         for step in found["loss"].thinned(_MOST_POINTS).steps.tolist()])))
    return Section("Training", "How the loss, which training makes small, and the learning rate, "
                   "which is how much a step changes, went from step to step.",
                   joined([element("div", *drawn, class_="charts") if drawn else paragraph(
                       "A single step was recorded, which makes no curve."), *told]))


def _drawn(title: str, found: Mapping[str, Curve], tags: Mapping[str, str]) -> list[Markup]:
    """Returns a chart of the curves of some tags; none where no curve has a second point."""
    thin = {called: found[tag].thinned() for called, tag in tags.items() if tag in found}
    if all(len(curve.steps) < 2 for curve in thin.values()):
        return []
    return [charts.lines(title, "step", "loss" if "train" in thin else next(iter(thin)), [
        charts.Line(called, curve.steps, curve.values) for called, curve in thin.items()])]


def _at(curve: Curve | None, step: int) -> float | str:
    found = np.flatnonzero(curve.steps == step) if curve else ()
    return float(curve.values[found[0]]) if len(found) else ""


def hardest(facts: Facts) -> list[int]:
    """Returns the numbers of the rows with the highest loss: those above the mean, ten at least."""
    above = int((facts.losses > facts.losses.mean(dtype=np.float64)).sum())
    most = min(max(above, 10), row_tables.MOST)
    return np.argsort(-facts.losses, kind="stable")[:most].tolist()


def hardest_lead(facts: Facts, right: np.ndarray | None = None) -> str:
    """Says what the rows with the highest loss are.

    Args:
        right: bool[N], whether a row is answered right; None where answers are neither.
    """
    rows, counted = hardest(facts), ""
    if right is not None:
        counted = f" ({(~right[rows]).sum():,} answered wrong, {right[rows].sum():,} right)"
    return (f"The {len(rows):,} of {len(facts.truth):,} dev rows whose answers are furthest from "
            f"the truth{counted}, the hardest first; wrong labels are often among them.")


def answer_cell(right: bool) -> Markup:
    """Returns a table's cell that says whether a row is answered right, in the heat map's colours.

    Its column is named "answer".
    """
    return element("td", "right" if right else "wrong", class_="heat" + " wrong" * (not right),
                   style="--share:0.4", data_of="answer")


def lengths(facts: Facts, title: str, values: np.ndarray,
            columns: Mapping[str, Callable[[Group], Any]]) -> Section:
    """Something by length in tokens, rows that may have been cut apart.

    Args:
        values: float[N], what is averaged.
        columns: what is told of each group, by its heading.
    """
    longest = facts.config.max_seq_length
    groups, full = accuracy.by_length(facts.lengths, values, longest)
    rows = [[f"{one.least} to {one.most}" if one.least < one.most else str(one.most), one.rows,
             *(cell(one) for cell in columns.values())] for one in groups]
    note = "No row was cut."
    if full:
        cut, windows = facts.truncated, facts.config.window_stride
        more = " or more" if windows else ", cut" if cut == full.rows else ""
        rows.append([f"{longest}{more}", full.rows, *(cell(full) for cell in columns.values())])
        note = (f"{full.rows:,} rows fill --max_seq_length={longest}"
                + (" or are read in several windows" * bool(windows))
                + ("; of how many something was cut off is not known." if cut is None else
                   f"; of {cut:,} of them something was cut off."))
    return Section(title, "Whether long texts are answered worse than short ones; a token is a "
                   "word or a piece of one.", joined([
        table("Rows by length", ["tokens", "rows", *columns], rows), paragraph(note, note=True)]))


def check(facts: Facts) -> Section | None:
    """What --do_check found that is not fine."""
    if facts.folder.check is None:
        return None
    findings = [one for one in facts.folder.check["findings"] if one["severity"] in _SEVERITIES]
    rows = [[one["severity"], one["title"], one["split"] or "all",
             shortened(one["text"], _LONGEST_FINDING), one["advice"]]
            for one in findings[:_MOST_FINDINGS]]
    body = table("Findings that are not fine", ["", "check", "split", "found", "what to do"],
                 rows, "rows stack") if rows else paragraph("Everything looked at was fine.")
    return Section("The data", "What to look at in the data, by --do_check.", joined([
        body, paragraph(f"From {outputs.DATA_CHECK_JSON}, as the last --do_check in this folder "
                        f"wrote it; {len(findings):,} findings that are not fine.", note=True)]))


def baseline(facts: Facts) -> Section | None:
    """The scores beside those of the simple model of --baseline."""
    other = facts.folder.baseline
    if other is None:
        return None
    rows = [[metric, float(value), other[metric], float(value) - other[metric]]
            for metric, value in facts.scores.items() if metric in other]
    if not rows:
        return None
    lower = [metric for metric in facts.scores if metric in LOWER_IS_BETTER and metric in other]
    verdict = paragraph(f"{facts.verdict} (sign test, at 5 %).") if facts.verdict else ""
    return Section("Against a simple model", "What BERT is worth: its scores beside those of a "
                   "much simpler model, a linear one of words and pieces of words.", joined([
        table("BERT and TF-IDF with a linear model, on dev" + ", at 0.5" * (facts.truth.ndim == 2),
              ["metric", "BERT", "simple model", "difference"], rows), verdict,
        paragraph(f"From {outputs.BASELINE}, as the last --baseline in this folder wrote it. "
                  + (f"Of {', '.join(lower)} less is better." if lower else ""), note=True)]))


def run(facts: Facts) -> Section:
    """Commands, versions, seeds, devices."""
    runs = facts.folder.runs[-_MOST_RUNS:]
    parts = []
    for place, one in enumerate(reversed(runs)):
        command = element("pre", element("code", shortened(str(one.get("command", "")),
                                                           _LONGEST_COMMAND)))
        versions = {"python": one.get("python"), **(one.get("versions") or {})}
        told = table("This run" if not place else "An earlier run", ["", ""], [
            ["started", str(one.get("started"))], ["seed", str(one.get("seed"))],
            ["engine", str(one.get("engine"))], ["device", str(one.get("device"))],
            ["started from", str(one.get("start") or "random weights")],
            *([f"{split} data", f"{data.get('path')}, sha256 {data.get('sha256')}"]
              for split, data in (one.get("data") or {}).items()),
            ["versions", ", ".join(f"{package} {version}" for package, version in
                                   versions.items())]])
        parts.append(joined([command, told]) if not place else
                     folded(f"Earlier run of {one.get('started')}", command, told))
    more = len(facts.folder.runs) - len(runs)
    if more:
        parts.append(paragraph(f"{more:,} earlier runs are in {outputs.RUNS}.", note=True))
    return Section("The run", "What it takes to make this run again.", joined(parts))


def files(facts: Facts) -> Section:
    """Links to what else is in the folder, or will be when the run ends."""
    config = facts.config
    items = [element("li", element("a", file, href=file), f": {about}")
             for file, about, flag in _FILES if (flag and getattr(config, flag))
             or tf.io.gfile.exists(os.path.join(config.output_dir, file))]
    return Section("Other files", "What else is in the folder of this page.",
                   element("ul", *items))
