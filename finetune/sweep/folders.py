"""The folders of a sweep's runs: which is whose, shared features, checkpoints that may go.

    output_dir/001_bs16_lr5e-05_seed1/    what any run writes
    output_dir/sweep_runs.json            what finished, how long it took, what failed
    output_dir/sweep_results.csv .md .png
"""

import os
import re
import shutil
from collections.abc import Mapping, Sequence
from typing import Any

from finetune import outputs
from finetune.sweep.results import read_settings, same_run
from finetune.sweep.spec import SweepRun
from finetune.swept import checkpoint_files

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


def checkpoint_bytes(folder: str) -> int:
    """Returns the bytes of the checkpoints in the folder of a run."""
    return sum(map(os.path.getsize, checkpoint_files(folder)))


def delete_checkpoints(folder: str) -> int:
    """Deletes the checkpoints of a run, nothing else; returns the bytes freed."""
    freed = checkpoint_bytes(folder)
    for path in checkpoint_files(folder):
        os.remove(path)
    return freed
