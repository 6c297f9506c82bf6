"""The head's rows tell the kind; a score is a finite number that a float32 holds."""

import numpy as np
import pytest

from finetune.config import RunConfig
from finetune.task_kind import TaskKind, described, number


@pytest.mark.parametrize(("rows", "kind", "label_type"), [
    (1, TaskKind.REGRESSION, np.float32), (2, TaskKind.CLASSIFICATION, np.int32),
    (17, TaskKind.CLASSIFICATION, np.int32)])
def test_a_head_of_one_row_is_a_regression(rows, kind, label_type):
    assert TaskKind.of_rows(rows) is kind
    assert kind.label_type is label_type


def test_the_flag_names_the_kinds():
    choices = {field.name: field.metadata["choices"]
               for field in RunConfig.__dataclass_fields__.values()}["task_type"]
    assert choices == tuple(kind.value for kind in TaskKind)


def test_words():
    assert [described(rows) for rows in (1, 3)] == ["a regression", "a classifier of 3 labels"]
    assert described(3, TaskKind.MULTILABEL) == "a multi-label classifier of 3 labels"


@pytest.mark.parametrize(("label", "score"), [
    ("3.8", 3.8), ("-1", -1.0), ("5.000", 5.0), ("2e-3", 0.002), (4, 4.0), (0, 0.0),
    (np.float32(0.5), 0.5), (" 1 ", 1.0), ("3.4e38", 3.4e38), ("nan", None), ("inf", None),
    ("1e39", None), ("", None), (None, None), ("1_0", None), ("3,8", None), (True, None)])
def test_numbers(label, score):
    assert number(label) == score
