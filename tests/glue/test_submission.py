"""GLUE's zip: the names, the rows and the labels that the leaderboard takes, or nothing."""

import os
import subprocess
import sys
import zipfile

import pytest

from finetune.errors import UserError
from finetune.glue import submission
from finetune.glue.submission import TASKS, make
from processors import get
from tests.conftest import ROOT

ROWS = 5  # in the place of GLUE's, so that the tests stay fast


@pytest.fixture
def small(monkeypatch):
    """Every test file has five rows."""
    monkeypatch.setattr(submission, "TASKS", {
        name: submission.Task(task.file, ROWS, task.labels) for name, task in TASKS.items()})


def predictions(task, count=ROWS):
    if TASKS[task].labels is None:
        return [f"{index + 0.25:.6f}" for index in range(count)]
    return [TASKS[task].labels[index % len(TASKS[task].labels)] for index in range(count)]


@pytest.fixture
def run(tmp_path):
    """Writes the predictions.tsv of a run and returns TASK=FOLDER."""
    def write(task, answers=None, ids=None, folder=None):
        answers = predictions(task) if answers is None else answers
        path = tmp_path / (folder or task) / "predictions.tsv"
        path.parent.mkdir(exist_ok=True)
        header = "id\tprediction" + ("" if TASKS[task].labels is None else "\tconfidence\tx\ty")
        rest = "" if TASKS[task].labels is None else "\t0.9\t0.9\t0.1"
        path.write_text("\n".join([header, *(f"{row_id}\t{answer}{rest}" for row_id, answer in zip(
            ids or map(str, range(len(answers))), answers, strict=True))]) + "\n")
        return f"{task}={path.parent}"
    return write


@pytest.fixture
def refused(tmp_path):
    """Returns the problems of a zip that is not made; nothing may be left of it."""
    def run(*given, out="x.zip", partial=True):
        before = sorted(os.listdir(tmp_path))
        with pytest.raises(UserError) as caught:
            make(str(tmp_path / out), given, partial)
        assert sorted(os.listdir(tmp_path)) == before
        return [problem.replace(f"{tmp_path}/", "") for problem in caught.value.problems]
    return run


def test_all_tasks(tmp_path, small, run):
    out = str(tmp_path / "submission.zip")
    told = make(out, [run(task) for task in reversed(TASKS)])
    with zipfile.ZipFile(out) as archive:
        texts = {name: archive.read(name).decode() for name in archive.namelist()}
        assert {entry.compress_type for entry in archive.infolist()} == {zipfile.ZIP_DEFLATED}
    assert list(texts) == [
        "CoLA.tsv", "SST-2.tsv", "MRPC.tsv", "STS-B.tsv", "QQP.tsv", "MNLI-m.tsv", "MNLI-mm.tsv",
        "QNLI.tsv", "RTE.tsv", "WNLI.tsv", "AX.tsv"]
    assert texts["CoLA.tsv"] == "index\tprediction\n0\t0\n1\t1\n2\t0\n3\t1\n4\t0\n"
    assert texts["MNLI-mm.tsv"].splitlines()[:3] == [
        "index\tprediction", "0\tcontradiction", "1\tentailment"]
    assert texts["RTE.tsv"].splitlines()[2] == "1\tnot_entailment"
    assert texts["STS-B.tsv"].splitlines()[1:3] == ["0\t0.250000", "1\t1.250000"]
    assert told[0] == "CoLA.tsv: 5 rows"


def test_rows_of_the_official_test_files():
    assert {name: task.rows for name, task in TASKS.items()} == {
        "cola": 1063, "sst-2": 1821, "mrpc": 1725, "sts-b": 1379, "qqp": 390965, "mnli": 9796,
        "mnli-mm": 9847, "qnli": 5463, "rte": 3000, "wnli": 146, "ax": 1104}


def test_labels_are_those_of_the_processors():
    for name, task in TASKS.items():
        processor = get(name)()
        assert list(task.labels or ()) == processor.get_labels()
        assert (processor.task_type == "regression") == (task.labels is None)


def test_the_same_predictions_make_the_same_bytes(tmp_path, small, run):
    given = [run(task) for task in TASKS]
    made = []
    for name in ("a.zip", "b.zip"):
        make(str(tmp_path / name), given)
        made.append((tmp_path / name).read_bytes())
        for folder in TASKS:
            os.utime(tmp_path / folder / "predictions.tsv", (1e9 + len(made), 1e9))
    assert made[0] == made[1]


def test_scores_are_clipped_and_that_is_told(tmp_path, small, run):
    given = run("sts-b", ["-0.1", "5.000001", "5", "0", "2.5"])
    told = make(str(tmp_path / "x.zip"), [given], partial=True)
    assert told == ["STS-B.tsv: 5 rows, 2 of them clipped to 0 or 5"]
    text = zipfile.ZipFile(tmp_path / "x.zip").read("STS-B.tsv").decode()
    assert [float(line.split("\t")[1]) for line in text.splitlines()[1:]] == [0, 5, 5, 0, 2.5]


def test_missing_tasks(tmp_path, small, run, refused):
    given = [run(task) for task in TASKS if task not in ("qqp", "ax")]
    assert refused(*given, partial=False) == [
        "no predictions of qqp, ax; the leaderboard takes all 11 files; --partial makes a zip "
        "without them"]
    make(str(tmp_path / "x.zip"), given, partial=True)
    assert len(zipfile.ZipFile(tmp_path / "x.zip").namelist()) == 9


def test_every_problem_at_once(small, run, refused, tmp_path):
    (tmp_path / "odd").mkdir()
    (tmp_path / "odd" / "predictions.tsv").write_text("0.1\t0.9\n")
    short = run("wnli", ["0", "1"])
    unordered = run("cola", ids=["0", "1", "3", "2", "4"])
    assert refused(
        short, unordered, run("rte", ["entailment", "1", "1", "0", "not_entailment"]),
        run("sts-b", ["1", "2", "high", "nan", "3"]), run("ax", ["0", "1"] + ["neutral"] * 3),
        f"qnli={tmp_path}/none", f"mrpc={tmp_path}/odd", "mnlimm=x", "rte", f"{short}2",
        out="none/x.zip") == [
            "mnlimm=x: there is no such task, closest is mnli-mm; tasks: " + ", ".join(TASKS),
            "rte: write TASK=FOLDER, for example cola=output/cola",
            "wnli=wnli2: wnli is given twice, also as wnli",
            "--out=none/x.zip: there is no folder none",
            "cola/predictions.tsv:4: the id is '3', must be 2: GLUE's test file numbers its rows "
            "from 0, and its first column is that number",
            "odd/predictions.tsv:1: must begin with the columns id and prediction, which a run "
            "with --do_predict writes",
            "sts-b/predictions.tsv:4: the prediction 'high' is no number; STS-B is a regression",
            "none/predictions.tsv: no such file; a run with --do_predict writes it",
            "rte/predictions.tsv:3: the prediction '1' (2 such rows) is not one of entailment, "
            "not_entailment",
            "rte/predictions.tsv:5: the prediction '0' (1 such rows) is not one of entailment, "
            "not_entailment",
            "wnli/predictions.tsv: 2 rows, but GLUE's test file of WNLI.tsv has 5",
            "ax/predictions.tsv:2: the prediction '0' (1 such rows) is not one of contradiction, "
            "entailment, neutral",
            "ax/predictions.tsv:3: the prediction '1' (1 such rows) is not one of contradiction, "
            "entailment, neutral"]


def test_many_wrong_predictions_are_counted(small, run, refused):
    assert len(refused(run("rte", list("abcde")))) == 5
    problems = refused(run("rte", ["a", "b", "c", "d", "e", "f", "g"]))
    assert problems[-1] == "rte/predictions.tsv: ... and 2 more that are none of them"


def test_nothing_given_and_a_folder_for_a_zip(small, refused, tmp_path):
    assert refused()[0].startswith("nothing to put into the zip")
    (tmp_path / "folder").mkdir()
    assert refused("cola=x", out="folder")[0] == "--out=folder: is a folder; name the zip"


def test_a_zip_that_is_there_survives_what_fails(small, run, tmp_path, monkeypatch):
    out = tmp_path / "x.zip"
    out.write_text("old")
    given = run("cola")

    def full(*arguments):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(zipfile.ZipFile, "writestr", full)
    with pytest.raises(UserError, match="No space left on device"):
        make(str(out), [given], partial=True)
    assert out.read_text() == "old"
    assert sorted(os.listdir(tmp_path)) == ["cola", "x.zip"]


def test_the_script(run, tmp_path):
    def script(*arguments):
        return subprocess.run(
            [str(ROOT / "scripts" / "make_submission.sh"), *arguments], capture_output=True,
            text=True, cwd=tmp_path, env=os.environ | {"PYTHON": sys.executable})

    run("wnli", predictions("wnli", 146))
    done = script("--partial", "--out=x.zip", "wnli=wnli")
    assert (done.returncode, done.stdout) == (0, "x.zip holds\n    WNLI.tsv: 146 rows\n")
    done = script("--out=y.zip", "wnli=wnli", "rte=none")
    assert done.returncode == 2
    assert [line[:7] for line in done.stderr.splitlines()] == ["error: "] * 2
    assert not (tmp_path / "y.zip").exists()


def test_nothing_of_tensorflow_is_needed():
    code = "import sys, finetune.glue.submission; sys.exit('tensorflow' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT).returncode == 0
