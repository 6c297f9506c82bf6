"""What the labels of a multi-label task look like: how many rows each has, and which go together.

    sets = LabelSets(labels)
    train = survey("train", examples, tokenizer, {}, name_of=sets.name)     # a code for each set
    findings({"train": train}, sets)
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from finetune.check.findings import Finding, Severity, share
from finetune.check.labels import FEW, alike, counted, rare
from finetune.check.survey import Survey
from finetune.multilabel.names import finder

NONE = "(none)"  # the set without a label
_PAIRS = 10  # that are told


class LabelSets:
    """Gives the set of labels that a row has a name, in which they stand in the order of their ids.

    Args:
        labels: those of the run.
    """

    def __init__(self, labels: Sequence[str]):
        self.labels = labels
        self._find = finder({label: place for place, label in enumerate(labels)}, labels.separator)
        self._members: dict[str, list[int]] = {}

    def name(self, row: Any) -> str | None:
        """Returns the name of a row's set; None where it has no labels that are known."""
        ids = None if row.label is None else self._find(row.label)
        if ids is None:
            return None
        name = self.labels.separator.join(self.labels[place] for place in sorted(ids)) or NONE
        self._members[name] = sorted(ids)
        return name

    def together(self, survey: Survey) -> np.ndarray:
        """Returns int64[L, L]: how many rows have both labels; on the diagonal, the one."""
        found = np.zeros((len(self.labels), len(self.labels)), np.int64)
        for name, count in survey.counts().items():
            found[np.ix_(self._members[name], self._members[name])] += count
        return found


def findings(surveys: Mapping[str, Survey], sets: LabelSets) -> Iterator[Finding]:
    """Yields what the labels of a multi-label task show."""
    yield from alike(sets.labels)
    together = {split: sets.together(survey) for split, survey in surveys.items()}
    if "train" in surveys:
        yield from _training(surveys["train"], together["train"], sets.labels)
    if "train" in surveys and "dev" in surveys:
        new = {label: int(dev) for label, train, dev in zip(
            sets.labels, together["train"].diagonal(), together["dev"].diagonal(), strict=True)
            if dev and not train}
        if new:
            yield Finding("never_trained", Severity.PROBLEM, "dev", "labels that no training row "
                          f"has: {counted(new)}", max(new.values()), surveys["dev"].rows,
                          details={"labels": new})


def _training(train: Survey, together: np.ndarray, labels: Sequence[str]) -> Iterator[Finding]:
    counts = dict(zip(labels, together.diagonal().tolist(), strict=True))
    yield from rare(counts, train.rows)
    yield _sets(train, together, counts)


def _sets(train: Survey, together: np.ndarray, counts: Mapping[str, int]) -> Finding:
    """Tells how many labels rows have and which go together; looks for one that implies another."""
    labels, none = list(counts), train.counts().get(NONE, 0)
    first, second = np.nonzero(np.triu(together, 1))
    order = np.argsort(-together[first, second], kind="stable")[:_PAIRS]
    most = [[labels[a], labels[b], int(together[a, b])]
            for a, b in zip(first[order].tolist(), second[order].tolist(), strict=True)]
    own = together.diagonal()[:, None]
    always = (together == own) & (own >= FEW)
    np.fill_diagonal(always, False)
    implied = [[labels[a], labels[b]] for a, b in np.argwhere(always).tolist()]
    kinds = sum(count > 0 for count in train.counts().values())
    said = (f"{sum(counts.values()) / max(train.rows, 1):.2f} labels a row, in {kinds:,} different "
            f"sets; {share(none, train.rows)} have none")
    if most:
        a, b, count = most[0]
        said += f"; most often together: {a!r} and {b!r}, in {count:,}"
    if implied:
        said += "; " + ", ".join(f"every row with {a!r} has {b!r} too" for a, b in implied[:3])
    return Finding("label_sets", Severity.LOOK if implied else Severity.FINE, "train", said, none,
                   train.rows, details={"labels": dict(counts), "none": none, "together": most,
                                        "implied": implied})
