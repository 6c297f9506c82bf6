"""What the labels look like: how many of each, in which order, and what gives them away."""

import re
from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from finetune.check.findings import Finding, Severity, samples, share
from finetune.check.survey import Survey

FEW = 5  # training rows of a label
_UNEQUAL = 10  # times as many rows as the rarest label
_MAJORITY = 0.8
_SHIFT = 0.1  # of the rows would need another label for equal shares
_WIDE = 5.0  # points of accuracy to either side
_SHORTCUT = 0.1  # accuracy by length alone, above that of always giving the same answer
_BINS = 10


def findings(surveys: Mapping[str, Survey], labels: Sequence[str], buffered: bool
             ) -> Iterator[Finding]:
    """Yields what the labels of a classification show.

    Args:
        labels: those of the run.
        buffered: whether training draws rows from a small buffer, so that their order counts.
    """
    yield from alike(labels)
    yield from _numbers(labels)
    train, dev = surveys.get("train"), surveys.get("dev")
    if train:
        yield from _training(train, labels, buffered)
        yield from _by_length(train)
    if dev:
        yield _dev_size(dev)
    if train and dev:
        yield from _never_trained(train, dev)
        yield from _shifted(train, dev)


def _training(train: Survey, labels: Sequence[str], buffered: bool) -> Iterator[Finding]:
    known = train.counts()
    counts = {label: known.get(label, 0) for label in labels}
    yield from rare(counts, train.rows)
    top = max(counts, key=counts.get)
    most, least = counts[top], min(filter(None, counts.values()), default=0)
    unequal = most >= _MAJORITY * train.rows or most >= _UNEQUAL * least
    rarest = min((label for label in counts if counts[label]), key=counts.get, default=top)
    yield Finding("imbalance", Severity.LOOK if unequal else Severity.FINE, "train",
                  f"{top!r} is the label of {share(most, train.rows)}: always answering it has "
                  f"accuracy {most / max(train.rows, 1):.3f}"
                  + (f"; {rarest!r} has {least:,} rows" if unequal else ""),
                  most, train.rows, details={"majority": top, "rarest": rarest})
    yield from _order(train, buffered)


def rare(counts: Mapping[str, int], rows: int) -> Iterator[Finding]:
    """Yields which labels have no training row, or too few.

    Args:
        counts: rows of each label.
        rows: of the training split.
    """
    lacking = [label for label, count in counts.items() if not count]
    if lacking:
        yield Finding("no_rows", Severity.PROBLEM, "train",
                      f"{named(lacking)} {'has' if len(lacking) == 1 else 'have'} no row", 0,
                      rows, details={"labels": lacking})
    few = {label: count for label, count in counts.items() if 0 < count < FEW}
    if few:
        yield Finding("few_rows", Severity.LOOK, "train", f"{counted(few)}: too few rows to learn "
                      "from", sum(few.values()), rows, details={"labels": few})


def _order(train: Survey, buffered: bool) -> Iterator[Finding]:
    codes = train.labels[~np.isnan(train.labels)]
    if not codes.size:  # a split that a run refuses
        return
    changes = int(np.count_nonzero(np.diff(codes)))
    shares = np.unique(codes, return_counts=True)[1] / codes.size
    expected = (codes.size - 1) * (1 - float(np.sum(shares ** 2)))  # in random order
    if changes < 0.5 * expected - 3 * expected ** 0.5:
        yield Finding(
            "order", Severity.PROBLEM if buffered else Severity.FINE, "train",
            f"the file is sorted by label, or nearly: from row to row {changes:,} changes, "
            f"in random order {expected:,.0f}", changes, train.rows,
            advice=None if buffered else "Nothing: all rows are shuffled in every epoch.")


def alike(labels: Sequence[str]) -> Iterator[Finding]:
    """Yields the names that one could take for the same."""
    groups: dict[str, list[str]] = {}
    for label in labels:
        groups.setdefault(re.sub(r"[\s_-]+", "", label).casefold() or label, []).append(label)
    for group in groups.values():
        if len(group) > 1:
            yield Finding("label_names", Severity.PROBLEM, None, f"{named(group)} differ only in "
                          "case, blanks or hyphens", len(group), len(labels),
                          details={"labels": group})


def _numbers(labels: Sequence[str]) -> Iterator[Finding]:
    if all(re.fullmatch(r"[+-]?[0-9]{1,9}([.][0-9]+)?", label) for label in labels) and not all(
            float(label).is_integer() for label in labels):
        yield Finding("numbers", Severity.LOOK, None, f"all {len(labels):,} labels are numbers, "
                      "and some of them fractions", len(labels), len(labels))


def _dev_size(dev: Survey) -> Finding:
    half = 196 * (0.9 * 0.1 / dev.rows) ** 0.5
    return Finding("dev_size", Severity.LOOK if half > _WIDE else Severity.FINE, "dev",
                   f"with {dev.rows:,} rows, one is {100 / dev.rows:.2g} points of accuracy, and a "
                   f"score of 90 % is sure to {half:.2g} points", dev.rows, dev.rows,
                   details={"points": half})


def _never_trained(train: Survey, dev: Survey) -> Iterator[Finding]:
    known = train.counts()
    new = {label: count for label, count in dev.counts().items()
           if count and not known.get(label)}
    if new:
        codes = [code for code, label in enumerate(dev.names) if label in new]
        rows = np.flatnonzero(np.isin(dev.labels, codes))
        yield Finding("never_trained", Severity.PROBLEM, "dev",
                      f"{share(rows.size, dev.rows)} have a label that no training row has: "
                      f"{counted(new)}", rows.size, dev.rows, details={"labels": new},
                      samples=samples("dev", rows))


def _shifted(train: Survey, dev: Survey) -> Iterator[Finding]:
    from scipy import special  # takes its time to import

    known = [train.counts(), dev.counts()]
    names = list(dict.fromkeys([*known[0], *known[1]]))
    table = np.array([[counts.get(name, 0) for name in names] for counts in known], np.float64)
    table = table[:, table.any(0)]
    if table.shape[1] < 2 or not table.sum(1).all():
        return
    shares = table / table.sum(1, keepdims=True)
    distance = 0.5 * float(np.abs(shares[0] - shares[1]).sum())
    expected = table.sum(1, keepdims=True) * table.sum(0) / table.sum()
    chance = float(special.chdtrc(table.shape[1] - 1, np.sum((table - expected) ** 2 / expected)))
    if distance >= _SHIFT and chance < 0.001:
        yield Finding("label_shift", Severity.LOOK, "dev",
                      f"labels are spread otherwise than in train: {100 * distance:.0f} % of the "
                      "rows would need another one", round(distance * dev.rows), dev.rows,
                      details={"distance": distance})


def by_length_alone(tokens: np.ndarray, codes: np.ndarray) -> tuple[float, float]:
    """Returns how far a guess by length alone comes, and a guess without looking.

    For each tenth of the lengths the most frequent label is taken, from every other row; the rest
    is scored.

    Args:
        tokens: int[N], lengths.
        codes: int[N], labels.
    """
    order = np.random.default_rng(0).permutation(len(codes))  # files are sorted in many ways
    learn, judge = order[::2], order[1::2]
    edges = np.unique(np.quantile(tokens[learn], np.arange(1, _BINS) / _BINS))
    bins = np.searchsorted(edges, tokens)
    counts = np.zeros((len(edges) + 1, codes.max() + 1), np.int64)
    np.add.at(counts, (bins[learn], codes[learn]), 1)
    top = counts.sum(0).argmax()
    answers = np.where(counts.any(1), counts.argmax(1), top)
    return (float(np.mean(answers[bins[judge]] == codes[judge])),
            float(np.mean(codes[judge] == top)))


def _by_length(train: Survey) -> Iterator[Finding]:
    known = ~np.isnan(train.labels)
    if known.sum() < 100:
        return
    score, without = by_length_alone(train.tokens[known], train.labels[known].astype(np.int64))
    chance = (max(without * (1 - without), 0.01) / (known.sum() / 2)) ** 0.5
    if score - without >= max(_SHORTCUT, 4 * chance):
        yield Finding("length", Severity.LOOK, "train",
                      f"the length of a text alone tells labels apart: accuracy {score:.3f}, where "
                      f"always the same answer has {without:.3f}", train.rows, train.rows,
                      details={"by_length": score, "majority": without})


def named(labels: Sequence[str], most: int = 10) -> str:
    """Returns labels for a message."""
    more = f" and {len(labels) - most:,} more" if len(labels) > most else ""
    return ", ".join(map(repr, labels[:most])) + more


def counted(counts: Mapping[str, int]) -> str:
    """Returns labels and how many rows they have, for a message."""
    return named([f"{label}" for label in counts]) if len(counts) > 10 else ", ".join(
        f"{label!r} ({count:,} {'row' if count == 1 else 'rows'})"
        for label, count in counts.items())
