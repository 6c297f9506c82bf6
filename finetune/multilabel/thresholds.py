"""thresholds.json: from which probability on a row is given a label.

    {"fitted_on": {"split": "dev", "rows": 60, "global_step": 45},
     "thresholds": {"ui": 0.41, "docs": 0.5}}

They are fitted to the dev split by --do_eval, and hold for the weights of that step; until then
each is 0.5. --label_threshold puts one number in place of them all, whatever the weights. The file
is the user's to edit, and so has no line in SHA256SUMS.
"""

import dataclasses
import os
from collections.abc import Iterator, Sequence

import numpy as np
import tensorflow as tf

from finetune import outputs
from finetune.config_problems import named
from finetune.errors import UserError
from finetune.multilabel.scores import HALF, chosen
from finetune.task_kind import TaskKind

_GIVEN = "label_threshold"  # in the file
_FEW = 10  # rows with a label
_FIXED = f"--{_GIVEN}=0.5 puts 0.5 in place of them (docs/multilabel.md)"
_MOST_NAMES = 20  # in a message
_WIDE, _RIGHT = 0.8, 0.75  # share of the rows that are given a label; of those, that have it


@dataclasses.dataclass(frozen=True)
class Thresholds:
    """The thresholds of a model.

    Attributes:
        values: one for each label.
        why_half: why each is 0.5, if none was fitted.
    """

    values: list[float]
    why_half: str | None = None


def fit(truth: np.ndarray, probabilities: np.ndarray) -> list[float]:
    """Returns for each label the threshold with the largest F1 on these rows.

    It lies midway between two neighbouring probabilities; of equally good ones the nearest to 0.5
    is taken. For a label that no row has it is 0.5.

    Args:
        truth: 0 or 1, [N, L].
        probabilities: float32[N, L].
    """
    return [_best(has.astype(bool), score.astype(np.float64))
            for has, score in zip(truth.T, probabilities.T, strict=True)]


def _best(has: np.ndarray, score: np.ndarray) -> float:
    if not has.any():
        return HALF
    order = np.argsort(-score, kind="stable")
    has, score = has[order], score[order]
    # Cut k gives the label to the first k + 1 rows; equal probabilities are not to be parted.
    cuts = np.flatnonzero(np.append(score[:-1] > score[1:], True))
    between = (score[cuts] + np.append(score[1:], 0.0)[cuts]) / 2
    f1 = 2 * np.cumsum(has)[cuts] / (has.sum() + cuts + 1)
    best = np.flatnonzero(f1 == f1.max())
    return float(between[best[np.argmin(np.abs(between[best] - HALF))]])


def doubts(truth: np.ndarray, probabilities: np.ndarray, labels: Sequence[str],
           values: Sequence[float]) -> Iterator[str]:
    """Yields why fitted thresholds may serve new rows worse than 0.5 does.

    Args:
        truth: 0 or 1, [N, L], of the rows that they were fitted to.
        probabilities: float32[N, L].
        values: the thresholds.
    """
    truth, given = truth.astype(bool), chosen(probabilities, values)
    counts = list(zip(labels, values, truth.sum(0).tolist(), given.sum(0).tolist(),
                      (truth & given).sum(0).tolist(), strict=True))
    few = [f"{label} ({rows})" for label, _, rows, _, _ in counts if 0 < rows < _FEW]
    if few:
        yield f"thresholds fitted to fewer than {_FEW} rows are chance: {_told(few)}; {_FIXED}"
    wide = [f"{label} (from {value:.2f} on, {said} of {len(truth)} rows, {right} of them rightly)"
            for label, value, _, said, right in counts
            if said >= _WIDE * len(truth) and right <= _RIGHT * said]
    if wide:
        yield ("the best F1 is that of giving nearly every row the label, so little does the model "
               f"tell rows apart, for {_told(wide)}: train it longer, or better; {_FIXED}")


def _told(names: Sequence[str]) -> str:
    return ", ".join(names[:_MOST_NAMES]) + ", ..." * (len(names) > _MOST_NAMES)


def write(folder: str, labels: Sequence[str], values: Sequence[float], rows: int,
          step: int) -> None:
    """Writes thresholds that were fitted to so many rows of dev with the weights of a step."""
    _write(folder, labels, values, {"split": "dev", "rows": rows, "global_step": step})


def write_plain(folder: str, labels: Sequence[str], values: Sequence[float]) -> None:
    """Writes the thresholds of an export, whose weights have no step of their own."""
    outputs.write_json(os.path.join(folder, outputs.THRESHOLDS),
                       {"thresholds": dict(zip(labels, values, strict=True))})


def begin(folder: str, labels: Sequence[str], source: str | None,
          given: float | None = None) -> None:
    """Writes thresholds.json into the folder of a run that has none yet; only of multi-label ones.

    Args:
        source: the folder of the checkpoint that a run without training uses: its file is taken.
        given: --label_threshold, which is written whatever is there.
    """
    target = os.path.join(folder, outputs.THRESHOLDS)
    held = outputs.read_text(target)
    if TaskKind.of(labels) is not TaskKind.MULTILABEL:
        if held is not None:  # of a model that never came to a checkpoint
            tf.io.gfile.remove(target)
        return
    taken = outputs.read_text(os.path.join(source or folder, outputs.THRESHOLDS))
    if given is not None:
        _write(folder, labels, [given] * len(labels), None, **{_GIVEN: given})
    elif taken is None or source is None and not _is_of(folder, labels):
        _write(folder, labels, [HALF] * len(labels), None)
    elif taken != held:
        outputs.write_text(target, taken)


def _is_of(folder: str, labels: Sequence[str]) -> bool:
    try:
        read(folder, labels, 0)
    except UserError:
        return False
    return True


def read(folder: str, labels: Sequence[str], step: int) -> Thresholds:
    """Returns the thresholds of a folder's model with the weights of a step.

    Raises:
        UserError: the file is there and cannot be used.
    """
    path = os.path.join(folder, outputs.THRESHOLDS)
    content = outputs.read_object(path)
    half = [HALF] * len(labels)
    if content is None:
        return Thresholds(half, f"there is no {path}")
    values, fitted = content.get("thresholds"), content.get("fitted_on")
    if not isinstance(values, dict) or list(values) != list(labels) or not all(
            type(value) in (int, float) and 0 <= value <= 1 for value in values.values()):
        raise UserError(f"{path}: thresholds must give each of the labels {named(labels)}, in this "
                        "order, a number from 0 to 1; put it right, or let --do_eval write it")
    if set(values.values()) == {HALF} and fitted is None and content.get(_GIVEN) is None:
        return Thresholds(half, "no --do_eval has fitted them yet")
    if isinstance(fitted, dict) and fitted.get("global_step") not in (None, step):
        return Thresholds(half, f"those of {path} were fitted at step {fitted['global_step']}, and "
                          f"the weights are those of step {step}; --do_eval fits them anew")
    return Thresholds(list(map(float, values.values())))


def _write(folder: str, labels: Sequence[str], values: Sequence[float],
           fitted: dict[str, object] | None, **more: float) -> None:
    outputs.write_json(os.path.join(folder, outputs.THRESHOLDS), {
        "fitted_on": fitted, **more, "thresholds": dict(zip(labels, values, strict=True))})
