"""The folder of a fit: whose it is, and what it tells of the training besides its weights."""

import os
from collections.abc import Mapping, Sequence
from typing import Any

from finetune import eval_results, outputs, records
from finetune.checkpoints import checkpoint
from finetune.config import RunConfig
from finetune.report import curves

_LABEL_TYPE = "label_type"  # in runs.json
_TOLD = 3  # settings that are named


def problems(config: RunConfig, examples: Mapping[str, Sequence[Any]], name: str) -> list[str]:
    """Returns why fit may not write into output_dir: it holds the model of another one.

    A model that has seen other rows must not be gone on from: in a cross-validation it would be
    scored on rows that it was trained on.

    Args:
        name: of the estimator, for the message.
    """
    folder = config.output_dir
    if config.overwrite_output_dir or not checkpoint.candidates(folder):
        return []
    earlier = outputs.read_object(os.path.join(folder, outputs.RUN_CONFIG)) or {}
    settings = config.as_dict()
    if settings["do_lower_case"] is None:  # the hub module says, and that is compared
        del settings["do_lower_case"]
    differ = [f"{key} was {earlier.get(key)}" for key, value in settings.items()
              if earlier.get(key) != value and key not in ("output_dir", "show_stage_times")]
    for split, rows in examples.items():
        note = outputs.read_object(os.path.join(folder, f"{outputs.RECORDS[split]}.json")) or {}
        if note.get("fingerprint", {}).get("examples") != records.examples_digest(rows):
            differ.insert(0, f"its {split} rows are others")
    if not differ:
        return []
    told = ", ".join(differ[:_TOLD]) + ", ..." * (len(differ) > _TOLD)
    return [f"output_dir={folder}: holds the model of another fit or run ({told}): name another "
            f"folder; overwrite_output_dir=True deletes it, {name}.load reads it"]


def note_label_type(folder: str, label_type: str) -> None:
    """Writes the type of the labels into runs.json, so that numbers come back as numbers."""
    runs = outputs.read_runs(folder)
    runs[-1][_LABEL_TYPE] = label_type
    outputs.write_json(os.path.join(folder, outputs.RUNS), runs)


def label_type(folder: str) -> str:
    """Returns the type of the labels; "str" where nothing tells, as of the command's runs.

    Of runs that the command made later in the same folder, whose labels are the same, none tells.
    """
    told = [run[_LABEL_TYPE] for run in outputs.read_runs(folder) if _LABEL_TYPE in run]
    return told[-1] if told else "str"


def scores(folder: str) -> dict[str, float]:
    """Returns eval_results.txt, {} where there is none."""
    return eval_results.numbers(os.path.join(folder, outputs.EVAL_RESULTS), by_label=True)


def losses(folder: str) -> dict[str, list[float]]:
    """Returns what TensorBoard's files tell of the training: step, and a list for each tag."""
    found = {tag: dict(zip(curve.steps.tolist(), curve.values.tolist(), strict=True))
             for tag, curve in curves.read(folder).items()}
    steps = sorted(set().union(*found.values()))
    return {"step": steps, **{tag: [values.get(step, float("nan")) for step in steps]
                              for tag, values in found.items()}}
