"""Whose file is it? Compares the first rows of a file with the columns that the tasks declare.

    rows = [(1, ["sentence", "label"]), (2, ["hide new secretions", "0"])]
    owners(rows, "train.tsv", but="cola")                                         # ["sst-2"]

A folder of another task gives an error in every row, or none at all and texts that are ids. Both
are told as what they are.
"""

from collections.abc import Sequence

from processors import registry
from processors.columns import as_columns
from processors.errors import listed, quoted
from processors.examples import Split, is_number
from processors.readers import Row

LOOKED_AT = 50  # rows; enough to tell a few bad ones from another layout
_FEW = 5  # problems that can all be told
_SHOWN = 6  # columns of the first line


def is_header(cells: Sequence[str], split: Split) -> bool:
    """Whether a file's first line is the header that the split declares."""
    column = as_columns(split.text_a)[0]
    return (split.header is not None and len(cells) > column
            and cells[column].strip().lower() == split.header.lower())


def owners(rows: Sequence[Row], file: str, but: str) -> list[str]:
    """Returns the tasks, other than `but`, whose file of this name has such rows.

    A declared header has to be there; without one the number of columns has to be the declared.
    """
    found = []
    for name in registry.names():
        cls = registry.get(name)
        splits = [(part, getattr(cls, part, None)) for part in ("train", "dev", "test")]
        if name != but and any(_owns(rows, cls, part, split) for part, split in splits
                               if isinstance(split, Split) and split.file == file):
            found.append(name)
    return found


def _owns(rows: Sequence[Row], cls: type, part: str, split: Split) -> bool:
    body = rows
    if split.header is not None:
        if not rows or not is_header(rows[0][1], split):
            return False
        body = rows[1:]
    elif any(len(cells) != _width(split) for _, cells in rows):
        return False
    wrong = misfits(body, split, part, cls.labels, cls.task_type == "regression")
    return len(body) > 0 and len(wrong) <= len(body) / 10


def misfits(rows: Sequence[Row], split: Split, part: str, labels: Sequence[str],
            numbers: bool) -> list[Row]:
    """Returns the rows that lack a column or, but for test, have no label of the task."""
    def fits(cells: list[str]) -> bool:
        if len(cells) < _width(split):
            return False
        if split.label is None or part == "test":
            return True
        label = cells[split.label]
        return is_number(label) if numbers else split.renamed.get(label, label) in labels

    return [(line, cells) for line, cells in rows if not fits(cells)]


def _width(split: Split) -> int:
    columns = (*as_columns(split.text_a), *as_columns(split.text_b), split.label or 0)
    return 1 + max(columns)


def problem(path: str, rows: Sequence[Row], split: Split, part: str, task: type,
            problems: int | None) -> str | None:
    """Returns why a file has another layout than the task's, None if it may have the task's.

    Args:
        path: of the file; rows: its first LOOKED_AT rows.
        split: the columns declared; part: "train", "dev" or "test".
        task: the processor, with its labels.
        problems: how many were found in the file; None: it has not been read, and all that is
            known is that the declared header is not there.
    """
    if not rows:
        return None
    header = is_header(rows[0][1], split)
    others, body = owners(rows, split.file, but=task.name), rows[header:]
    wrong = misfits(body, split, part, task.labels, task.task_type == "regression")
    if problems is None:
        if not others:
            return None
    elif len(wrong) <= len(body) / 2 or not (others or (problems > _FEW and not header)):
        return None
    return (_found(path, rows, wrong, split, part, task)
            + _advice(rows, split, task, others, problems is None and not wrong and part != "test"
                      and all(len(cells) == _width(split) for _, cells in rows)))


def _found(path: str, rows: Sequence[Row], wrong: Sequence[Row], split: Split, part: str,
           task: type) -> str:
    """Says what stands in the file and what the task has."""
    line, first = rows[0]
    text = (f"{path}:{line}: is not laid out as {split.file} of the task {task.name}: this line "
            f"has {len(first)} {'column' if len(first) == 1 else 'columns'}, "
            f"{listed((cell[:30] for cell in first), _SHOWN)}")
    if wrong and wrong[0][0] > line and len(wrong[0][1]) >= _width(split):
        line, cells = wrong[0]
        text += f", and line {line} has {quoted(cells[split.label], 30)} for a label"
    return f"{text}. {task.name} has {_declared(split, part, task)}. "


def _advice(rows: Sequence[Row], split: Split, task: type, others: Sequence[str],
            may_be_headless: bool) -> str:
    if others:
        text = (f"It looks like {split.file} of {' or '.join(others)}: give "
                f"{' or '.join(f'--task_name={name}' for name in others)}, or another --data_dir")
        return text + (f"; if it is one of {task.name} without a header, say --header=false"
                       if may_be_headless else "")
    tabs = "Columns are separated by tabs. " if all(len(cells) == 1 for _, cells in rows) else ""
    return tabs + ("Files of your own are read without --task_name, by --text_column and "
                   "--label_column")


def _declared(split: Split, part: str, task: type) -> str:
    """Says in words which columns a split has."""
    def at(column: int) -> str:
        return "the last column" if column == -1 else f"column {column}"

    parts = ["the text in " + " and ".join(map(at, as_columns(split.text_a)))]
    if split.text_b is not None:
        parts.append("the second text in " + " and ".join(map(at, as_columns(split.text_b))))
    if split.label is not None and part != "test":
        kind = "a number" if task.task_type == "regression" else listed(task.labels, _SHOWN)
        parts.append(f"the label ({kind}) in {at(split.label)}")
    header = (f"a header with {quoted(split.header)} in {at(as_columns(split.text_a)[0])}"
              if split.header is not None else "no header")
    return f"{', '.join(parts)} (the first is 0), and {header}"
