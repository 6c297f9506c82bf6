"""scripts/predict.sh: a line of answer for each line, as they come."""

import json
import os
import select
import shutil
import signal
import subprocess
import sys

import numpy as np
import pytest

from finetune.errors import UserError
from scripts import predict
from tests.conftest import ROOT
from tests.use.conftest import LABELS, make_trained

LINES = "The app crashes!\nwhy ?\r\nhow can i\tuse it ?\n\nthe last caf\xe9\n"
TEXTS = ["The app crashes!", "why ?", ("how can i", "use it ?"), "", "the last caf\xe9"]


@pytest.fixture(autouse=True)
def sigpipe():
    """Undoes what the script does to this process: a socket that was closed would end the tests."""
    before = signal.getsignal(signal.SIGPIPE)
    yield
    signal.signal(signal.SIGPIPE, before)


@pytest.fixture
def answered(monkeypatch, capfd):
    """Runs the script in this process: (model, standard input, flags) -> status, output, errors."""
    def run(model, given, *flags):
        reading, writing = os.pipe()
        os.write(writing, given if isinstance(given, bytes) else given.encode())
        os.close(writing)
        with os.fdopen(reading) as stdin, pytest.MonkeyPatch.context() as patch:
            patch.setattr(sys, "stdin", stdin)
            status = predict.main([str(model), *flags])
        return status, *capfd.readouterr()
    return run


def test_lines_are_those_of_predictions_tsv(answered, classifier, predictor):
    status, said, error = answered(classifier, LINES, "--header")
    assert (status, error) == (0, "")
    head, *lines = said.splitlines()
    assert head.split("\t") == ["prediction", "confidence", *LABELS]
    found = predictor.answers(TEXTS)
    assert [line.split("\t") for line in lines] == [
        [LABELS[row.argmax()], *(f"{value:.6f}" for value in (row.max(), *row))] for row in found]


def test_json(answered, classifier, predictor):
    status, said, _ = answered(classifier, b"\xef\xbb\xbf" + LINES.encode(), "--json")
    records = [json.loads(line) for line in said.splitlines()]
    found = np.array([[record["probabilities"][label] for label in LABELS] for record in records],
                     np.float32)
    np.testing.assert_array_equal(found, predictor.answers(TEXTS))
    assert [record["label"] for record in records] == predictor.predict(TEXTS)


def test_labels_are_utf_8_as_the_texts_are_whatever_the_locale(answered, tiny, tmp_path,
                                                                monkeypatch):
    labels = ["frage", "m\xf6chte", "\u8a9e"]
    folder = make_trained(tmp_path / "made", tiny, labels)
    with open(os.dup(1), "w", encoding="ascii") as stdout:
        monkeypatch.setattr(sys, "stdout", stdout)
        status, said, error = answered(folder, "a\n", "--header")
    assert (status, error) == (0, "")
    assert said.splitlines()[0].split("\t")[2:] == labels


def test_a_regression(answered, regression):
    status, said, _ = answered(regression, "a\nthe app\n", "--header")
    head, *lines = said.splitlines()
    assert status == 0 and head == "prediction" and len({float(line) for line in lines}) == 2
    assert set(json.loads(answered(regression, "a", "--json")[1])) == {"score"}  # no line end


@pytest.mark.parametrize(("given", "told"), [
    (b"fine\n\nnot \xff\nmore\n", "standard input, line 3: not utf-8: byte 0xff"),
    (b"fine\nfine\na\tb\tc\nmore\n", "standard input, line 3: has 3 columns; allowed are one")])
def test_a_bad_line_stops_it_with_its_number(answered, classifier, given, told):
    status, said, error = answered(classifier, given)
    assert status == 2 and len(said.splitlines()) == 2
    assert error.startswith(f"error: {told}") and error.count("\n") == 1


def test_lines_of_the_other_kind_than_the_training_s(answered, classifier, tmp_path):
    folder = shutil.copytree(classifier, tmp_path / "folder")
    for told, given, message in (
            ("single", "a\nb\t\nc\td\n", "line 3: is a pair, but the model was trained on single"),
            ("pairs", "a\tb\nc\t\nd\n", "line 3: is a single text, but the model was trained on ")):
        (folder / "runs.json").write_text(json.dumps([{"texts": told}]))
        status, said, error = answered(folder, given)
        assert (status, len(said.splitlines())) == (2, 2)
        assert error.startswith(f"error: standard input, {message}")


def test_nothing_in_nothing_out(answered, classifier):
    assert answered(classifier, "") == (0, "", "")


def test_a_folder_that_cannot_serve(answered, tiny, tmp_path):
    status, said, error = answered(tmp_path, "a\n")
    assert (status, said) == (2, "") and error.startswith(f"error: {tmp_path}: ")


@pytest.mark.parametrize("first", [[], ["model"]])
def test_a_file_among_the_arguments_is_told_where_texts_come_from(tmp_path, capsys, first):
    (tmp_path / "texts.txt").write_text("a\n")
    with pytest.raises(SystemExit) if first else pytest.MonkeyPatch.context():
        assert predict.main([*first, str(tmp_path / "texts.txt")]) == 2
    said = capsys.readouterr().err
    assert str(tmp_path / "texts.txt") in said and said.count("\n") == 1
    assert said.endswith("the texts come from standard input: scripts/predict.sh MODEL < FILE\n")


def test_a_line_without_end(monkeypatch, tmp_path):
    monkeypatch.setattr(predict, "_LONGEST", 100_000)
    path = tmp_path / "long"
    path.write_bytes(b"a\n" + b"b" * 200_000)
    with open(path) as file, pytest.raises(UserError, match="line 2: is longer than 100,000"):
        list(predict._lines(file.fileno()))


def test_lines_across_reads(tmp_path, monkeypatch):
    monkeypatch.setattr(predict, "_CHUNK", 3)
    path = tmp_path / "texts"
    path.write_bytes(b"one\ntwo\n\nfour\r\nfive")
    with open(path) as file:
        found = list(predict._lines(file.fileno()))
    assert [line for _, lines in found for line in lines] == [
        b"one", b"two", b"", b"four\r", b"five"]
    assert [number for number, _ in found] == [1, 2, 4, 5]


@pytest.mark.slow
def test_in_a_pipe_answers_come_before_the_end_and_a_broken_one_ends_it_quietly(classifier):
    script = subprocess.Popen(
        [ROOT / "scripts" / "predict.sh", str(classifier)], stdin=subprocess.PIPE,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, bufsize=0,
        env={**os.environ, "PYTHON": sys.executable})
    try:
        for _ in range(2):
            script.stdin.write(b"the app crashes\n")
            assert select.select([script.stdout], [], [], 120)[0], "nothing came"
            assert os.read(script.stdout.fileno(), 1000).count(b"\n") == 1
        script.stdout.close()
        script.stdin.write(b"the app crashes\n")
        assert script.wait(60) == -signal.SIGPIPE
        assert b"Error" not in script.stderr.read()
    finally:
        script.kill()
        script.wait()


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="Linux has it")
@pytest.mark.slow
def test_a_full_disk_and_closed_ends_are_told(classifier):
    def run(redirected):
        done = subprocess.run(
            ["bash", "-c", f'echo a | "$@" {redirected}', "bash", sys.executable,
             ROOT / "scripts" / "predict.py", classifier], stderr=subprocess.PIPE, text=True)
        return done.returncode, done.stderr.strip().splitlines()[-1]

    assert run("> /dev/full") == (2, "error: standard output: cannot be written to: No space left "
                                     "on device")
    status, said = run("<&-")
    assert status == 2 and said.startswith("error: standard input is closed; the texts come from")
    assert run(">&-") == (2, "error: standard output is closed; the answers go there")
