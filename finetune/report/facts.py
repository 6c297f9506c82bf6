"""What a page is made of: a run's answers on dev, and what lies in its folder."""

import dataclasses
import functools
import os
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from finetune import eval_results, outputs
from finetune.config import RunConfig
from finetune.errors import UserError
from finetune.members import folder as members
from finetune.multilabel import scores, thresholds
from finetune.report import curves, label_errors
from finetune.report.curves import Curve
from finetune.report.label_errors import LabelErrors
from finetune.report.rows import Row


@dataclasses.dataclass(frozen=True)
class Folder:
    """What runs left in their folders.

    Attributes:
        runs: entries of runs.json, the earliest first, of the folder that the checkpoint came
            from where it is another one, then of this one.
        curves: of the training, by their names in TensorBoard.
        trained_in: the folder that they are from.
        check: what data_check.json holds; None if there is none.
        baseline: what baseline_results.txt holds; None if there is none.
        member: a sentence on the trainings that this is one of, or why that is not known; None if
            it stands alone.
    """

    runs: Sequence[Mapping[str, Any]]
    curves: Mapping[str, Curve]
    trained_in: str
    check: Mapping[str, Any] | None
    baseline: Mapping[str, float] | None
    member: str | None


@dataclasses.dataclass(frozen=True, eq=False)
class Facts:
    """A scored dev split of N rows.

    Attributes:
        config: the settings.
        labels: the rows of the head, L of them.
        truth: of a classifier int32[N], the label ids; of a regression float32[N], the scores; of
            a multi-label one uint8[N, L], 1 for each label that a row has.
        answers: float32[N, L], probabilities; of a regression the scores, L = 1.
        losses: float32[N].
        lengths: int64[N], tokens of the rows after the cut; of one in windows, of the first.
        truncated: how many rows were cut; None where that is not known.
        scores: metrics of the split, by name.
        best_metric: the one that decides which checkpoint is best.
        step: of the checkpoint.
        folder: what runs left behind.
        verdict: what the sign test says of the model and that of --baseline; None without it.
        rows: the rows that the page shows, by their number; filled in before it is made.
    """

    config: RunConfig
    labels: Sequence[str]
    truth: np.ndarray
    answers: np.ndarray
    losses: np.ndarray
    lengths: np.ndarray
    truncated: int | None
    scores: Mapping[str, float]
    best_metric: str
    step: int
    folder: Folder
    verdict: str | None = None
    rows: dict[int, Row] = dataclasses.field(default_factory=dict)

    @functools.cached_property
    def predicted(self) -> np.ndarray:
        """The label ids that a classifier predicts, int64[N]."""
        return self.answers.argmax(1)

    @functools.cached_property
    def thresholds(self) -> list[float]:
        """From which probability on a multi-label one gives each label, fitted to these rows."""
        return thresholds.fit(self.truth, self.answers)

    @functools.cached_property
    def given(self) -> np.ndarray:
        """The labels that a multi-label one gives at the fitted thresholds, bool[N, L]."""
        return scores.chosen(self.answers, self.thresholds)

    @functools.cached_property
    def label_errors(self) -> LabelErrors:
        """The rows of a classifier whose label is likely wrong."""
        return label_errors.likely(self.answers, self.truth)


def of_folder(path: str, start: str | None) -> Folder:
    """Reads what runs left in a folder.

    Args:
        path: of the folder.
        start: the checkpoint that the run started from; the curves of its folder are read where
            nothing was trained in `path`.

    Raises:
        UserError: a file is not what a run wrote.
    """
    runs, trained_in, found = outputs.read_runs(path), path, curves.read(path)
    origin = os.path.dirname(start) if start else path
    if not found and os.path.normpath(origin) != os.path.normpath(path):
        trained_in, found = origin, curves.read(origin)
        runs = [*(outputs.read_runs(origin) if found else ()), *runs]
    return Folder(runs, found, trained_in,
                  outputs.read_object(os.path.join(path, outputs.DATA_CHECK_JSON)),
                  _baseline(os.path.join(path, outputs.BASELINE)), _member(path))


def _member(path: str) -> str | None:
    """Returns which of several trainings a folder holds, by the note in the folder above it."""
    above, name = os.path.split(path.rstrip("/"))  # normpath would take a / from gs://
    try:
        note = members.read(above)
    except UserError as error:
        return f"Whether it is one of several models is not known. {error}."
    if note is None or name not in note["members"]:
        return None
    told = f"It is one of the {len(note['members'])} models of --{note['kind']}"
    if note["kind"] == members.ENSEMBLE:
        return f"{told}; how they score together is in the folder above this one."
    return (f"{told}: its dev rows are those training rows that the others were trained on and it "
            "was not. How all rows score is in the folder above this one.")


def _baseline(path: str) -> dict[str, float] | None:
    return {name.removeprefix("eval_"): value for name, value in eval_results.numbers(path).items()
            if name != "loss"} or None  # eval_loss is the mean over the rows, as our own loss
