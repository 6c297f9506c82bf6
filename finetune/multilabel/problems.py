"""What a multi-label run is refused for, before anything is written."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from finetune.task_kind import SEPARATOR, TaskKind

if TYPE_CHECKING:
    from finetune.config import RunConfig


_SEPARATORS = (";", "|")  # that people use, and hardly any name holds


def of_labels(config: "RunConfig", labels: Sequence[str], origin: str) -> list[str]:
    """Returns which labels could not be told apart where several stand in one cell.

    Args:
        origin: the flag or file that they are from.
    """
    if TaskKind.of(labels) is not TaskKind.MULTILABEL:
        return []
    found = [f"{origin}: label {label!r} holds {config.label_separator!r}, which stands between "
             "the labels of a row: give another --label_separator"
             for label in labels if config.label_separator in label]
    for other in _SEPARATORS:
        made = next((label for label in labels if other in label and all(
            part.strip() in labels for part in label.split(other))), None)
        if other != config.label_separator and made:
            found.append(f"{origin}: label {made!r} is made of other labels: if {other!r} stands "
                         f'between the labels of a row, give --label_separator="{other}"')
    return found


def of_run(config: "RunConfig", labels: Sequence[str]) -> list[str]:
    """Returns the flags that do not go with the kind of a run's labels."""
    if TaskKind.of(labels) is not TaskKind.MULTILABEL:
        given = {"label_separator": config.label_separator != SEPARATOR,
                 "label_threshold": config.label_threshold is not None}
        return [f"--{name}={getattr(config, name)}: a row has one label; it goes with "
                "--task_type=multilabel" for name, is_given in given.items() if is_given]
    found = []
    if config.label_threshold is not None and not 0 < config.label_threshold <= 1:
        found.append(f"--label_threshold={config.label_threshold}: must be above 0 and at most 1")
    if config.engine == "original":
        found.append("--engine=original: the original gives a row one of the labels; "
                     "--task_type=multilabel needs --engine=fast")
    if not config.label_separator or config.label_separator.splitlines() != [
            config.label_separator] or "\t" in config.label_separator:
        found.append(f"--label_separator={config.label_separator!r}: must be a character or "
                     "several of one line, and no tab, as it stands in predictions.tsv")
    return found
