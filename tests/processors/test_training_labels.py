"""The labels of own files: found in the training file, given, doubted."""

import json

import pytest

from processors import DataError, get

Delimited = get("delimited")


def test_labels_of_the_training_file_are_sorted_and_bind_dev(write, problems):
    folder = write("train.csv", "text,label\na,question\nb,bug\nc,feature\n")
    write("dev.csv", "text,label\na,Bug\nb,feature\n")
    write("test.csv", "text,label\na,bug\nb,?\n")
    task = Delimited()
    assert task.get_labels() is None
    task.get_train_examples(folder)
    assert task.get_labels() == ["bug", "feature", "question"]
    assert problems(task.get_dev_examples, folder) == [
        'dev.csv:2: label "Bug" is not one of "bug", "feature", "question", closest is "bug"; '
        "other labels are set by --labels"]
    assert [each.label for each in task.get_test_examples(folder)] == ["bug", None]


@pytest.mark.parametrize("labels, expected", [
    (["10", "9", "-1"], ["-1", "9", "10"]), (["10", "9", "x"], ["10", "9", "x"]),
    (["1.5", "10", "9"], ["1.5", "10", "9"]),
    (["0" * zeros for zeros in range(9, 0, -1)], ["0" * zeros for zeros in range(1, 10)])])
def test_integers_are_sorted_as_numbers(write, labels, expected):
    task = Delimited()
    task.get_train_examples(write("train.csv", "text,label\n"
                                  + "".join(f"a,{label}\n" for label in labels)))
    assert task.get_labels() == expected


def test_given_labels_keep_their_order_and_are_checked(write, problems):
    folder = write("train.csv", "text,label\na,b\nc,d\n")
    task = Delimited(labels=("z", "b"))
    assert task.get_labels() == ["z", "b"]
    assert problems(task.get_train_examples, folder) == [
        'train.csv:3: label "d" is not one of "z", "b"; other labels are set by --labels']


def test_without_a_training_file_labels_are_unknown(write):
    folder = write("dev.csv", "text,label\na,x\n")
    task = Delimited()
    assert [each.label for each in task.get_dev_examples(folder)] == ["x"]
    assert task.get_labels() is None


def test_one_label_is_no_task(write, problems):
    task = Delimited()
    assert problems(task.get_train_examples, write("train.csv", "text,label\na,x\nb,x\n")) == [
        'train.csv: every row has the label "x"; a classifier needs two labels or more']
    assert task.get_labels() is None


@pytest.mark.parametrize(("content", "options", "told"), [
    ("text,label\na,1\nb,0\nc,0\nd,1\n", {}, '"label"'),
    ("text,label\na,ui\nb,\nc,ui\nd,docs\n", {"task_type": "multilabel"}, '"label"'),
    ("a,1\nb,0\nc,0\nd,1\n", {}, None),
    ("a,\nb,ui\nc,docs\n", {"task_type": "multilabel"}, None),
    ("text,label\na,1\nb,0\n", {"header": "true"}, None)])
def test_a_header_that_is_read_as_a_row_is_told(write, content, options, told):
    task = Delimited(**{"header": "false", "text_column": ["0"], "label_column": "1", **options})
    folder = write("train.csv", content)
    task.get_train_examples(folder)
    assert task.notices == ([] if told is None else [
        f"{folder}/train.csv:1: read as a row, as --header=false says, and no other has the label "
        f"{told}; if this line is a header, say --header=true"])


@pytest.mark.parametrize(("content", "options", "doubted"), [
    ("ENTY\twhat\nHUM\twho\nENTY\twhich\nENTY\thow\n", {}, True),
    ("ENTY\twhat\nHUM\twho\nLOC\twhere\n", {}, False),
    ("ENTY\twhat\nHUM\twho\nENTY\twhich\n", {"labels": ["ENTY", "HUM"]}, True),
    ("ENTY\twhat\nHUM\twho\nENTY\twhich\n", {"header": "false"}, False),
    ("ENTY\twhat\nHUM\twho\nENTY\twhich\n", {"label_column": "ENTY"}, False),
    ("ENTY\twhat\nHUM\twho\nENTY\twhich\n", {"task_type": "multilabel"}, True),
    ("1.5\twhat\n2\twho\n1.5\twhich\n", {"task_type": "regression"}, True)])
def test_a_row_that_is_taken_for_a_header_is_told(write, content, options, doubted):
    task = Delimited(**{"header": "true", "text_column": ["1"], "label_column": "0", **options})
    folder = write("train.tsv", content)
    task.get_train_examples(folder)
    assert task.notices == [
        f"{folder}/train.tsv:1: taken for a header, as --header=true says, but its label column "
        f'holds "{content[:content.index(chr(9))]}", which rows have as a label; if line 1 is a '
        "row, say --header=false"] * doubted


def test_a_row_of_dev_that_is_taken_for_a_header_is_told(write):
    task = Delimited(header="true", text_column=["1"], label_column="0")
    task.get_dev_examples(write("dev.tsv", "HUM\twhat\nHUM\twho\nENTY\twhich\n"))
    assert len(task.notices) == 1 and "dev.tsv:1: taken for a header" in task.notices[0]


def test_keys_that_look_like_positions_are_no_header(write):
    folder = write("train.jsonl", '{"0": "a", "1": "x"}\n{"0": "b", "1": "y"}\n')
    assert len(Delimited(header="true", text_column=["0"],
                         label_column="1").get_train_examples(folder)) == 2


def test_labels_that_look_wrong_are_told(write):
    task = Delimited(label_column="text", text_column=["label"])
    content = "text,label\n" + "".join(f"text {number},x\n" for number in range(30))
    folder = write("train.csv", content + "Text 1,y\n")
    task.get_train_examples(folder)
    assert task.notices == [
        f'{folder}/train.csv: the labels "Text 1", "text 1" differ only in case or blanks',
        f"warning: {folder}/train.csv: 31 different labels in 31 rows: is this the label column?"]


@pytest.mark.parametrize(("options", "cells", "told"), [
    ({}, ["bug", "x\ny", "x\ny"], 'train.json:3: label "x\\ny" holds a tab or a line break'),
    ({}, ["bug", "feature", "a\tb"], 'train.json:4: label "a\\tb" holds a tab or a line break'),
    ({}, ["bug", "feature", "bug "], 'train.json:4: label "bug " begins or ends with a blank'),
    ({"task_type": "multilabel"}, [["bug"], ["bug", "x\ny"], ["ui"]],
     'train.json:3: label "x\\ny" holds a tab or a line break')])
def test_labels_that_cannot_be_written_are_told_with_their_line(
        write, problems, options, cells, told):
    rows = ",\n".join(json.dumps({"text": "a", "label": label}) for label in cells)
    folder = write("train.json", f"[\n{rows}]")
    assert problems(Delimited(**options).get_train_examples, folder) == [told]


def test_of_labels_that_are_alike_some_are_told(write):
    folder = write("train.csv", "text,label\n" + "".join(
        f"t,{case}{number}\n" for case in "xX" for number in range(24)))
    task = Delimited(text_column=["text"])
    task.get_train_examples(folder)
    assert len(task.notices) == 20 + 2
    assert task.notices[-2].endswith("/train.csv: ... and 4 more such groups of labels")


@pytest.mark.parametrize(("unique", "rows", "refused"), [
    (95, 100, True), (94, 100, False), (99, 99, False), (1000, 1050, True)])
def test_a_label_for_nearly_every_row_is_refused(write, unique, rows, refused):
    """The other rows share two labels."""
    labels = [f"x{number}" for number in range(unique)] + ["a", "b"] * rows
    folder = write("train.csv", "text,title\n" + "".join(
        f"t,{label}\n" for label in labels[:rows]))
    task = Delimited(label_column="title")
    if not refused:
        task.get_train_examples(folder)
        assert "is this the label column?" in task.notices[-1]
        return
    with pytest.raises(DataError) as caught:
        task.get_train_examples(folder)
    assert caught.value.problems[0].startswith(
        f"{folder}/train.csv: {unique + min(rows - unique, 2):,} different labels in {rows:,} "
        f"rows, {unique:,} of them in a single row: --label_column=title is hardly ")
    assert caught.value.problems[0].endswith("by --labels or --labels_file")
    insisting = Delimited(label_column="title", labels=sorted(set(labels)))
    assert len(insisting.get_train_examples(folder)) == rows


def test_a_number_for_every_row_may_be_a_score(write):
    folder = write("train.csv", "text,label\n" + "".join(
        f"t,{number / 7}\n" for number in range(100)))
    with pytest.raises(DataError, match=r"--label_column=label \(the default\) .*; numbers are "
                                        "learned with --task_type=regression"):
        Delimited().get_train_examples(folder)


@pytest.mark.parametrize(("cells", "options", "said"), [
    (["ui", "docs", "", "ui, docs", "docs,ui"], {}, '"ui, docs" (line 5) is made of other labels, '
     "and 1 more are; if a row may have any number of them, say --task_type=multilabel"),
    (["ui", "docs", "ui;docs", ""], {}, '"ui;docs" (line 4) is made of other labels; if a row may '
     'have any number of them, say --task_type=multilabel --label_separator=";"'),
    (["ui,docs", "ui"], {"labels": ["ui", "docs"]}, '"ui,docs" (line 2) is made of'),
    (["ui,docs", "ui", ""], {}, None), (["ui", "docs", ""], {}, None)])
def test_several_labels_in_a_cell_where_one_is_expected(write, cells, options, said):
    folder = write("train.tsv", "text\tkind\n" + "".join(f"t\t{cell}\n" for cell in cells))
    with pytest.raises(DataError) as caught:
        Delimited(label_column="kind", **options).get_train_examples(folder)
    assert [one for one in caught.value.problems if "made of" in one] == [
        one for one in caught.value.problems if said and f"train.tsv: label {said}" in one]
    assert bool(said) == ("made of" in caught.value.problems[0])
    if "" in cells:
        assert (f'{folder}/train.tsv:{cells.index("") + 2}: the label in column "kind" is empty'
                in caught.value.problems)


def test_several_labels_in_cells_that_could_be_labels_are_told(write):
    folder = write("train.tsv", "text\tlabel\nt\tui\nt\tdocs\nt\tui, docs\n")
    task = Delimited(text_column=["text"])
    task.get_train_examples(folder)
    [notice] = task.notices
    assert 'label "ui, docs" (line 4) is made of other labels; ' in notice
    task = Delimited(text_column=["text"], task_type="multilabel")
    task.get_train_examples(folder)
    assert task.notices == []


def test_a_list_of_labels_where_one_is_expected(problems, write):
    folder = write("train.jsonl", '{"text": "a", "label": ["ui", "docs"]}\n')
    assert problems(Delimited().get_train_examples, folder) == [
        'train.jsonl:1: the label in "label" is a list, not a text or a number; lists of labels '
        "are read with --task_type=multilabel"]
