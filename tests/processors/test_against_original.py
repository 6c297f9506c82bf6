"""Our examples are the original's, on files with everything that has ever broken a reader."""

import random

import pytest

from finetune import upstream
from processors import DataProcessor, get

WORDS = ['"', '"quoted"', "it's", 'a "half', "''", "naïve", "Ærøskøbing", "e\u0301", "他说", "，",
         "\u2028", "\u00a0", "\x85", "\x0b", "x" * 300, "", " ", "12", "😀", "\\", "#1 String"]


@pytest.fixture(scope="module")
def original():
    return upstream.run_classifier()


def lines(columns, count, seed):
    """Makes rows; columns are functions of a random generator."""
    draw = random.Random(seed)
    return "".join("\t".join(column(draw) for column in columns) + "\n" for _ in range(count))


def text(draw):
    return " ".join(draw.choices(WORDS, k=draw.randint(1, 6)))


def one_of(*labels):
    return lambda draw: draw.choice(labels)


def compare(ours, theirs, folder, splits=("train", "dev", "test")):
    assert ours.get_labels() == theirs.get_labels()
    for split in splits:
        expected = getattr(theirs, f"get_{split}_examples")(folder)
        found = getattr(ours, f"get_{split}_examples")(folder)
        assert len(found) > 1
        assert [(each.guid, each.text_a, each.text_b) for each in found] == [
            (each.guid, each.text_a, each.text_b) for each in expected]
        if split == "test":  # the original invents a label
            assert {each.label for each in found} == {None}
        else:
            assert [each.label for each in found] == [each.label for each in expected]
    assert [each for each in ours.notices if "read as data" in each] == []


def test_cola(write, original):
    row = [text, one_of("0", "1"), text, text]
    folder = write("train.tsv", lines(row, 50, 1))
    write("dev.tsv", lines(row, 20, 2).replace("\n", "\r\n"))
    write("test.tsv", "index\tsentence\n" + lines([text, text], 20, 3))
    compare(get("cola")(), original.ColaProcessor(), folder)


def test_mrpc(write, original):
    header = "Quality\t#1 ID\t#2 ID\t#1 String\t#2 String\n"
    row = [one_of("0", "1"), text, text, text, text]
    folder = write("train.tsv", "\ufeff" + header + lines(row, 50, 4))
    write("dev.tsv", "\ufeff" + header + lines(row, 20, 5))
    write("test.tsv", header + lines([text] * 5, 20, 6))
    compare(get("mrpc")(), original.MrpcProcessor(), folder)


def test_mnli(write, original):
    labels = one_of("contradiction", "entailment", "neutral")
    header = "\t".join([*"abcdefgh", "sentence1", "sentence2"])
    folder = write("train.tsv", f"{header}\tlabel1\tgold_label\n"
                   + lines([text] * 11 + [labels], 50, 7))
    write("dev_matched.tsv", f"{header}\tlabel1\tlabel2\tgold_label\n"
          + lines([text] * 12 + [labels], 20, 8))
    write("test_matched.tsv", f"{header}\n" + lines([text] * 10, 20, 9))
    compare(get("mnli")(), original.MnliProcessor(), folder)


def test_xnli(write, original):
    header = "\t".join(["language", "gold_label", *"cdef", "sentence1", "sentence2", "8", "9"])
    folder = write("multinli/multinli.train.zh.tsv", "premise\thypo\tlabel\n" + lines(
        [text, text, one_of("contradictory", "entailment", "neutral")], 50, 10))
    write("xnli.dev.tsv", f"{header}\n" + lines(
        [one_of("zh", "de"), one_of("contradiction", "neutral"), *[text] * 8], 50, 11))
    compare(get("xnli")(), original.XnliProcessor(), folder, ("train", "dev"))


@pytest.mark.parametrize("content", [
    "a\tb\n\nc\n", "a\tb\r\n\r\n \nc\t\n\n", "", "\n", 'a\t"b"'])
def test_read_tsv_gives_the_rows_of_the_original(write, original, content):
    path = f"{write('a.tsv', content)}/a.tsv"
    assert DataProcessor._read_tsv(path) == original.DataProcessor._read_tsv(path)


def test_processors_written_for_the_original_load(tmp_path, monkeypatch, original):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("sys.dont_write_bytecode", True)
    (tmp_path / "ported_task.py").write_text(
        "from bert.run_classifier import DataProcessor, InputExample\n"
        "class Ported(DataProcessor):\n"
        "    def get_labels(self): return ['a', 'b']\n"
        "    def get_train_examples(self, data_dir):\n"
        "        rows = self._read_tsv(data_dir + '/train.tsv')\n"
        "        return [InputExample(str(i), row[1], None, row[0]) for i, row in "
        "enumerate(rows)]\n")
    (tmp_path / "train.tsv").write_text('a\tsome "text\n', encoding="utf-8")
    from processors import load
    example = load("ported_task:Ported")().get_train_examples(str(tmp_path))[0]
    assert (example.guid, example.text_a, example.label) == ("0", 'some "text', "a")
    assert load("bert.run_classifier:MrpcProcessor") is original.MrpcProcessor
