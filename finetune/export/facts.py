"""What a run knows about the classifier that it trained, from the files in its folder.

    facts = gather("output/run", classifier)
    facts.splits["train"].counts          # {"bug": 112, "feature": 112, "question": 112}

Whatever no file tells stays None; nothing is guessed.
"""

import dataclasses
import os
from collections.abc import Mapping
from typing import Any

import numpy as np

from finetune import eval_results, outputs, records
from finetune.bert_config import SOURCE_FILE
from finetune.checkpoints import checkpoint
from finetune.confidence import record
from finetune.errors import UserError
from finetune.export.classifier import Classifier
from finetune.task_kind import TaskKind, label_type
from finetune.texts import TEXTS


@dataclasses.dataclass(frozen=True)
class Split:
    """A split as a run read it.

    Attributes:
        path, sha256: of its file, where the processor told it.
        rows: how many.
        cut: of how many of them a part was not read.
        counts: rows of each label.
        scores: least, largest and mean of a regression's.
        pairs: whether there are rows of two texts.
    """

    path: str | None = None
    sha256: str | None = None
    rows: int | None = None
    cut: int | None = None
    counts: dict[str, int] | None = None
    scores: tuple[float, float, float] | None = None
    pairs: bool | None = None


@dataclasses.dataclass(frozen=True)
class Facts:
    """All that is known.

    Attributes:
        name: of the run's folder.
        run: the entry of the last training run in runs.json.
        settings: its flags, run_config.json.
        base: the checkpoint that training began with; None: not known, or there was none.
        base_is_random: training began with random weights.
        source: source.json beside it: its name, where it came from.
        splits: train and dev.
        scores: eval_results.txt, if it is of these weights.
        scored_step: the step that eval_results.txt is of.
        matrix: the rows of confusion_matrix.tsv, if it is of these weights.
        best: best_checkpoint.json: the weights were chosen by their score on dev.
        calibration: calibration.json, if it is of these weights; else {}.
    """

    name: str
    run: dict[str, Any] | None
    settings: dict[str, Any]
    base: str | None
    base_is_random: bool
    source: dict[str, Any]
    splits: dict[str, Split]
    scores: dict[str, str] | None
    scored_step: int | None
    matrix: list[list[str]] | None
    best: dict[str, Any] | None
    calibration: dict[str, Any] = dataclasses.field(default_factory=dict)


def gather(folder: str, classifier: Classifier) -> Facts:
    """Collects the facts from the folder of the run that trained a classifier."""
    runs = _json(folder, outputs.RUNS, [])
    trained = [run for run in runs if TEXTS in run]  # not those of --do_check or --find_lr alone
    base, is_random = _base(folder, trained)
    scores = eval_results.read(os.path.join(folder, outputs.EVAL_RESULTS)) or {}
    told = scores.get("global_step", "")
    step = int(told) if told.isdecimal() else None
    scores = scores if step == classifier.step else None
    best = _json(folder, "best_checkpoint.json", None)
    return Facts(
        name=os.path.basename(os.path.abspath(folder)) if "://" not in folder
        else folder.rstrip("/").rpartition("/")[2],
        run=trained[-1] if trained else None, settings=_json(folder, outputs.RUN_CONFIG, {}),
        base=base, base_is_random=is_random,
        source=_json(os.path.dirname(base), SOURCE_FILE, {}) if base else {},
        splits={"train": _split(folder, "train", trained, runs, classifier),
                "dev": _split(folder, "dev", runs, runs, classifier)},
        scores=scores, scored_step=step, matrix=_matrix(folder, classifier) if scores else None,
        best=best if best and best.get("step") == classifier.step else None,
        calibration=_calibration(folder, classifier))


def _calibration(folder: str, classifier: Classifier) -> dict[str, Any]:
    prefix = os.path.join(folder, f"model.ckpt-{classifier.step}")
    prefix = checkpoint.averaged(prefix) or prefix  # which answers in place of that
    try:
        return record.look([folder], prefix, record.reading(
            classifier.max_seq_length, classifier.do_lower_case, classifier.long_texts)).content
    except UserError:  # damaged: then nobody knows
        return {}


def _json(folder: str, name: str, default: Any) -> Any:
    try:
        value = outputs.read_json(os.path.join(folder, name))
    except UserError:  # damaged: then nobody knows
        return default
    return value if isinstance(value, type(default)) or default is None and value else default


def _base(folder: str, trained: list[Mapping[str, Any]]) -> tuple[str | None, bool]:
    """Returns what the first of the training runs began with, and whether that was chance."""
    own = os.path.join(folder, "model.ckpt-")
    starts = [run["start"] for run in trained if "start" in run]
    starts = [start for start in starts if not (start and start.startswith(own))]
    return (starts[0], starts[0] is None) if starts else (None, False)


def _split(folder: str, split: str, read_by: list[Mapping[str, Any]],
           runs: list[Mapping[str, Any]], classifier: Classifier) -> Split:
    """Returns what is known of a split as it was read by some of the runs."""
    told, newest = (next((run["data"][split] for run in reversed(some)
                          if split in run.get("data", {})), {}) for some in (read_by, runs))
    if told.get("sha256") != newest.get("sha256"):  # a later --do_check has its records there
        return Split(told.get("path"), told.get("sha256"))
    path = os.path.join(folder, outputs.RECORDS[split])
    note = _json(folder, f"{outputs.RECORDS[split]}.json", {})
    lengths = note.get("lengths", {})
    found = Split(told.get("path"), told.get("sha256"),
                  lengths.get("count", note.get("records")), lengths.get("truncated"))
    if not note or note.get("fingerprint", {}).get("labels") != list(classifier.labels):
        return found
    try:
        table = records.read(path, label_type(classifier.labels))
    except UserError:  # the records may be deleted
        return found
    found = dataclasses.replace(found, pairs=bool(np.any(table.segment_ids[:])))
    labels = table.example_labels()
    if classifier.is_regression:
        return dataclasses.replace(found, scores=(
            float(labels.min()), float(labels.max()), float(labels.mean(dtype=np.float64))))
    counts = (labels.sum(0, dtype=np.int64) if classifier.kind is TaskKind.MULTILABEL else
              np.bincount(labels, minlength=len(classifier.labels))).tolist()
    return dataclasses.replace(found, counts=dict(zip(classifier.labels, counts, strict=True)))


def _matrix(folder: str, classifier: Classifier) -> list[list[str]] | None:
    text = outputs.read_text(os.path.join(folder, outputs.CONFUSION))
    if text is None or classifier.kind is not TaskKind.CLASSIFICATION:
        return None
    rows = [line.split("\t") for line in text.splitlines()]
    return rows if rows and rows[0][1:] == classifier.labels else None
