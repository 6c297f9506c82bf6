"""What `fit` and `predict` are given -> texts, labels, examples.

Texts come as a list, an array, a column of pandas; pairs as tuples, or in two columns.
"""

import dataclasses
import difflib
from collections.abc import Mapping, Sequence, Set
from typing import Any

import numpy as np

from finetune import texts as asked
from finetune.config_problems import shown
from finetune.errors import UserError
from finetune.estimators.parameters import SEVERAL
from finetune.task_kind import number
from finetune.texts import Text

_MOST = 20  # messages


@dataclasses.dataclass(frozen=True, slots=True)
class Example:
    """An example, as the original's DataProcessor gives them."""

    guid: str
    text_a: str
    text_b: str | None
    label: str


class GivenRows:
    """A processor of rows that are in memory: the original's four methods.

    Args:
        labels: in the order of their ids; None for a regression.
        splits: by "train" and "dev", the texts and their labels as text.
    """

    metrics = ("accuracy", "f1_macro", "mcc")

    def __init__(self, labels: Sequence[str] | None,
                 splits: Mapping[str, tuple[Sequence[Text], Sequence[str]]]):
        self._labels, self._examples = labels, {
            split: [Example(f"{split}-{place}", *pair(text), label)
                    for place, (text, label) in enumerate(zip(*rows, strict=True))]
            for split, rows in splits.items()}
        if labels is None:
            self.metrics = ("pearson_spearman", "pearson", "spearman")

    @property
    def examples(self) -> dict[str, list[Example]]:
        """The examples by split."""
        return self._examples

    def get_train_examples(self, data_dir: str | None = None) -> list[Example]:
        """Returns the rows of fit."""
        return self._examples["train"]

    def get_dev_examples(self, data_dir: str | None = None) -> list[Example]:
        """Returns the rows of dev; where there are none, the settings ask for some."""
        return self._examples.get("dev", [])

    def get_test_examples(self, data_dir: str | None = None) -> list[Example]:
        """Returns no rows: they are for predict."""
        return []

    def get_labels(self) -> list[str]:
        """Returns the labels."""
        return list(self._labels or ())

    def data_files(self, data_dir: str | None = None) -> dict[str, str]:
        """Returns no paths."""
        return {}


def pair(text: Text) -> tuple[str, str | None]:
    """Returns a text as the two of an example."""
    return text if isinstance(text, tuple) else (text, None)


def texts(given: Any, name: str, problems: list[str]) -> list[Text]:
    """Returns texts and pairs as Predictor takes them.

    Args:
        given: what the user gave: many texts.
        name: of the argument, for messages.
        problems: gets what is wrong with it.
    """
    rows = _many(given, name, problems)
    found, wrong = [], []
    for place, row in enumerate(rows):
        parts = row if isinstance(row, (tuple, list)) else (row,)
        a, b = (*parts, None)[:2] if len(parts) in (1, 2) else (None, None)
        if isinstance(a, str) and (b is None or isinstance(b, str)):
            if asked.halved(a, b):
                wrong.append(f"{name}: row {place} {asked.HALVED}")
                continue
            found.append(str(a) if len(parts) == 1 else (str(a), b if b is None else str(b)))
            continue
        hint = "; fillna('') makes an empty text of it" * (
            hasattr(given, "fillna") and any(map(is_missing, parts)))
        wrong.append(f"{name}: row {place} is {shown(row)}; it has to be a string, or a tuple of "
                     f"two{hint}")
    more = len(wrong) - _MOST
    problems += wrong[:_MOST] + [f"{name}: ... and {more:,} more such rows"] * (more > 0)
    return found


def _many(given: Any, name: str, problems: list[str]) -> list[Any]:
    """Returns the rows of a list, an array of one or two columns, or a table of pandas."""
    told = {str: "is a single string", bytes: "is bytes", Mapping: "is a mapping",
            Set: "is a set, which has no order", tuple: "is a tuple, which stands for a pair"}
    for kind, what in told.items():
        if isinstance(given, kind):
            problems.append(f"{name} {what}; give a list of texts")
            return []
    shape = getattr(given, "shape", None)
    if shape is None:
        try:
            return list(given)
        except TypeError:
            problems.append(f"{name} is {shown(given)}; give a list of texts")
            return []
    array = np.asarray(given, dtype=object)
    if array.ndim == 1:
        return array.tolist()
    if array.ndim == 2 and array.shape[1] in (1, 2):
        return [tuple(row) for row in array.tolist()]
    problems.append(f"{name} has the shape {tuple(shape)}; texts are one column, pairs of texts "
                    "are two")
    return []


def targets(given: Any, name: str, problems: list[str], numbers: bool = False) -> np.ndarray:
    """Returns labels or scores as an array of one dimension.

    Args:
        given: what the user gave.
        name: of the argument, for messages.
        problems: gets what is wrong with it.
        numbers: whether they are to be numbers, those of a regression.
    """
    if given is None or isinstance(given, (str, bytes, Mapping, Set)) or (
            not hasattr(given, "__array__") and not hasattr(given, "__iter__")):
        problems.append(f"{name} is {shown(given)}; give a list, a label for each text")
        return np.empty(0, object)
    values = given if hasattr(given, "__array__") else list(given)
    try:
        array = np.asarray(values)
        if array.dtype.kind == "U" and not all(isinstance(value, str) for value in values):
            array = np.asarray(values, dtype=object)  # numpy would make texts of all of them
        if array.ndim == 2 and array.shape[1] == 1 and values is given:  # a column, and no lists
            array = array[:, 0]
        values = array.tolist()
    except ValueError:  # of lists of several lengths
        array = np.empty(0, object)
    for place, value in enumerate(values):
        if isinstance(value, (list, tuple, Set, Mapping, np.ndarray)):
            problems.append(f"{name}: row {place} is {shown(value)}. {SEVERAL}")
            return np.empty(0, object)
    missing = [place for place, value in enumerate(values) if is_missing(value)]
    if missing:
        rows = ", ".join(map(str, missing[:_MOST])) + ", ..." * (len(missing) > _MOST)
        problems.append(f"{name}: row {rows} has none" if len(missing) == 1 else
                        f"{name}: {len(missing):,} rows have none: {rows}")
        return np.empty(0, object)
    wrong = [place for place, value in enumerate(values) if number(value) is None] * numbers
    if wrong:
        more = f" ({len(wrong):,} such rows)" if len(wrong) > 1 else ""
        problems.append(f"{name}: row {wrong[0]} is {shown(values[wrong[0]])}; it has to be a "
                        f"finite number{more}")
    return array


def to_score(X: Any, y: Any, classes: np.ndarray | None) -> tuple[list[Text], np.ndarray]:
    """Returns texts and labels to be scored.

    Args:
        X: texts; y: a label for each.
        classes: the labels of the model; None of a regression.

    Raises:
        UserError: something is wrong with them, as in fit.
    """
    problems: list[str] = []
    found, values = _matched(X, y, "X", "y", problems, numbers=classes is None)
    if classes is not None and not problems:
        problems += _unknown(values.tolist(), classes.tolist())
    if problems:
        raise UserError(problems)
    if classes is None:
        return found, np.array([number(value) for value in values.tolist()])
    places = {label: place for place, label in enumerate(classes.tolist())}
    return found, classes[[places[value] for value in values.tolist()]]  # 1.0 as the model's 1


def _unknown(values: list[Any], known: list[Any]) -> list[str]:
    """Returns which labels a model cannot answer, with the closest that it can."""
    problems: list[str] = []
    unknown = [value for value in dict.fromkeys(values) if value not in known]
    by_text = {str(one): one for one in known}
    of_another_type = [value for value in unknown if str(value) in by_text]
    for value in [*of_another_type[:1], *(one for one in unknown if str(one) not in by_text)]:
        told = (f"y: row {values.index(value)} is {shown(value)}, which the model never answers; "
                f"it knows {', '.join(map(shown, known[:_MOST]))}")
        near = difflib.get_close_matches(str(value), by_text, 1, 0.5)
        if value in of_another_type:
            told += (f": its labels are {_type(by_text[str(value)])}, and this is {_type(value)}; "
                     "give all labels as the model has them")
        elif near:
            told += f"; did you mean {near[0]}?"
        problems.append(told)
    return problems[:_MOST]


def _type(label: Any) -> str:
    return "text (str)" if isinstance(label, str) else type(label).__name__


def is_missing(value: Any) -> bool:
    """Whether a value is None, NaN, or pandas' NA or NaT."""
    return value is None or type(value).__name__ in ("NAType", "NaTType") or (
        isinstance(value, float) and value != value)


def splits(X: Any, y: Any, dev: Any, problems: list[str], numbers: bool = False
           ) -> dict[str, tuple[list[Text], np.ndarray]]:
    """Returns texts and labels by split.

    Args:
        X, y: of train; dev: both of dev, or None.
        problems: gets what is wrong with them.
        numbers: whether y are to be numbers.
    """
    if dev is not None and not (isinstance(dev, (tuple, list)) and len(dev) == 2):
        problems.append("dev has to be two: (texts, labels)")
        dev = None
    given = {"train": ("X", "y", X, y)}
    if dev is not None:
        given["dev"] = ("texts of dev", "labels of dev", *dev)
    found = {}
    for split, (x_name, y_name, of_x, of_y) in given.items():
        found[split] = _matched(of_x, of_y, x_name, y_name, problems, numbers)
    problems += _mixed(found["train"][0], "X")  # dev is held against train
    if dev is not None and not problems:
        trained_on = asked.form(pair(text)[1] for text in found["train"][0])
        problems += asked.problems(found["dev"][0], trained_on, "texts of dev: row")
    return found


def _matched(X: Any, y: Any, x_name: str, y_name: str, problems: list[str], numbers: bool
             ) -> tuple[list[Text], np.ndarray]:
    """Returns texts and labels that belong together."""
    before = len(problems)
    found, values = texts(X, x_name, problems), targets(y, y_name, problems, numbers)
    if len(problems) > before:
        return found, values
    if len(found) != len(values):
        problems.append(f"{x_name}: {len(found):,} rows, but {y_name} has {len(values):,}")
    elif not found:
        problems.append(f"{x_name}: there are no rows")
    elif [pair(text)[1] for text in found] == names(values):
        problems.append(f"{x_name}: the second text of every row is its label; give the texts "
                        "alone, as df['text']")
    return found, values


def _mixed(given: Sequence[Text], name: str) -> list[str]:
    """Returns why single texts among pairs are none to train on; [] if there are none.

    Pairs without a second text, ("a", ""), are pairs: the files of a pair task may hold such rows.
    """
    pairs = [place for place, text in enumerate(given) if pair(text)[1]]
    single = [place for place, text in enumerate(given) if isinstance(text, str)]
    if not pairs or not single:
        return []
    return [f"{name}: row {single[0]} is a single text, and row {pairs[0]} a pair ({len(single):,} "
            f"single texts, {len(pairs):,} pairs): give all as pairs, (text, '') where there is no "
            "second one, or none"]


def names(values: np.ndarray | None) -> list[str] | None:
    """Returns labels as the command reads them: as text."""
    return None if values is None else [str(value) for value in values.tolist()]


def label_type(classes: np.ndarray | None) -> str:
    """Returns the type of labels, to be written down; see `typed`."""
    return classes.dtype.name if classes is not None and classes.dtype.kind in "biuf" else "str"


def typed(labels: Sequence[str], label_type: str) -> np.ndarray:
    """Returns labels that were read as text in the type that they had."""
    if label_type == "bool":
        return np.array([label == "True" for label in labels])
    return np.array(labels).astype(label_type)
