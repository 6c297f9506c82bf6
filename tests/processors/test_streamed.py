import os

import pytest

from processors import DataError, TsvProcessor, get, streamed
from processors.base import Split
from processors.delimited import Delimited
from processors.errors import Report
from processors.streamed import StreamedExamples, collected


@pytest.fixture
def always(monkeypatch):
    """Every file counts as big."""
    monkeypatch.setattr(streamed, "STREAMED_FROM", 0)


class Words(TsvProcessor):
    name = "words"
    labels = ("x", "y")
    train = Split("train.tsv", text_a=0, label=1)


def words(write, count=10):
    folder = write("train.tsv", "".join(f"w{i}\t{'xy'[i % 2]}\n" for i in range(count)))
    return folder, [f"w{i}" for i in range(count)]


def texts(examples):
    return [example.text_a for example in examples]


def test_small_files_are_lists(write):
    folder, expected = words(write)
    examples = Words().get_train_examples(folder)
    assert isinstance(examples, list)
    assert texts(examples) == expected


def test_it_is_what_a_list_is(write, always):
    folder, expected = words(write)
    examples = Words().get_train_examples(folder)
    assert isinstance(examples, StreamedExamples)
    assert len(examples) == 10
    assert texts(examples) == texts(examples) == expected
    for part in (slice(3), slice(2, 7), slice(None, None, 3), slice(-3, None), slice(8, 99),
                 slice(5, 2), slice(None, None, -1), slice(8, 1, -3)):
        assert texts(examples[part]) == expected[part]
    for index in (0, 1, 5, 4, 9, 0, -1, -10, 3, 3):
        assert examples[index].text_a == expected[index]
    for index in (10, -11):
        with pytest.raises(IndexError):
            examples[index]
    assert texts(reversed(examples)) == expected[::-1]


def test_rising_positions_cost_one_reading(write, always, monkeypatch):
    folder, expected = words(write)
    examples, readings = Words().get_train_examples(folder), []
    read = examples._read
    monkeypatch.setattr(examples, "_read", lambda report: readings.append(1) or read(report))
    assert [examples[index].text_a for index in (0, 2, 3, 9)] == [
        expected[index] for index in (0, 2, 3, 9)]
    assert len(readings) == 1


def test_two_readers_at_once(write, always):
    folder, expected = words(write)
    examples = Words().get_train_examples(folder)
    pairs = [(one.text_a, other.text_a)
             for one, other in zip(examples, examples, strict=True)]
    assert pairs == list(zip(expected, expected, strict=True))


@pytest.mark.parametrize("change", [
    lambda path: path.write_text(path.read_text() + "more\tx\n"),
    lambda path: os.utime(path, (1, 1)),
    lambda path: path.unlink()])
def test_a_file_that_changes_is_noticed(write, always, tmp_path, change):
    folder, _ = words(write)
    examples = Words().get_train_examples(folder)
    change(tmp_path / "train.tsv")
    with pytest.raises(DataError, match="train.tsv: has changed while it was being used"):
        list(examples)
    with pytest.raises(DataError, match="has changed"):
        examples[0]


def test_faults_are_told_at_once_and_all_of_them(write, always, problems):
    folder = write("train.tsv", "a\tx\nb\tz\n\nc\n")
    found = problems(Words().get_train_examples, folder)
    assert [problem.split(" ")[0] for problem in found] == [
        "train.tsv:2:", "train.tsv:3:", "train.tsv:4:"]


def test_notices_come_once(write, always):
    folder = write("train.tsv", "sentence\tlabel\n \t1\nb\t0\n")
    processor = get("sst2")()
    examples = processor.get_train_examples(folder)
    assert texts(examples) == texts(examples) == [" ", "b"]
    assert len(processor.notices) == 1


def test_a_subclass_that_may_change_its_examples_gets_a_list(write, always):
    class Louder(Words):
        def get_train_examples(self, data_dir):
            examples = super().get_train_examples(data_dir)
            for example in examples:
                example.text_a = example.text_a.upper()
            return examples

    folder, expected = words(write)
    assert texts(Louder().get_train_examples(folder)) == [text.upper() for text in expected]


@pytest.mark.parametrize(("name", "text"), [
    ("train.tsv", "text\tlabel\nthe a\tx\nb\ty\n"),
    ("train.csv", "text,label\n\"the\na\",x\nb,y\n"),
    ("train.jsonl", '{"text": "a", "label": "x"}\n{"label": "y", "text": "b", "id": 7}\n'),
    ("train.json", '[{"text": "a", "label": "x"}, {"label": "y", "text": "b", "id": 7}]')])
def test_own_files_of_every_format(write, monkeypatch, name, text):
    folder = write(name, text)
    kept = Delimited().get_train_examples(folder)
    monkeypatch.setattr(streamed, "STREAMED_FROM", 0)
    processor = Delimited()
    examples = processor.get_train_examples(folder)
    assert isinstance(examples, StreamedExamples)
    assert list(examples) == kept
    assert processor.get_labels() == ["x", "y"]
    assert list(examples) == kept  # now that the labels are known


def test_labels_known_later_change_nothing(write, always):
    folder = write("test.tsv", "text\tlabel\na\tx\nb\tunknown\n")
    write("train.tsv", "text\tlabel\na\tx\nb\ty\n")
    processor = Delimited()
    examples = processor.get_test_examples(folder)
    before = list(examples)
    processor.get_train_examples(folder)
    assert list(examples) == before


def test_ids_of_the_raw_mrpc_test_file(write, always):
    header = "Quality\t#1 ID\t#2 ID\t#1 String\t#2 String\n"
    folder = write("msr_paraphrase_test.txt", header + "1\t1\t2\ta\tb\n0\t3\t4\tc\td\n")
    examples = get("mrpc")().get_test_examples(folder)
    assert [example.row_id for example in examples] == ["0", "1"]
    assert [example.row_id for example in examples] == ["0", "1"]


def test_a_file_that_is_not_there(tmp_path):
    def read(report):
        raise DataError(f"{report.path}: no such file")
        yield

    with pytest.raises(DataError, match="no such file"):
        collected(str(tmp_path / "x"), read, Report(str(tmp_path / "x")))
