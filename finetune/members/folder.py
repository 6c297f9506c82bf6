"""What a folder of several trainings says of itself: members.json.

    members.of("output/ensemble")          # ["output/ensemble/seed-42", ...]; [] for a run's folder

    {"kind": "ensemble", "members": ["seed-42", "seed-43"], "finished": {"seed-42": "sha256"}}
"""

import os
from collections.abc import Sequence
from typing import Any

from finetune import outputs
from finetune.errors import UserError

FILE = "members.json"
KFOLD, ENSEMBLE = "kfold", "ensemble"


def read(folder: str) -> dict[str, Any] | None:
    """Returns what members.json says; None if there is no such file.

    Raises:
        UserError: it says something else than a run writes there.
    """
    path = os.path.join(folder, FILE)
    note = outputs.read_object(path)
    if note is None:
        return None
    names, finished = note.get("members"), note.get("finished")
    if not (note.get("kind") in (KFOLD, ENSEMBLE) and isinstance(finished, dict)
            and isinstance(names, list) and names and all(
                isinstance(name, str) and name == os.path.basename(name) for name in names)):
        raise UserError(f"{path}: is not what a run writes there; put it right or delete it")
    return note


def write(folder: str, kind: str, names: Sequence[str], finished: dict[str, str],
          **more: Any) -> None:
    """Writes members.json.

    Args:
        kind: KFOLD or ENSEMBLE.
        names: of the folders within this one.
        finished: by name, what the training was one of.
        more: to be found again.
    """
    outputs.write_json(os.path.join(folder, FILE), {
        "kind": kind, "members": list(names), "finished": finished, **more})


def of(folder: str) -> list[str]:
    """Returns the folders of the members, all of them trained; [] if this is none of theirs.

    Raises:
        UserError: some have not finished.
    """
    note = read(folder)
    if note is None:
        return []
    lacking = [name for name in note["members"] if name not in note["finished"]]
    if lacking:
        raise UserError(f"{folder}: {', '.join(lacking)} of its {len(note['members'])} models "
                        "have not finished; the training command goes on with them")
    return [os.path.join(folder, name) for name in note["members"]]


def why_no_checkpoint(folder: str) -> str | None:
    """Returns why such a folder has no checkpoint of its own, and which to give instead."""
    try:
        note = read(folder)
    except UserError as error:
        return str(error)
    if note is None:
        return None
    return (f"this is the folder of --{note['kind']}={len(note['members'])}, whose models lie in "
            + ", ".join(os.path.join(folder, name) for name in note["members"])
            + ": give one of these folders; all of them together answer in "
            "scripts/predict.sh, scripts/serve.sh and finetune.Predictor"
            + (f", and with --ensemble={len(note['members'])}" if note["kind"] == ENSEMBLE else ""))
