"""--engine=original, with a stand-in for the second environment, and once for real."""

import ast
import csv
import json
import os
import shutil
import sys
import types

import numpy as np
import pytest
import tensorflow as tf

from finetune import outputs, records
from finetune.config import RunConfig
from finetune.errors import UserError
from finetune.original import engine as original
from finetune.original import flow
from tests.script_project import ROOT, write_script

SMALL = ["--max_seq_length=16", "--train_batch_size=5", "--num_train_epochs=2"]
ALL = ["--do_train", "--do_eval", "--do_predict", *SMALL]
# Answers the probe, and plays the flow: notes the plan, writes what the original would.
STAND_IN = f"""#!{sys.executable}
import json, os, sys
if "-c" in sys.argv:
    print(json.dumps({{"versions": {{"python": "3.11.7", "tensorflow": "2.15.1",
                       "bert-tensorflow": "1.0.4"}}, "lacking": LACKING}}))
    sys.exit()
plan = json.load(open(sys.argv[-1]))
output = plan["flags"]["output_dir"]
plan["rows"] = {{split: [json.loads(line) for line in open(path)]
                for split, path in plan["examples"].items()}}
json.dump(plan, open(os.path.join(output, "noted.json"), "w"))
print("WARNING:tensorflow:deprecated")
print("INFO:tensorflow:***** Running training *****")
for _ in range(5):
    print("INFO:tensorflow:global_step/sec: 7.5")
print("INFO:tensorflow:Loss for final step: 0.5.")
if plan["flags"]["do_eval"]:
    open(output + "/eval_results.txt", "w").write("eval_accuracy = 0.5\\nglobal_step = 6\\n")
if plan["flags"]["do_predict"]:
    columns = 1 if plan["scores"] else len(plan["labels"])
    lines = ["\\t".join(["0.7", "0.2", "0.1"][:columns])] * len(plan["rows"]["test"])
    open(output + "/test_results.tsv", "w").write("\\n".join(lines[CUT:]) + "\\n")
print("ValueError: the end", file=sys.stderr)
sys.exit(STATUS)
"""


@pytest.fixture
def stand_in(tmp_path, monkeypatch):
    """Makes the stand-in; its settings can be changed. Returns a function."""
    def make(lacking=(), status=0, cut=0):
        text = STAND_IN.replace("LACKING", repr(list(lacking))).replace("STATUS", str(status))
        write_script(tmp_path / "second" / "bin" / "python", text.replace("CUT", str(cut)))
        monkeypatch.setenv("VENV_ORIGINAL", str(tmp_path / "second"))
    make()
    return make


@pytest.fixture
def run(main, tiny, issues, tmp_path):
    """Runs --engine=original on issues. Returns a function: flags -> (status, said)."""
    def with_usual(*flags):
        return main(f"--data_dir={issues}", f"--init_checkpoint={tiny}", "--engine=original",
                    f"--output_dir={tmp_path / 'out'}", *flags)
    return with_usual


# ---- what is refused


def test_all_mistakes_are_told_together(run, tmp_path, monkeypatch):
    monkeypatch.setenv("VENV_ORIGINAL", str(tmp_path / "nowhere"))
    status, said = run(*ALL, "--eval_every_steps=2", "--early_stopping_patience=3",
                       "--keep_checkpoint_max=1", "--metric_for_best=mcc", "--learning_rate=-1")
    assert status == 2
    assert ("the original flow has no --keep_checkpoint_max=1, --eval_every_steps=2, "
            "--early_stopping_patience=3, --metric_for_best=mcc; leave them out") in said
    assert f"VENV_ORIGINAL={tmp_path / 'nowhere'} is no environment" in said
    assert "scripts/setup_original.sh makes it (with Python 3.9, 3.10 or 3.11)" in said
    assert "--learning_rate=-1.0: must be a number above 0" in said
    assert "Traceback" not in said
    assert not (tmp_path / "out").exists()


def test_the_defaults_and_what_can_be_handed_in_are_not_refused(stand_in):
    assert original.problems(RunConfig(engine="original")) == []
    given = RunConfig(engine="original", seed=7, overwrite_output_dir=True, config="x.yaml",
                      labels=("a", "b"), text_column=("x",), num_train_epochs=1.0, use_tpu=True)
    assert original.problems(given) == []
    [problem] = original.problems(RunConfig(engine="original", log_every_steps=5))
    assert "has no --log_every_steps=5; leave it out, or use --engine=fast" in problem


@pytest.mark.parametrize(("text", "reason"), [
    ("#!/bin/sh\necho no such library >&2\nexit 127\n", "does not run (no such library)"),
    ("no program", "does not run ("),
])
def test_a_broken_environment(stand_in, tmp_path, text, reason):
    write_script(tmp_path / "second" / "bin" / "python", text)
    with pytest.raises(UserError) as caught:
        original.environment()
    assert reason in str(caught.value)
    assert "scripts/setup_original.sh" in str(caught.value)


def test_an_environment_without_estimator(stand_in):
    stand_in(lacking=["tensorflow_estimator", "bert"])
    with pytest.raises(UserError, match="second lacks tensorflow_estimator, bert"):
        original.environment()


def test_which_environment(monkeypatch, tmp_path):
    chosen = []
    monkeypatch.setattr(original, "_probed", lambda *found: chosen.append(found))
    monkeypatch.delenv("VENV_ORIGINAL", raising=False)
    monkeypatch.setattr(tf, "__version__", "2.15.1")
    original.environment()
    monkeypatch.setattr(tf, "__version__", "2.16.0")
    monkeypatch.setattr(original, "FOLDER", str(tmp_path / ".venv-original"))
    with pytest.raises(UserError, match="there is no .*venv-original"):
        original.environment()
    write_script(tmp_path / ".venv-original" / "bin" / "python", "")
    original.environment()
    assert chosen == [(sys.executable, sys.prefix), (
        str(tmp_path / ".venv-original" / "bin" / "python"), str(tmp_path / ".venv-original"))]


# ---- what is handed over, and what comes of it


def test_a_run(run, stand_in, tmp_path, tiny):
    folder = tmp_path / "out"
    status, said = run(*ALL, "--seed=9", "--labels=question,bug,feature", "--learning_rate=1e-3")
    assert status == 0, said
    plan = json.loads((folder / "noted.json").read_text())
    assert plan["labels"] == ["question", "bug", "feature"]
    assert (plan["seed"], plan["scores"]) == (9, None)
    flags = {"do_train": True, "do_eval": True, "do_predict": True, "max_seq_length": 16,
             "train_batch_size": 5, "learning_rate": 1e-3, "num_train_epochs": 2.0,
             "eval_batch_size": 8, "use_tpu": False, "do_lower_case": True,
             "init_checkpoint": str(tiny / "bert_model.ckpt"), "output_dir": str(folder),
             "vocab_file": str(tiny / "vocab.txt"),
             "bert_config_file": str(tiny / "bert_config.json")}
    assert flags.items() <= plan["flags"].items()
    assert all(RunConfig.__dataclass_fields__[name].metadata["original"] for name in plan["flags"])
    assert not {"data_dir", "task_name", "tpu_name", "master"} & set(plan["flags"])
    assert [len(plan["rows"][split]) for split in ("train", "dev", "test")] == [15, 15, 6]
    assert set(plan["rows"]["train"][0]) == {"guid", "text_a", "text_b", "label"}
    assert [row["label"] for row in plan["rows"]["test"]] == [None] * 6
    rows = list(csv.reader((folder / "predictions.tsv").open(), delimiter="\t"))
    assert rows[0] == ["id", "prediction", "confidence", "question", "bug", "feature"]
    assert rows[1] == ["t0", "question", "0.700000", "0.700000", "0.200000", "0.100000"]
    assert len(rows) == 7
    assert (folder / "eval_results.txt").read_text().startswith("eval_accuracy = 0.5\n")
    assert (folder / "labels.txt").read_text() == "question\nbug\nfeature\n"
    assert json.loads((folder / "run_config.json").read_text())["engine"] == "original"
    [noted] = json.loads((folder / "runs.json").read_text())
    assert noted["engine"] == "original"
    assert noted["original"]["tensorflow"] == "2.15.1"
    assert "the original flow: tensorflow 2.15.1, bert-tensorflow 1.0.4, Python 3.11.7" in said
    assert "original: train 6/6  " in said
    assert "original: Loss for final step: 0.5." in said
    assert "deprecated" not in said
    assert "original: Loss for final step" in (folder / "run.log").read_text()


def test_the_records_are_padded_as_the_original_reads_them(run, stand_in, tmp_path):
    assert run(*ALL)[0] == 0
    path = str(tmp_path / "out" / "train.tf_record")
    noted = json.loads((tmp_path / "out" / "noted.json").read_text())
    assert noted["records"]["train"] == path
    parsed = list(tf.data.TFRecordDataset(path).map(lambda record: tf.io.parse_single_example(
        record, {name: tf.io.FixedLenFeature([16], tf.int64)
                 for name in ("input_ids", "input_mask", "segment_ids")}
        | {"label_ids": tf.io.FixedLenFeature([], tf.int64)})))
    assert [int(row["label_ids"]) for row in parsed] == [0, 1, 2] * 5
    assert all(int(row["input_ids"][0]) == 2 or int(row["input_mask"][0]) == 1 for row in parsed)
    # The fast engine does not take them for its own, nor the other way round.
    before = os.path.getsize(path)
    assert run(*ALL, "--engine=fast")[0] == 0
    assert os.path.getsize(path) < before
    assert run(*ALL)[0] == 0
    assert os.path.getsize(path) == before


def test_evaluation_deletes_an_older_confusion_matrix(run, stand_in, tmp_path):
    assert run(*ALL, "--engine=fast")[0] == 0
    matrix = tmp_path / "out" / outputs.CONFUSION
    assert matrix.exists()
    status, said = run("--do_eval", *SMALL)
    assert status == 0
    assert f"{matrix} of an earlier run is deleted" in said
    assert not matrix.exists()
    assert "holds eval_results.txt, runs.json" in said


def test_a_regression(main, stand_in, tiny, tmp_path):
    data, folder = tmp_path / "data", tmp_path / "out"
    data.mkdir()
    values = ["2.5", "0", "10", "2.50", "0"]
    for name in ("train", "dev", "test"):
        (data / f"{name}.tsv").write_text("text\tlabel\n" + "".join(
            f"Save the file\t{value}\n" for value in values))
    status, said = main(f"--data_dir={data}", f"--init_checkpoint={tiny}", *ALL,
                        "--engine=original", "--task_type=regression", f"--output_dir={folder}")
    assert status == 0, said
    plan = json.loads((folder / "noted.json").read_text())
    assert plan["labels"] == ["0", "2.5", "2.50", "10"]
    assert plan["scores"] == [0.0, 2.5, 2.5, 10.0]
    table = records.read(plan["records"]["train"])
    assert table.label_ids.tolist() == [1, 0, 3, 2, 0]
    assert (folder / "predictions.tsv").read_text().splitlines()[:2] == [
        "id\tprediction", "test-1\t0.700000"]


@pytest.mark.parametrize(("labels", "expected"), [
    ([], ["0", "1"]), (["3.0"], ["0", "1", "3.0"]), ([None, "10", "9"], ["9", "10"])])
def test_scores_are_never_taken_for_the_head_of_a_regression(labels, expected):
    rows = [types.SimpleNamespace(label=label) for label in labels]
    prepared = types.SimpleNamespace(labels=["score"], examples={"train": rows})
    assert original.label_list(prepared) == expected


def test_a_flow_that_fails(run, stand_in, tmp_path):
    stand_in(status=3)
    status, said = run(*ALL)
    assert status == 2
    assert ("error: --engine=original: the original flow failed (exit status 3), its last words: "
            "ValueError: the end") in said
    assert "original: WARNING:tensorflow:deprecated" in said  # all there is, to find the reason
    assert "ValueError: the end" in (tmp_path / "out" / "run.log").read_text()


def test_answers_that_are_too_few(run, stand_in):
    stand_in(cut=1)
    status, said = run(*ALL)
    assert status == 2
    assert "test_results.tsv: has (5, 3) numbers, not 6 lines of 3" in said


def test_a_tpu_is_named_as_the_fast_engine_names_it(tiny):
    config = RunConfig(use_tpu=True, num_tpu_cores=4)
    prepared = types.SimpleNamespace(config=config, labels=["a", "b"], examples={})
    flags = original.plan(prepared, "x", None, do_train=True)["flags"]
    assert (flags["use_tpu"], flags["tpu_name"], flags["num_tpu_cores"]) == (True, "local", 4)
    assert flags["do_train"] is True
    named = types.SimpleNamespace(config=RunConfig(use_tpu=True, tpu_name="v3"), labels=["a", "b"],
                                  examples={})
    assert original.plan(named, "x", None)["flags"]["tpu_name"] == "v3"


# ---- flow.py, without the original


class PaddingInputExample:
    """The original's class of this name."""


def fake_run_classifier(written):
    def convert(examples, label_list, max_seq_length, tokenizer, output_file):
        with open(output_file, "wb") as file:
            file.write(b"+" * len(examples))
        written.append(len(examples))
    return types.SimpleNamespace(tf=tf.compat.v1, PaddingInputExample=PaddingInputExample,
                                 file_based_convert_examples_to_features=convert)


def test_records_made_elsewhere_get_the_padding_of_a_tpu(tmp_path):
    written = []
    module = fake_run_classifier(written)
    for name in ("a", "eval.tf_record"):
        (tmp_path / name).write_bytes(b"features")
    flow.take_records(module, {"records": {
        "train": str(tmp_path / "a"), "dev": str(tmp_path / "eval.tf_record")}})
    take = module.file_based_convert_examples_to_features
    take(["one"], [], 16, None, str(tmp_path / "train.tf_record"))
    assert (tmp_path / "train.tf_record").read_bytes() == b"features"
    take(["one", PaddingInputExample(), PaddingInputExample()], [], 16, None,
         str(tmp_path / "eval.tf_record"))
    assert (tmp_path / "eval.tf_record").read_bytes() == b"features++"
    assert written == [2]
    assert sorted(os.listdir(tmp_path)) == ["a", "eval.tf_record", "train.tf_record"]


def test_the_seed_goes_into_the_run_config():
    made = []
    tpu = types.SimpleNamespace(RunConfig=lambda **settings: made.append(settings))
    flow.fix_seed(types.SimpleNamespace(estimator=types.SimpleNamespace(tpu=tpu)), 7)
    tpu.RunConfig(master="m")
    assert made == [{"tf_random_seed": 7, "master": "m"}]


@pytest.mark.parametrize(("name", "python"), [("original/flow", (3, 7)), ("upstream", (3, 9))])
def test_what_runs_in_the_second_environment_is_of_its_python(name, python):
    text = (ROOT / "finetune" / f"{name}.py").read_text()
    tree = ast.parse(text, feature_version=python)
    for node in ast.walk(tree):  # written int | None, they would be evaluated there
        for note in (getattr(node, "annotation", None), getattr(node, "returns", None)):
            assert not isinstance(note, ast.BinOp) or "from __future__ import annotations" in text


# ---- for real


def environment_or_skip():
    try:
        return original.environment()
    except UserError:
        pytest.skip("no environment with Estimator: make one with scripts/setup_original.sh, or "
                    "name one by VENV_ORIGINAL")


@pytest.mark.slow
def test_both_engines_go_on_from_each_other(run, tmp_path):
    environment_or_skip()
    folder, fast = tmp_path / "out", tmp_path / "fast"
    usual = [*SMALL, "--learning_rate=1e-3", "--warmup_proportion=0"]
    status, said = run(*usual, "--do_train", "--do_eval", "--do_predict")
    assert status == 0, said
    written = {path.name for path in folder.iterdir()}
    assert {"model.ckpt-6.index", "checkpoint", "graph.pbtxt", "eval_results.txt", "eval",
            "test_results.tsv", "predictions.tsv", "train.tf_record", "eval.tf_record",
            "predict.tf_record", "labels.txt", "runs.json"} <= written
    assert (folder / "eval_results.txt").read_text().splitlines()[2] == "global_step = 6"
    # The fast engine evaluates, predicts and goes on,
    shutil.copytree(folder, fast)
    flags = ("--engine=fast", f"--output_dir={fast}")
    assert run(*usual, *flags, "--do_eval", "--do_predict")[0] == 0
    assert np.allclose(*(original.read_answers(str(each / "test_results.tsv"))
                         for each in (folder, fast)), atol=1e-5)
    before = [line.split(" = ") for line in (folder / "eval_results.txt").read_text().splitlines()]
    after = dict(line.split(" = ") for line in
                 (fast / "eval_results.txt").read_text().splitlines())
    assert {name: float(after[name]) for name, _ in before} == pytest.approx(
        {name: float(value) for name, value in before}, abs=1e-5)
    status, said = run(*usual, *flags, "--do_train", "--do_predict", "--num_train_epochs=4")
    assert status == 0
    assert f"goes on from {fast}/model.ckpt-6" in said
    # and the original from there.
    answers = original.read_answers(str(fast / "test_results.tsv"))
    status, said = run(*usual, flags[1], "--do_predict", "--num_train_epochs=4")
    assert status == 0, said
    assert np.allclose(original.read_answers(str(fast / "test_results.tsv")), answers, atol=1e-5)
    status, said = run(*usual, flags[1], "--do_train", "--num_train_epochs=5")
    assert status == 0, said
    assert f"Restoring parameters from {fast}/model.ckpt-12" in said
    assert (fast / "model.ckpt-15.index").exists()
