"""Label cells that hold several labels, where nothing says that a row may have several.

    hint({"ui": 2, "docs": 3, "ui, docs": 7}, ["ui", "docs"], ",")     # 'label "ui, docs" ...'
"""

from collections.abc import Container, Mapping

from processors.errors import quoted

_OTHERS = (";", "|")  # separators that people use, and hardly any label holds


def hint(seen: Mapping[str, int], known: Container[str], separator: str) -> str | None:
    """Returns what to tell of cells that are made of known labels; None: there are none.

    Args:
        seen: what stands in label cells, and in which line first.
        known: the labels; where nobody has given any, what stands in cells.
        separator: --label_separator.
    """
    for between in (separator, *_OTHERS):
        made = [label for label in seen if between in label and all(
            part.strip() in known for part in label.split(between))]
        if made:
            first, more = made[0], f", and {len(made) - 1:,} more are" * (len(made) > 1)
            flag = f' --label_separator="{between}"' * (between != separator)
            return (f"label {quoted(first)} (line {seen[first]}) is made of other labels{more}; "
                    f"if a row may have any number of them, say --task_type=multilabel{flag}")
    return None
