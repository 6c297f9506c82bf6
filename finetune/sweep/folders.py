"""The folders of a sweep's runs: which is whose, shared features, checkpoints that may go.

    output_dir/001_bs16_lr5e-05_seed1/    what any run writes
    output_dir/sweep_runs.json            what finished, how long it took, what failed
    output_dir/sweep_results.csv .md .png
"""

import csv
import io
import os
import re
import shutil
from collections.abc import Mapping, Sequence
from typing import Any

from finetune import outputs
from finetune.errors import UserError
from finetune.sweep.results import CSV, RUNS, read_settings, same_run
from finetune.sweep.spec import SweepRun

_NAME = re.compile(r"(\d{3,})_(.+)")


def assign(output_dir: str, runs: Sequence[SweepRun]) -> list[str]:
    """Returns the folder of every run.

    A folder whose settings are the run's is the run's, whatever its number, so that an altered
    sweep file finds what an earlier one has made. One without settings (killed before its run
    wrote them) goes by its name. Others get new numbers.
    """
    there = {}
    for name in sorted(os.listdir(output_dir)) if os.path.isdir(output_dir) else ():
        match, path = _NAME.fullmatch(name), os.path.join(output_dir, name)
        if match and os.path.isdir(path):
            there[path] = int(match[1]), match[2], read_settings(path)
    last, found = max((number for number, _, _ in there.values()), default=0), []
    for run in runs:
        own = next((path for path, (_, label, settings) in there.items()
                    if (label == run.label if settings is None else same_run(run, settings))),
                   None)
        if own is None:
            last += 1
            own = os.path.join(output_dir, f"{last:03d}_{run.label}")
        there.pop(own, None)
        found.append(own)
    return found


def data_problems(folder: str, expected: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """Returns a problem for each split whose rows are not those that a folder's run has seen.

    Args:
        expected: by split what decides its features, as in the files beside the records.
    """
    problems = []
    for split in ("train", "dev"):
        held = _note(os.path.join(folder, outputs.RECORDS[split]))
        examples = held.get("examples")
        if examples is not None and examples != expected[split]["examples"]:
            problems.append(f"--output_dir: {folder} is a run on other {split} rows than the data "
                            "has now; name another --output_dir")
    return problems


def share_features(folder: str, others: Sequence[str],
                   expected: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """Gives a run the records that another has made of the same rows, length and vocabulary.

    Args:
        expected: by split what decides its features.

    Returns:
        The names of the records shared.
    """
    shared = []
    for split, wanted in expected.items():
        name = outputs.RECORDS[split]
        if os.path.exists(os.path.join(folder, f"{name}.json")):
            continue
        source = next((other for other in others if other != folder
                       and wanted.items() <= _note(os.path.join(other, name)).items()
                       and os.path.exists(os.path.join(other, name))), None)
        if source is None:
            continue
        os.makedirs(folder, exist_ok=True)
        for each in (name, f"{name}.json"):  # the note last: without it the records are made anew
            _link(os.path.join(source, each), os.path.join(folder, each))
        shared.append(name)
    return shared


def _note(path: str) -> dict[str, Any]:
    """Returns the fingerprint beside records; {} if it is not there or not whole."""
    try:
        return outputs.read_json(f"{path}.json")["fingerprint"]
    except Exception:  # a cache: whatever is wrong with it, the run makes it anew
        return {}


def _link(source: str, target: str) -> None:
    temporary = f"{target}.writing"
    if os.path.exists(temporary):
        os.remove(temporary)
    try:
        os.link(source, temporary)  # records are replaced, never changed in place
    except OSError:
        shutil.copyfile(source, temporary)
    os.replace(temporary, target)


def checkpoint_files(folder: str) -> list[str]:
    """Returns the files of the checkpoints in the folder of a run."""
    if not os.path.isdir(folder):
        return []
    return sorted(os.path.join(folder, name) for name in os.listdir(folder)
                  if re.fullmatch(r"model\.ckpt-\d+\.(index|data-\d+-of-\d+)", name))


def checkpoint_bytes(folder: str) -> int:
    """Returns the bytes of the checkpoints in the folder of a run."""
    return sum(map(os.path.getsize, checkpoint_files(folder)))


def delete_checkpoints(folder: str) -> int:
    """Deletes the checkpoints of a run, nothing else; returns the bytes freed."""
    freed = checkpoint_bytes(folder)
    for path in checkpoint_files(folder):
        os.remove(path)
    return freed


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
    return None


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
