"""eval_results.txt, and other files of its form: the original's lines first, then ours.

    eval_results.write(folder, original, 84, scores, classes, labels)
    eval_results.read("output/run/eval_results.txt")        # {"eval_accuracy": "0.9130435", ...}
    eval_results.numbers("output/run/eval_results.txt")     # {"eval_accuracy": 0.9130435, ...}
"""

import os
from collections.abc import Mapping, Sequence
from typing import Any

from finetune import outputs
from finetune.errors import UserError


def write(folder: str, original: Mapping[str, Any], step: int | None,
          scores: Mapping[str, float], classes: Sequence[Mapping[str, float]],
          labels: Sequence[str], name: str = outputs.EVAL_RESULTS) -> None:
    """Writes the file.

    Args:
        original: eval_accuracy (not of a regression), eval_loss, loss.
        step: global_step of the checkpoint; None for a model that has none.
        scores: ours, for the whole split.
        classes: precision, recall, f1, support of every label.
        name: of the file, where it is another.
    """
    first = {**original, **({} if step is None else {"global_step": step})}
    lines = [f"{key} = {str(first[key])}" for key in sorted(first)]  # np.float32: 7 digits
    lines += [f"{key} = {value:.7g}" for key, value in scores.items()]
    lines += [f"{key}[{label}] = {value:.7g}" for label, one in zip(labels, classes, strict=True)
              for key, value in one.items()]
    outputs.write_text(os.path.join(folder, name), "\n".join(lines) + "\n")


def add(folder: str, scores: Mapping[str, float]) -> None:
    """Writes more scores behind those that are there."""
    path = os.path.join(folder, outputs.EVAL_RESULTS)
    outputs.write_text(path, (outputs.read_text(path) or "") + "".join(
        f"{name} = {value:.7g}\n" for name, value in scores.items()))


def read(path: str) -> dict[str, str] | None:
    """Returns the scores by their names, as they are written; None if there is no such file."""
    text = outputs.read_text(path)
    return None if text is None else {
        name: value for name, sign, value in  # a label may hold " = ", too: the last one counts
        (line.rpartition(" = ") for line in text.splitlines()) if sign}


def numbers(path: str, by_label: bool = False) -> dict[str, float]:
    """Returns the scores of the whole split as numbers; {} if there is no such file.

    Args:
        by_label: those of single labels, too.

    Raises:
        UserError: one is no number any more.
    """
    found = {}
    for name, value in (read(path) or {}).items():
        if by_label or "[" not in name:
            try:
                found[name] = float(value)
            except ValueError:
                raise UserError(f"{path}: {name} is {value!r:.100} and no number any more; put it "
                                "right, or let --do_eval write it") from None
    return found
