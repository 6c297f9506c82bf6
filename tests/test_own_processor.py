"""A user's own DataProcessor, run from the folder it lies in; one for the original unchanged."""

import re
import sys

import pytest

# As people wrote them for google-research/bert: a new class in the shape of ColaProcessor.
FOR_THE_ORIGINAL = '''\
import os

from bert import tokenization
from bert.run_classifier import DataProcessor, InputExample


class TicketProcessor(DataProcessor):
  """Processor for our tickets."""

  def get_train_examples(self, data_dir):
    return self._create_examples(
        self._read_tsv(os.path.join(data_dir, "tickets_train.tsv")), "train")

  def get_dev_examples(self, data_dir):
    return self._create_examples(
        self._read_tsv(os.path.join(data_dir, "tickets_dev.tsv")), "dev")

  def get_test_examples(self, data_dir):
    return self._create_examples(
        self._read_tsv(os.path.join(data_dir, "tickets_test.tsv")), "test")

  def get_labels(self):
    """See base class."""
    return ["question", "feature", "bug"]

  def _create_examples(self, lines, set_type):
    examples = []
    for (i, line) in enumerate(lines):
      if set_type == "test" and i == 0:
        continue
      guid = "%s-%s" % (set_type, i)
      if set_type == "test":
        text_a = tokenization.convert_to_unicode(line[1])
        label = "bug"
      else:
        text_a = tokenization.convert_to_unicode(line[3])
        label = tokenization.convert_to_unicode(line[1])
      examples.append(
          InputExample(guid=guid, text_a=text_a, text_b=None, label=label))
    return examples
'''
IN_TEN_LINES = '''\
from processors import Split, TsvProcessor


class Tickets(TsvProcessor):
    """Our tickets."""

    name = "tickets"
    labels = ("question", "feature", "bug")
    train = Split("tickets_train.tsv", text_a=3, label=1)
    dev = Split("tickets_dev.tsv", text_a=3, label=1)
    test = Split("tickets_test.tsv", text_a=1, row_id=0, header="sentence")
'''
TEXTS = [("it crashes", "bug"), ("please add a mode", "feature"), ("how do i use it ?", "question")]


@pytest.fixture
def folder(tmp_path):
    """A user's folder: three files of tickets and two modules."""
    for name in ("train", "dev"):
        (tmp_path / f"tickets_{name}.tsv").write_text("".join(
            f"x\t{label}\t\t{text}\n" for text, label in TEXTS * 3))
    (tmp_path / "tickets_test.tsv").write_text("index\tsentence\n" + "".join(
        f"{number}\t{text}\n" for number, (text, _) in enumerate(TEXTS)))
    (tmp_path / "my_module.py").write_text(FOR_THE_ORIGINAL)
    (tmp_path / "my_tickets.py").write_text(IN_TEN_LINES)
    return tmp_path


def flags(tiny, spec, output):
    return [f"--processor={spec}", "--data_dir=.", f"--init_checkpoint={tiny}", "--do_train",
            "--do_eval", "--do_predict", "--max_seq_length=16", "--train_batch_size=3",
            "--num_train_epochs=1", f"--output_dir={output}"]


def predictions(folder):
    return [line.split("\t") for line in (folder / "predictions.tsv").read_text().splitlines()]


def run_here(arguments, main, folder, monkeypatch):
    """Runs the command in this process with the user's folder as the current one."""
    monkeypatch.chdir(folder)
    monkeypatch.setattr(sys, "path", list(sys.path))
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    for name in ("my_module", "my_tickets"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    return main(*arguments)


def test_one_for_the_original_unchanged_and_one_of_ours_in_ten_lines(folder, tiny, command, main,
                                                                     monkeypatch):
    """Both read the same rows in the same order, so the same seed gives the same numbers."""
    done = command(*flags(tiny, "my_module:TicketProcessor", "theirs"), cwd=folder)
    assert done.returncode == 0, done.stderr
    assert "Traceback" not in done.stderr
    head, *rows = predictions(folder / "theirs")
    assert head == ["id", "prediction", "confidence", "question", "feature", "bug"]
    assert [row[0] for row in rows] == ["test-1", "test-2", "test-3"]
    assert re.search(r"train +9 rows: question 3, feature 3, bug 3", done.stderr)

    assert len(IN_TEN_LINES.split("class ")[1].splitlines()) <= 10
    status, said = run_here(flags(tiny, "my_tickets:Tickets", "ours"), main, folder, monkeypatch)
    assert status == 0, said
    assert [row[0] for row in predictions(folder / "ours")[1:]] == ["0", "1", "2"]
    for name in ("test_results.tsv", "eval_results.txt", "confusion_matrix.tsv"):
        assert (folder / "ours" / name).read_bytes() == (folder / "theirs" / name).read_bytes()


def test_a_short_row_names_the_line_of_the_users_code(folder, tiny, main, monkeypatch):
    path = folder / "tickets_dev.tsv"
    path.write_text(path.read_text() + "x\tbug\n")
    status, said = run_here(flags(tiny, "my_module:TicketProcessor", "out"), main, folder,
                            monkeypatch)
    assert status == 2 and "Traceback" not in said
    [message] = [line for line in said.splitlines() if line.startswith("error: ")]
    number = 1 + FOR_THE_ORIGINAL.splitlines().index(
        "        text_a = tokenization.convert_to_unicode(line[3])")
    assert "TicketProcessor.get_dev_examples failed: IndexError: list index out of range" in message
    assert f"{folder / 'my_module.py'}:{number}" in message
    assert not (folder / "out").exists()


@pytest.mark.parametrize(("change", "parts"), [
    (('return ["question"', 'return 1 / 0, ["question"'),
     ["get_labels", "ZeroDivisionError", "my_module.py:"]),
    (('["question", "feature", "bug"]', '["question", "feature"]'),
     ['"bug"', "train-0", '"question", "feature"', "3 such rows"]),
    (('return ["question", "feature", "bug"]', "pass"), ["labels", "--labels"]),
    (("tickets_train", "no_such_file"), ["get_train_examples", "no_such_file.tsv"]),
    (("    return examples", "    return []"), ["the train split is empty"]),
    (("    return examples", "    return iter(examples)"), ["get_train_examples"]),
    (("    examples = []", "    raise SystemExit('no')"), ["get_train_examples", "SystemExit"]),
    (("text_a=text_a", "text_a=17"), ["train-0", "text_a is 17", "a string"])])
def test_other_mistakes_in_a_users_code(folder, tiny, main, monkeypatch, change, parts):
    path = folder / "my_module.py"
    assert change[0] in path.read_text()
    path.write_text(path.read_text().replace(*change))
    status, said = run_here(flags(tiny, "my_module:TicketProcessor", "out"), main, folder,
                            monkeypatch)
    assert status == 2 and "Traceback" not in said, said
    messages = "\n".join(line for line in said.splitlines() if line.startswith("error: "))
    assert all(part in messages for part in parts), messages
    assert not (folder / "out").exists()
