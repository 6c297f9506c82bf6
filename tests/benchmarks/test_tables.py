"""Every table on tiny data: ours for real, all commands checked, peers left out where they must."""

import ast
import json
import os
import subprocess
import sys

import numpy as np
import pytest

import run_classifier_custom
from benchmarks import (
    ceiling,
    checkpoint,
    command,
    features,
    growth,
    latency,
    measure,
    ours,
    prediction,
    products,
    profile,
    start,
    training,
    worker,
    workloads,
)
from finetune.bert_config import BertConfig
from finetune.errors import UserError
from tests.conftest import ROOT, TINY

TABLES = {module.__name__.rpartition(".")[2]: module for module in (
    ceiling, checkpoint, command, features, growth, latency, prediction, profile, start, training)}
FLAGS = {"growth": ["--rows=40,80", "--words=3,6", "--work="], "checkpoint": ["--work="]}
PEER_PYTHONS = {name: os.environ.get(name) for name in ("ORIGINAL_PYTHON", "HUGGINGFACE_PYTHON")}
PEERS = {path.stem: path for path in (ROOT / "benchmarks" / "peers").glob("*.py")}


@pytest.fixture(scope="module")
def given(tiny, tmp_path_factory):
    """The flags of all tables: a CoLA of 70 rows, the tiny checkpoint."""
    folder = tmp_path_factory.mktemp("benchmarks")
    (folder / "glue" / "CoLA").mkdir(parents=True)
    rows = [f"x\t{n % 2}\t\tthe app crashes when i open {'a new ' * (n % 5)}file\n"
            for n in range(70)]
    for split in ("train", "dev"):
        (folder / "glue" / "CoLA" / f"{split}.tsv").write_text("".join(rows))
    (folder / "glue" / "CoLA" / "test.tsv").write_text("index\tsentence\n0\tsave it\n")
    return [f"--data_dir={folder / 'glue'}", f"--models={tiny}", f"--work_dir={folder / 'work'}",
            f"--vocabulary_of={tiny}", f"--results_dir={folder / 'results'}", "--runs=1"]


@pytest.fixture(autouse=True)
def no_peers(monkeypatch):
    for name in PEER_PYTHONS:
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def options(given):
    """What our worker is given for CoLA. Returns a function: other arguments -> Namespace."""
    def make(work, **more):
        setting = workloads.Setting(workloads.parser("x", "x", "cola").parse_args(given))
        [(_, workload, model)] = setting.rows()
        [one] = setting.contestants(work, workload, model, [("ours", "ours", ())], [
            f"--{name}={value}" for name, value in more.items()])
        return worker.parse(dict.fromkeys([work]), one.command[3:])
    return make


def works(name):
    """The works that a peer's file offers, without its libraries."""
    call = next(node for node in ast.walk(ast.parse(PEERS[name].read_text()))
                if isinstance(node, ast.Call) and ast.unparse(node.func) == "worker.main")
    return {key.value: None for key in call.args[0].keys}


def test_our_training_ceiling_profile_prediction_and_features(options):
    small = {"batch_size": 8, "steps": 3, "warmup_steps": 1}
    found = ours.train(options("train", **small))
    assert found["in_steps"] == pytest.approx(8 / found["step_seconds"])
    assert 0 < found["examples_per_second"] < found["in_steps"]
    # Rows of 9 to 17 tokens, each length as often as any other.
    assert 11 * 8 <= found["tokens_per_step"] <= 15 * 8
    found = ours.ceiling(options("ceiling", **small))
    assert found["share_of_all"] == pytest.approx(
        100 * (found["dense_ms"] + found["attention_ms"]) / found["step_ms"])
    found = ours.profile(options("profile", **small))["operations"]
    assert {"MatMul", "ResourceApplyAdam", "GatherV2"} < set(found) and min(found.values()) >= 0
    found = ours.predict(options("predict", batch_sizes="4,16"))
    assert found["best_batch_size"] in (4, 16)
    assert found["rows_per_second"] == pytest.approx(
        70 / (found["feature_seconds"] + found["predict_seconds"]))
    found = ours.latency(options("latency", max_seq_length=24))
    assert 0 < found["median_ms"] <= found["p99_ms"] and found["rows_per_second"] > 0
    given = options("features")
    found = ours.features(given)
    assert {"first_seconds", "second_seconds"} < set(found)
    assert os.path.exists(os.path.join(given.output_dir, "train.tf_record"))


@pytest.mark.parametrize("name", TABLES)
def test_every_table_runs_what_the_contestants_take(given, name, monkeypatch, capsys):
    seen = []

    def run(one):
        seen.append(one.name)
        words = list(one.command)
        if words[1] == "-m":
            peer = words[2].partition("benchmarks.")[2].rpartition(".")[2]
            answers = works(peer) if peer in PEERS else dict.fromkeys(
                ["train", "ceiling", "profile", "predict", "features", "latency"])
            kept = worker.parse(answers, words[3:])
            assert os.path.isdir(kept.huggingface_model)
            made = os.path.join(kept.output_dir, "train.tf_record")
        elif "--help" not in words:
            config = run_classifier_custom.make_config(words[2:])
            assert config.problems() == []
            made = os.path.join(config.output_dir, "train.tf_record")
            os.makedirs(config.output_dir, exist_ok=True)
            with open(os.path.join(config.output_dir, "run.log"), "w") as log:
                for step in range(1, 51):
                    log.write(f"2026-01-01 10:00:{step:02d},000 INFO train {step}/50\n")
        else:
            return {"seconds": 0.5, "peak_mb": 20}
        if name == "start":
            os.makedirs(os.path.dirname(made), exist_ok=True)
            open(made, "w").close()
        return {"operations": {"MatMul": 3.0, "Mul": 1.0}} | dict.fromkeys((
            "seconds", "peak_mb", "marked_seconds", "step_seconds", "tokens_per_step",
            "examples_per_second", "rows_per_second", "share_of_dense", "median_ms", "p99_ms"), 2.0)

    monkeypatch.setattr(measure, "run", run)
    peers = [f"--{peer}_python={sys.executable}" for peer in ("original", "huggingface")]
    arguments = [*given, *peers, *FLAGS.get(name, ["--work=cola"])]
    TABLES[name].main(arguments)
    said = capsys.readouterr().out
    assert "| 2" in said or "| 1,000" in said
    expected = {"training": 4, "command": 3, "prediction": 4, "latency": 2, "features": 2,
                "start": 2}
    assert len(set(seen)) == expected.get(name, 1)
    results = next(one for one in given if one.startswith("--results_dir=")).split("=")[1]
    with open(os.path.join(results, f"{name}.json")) as file:
        text = file.read()
    assert os.path.dirname(results) not in text
    assert sys.prefix not in text
    assert json.loads(text)["rows"]


@pytest.mark.slow
def test_a_table_as_a_command_without_peers(given):
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.training", *given, "--work=cola,issues-128",
         "--steps=2", "--warmup_steps=1", "--batch_size=4"], cwd=ROOT, capture_output=True,
        text=True)
    assert done.returncode == 0, done.stderr
    assert "issues-128: left out: its folder is not known; give --issues_dir" in done.stderr
    assert ("original: left out: its interpreter is not known; give --original_python or set "
            "ORIGINAL_PYTHON") in done.stderr
    assert "Hugging Face random: left out: " in done.stderr
    assert "| cola, tiny | " in done.stdout
    assert done.stdout.count(" | - | - | - |") == 2
    assert "ours: python 3." in done.stdout


@pytest.mark.parametrize(("arguments", "said"), [
    (["--work=mrcp"], "--work=mrcp: must be of mrpc, cola"),
    (["--work=mrpc"], "MRPC, which mrpc needs, is no folder"),
    (["--work=issues-512"], "nothing is left to measure"),
    (["--models=bert-large"], "--models=bert-large: is no folder, and not bert-base"),
    (["--runs=0"], "--runs=0: must be 1 or more"),
    (["--original_python=/nowhere/python"], "--original_python=/nowhere/python: there is no")])
def test_mistakes(given, arguments, said):
    with pytest.raises(UserError) as caught:
        training.main([*given, *(["--work=cola"] if "--work" not in arguments[0] else []),
                       *arguments])
    assert said in str(caught.value)


@pytest.mark.parametrize("path", [PEERS["original"], ROOT / "benchmarks" / "worker.py",
                                  ROOT / "finetune" / "__init__.py"])
def test_what_the_original_needs_is_written_for_its_python(path):
    ast.parse(path.read_text(), feature_version=(3, 7))


def test_the_parent_imports_no_tensorflow():
    code = ("import sys\n" + "".join(f"import benchmarks.{name}\n" for name in TABLES)
            + "sys.exit('tensorflow' in sys.modules or 'numpy' in sys.modules)")
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT).returncode == 0


def test_chosen_batches_cost_what_all_cost():
    costs = [10, 40, 20, 50, 30, 60]
    assert sorted(costs[place] for place in worker.representative(costs, 3)) == [20, 40, 60]
    assert sorted(worker.representative(costs, 6)) == list(range(6))
    assert len(worker.representative(costs, 20)) == 20
    assert worker.representative(costs, 4) == worker.representative(costs, 4)


def test_features_are_paid_for_over_the_epochs():
    # 300 rows at 10 a second are 30 s; 20 s of features make it 50 s.
    assert worker.with_features(10, 100, 20, epochs=3) == pytest.approx(6)


def test_products_by_hand():
    config = BertConfig.from_dict({**TINY, "vocab_size": 60}, "tiny")  # 2 layers, 16 and 24 wide
    lengths = np.array([5, 4, 2])
    assert products.dense_shapes(config, 11, 3) == [
        [(11, 16, 48), (11, 16, 16), (11, 16, 24), (11, 24, 16)],
        [(11, 16, 32), (3, 16, 16), (3, 16, 16), (3, 16, 24), (3, 24, 16)], [(3, 16, 16)]]
    assert products.attention_groups(lengths) == [(1, 5), (2, 4)]
    full = 11 * (16 * 48 + 16 * 16 + 2 * 16 * 24)
    last = 11 * 16 * 32 + 3 * (3 * 16 * 16 + 2 * 16 * 24)
    attention = 12 * 16 * (1 * (5 + 1) * 5 + 2 * (4 + 1) * 4)
    assert products.Products(config).operations(lengths) == (6 * (full + last), attention)


def test_products_are_run_as_often_as_there_are_layers(monkeypatch):
    config = BertConfig.from_dict({**TINY, "vocab_size": 60, "num_hidden_layers": 4}, "tiny")
    made = []
    plain = products.forward_and_backward

    def noted(operands):
        made.extend((x.shape, weights.shape) for x, weights, _ in operands)
        return plain(operands)
    monkeypatch.setattr(products, "forward_and_backward", noted)
    lengths = np.array([5, 4, 2])
    dense, attention = products.Products(config).prepare(lengths)
    dense()
    shapes = [shape for layer in products.dense_shapes(config, 11, 3) for shape in layer]
    assert made == [((rows, inner), (inner, outer)) for rows, inner, outer in shapes]
    made.clear()
    attention()
    assert len(made) == 4 * 4  # two products, two groups, four layers
    assert made[0] == ((1, 2, 5, 8), (1, 2, 8, 5))
    assert made[-1] == ((2, 2, 1, 4), (2, 2, 4, 8))


def test_what_a_run_of_ours_noted_of_itself(tmp_path):
    (tmp_path / "runs.json").write_text(json.dumps([{
        "python": "3.11.7", "versions": {"tensorflow": "2.21.0"}, "device": "CPU, 2 cores"}]))
    assert workloads._versions(str(tmp_path)) == {
        "python": "3.11.7", "tensorflow": "2.21.0", "threads": "all (CPU, 2 cores)"}


def test_the_setting_of_a_worker_is_checked(capsys):
    with pytest.raises(SystemExit):
        worker.parse({"train": None}, ["predict", "--task=a", "--model=b", "--output_dir=c"])
    assert "invalid choice: 'predict'" in capsys.readouterr().err
    kept = worker.parse({"train": None}, ["train", "--task=a", "--model=b", "--output_dir=c",
                                          "--batch_sizes=4,8"])
    assert kept.batch_sizes == [4, 8]
    assert os.path.isabs(kept.task)


def test_the_readme_names_every_table():
    text = (ROOT / "benchmarks" / "README.md").read_text()
    named = {line.split("`")[1].rpartition(".")[2] for line in text.splitlines()
             if line.startswith("| `python -m benchmarks.")}
    assert named == set(TABLES)


@pytest.mark.slow
@pytest.mark.parametrize(("name", "module", "flag"), [
    ("original", "peers.original", "original_python"),
    ("Hugging Face", "peers.huggingface", "huggingface_python")])
def test_a_peer_for_real(given, name, module, flag):
    python = PEER_PYTHONS[flag.upper()]
    if not python:
        pytest.skip(f"{flag.upper()} names no interpreter for {name}")
    setting = workloads.Setting(workloads.parser("x", "x", "cola").parse_args(
        [*given, f"--{flag}={python}"]))
    [(_, workload, model)] = setting.rows()
    [one] = setting.contestants("train", workload, model, [(name, module, ())], [
        "--batch_size=8", "--steps=3", "--warmup_steps=1", "--max_seq_length=24"])
    found = measure.run(one)
    assert found["in_steps"] == pytest.approx(8 / found["step_seconds"])
    assert found["versions"]["python"]
