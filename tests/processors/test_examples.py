from collections import deque

import pytest

from processors.errors import Report
from processors.examples import InputExample, Split, make_examples

SPLIT = Split("f", text_a=0, label=1)


def made(rows, split=SPLIT, name="train", labels=("0", "1"), first=0):
    report = Report("f")
    examples = list(make_examples(enumerate(rows, start=first + 1), split, name, labels, report,
                                  first))
    return examples, list(report.error().problems), report.notices


def test_attributes_of_the_original_come_first():
    example = InputExample("train-1", "a", "b", "0")
    assert (example.guid, example.text_a, example.text_b, example.label) == (
        "train-1", "a", "b", "0")
    assert example.row_id is example.source is None


def test_every_column_lands_in_its_place():
    split = Split("f", text_a=(0, 2, 1), text_b=(3,), label=-1, row_id=4, guid=5, guid_prefix="x")
    examples, problems, notices = made([["a", "b", "", "c", "id", "7", "1"]], split, first=3)
    assert examples == [InputExample("x-7", "a b", "c", "1", "id", "f:4")]
    assert (problems, notices) == ([], [])


def test_guid_counts_rows_from_the_top_of_the_file():
    assert [each.guid for each in made([["a", "0"], ["b", "1"]], first=1)[0]] == [
        "train-1", "train-2"]


def test_unknown_labels_are_told_once_with_their_number():
    rows = [["a", "bgu"], ["b", "2"], ["c", "bgu"], ["d", ""], ["e", "bug"]]
    _, problems, _ = made(rows, labels=("bug", "feature"))
    assert problems == [
        'f:1: label "bgu" is not one of "bug", "feature" (2 such rows), closest is "bug"; '
        "other labels are set by --labels",
        'f:2: label "2" is not one of "bug", "feature"; other labels are set by --labels',
        "f:4: the label in column 1 is empty"]


def test_of_many_unknown_labels_those_are_worded_that_are_shown(monkeypatch):
    asked = []
    monkeypatch.setattr("processors.examples.suggestion",
                        lambda label, labels: asked.append(label) or "")
    _, problems, _ = made([["a", f"x{number}"] for number in range(3000)])
    assert asked == [f"x{number}" for number in range(20)]
    assert problems[19].startswith('f:20: label "x19" is not one of')
    assert problems[20] == "f: ... and 2,980 more problems"


@pytest.mark.parametrize(("first", "others", "hint"), [
    ("label", ["bug"], True), ("label", ["bug", "label"], False), ("3", ["bug"], False)])
def test_what_recurs_or_is_a_number_is_not_taken_for_a_header(first, others, hint):
    _, problems, _ = made([["a", first], *(["b", other] for other in others)],
                          labels=("bug", "feature"))
    assert problems[0].endswith("if line 1 is a header, say --header=true") is hint


@pytest.mark.parametrize(("labels", "other", "hint"), [
    (("2.1", "2.3", "3"), "1.9", True), (("1", "2", "3"), "4", False),
    (("2.1", "bug"), "1.9", False), (("2.1", "2.3"), "bug", False)])
def test_scores_among_labels_are_told_as_such(labels, other, hint):
    _, problems, _ = made([["a", labels[0]], ["b", other]], labels=labels)
    assert problems[0].endswith("are read with --task_type=regression") is hint


def test_a_column_without_any_number_is_told_once():
    report = Report("f")
    deque(make_examples([(2, ["a", "bug"]), (3, ["b", "feature"])], SPLIT, "dev", None, report, 1,
                        True))
    assert report.error().problems == (
        'f:2: label "bug" is not a finite number, and neither is that of any other row (2 such '
        "rows); a regression has numbers for labels",)


def test_short_rows_are_told_once_each():
    _, problems, _ = made([["a"], ["?", "1"], []], Split("f", text_a=1, text_b=2, label=0))
    assert problems == [
        "f:1: the text is in column 1 (the first is 0), but the row has only 1 column; "
        "csv is separated by commas, tsv by tabs, and tsv has no quoting",
        "f:2: the second text is in column 2 (the first is 0), but the row has only 2 columns",
        "f:3: the text is in column 1 (the first is 0), but the row has only 0 columns"]


def test_test_rows_need_no_label():
    rows = [["a", "1"], ["b", "?"], ["c"], ["d", ""]]
    examples, problems, _ = made(rows, name="test")
    assert [each.label for each in examples] == ["1", None, None, None]
    assert problems == []
    assert made(rows, name="test", labels=None)[0][0].label is None


def test_without_a_list_any_label_goes_but_not_an_empty_one():
    examples, problems, _ = made([["a", "x"], ["b", ""]], labels=None)
    assert [each.label for each in examples] == ["x"]
    assert problems == ["f:2: the label in column 1 is empty"]


def test_the_last_column_is_called_so():
    split = Split("f", text_a=0, label=-1)
    assert made([["a", "x", ""]], split)[1] == ["f:1: the label in the last column is empty"]


@pytest.mark.parametrize(("name", "told"), [("test", True), ("train", False)])
def test_rows_without_an_id_of_their_own_are_counted_where_ids_are_written(name, told):
    rows = [{"text": "a", "id": "7"}, {"text": "b", "id": {"n": "8"}}, {"text": "c", "id": None},
            {"text": "d"}, {"text": "e", "id": ""}]
    examples, problems, notices = made(rows, Split("f", text_a="text", row_id="id"), name)
    assert [each.row_id or each.guid for each in examples] == [
        "7", *(f"{name}-{number}" for number in range(1, 5))]
    assert (problems, notices) == ([], [
        "f: 4 rows have no text or number for an id; predictions.tsv has the split and the row's "
        "number instead"] * told)


def test_empty_texts_are_counted():
    split = Split("f", text_a=0, text_b=2, label=1)
    rows = [["", "1", "x"], [" ", "1", ""], ["a", "0", "x"]]
    examples, problems, notices = made(rows, split)
    assert [each.text_a for each in examples] == ["", " ", "a"]
    assert problems == []
    assert notices == ["f: 2 rows have an empty text", "f: 1 row has an empty second text"]


def test_rows_of_others_are_left_out_and_labels_renamed():
    split = Split("f", text_a=1, label=2, only=(0, "de"), renamed={"no": "0"})
    examples, problems, _ = made([["de", "a", "no"], ["fr", "b", "?"], ["de", "c", "1"]], split)
    assert [(each.guid, each.text_a, each.label) for each in examples] == [
        ("train-0", "a", "0"), ("train-2", "c", "1")]
    assert problems == []


def test_no_examples():
    assert made([])[1] == ["f: is empty: it holds no examples"]
    assert made([], first=1)[1] == ["f: holds a header and no examples"]
    split = Split("f", text_a=1, only=(0, "de"))
    assert made([["fr", "a"], ["en", "b"], ["fr", "c"]], split)[1] == [
        'f: holds no examples with "de" in column 0; there is "fr", "en"']


def test_objects_lack_keys_and_hold_null():
    split = Split("f", text_a=("title", "body"), label="label", row_id="id")
    rows = [{"title": "a", "body": None, "label": "1", "id": "7"}, {"body": "b", "label": "0"},
            {"label": "1"}, {"title": "c", "body": "d"}, {"title": ["x"], "label": None}]
    examples, problems, _ = made(rows, split)
    assert [(each.text_a, each.label, each.row_id) for each in examples] == [
        ("a", "1", "7"), ("b", "0", None)]
    assert problems == [
        'f:3: the text is missing: there is no "title", only "label"',
        'f:4: the label is missing: there is no "label", only "title", "body"',
        'f:5: the text in "title" is a list, not a text or a number',
        'f:5: the label in "label" is empty']
