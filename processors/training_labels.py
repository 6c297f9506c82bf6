"""The labels that a training file tells, and what is odd about them.

    training_labels.of(examples, report, "--label_column=kind", None)     # ("bug", "feature")
"""

import re
from collections import Counter
from collections.abc import Sequence

from processors import several
from processors.errors import MAX_SHOWN, Report, listed, quoted
from processors.examples import InputExample, is_number

# From so many rows on no label column has as good as a label for every row. 100 of CLINC150's
# rows, with 150 labels more than most tasks have, have some 51 labels in a single row; small files
# to try things on may well have a row for each label.
_MANY, _ALONE = 100, 0.95


def look_for_header(examples: Sequence[InputExample], report: Report,
                    way: several.Several | None) -> None:
    """Tells of a first row whose label no other row has, as that of a header would be."""
    rows = iter(examples)
    names = several.names_in(next(rows), way)
    if names and not any(name in several.names_in(row, way) for row in rows for name in names):
        report.notice(f"read as a row, as --header=false says, and no other has the label "
                      f"{listed(names)}; if this line is a header, say --header=true", 1)


def of(examples: Sequence[InputExample], report: Report, column: str,
       way: several.Several | None) -> tuple[str, ...]:
    """Returns the labels that occur, sorted; all integers are sorted as numbers.

    Args:
        column: that of the labels, as the user has asked for it.
        way: how a row's labels are written, if it has any number of them.
    """
    labels = Counter(label for example in examples for label in several.names_in(example, way))
    once = sum(count == 1 for count in labels.values())
    if len(examples) >= _MANY and once >= _ALONE * len(examples):
        numbers = "; numbers are learned with --task_type=regression" * all(map(is_number, labels))
        report.problem(0, f"{len(labels):,} different labels in {len(examples):,} rows, {once:,} "
                       f"of them in a single row: {column} is hardly the column of the labels. "
                       "Name that by --label_column, or insist on this one by --labels or "
                       f"--labels_file{numbers}")
        return ()
    if len(labels) < 2 and way:
        report.problem(0, f"the labels of all rows are {listed(labels) or 'none'}; a classifier "
                       "needs two labels or more")
    elif len(labels) < 2:
        report.problem(0, f"every row has the label {listed(labels)}; a classifier needs two "
                       "labels or more")
    for label in sorted(labels):
        broken = "\t" in label or label.splitlines() != [label]
        if broken or label != label.strip():
            first = next(row for row in examples if label in several.names_in(row, way))
            report.problem(int(first.source.rpartition(":")[2]), f"label {quoted(label)} " + (
                "holds a tab or a line break" if broken else "begins or ends with a blank"))
    alike: dict[str, list[str]] = {}
    for label in sorted(labels):
        alike.setdefault(label.strip().casefold(), []).append(label)
    groups = [group for group in alike.values() if len(group) > 1]
    for group in groups[:MAX_SHOWN]:
        report.notice(f"the labels {listed(group)} differ only in case or blanks")
    if len(groups) > MAX_SHOWN:
        report.notice(f"... and {len(groups) - MAX_SHOWN:,} more such groups of labels")
    if len(labels) > max(20, len(examples) // 2):
        report.warning(f"{len(labels):,} different labels in {len(examples):,} rows: is this the "
                       "label column?")
    if all(re.fullmatch("-?[0-9]{1,1000}", label) for label in labels):  # int() takes 4,300
        return tuple(sorted(labels, key=lambda label: (int(label), label)))  # "01" beside "1"
    return tuple(sorted(labels))
