"""scripts/reproduce_glue.sh: the paper's grid, what it refuses, the table beside the figures."""

import json
import os
import pathlib
import re
import subprocess

import pytest

from finetune.sources import catalogue
from finetune.sweep.results import FINISHED, Outcome
from scripts import reproduce_glue
from tests.conftest import ROOT

FIGURES = json.loads((ROOT / "scripts" / "paper_figures.json").read_text())


@pytest.fixture
def glue(tmp_path):
    """Folder with CoLA, MRPC and MNLI in GLUE's layout, a few rows each."""
    rows = {"CoLA": ["s\t{}\t\tthe app crashes\n"], "MNLI": []}
    for name, lines in rows.items():
        (tmp_path / "glue" / name).mkdir(parents=True)
        for split in ("train", "dev"):
            (tmp_path / "glue" / name / f"{split}.tsv").write_text(
                "".join(line.format(number % 2) for line in lines for number in range(64)))
    return tmp_path / "glue"


@pytest.fixture
def script(tmp_path, tiny, glue, monkeypatch, capsys):
    """Runs the script with a stand-in for sweeps; returns (status, output, errors, sweeps)."""
    sweeps = []

    class Sweep:
        def __init__(self, arguments):
            self.arguments = arguments
            flags = dict(one.removeprefix("--").split("=", 1) for one in arguments if "=" in one)
            self.file = json.loads(pathlib.Path(flags["sweep"]).read_text())
            self.flags = flags
            config = reproduce_glue.entry.make_config(
                [one for one in arguments if not one.startswith("--sweep")])
            from finetune.sweep.spec import SweepRun
            self.runs = [Outcome(SweepRun(config, "a", "a", {}), f"{flags['output_dir']}/001_a",
                                 FINISHED, {"mcc": 0.5, "eval_accuracy": 0.8}, 3.0)]
            sweeps.append(self)

        def measure(self):
            return 90.0

        def outcomes(self):
            return self.runs

        def chosen(self):
            return self.runs[0]

        def execute(self):
            return 0
    monkeypatch.setattr(reproduce_glue, "make_sweep", Sweep)

    def run(*arguments):
        status = reproduce_glue.main([
            f"--checkpoint={tiny}", f"--glue_dir={glue}", f"--output_dir={tmp_path / 'out'}",
            *arguments])
        said = capsys.readouterr()
        return status, said.out, said.err, sweeps
    return run


def test_the_grid_is_the_papers(script, tiny, glue):
    status, _, said, [sweep] = script("CoLA", "--eval_batch_size=64")
    assert status == 0, said
    assert sweep.file == {
        "grid": {"train_batch_size": [16, 32], "learning_rate": [5e-5, 4e-5, 3e-5, 2e-5],
                 "num_train_epochs": [2, 3, 4]}, "seeds": [1]}
    flags = sweep.flags
    assert (flags["task_name"], flags["data_dir"], flags["max_seq_length"]) == (
        "cola", str(glue / "CoLA"), "128")
    assert flags["init_checkpoint"] == str(tiny) and flags["eval_batch_size"] == "64"
    assert "--do_predict" not in sweep.arguments  # there is no test.tsv
    assert "in all             about 1 min 30 s" in said


def test_the_checkpoint_taken_by_itself_lies_where_the_download_puts_it():
    names = catalogue.load(str(ROOT / "checkpoints" / "catalogue.json"))
    entry = names.find("bert-base-uncased")
    assert (entry.layers, entry.hidden) == (12, 768)
    assert pathlib.PurePath(reproduce_glue.CHECKPOINT).parts == ("checkpoints", entry.name)


@pytest.mark.parametrize("path", ["docs/sweep.md", "scripts/reproduce_glue.sh",
                                  "scripts/reproduce_glue.py"])
def test_checkpoints_in_examples_are_folders_that_the_download_makes(path):
    names = catalogue.load(str(ROOT / "checkpoints" / "catalogue.json"))
    found = re.findall(r"--checkpoint=checkpoints/(\S+)", (ROOT / path).read_text())
    assert found and {*found} <= {entry.name for entry in names.entries}


def test_bert_large_is_restarted_and_seeds_can_be_given(script, tiny, tmp_path):
    large = tmp_path / "large"
    large.mkdir()
    config = {**json.loads((tiny / "bert_config.json").read_text()), "num_hidden_layers": 24}
    (large / "bert_config.json").write_text(json.dumps(config))
    assert script("cola", f"--checkpoint={large}")[3][-1].file["seeds"] == [1, 2, 3, 4, 5]
    assert script("cola", "--seeds=3")[3][-1].file["seeds"] == [1, 2, 3]


def test_a_smoke_run_makes_few_steps(script):
    sweep = script("cola", "--smoke")[3][0]
    [epochs] = sweep.file["grid"]["num_train_epochs"]
    assert int(64 / 32 * epochs) == 8


@pytest.mark.parametrize(("content", "told"), [
    ("{", "bert_config.json: is not JSON"), ("[]", "it has no vocab_size"),
    ('{"vocab_size": 9, "num_hidden_layers": "24"}', "num_hidden_layers is '24'")])
def test_a_damaged_configuration(content, told, script, tmp_path):
    (tmp_path / "bad").mkdir()
    (tmp_path / "bad" / "bert_config.json").write_text(content)
    status, _, said, sweeps = script("cola", f"--checkpoint={tmp_path / 'bad'}")
    assert status == 2 and told in said and not sweeps


@pytest.mark.parametrize("content", [b"", b"\xff\xfe\n"])
def test_a_smoke_run_leaves_damaged_rows_to_the_check(content, script, glue):
    (glue / "CoLA" / "train.tsv").write_bytes(content)
    assert script("cola", "--smoke")[0] == 0


def test_all_mistakes_are_told_together(script, tmp_path):
    status, _, said, sweeps = script("cola", "colla", "rte", "rte", "--seeds=0",
                                     "--checkpoint=none")
    assert status == 2 and not sweeps and not (tmp_path / "out").exists()
    for part in ("colla: there is no such task; did you mean cola?", "--seeds=0", "rte: is named t",
                 "RTE/train.tsv; scripts/download_glue.sh rte fetches it", "--checkpoint=none:"):
        assert part in said, part


def test_an_unknown_flag_is_refused_by_the_program_s_own_parser(script):
    status, _, said, _ = script("cola", "--eval_bach_size=64")
    assert status == 2 and "--eval_bach_size: did you mean --eval_batch_size" in said


def test_mnli_is_scored_on_mismatched_and_predicts_the_diagnostic_set(script, glue, monkeypatch):
    (glue / "diagnostic").mkdir()
    (glue / "diagnostic" / "diagnostic.tsv").write_text("")
    (glue / "MNLI" / "test_mismatched.tsv").write_text("")
    (glue / "MNLI" / "test_matched.tsv").write_text("")
    calls = []

    def run(arguments):
        flags = dict(one.removeprefix("--").split("=", 1) for one in arguments[1:] if "=" in one)
        calls.append((flags["task_name"], flags["init_checkpoint"],
                      [one for one in arguments if one.startswith("--do_")]))
        os.makedirs(flags["output_dir"])
        with open(os.path.join(flags["output_dir"], "eval_results.txt"), "w") as file:
            file.write("eval_accuracy = 0.7\n")
        pathlib.Path(flags["output_dir"], "predictions.tsv").write_text("")
        return 0, ""
    monkeypatch.setattr(reproduce_glue.processes, "run", run)
    status, shown, said, [sweep] = script("mnli")
    assert status == 0, said
    folder = sweep.runs[0].folder
    assert calls == [("mnli-mm", folder, ["--do_eval", "--do_predict"]),
                     ("ax", folder, ["--do_predict"])]
    assert "| mnli-mm | accuracy | 70.0 |" in shown and "| ax |" not in shown
    assert "--do_predict" in sweep.arguments
    out = folder.removesuffix("/mnli/001_a")
    assert (f"scripts/make_submission.sh --out=submission.zip --partial mnli-mm={out}/mnli-mm "
            f"ax={out}/ax\n") in shown  # the stand-in has made no predictions for mnli


def result(best, values=(), **scores):
    return reproduce_glue.Result("f", list(values) or [best], best, scores)


def test_the_table_stands_beside_the_published_figures():
    base = FIGURES["models"][0]
    text = reproduce_glue.report({"cola": result(0.55, [0.5, 0.55, 0.54]),
                                  "mrpc": result(0.9, eval_accuracy=0.866)}, FIGURES, base)
    assert "| cola | mcc | 55.0 | 53.0 | 2.6 | 3 |  | 52.1 |" in text
    assert "| mrpc | f1 | 90.0 | 90.0 |  | 1 | 86.7 accuracy (Table 5), ours 86.6 | 88.9 |" in text
    assert "average" not in text and "Table 1: Devlin" in text and "README:" not in text
    collapsed = reproduce_glue.Result("f", [0.0], 0.0, {}, True)
    assert "| 0.0 (collapsed) |" in reproduce_glue.report({"cola": collapsed}, FIGURES, base)
    assert "Nothing was published" in reproduce_glue.report({"cola": result(0.5)}, FIGURES, None)


def test_the_average_is_the_papers_and_leaves_wnli_out():
    every = {task: result(0.5) for task in FIGURES["average"]}
    text = reproduce_glue.report({**every, "wnli": result(0.1)}, FIGURES, FIGURES["models"][0])
    assert "| average, without wnli | | 50.0 | | | | | 79.6 |" in text


@pytest.mark.parametrize("model", FIGURES["models"][:2], ids=lambda model: model["name"])
def test_the_published_average_is_that_of_its_parts(model):
    parts = [model["test"][task] for task in FIGURES["average"]]
    assert sum(parts) / len(parts) == pytest.approx(model["test"]["average"], abs=0.06)


def test_every_figure_has_a_source_and_a_task():
    for model in FIGURES["models"]:
        assert {model["test"]["source"], *(one["source"] for one in model["dev"])} <= set(
            FIGURES["sources"])
        assert set(model["test"]) - {"source", "average"} <= set(FIGURES["metrics"])


def test_the_shell_script_finds_no_python_and_says_so(tmp_path):
    done = subprocess.run([ROOT / "scripts" / "reproduce_glue.sh", "cola"], capture_output=True,
                          text=True, env={"PATH": os.environ["PATH"], "VENV": str(tmp_path)})
    assert done.returncode == 2 and f"there is no {tmp_path}/bin/python" in done.stderr


def test_all_predictions_make_a_whole_submission(tmp_path):
    (tmp_path / "predictions.tsv").write_text("")
    every = dict.fromkeys([*reproduce_glue.FOLDERS, "mnli-mm", "ax"],
                          reproduce_glue.Result(str(tmp_path), [], 0.0, {}))
    assert "--out=submission.zip cola=" in reproduce_glue.submission(every, "out")
    assert "nothing was predicted" in reproduce_glue.submission({"rte": result(0.5)}, "out")
