"""What fit and predict take for texts and labels, and what they say of the rest."""

import numpy as np
import pandas as pd
import pytest
from scipy import sparse

from finetune.errors import UserError
from finetune.estimators import rows


@pytest.mark.parametrize(("given", "expected"), [
    (["a", "b"], ["a", "b"]),
    (np.array(["a", "b"]), ["a", "b"]),
    (np.array(["a", "b"], object), ["a", "b"]),
    (pd.Series(["a", "b"], index=[7, 3]), ["a", "b"]),
    (pd.Series(["a", "b"]).astype("string"), ["a", "b"]),
    (pd.Series(["a", "b"]).astype("category"), ["a", "b"]),
    (pd.DataFrame({"text": ["a", "b"]}), ["a", "b"]),
    (iter(["a", "b"]), ["a", "b"]),
    ([("a", "b"), ("c", None), "d", ""], [("a", "b"), ("c", None), "d", ""]),
    ([["a", "b"]], [("a", "b")]),
    (np.array([["a", "b"], ["c", "d"]]), [("a", "b"), ("c", "d")]),
    (pd.DataFrame({"q": ["a"], "r": ["b"]}), [("a", "b")]),
    ([], []),
    (np.empty((0, 2), object), [])])
def test_texts(given, expected):
    problems = []
    found = rows.texts(given, "X", problems)
    assert (found, problems) == (expected, [])
    assert {type(part) for text in found for part in (text if isinstance(text, tuple) else [text])
            } <= {str, type(None)}  # not numpy's


@pytest.mark.parametrize(("given", "told"), [
    ("It crashes", "X is a single string; give a list of texts"),
    (b"bytes", "X is bytes"),
    ({"a": 1}, "X is a mapping"),
    ({"a"}, "X is a set, which has no order"),
    (("a", "b"), "X is a tuple, which stands for a pair; give a list of texts"),
    (5, "X is 5; give a list of texts"),
    (None, "X is None; give a list of texts"),
    (np.array("a"), r"X has the shape ()"),
    (np.zeros((2, 3)), "X has the shape (2, 3); texts are one column, pairs of texts are two"),
    (sparse.csr_matrix((2, 3)), "X has the shape (2, 3)"),
    ([1], "X: row 0 is 1; it has to be a string, or a tuple of two"),
    (["a", b"b"], "X: row 1 is b'b'"),
    ([("a", "b", "c")], "X: row 0 is ('a', 'b', 'c')"),
    ([(None, "b")], "X: row 0 is (None, 'b')"),
    ([()], "X: row 0 is ()"),
    (["a", "b\ud800"], "X: row 1 holds half a surrogate pair, which is no character"),
    ([("a", "\udc80")], "X: row 0 holds half a surrogate pair"),
    (["a", None], "X: row 1 is None; it has to be a string, or a tuple of two"),
    (pd.Series(["a", np.nan]), "X: row 1 is nan; it has to be a string, or a tuple of two; fillna('"
                               "') makes an empty text of it"),
    (pd.Series(["a", None]).astype("string"), "X: row 1 is <NA>; it has to be a string, or a tuple "
                                              "of two; fillna('')"),
    (pd.DataFrame({"q": ["a"], "r": [np.nan]}), "X: row 0 is ('a', nan)")])
def test_what_is_no_text(given, told):
    problems = []
    rows.texts(given, "X", problems)
    assert len(problems) == 1 and problems[0].startswith(told), problems


def test_many_problems_are_counted():
    problems = []
    rows.texts([None] * 30, "X", problems)
    assert len(problems) == 21 and problems[-1] == "X: ... and 10 more such rows"


@pytest.mark.parametrize(("given", "kind"), [
    (["b", "a"], "U"), ([1, 0], "i"), (np.array([True, False]), "b"), ([0.5, 2.0], "f"),
    (pd.Series(["b", "a"]).astype("category"), "O"), (np.array([[1], [2]]), "i"),
    (iter([1, 2]), "i")])
def test_targets_keep_their_type(given, kind):
    problems = []
    found = rows.targets(given, "y", problems)
    assert found.dtype.kind == kind and len(found) == 2 and not problems


@pytest.mark.parametrize(("given", "told"), [
    (None, "y is None; give a list, a label for each text"),
    ("bug", "y is 'bug'"),
    ({"a": 1}, "y is {'a': 1}"),
    (3, "y is 3"),
    (np.zeros((2, 2)), "y: row 0 is [0.0, 0.0]. Classifier gives a text one label"),
    (["a", ["a", "b"]], "y: row 1 is ['a', 'b']. Classifier gives a text one label, Regressor a n"),
    ([["a", "b"], ["a", "b"]], "y: row 0 is ['a', 'b']. Classifier"),
    ([["a"], ["b"]], "y: row 0 is ['a']. Classifier gives a text one label"),
    ([{"a"}, {"b"}], "y: row 0 is {'a'}. Classifier"),
    (pd.Series([["a"], []]), "y: row 0 is ['a']. Classifier"),
    (["a", None], "y: row 1 has none"),
    ([1.0, np.nan, np.nan], "y: 2 rows have none: 1, 2"),
    (pd.Series(["a", pd.NA]), "y: row 1 has none")])
def test_what_is_no_label(given, told):
    problems = []
    rows.targets(given, "y", problems)
    assert problems and problems[0].startswith(told), problems


def scored(y, classes):
    return rows.to_score(["a"] * len(y), y, classes and np.array(classes))


def test_labels_that_the_model_does_not_know():
    assert rows.to_score(["a", "b"], iter([2.0, 1]), np.array([1, 2]))[1].dtype.kind == "i"
    with pytest.raises(UserError) as error:
        scored(["bug", "bugs", "zzz", "bugs"], ["bug", "feature"])
    assert error.value.problems == (
        "y: row 1 is 'bugs', which the model never answers; it knows 'bug', 'feature'; did you "
        "mean bug?", "y: row 2 is 'zzz', which the model never answers; it knows 'bug', 'feature'")
    with pytest.raises(UserError) as error:  # one message for all that are of another type
        scored([2, 0, 1], ["0", "1"])
    assert error.value.problems == (
        "y: row 1 is 0, which the model never answers; it knows '0', '1': its labels are text "
        "(str), and this is int; give all labels as the model has them",
        "y: row 0 is 2, which the model never answers; it knows '0', '1'")
    with pytest.raises(UserError, match="row 0 is '1', .* it knows 1, 2: its labels are int, and "
                                        r"this is text \(str\)"):
        scored(["1", 2], [1, 2])
    with pytest.raises(UserError, match="y is None; give a list"):
        rows.to_score(["a"], None, np.array([1, 2]))


@pytest.mark.parametrize(("of_x", "y", "classes", "told"), [
    (["a"], [1, 2], [1, 2], "X: 1 rows, but y has 2"), ([], [], [1, 2], "X: there are no rows"),
    (["a"], [1, 2], None, "X: 1 rows, but y has 2"), ([], [], None, "X: there are no rows"),
    (["a", "b"], [1, np.nan], None, "y: row 1 has none"),
    (["a", "b"], [1, "b"], None, "y: row 1 is 'b'; it has to be a finite number"),
    (["a", None], [1, 2], None, "X: row 1 is None; it has to be a string, or a tuple of two")])
def test_what_cannot_be_scored(of_x, y, classes, told):
    with pytest.raises(UserError) as error:
        rows.to_score(of_x, y, classes and np.array(classes))
    assert error.value.problems == (told,)


@pytest.mark.parametrize("kind", [list, pd.DataFrame])
def test_labels_among_the_texts(kind):
    given = kind([("a", "1"), ("b", "2")])
    rows.splits(given, [1, 2], (given, [1, 2]), problems := [])
    assert problems == [f"{name}: the second text of every row is its label; give the texts alone, "
                        "as df['text']" for name in ("X", "texts of dev")]
    rows.splits(given, [1, 1], None, problems := [])
    assert not problems


def test_dev_of_another_kind_than_train():
    problems = []
    rows.splits(["a", "b"], [1, 2], (["a", ("a", "b")], [1, 2]), problems)
    assert len(problems) == 1 and problems[0].startswith("texts of dev: row 1 is a pair, but the ")
    rows.splits([("a", "b"), ("b", "")], [1, 2], ([("a", ""), ("a", "b")], [1, 2]), problems)
    assert len(problems) == 1  # a pair may have an empty second text


@pytest.mark.parametrize(("of_x", "told"), [
    (["a", ("a", "b"), "c"], "X: row 0 is a single text, and row 1 a pair (2 single texts, 1 pairs"
                             "): give all as pairs, (text, '') where there is no second one"),
    ([("a", "b"), ("b", None), ("", "")], None), (["a", ("b", None), ("c", "")], None)])
def test_single_texts_among_pairs(of_x, told):
    rows.splits(of_x, [1, 2, 3], None, problems := [])
    assert len(problems) == bool(told) and (not told or problems[0].startswith(told)), problems
    rows.texts(of_x, "X", problems := [])  # predict takes both where the training had both
    assert not problems
