"""What a sweep leaves for whoever looks for a checkpoint: which it deleted, which it chose.

    why_no_checkpoint("output/sweep/002_lr3e-05")      # "the sweep in output/sweep deleted ..."

Below checkpoints/, which asks, and below finetune/sweep/, which writes.
"""

import csv
import io
import os
import re
from typing import Any

from finetune import outputs
from finetune.errors import UserError
from finetune.members import folder as members

RUNS, CSV = "sweep_runs.json", "sweep_results.csv"


def checkpoint_files(folder: str) -> list[str]:
    """Returns the files of the checkpoints in the folder of a run."""
    if not os.path.isdir(folder):
        return []
    return sorted(os.path.join(folder, name) for name in os.listdir(folder)
                  if re.fullmatch(r"model\.ckpt-(averaged-)?\d+\.(index|data-\d+-of-\d+)", name))


def sweep_that_deleted(folder: str) -> str | None:
    """Returns the folder of the sweep that deleted this run's checkpoints; None: none did."""
    above, name = os.path.split(os.path.normpath(folder))
    notes = _json(os.path.join(above, RUNS))
    gone = isinstance(notes.get(name), dict) and notes[name].get("deleted")
    return (above or ".") if gone and not checkpoint_files(folder) else None


def why_no_checkpoint(folder: str) -> str | None:
    """Returns why a folder has no checkpoint, and where one is, if it is a sweep's.

    Args:
        folder: of a run, or of a sweep.
    """
    above = sweep_that_deleted(folder)
    if above:
        best = _chosen(above)
        where = (f"; that is {best}: give that folder" if best else ", which are gone too")
        return (f"the sweep in {above} deleted the checkpoints of this run, since it keeps those "
                f"of the best run alone{where}. The command in {os.path.join(above, CSV)} trains "
                "this run again; keep: all in the sweep's file keeps the checkpoints of all runs")
    if _json(os.path.join(folder, RUNS)):
        best = _chosen(folder)
        return "this is the folder of a sweep; " + (
            f"its chosen run is {best}: give that folder" if best else
            "none of its runs has a checkpoint")
    return members.why_no_checkpoint(folder)


def _chosen(above: str) -> str | None:
    """Returns the folder of the run that a sweep has chosen; None without its checkpoint."""
    table = csv.DictReader(io.StringIO(outputs.read_text(os.path.join(above, CSV)) or ""))
    names = [row["run"] for row in table if row.get("chosen") == "yes" and row.get("run")]
    found = [os.path.join(above, name) for name in names]
    return next((folder for folder in found if checkpoint_files(folder)), None)


def _json(path: str) -> dict[str, Any]:
    """Returns a JSON object; {} where there is none, or a file of somebody else."""
    try:
        content = outputs.read_json(path)
    except UserError:
        return {}
    return content if isinstance(content, dict) else {}
