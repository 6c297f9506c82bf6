"""How the labels of a row are read, from a file and from a processor's examples."""

from types import SimpleNamespace

import numpy as np
import pytest

from finetune import features, records
from finetune.config import RunConfig
from finetune.feature_table import FeatureBlock, InputFeatures
from finetune.multilabel import problems
from finetune.task_kind import Labels, TaskKind, label_type, same
from processors import DataError
from processors.delimited import Delimited

LABELS = Labels(["ui", "docs", "crash"], TaskKind.MULTILABEL)


@pytest.fixture
def read(tmp_path):
    """Writes a training file and reads it: (content, name, flags) -> labels of each row."""
    def run(content, name="train.tsv", **given):
        (tmp_path / name).write_text(content, encoding="utf-8")
        processor = Delimited(task_type="multilabel", **given)
        rows = processor.get_train_examples(str(tmp_path))
        return [row.label for row in rows], processor.get_labels()
    return run


def test_names_in_a_cell(read):
    assert read("text\tlabel\na\tui, docs\nb\t\nc\tcrash\nd\t docs ,ui \n") == (
        [("ui", "docs"), (), ("crash",), ("docs", "ui")], ["crash", "docs", "ui"])


def test_another_separator(read):
    found = read("text\tlabel\na\tui, or so|docs\n", label_separator="|")
    assert found == ([("ui, or so", "docs")], ["docs", "ui, or so"])


def test_lists_in_json(read):
    found = read('{"text": "a", "label": ["ui", " docs"]}\n{"text": "b", "label": []}\n'
                 '{"text": "c", "label": null}\n{"text": "d", "label": "ui,docs"}\n',
                 "train.jsonl")
    assert found == ([("ui", "docs"), (), (), ("ui", "docs")], ["docs", "ui"])


@pytest.mark.parametrize("labels", [None, ["b", "a"]])
def test_columns_of_0_and_1(read, labels):
    found = read("text\ta\tb\nx\t1\t0\ny\t1\t 1\nz\t0\t0\n", label_column="a,b", labels=labels)
    assert found == ([("a",), ("a", "b"), ()], labels or ["a", "b"])


def test_columns_by_position_are_named_by_labels(read):
    found = read("x\t1\t0\ny\t0\t1\n", label_column="1,2", text_column=("0",), header="false",
                 labels=["ui", "docs"])
    assert found == ([("ui",), ("docs",)], ["ui", "docs"])


@pytest.mark.parametrize(("content", "given", "problem"), [
    ("text\tlabel\na\tui,docs\nb\tui,dosc\n", {"labels": ["ui", "docs"]},
     'train.tsv:3: label "dosc" is not one of "ui", "docs", closest is "docs"'),
    ("text\tlabel\na\tui,docs,ui\n", {},
     'train.tsv:2: the labels "ui,docs,ui" hold "ui" more than once'),
    ("text\tlabel\na\tui,,docs\n", {}, 'train.tsv:2: the labels "ui,,docs" hold an empty name'),
    ("text\tlabel\na\tui\n", {}, 'the labels of all rows are "ui"; a classifier needs two'),
    ("text\ta\tb\nx\t1\t0\ny\t1.0\t2\n", {"label_column": "a,b"},
     'train.tsv:3: the column of the label "a" holds "1.0"; allowed are 0 and 1'),
    ("text\ta\tb\nx\t1\t0\ny\t1\t2\n", {"label_column": "a,b"},
     'train.tsv:3: the column of the label "b" holds "2"; allowed are 0 and 1'),
    ("text\ta\tb\nx\t1\n", {"label_column": "a,b"}, "train.tsv:2: the label is in column 2"),
    ("text\ta\tb\n", {"label_column": "a,b", "labels": ["b", "c"]},
     '--label_column=a,b: each column is the label of its name; --labels has "b", "c"'),
    ("text\ta\tb\n", {"label_column": "1,2"}, "say by --labels which label each stands for"),
    ("text\ta\tb\n", {"label_column": "a,a"}, "a column is empty or given twice"),
    ("text\ta\tb\nx\t1\t0\n", {"label_column": "a,c"}, "--label_column=c: there is no such column"),
    ("text\tlabel\na\tui\n", {"label_separator": ""}, "--label_separator is empty")])
def test_what_is_refused(read, content, given, problem):
    with pytest.raises(DataError) as error:
        read(content, **given)
    assert any(problem in one for one in error.value.problems), error.value.problems


def test_a_column_that_is_none_of_0_and_1_is_told_once(read):
    rows = "".join(f"x\tno{number}\t{number % 2}\n" for number in range(30)) + "x\t1\t?\n"
    with pytest.raises(DataError) as error:
        read("text\ta\tb\n" + rows, label_column="a,b")
    first, second = error.value.problems
    assert first.endswith('train.tsv:2: the column of the label "a" holds "no0"; allowed are 0 and '
                          "1 (30 such rows)")
    assert second.endswith('train.tsv:32: the column of the label "b" holds "?"; allowed are 0 and '
                           "1")


def test_a_list_that_holds_no_texts(read):
    with pytest.raises(DataError, match="train.jsonl:1: the list in \"label\" holds what is no"):
        read('{"text": "a", "label": ["ui", null]}\n', "train.jsonl")


def test_test_rows_keep_labels_that_are_known(tmp_path):
    (tmp_path / "test.tsv").write_text("text\tlabel\na\tui,docs\nb\tother\nc\t\n")
    processor = Delimited(task_type="multilabel", labels=["ui", "docs"])
    assert [row.label for row in processor.get_test_examples(str(tmp_path))] == [
        ("ui", "docs"), None, ()]


def example(label):
    return SimpleNamespace(guid="1", text_a="a", text_b=None, label=label)


@pytest.mark.parametrize(("label", "expected"), [
    (["crash", "ui"], None), (("crash", "ui"), None), ("crash, ui", None), ([], None), ("", None),
    (["ui", "ui"], 'example 1: label ["ui", "ui"] is not a list of '),
    (["ui", "x"], 'example 1: label ["ui", "x"] is not a list of '),
    (("x",), 'example 1: label ["x"] is not a list of "ui", "docs", "crash", each once at most'),
    (("x" * 200,), f'example 1: label ["{"x" * 100}..."] is not a list of '),
    ((), None),
    ("ui,x", 'example 1: label "ui,x" is not a list of '),
    (None, "example 1: has no label; must be a list of \"ui\", \"docs\", \"crash\", each once")])
def test_labels_of_a_processor(label, expected):
    problems = features.label_problems([example(label)], LABELS)
    assert problems == [] if expected is None else problems[0].startswith(expected)


def test_records_hold_a_0_or_1_for_each_label(tmp_path):
    rows = [InputFeatures([2, 5, 3], [0, 0, 0], (0, 2), 3), InputFeatures([2, 3], [0, 0], (), 2),
            InputFeatures([2, 3], [0, 0], None, 2)]
    path, kind = str(tmp_path / "x.tf_record"), label_type(LABELS)
    records.write(path, [FeatureBlock.of(rows)], label_type=kind)
    expected = [[1, 0, 1], [0, 0, 0], [0, 0, 0]]
    table = records.read(path, kind)
    assert (table.label_ids.tolist(), table.label_ids.dtype) == (expected, np.uint8)
    import tensorflow as tf
    first = tf.train.Example.FromString(next(iter(tf.data.TFRecordDataset(path))).numpy())
    assert list(first.features.feature["label_ids"].int64_list.value) == expected[0]
    from finetune.errors import UserError
    with pytest.raises(UserError, match="record 1 is damaged.*label_ids has the wrong number"):
        records.read(path, label_type(Labels("ab", TaskKind.MULTILABEL)))


def test_a_long_column_of_labels_lies_in_a_file(monkeypatch):
    from finetune import columns

    monkeypatch.setattr(columns, "IN_MEMORY", 4)
    writer = columns.ColumnWriter(label_type(LABELS))
    values = np.array([[1, 0, 1], [0, 1, 0], [1, 1, 1]], np.uint8)
    writer.append(values[:2])
    writer.append(values[2:])
    found = writer.finished()
    assert isinstance(found, columns.FileColumn)
    np.testing.assert_array_equal(np.asarray(found), values)
    np.testing.assert_array_equal(found[np.array([2, 0])], values[[2, 0]])


def test_lists_of_labels_know_their_kind():
    plain = ["ui", "docs", "crash"]
    assert plain == LABELS
    assert not same(plain, LABELS)
    assert same(LABELS, Labels(plain, TaskKind.MULTILABEL))
    assert [TaskKind.of(one) for one in (plain, LABELS, ["score"])] == [
        TaskKind.CLASSIFICATION, TaskKind.MULTILABEL, TaskKind.REGRESSION]


@pytest.mark.parametrize(("labels", "separator", "told"), [
    (["bug", "bug; react", "react"], ",", True), (["bug", "bug|react", "react"], ",", True),
    (["bug", "bug; react"], ",", False), (["bug", "react"], ";", False)])
def test_a_forgotten_separator_is_told(labels, separator, told):
    config = RunConfig(task_type="multilabel", label_separator=separator)
    found = problems.of_labels(config, Labels(labels, TaskKind.MULTILABEL), "train.tsv")
    assert [one for one in found if "is made of other labels" in one] == found
    assert bool(found) == told
