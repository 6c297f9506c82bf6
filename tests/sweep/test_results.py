"""Scores of a sweep's runs: reading them, collapse, the choice, means over seeds; the report."""

import ast
import math
import pathlib

import pytest

from finetune.config import RunConfig
from finetune.sweep import reports, results
from finetune.sweep.results import COLLAPSED, FAILED, FINISHED, WAITING, Outcome, choose
from finetune.sweep.spec import SweepRun

TWO = "truth\\predicted\ta\tb\n"


def outcome(name, value=math.nan, status=FINISHED, loss=0.5, seed=1, rate=1.0):
    run = SweepRun(RunConfig(seed=seed, learning_rate=rate), name, f"lr{rate:g}",
                   {"learning_rate": rate, "seed": seed})
    return Outcome(run, f"out/{name}", status, {"mcc": value, "eval_loss": loss}, 1.0)


@pytest.mark.parametrize(("matrix", "expected"), [
    ("a\t0\t5\nb\t0\t5\n", True), ("a\t5\t0\nb\t5\t0\n", True), ("a\t1\t4\nb\t0\t5\n", False),
    ("a\t0\t0\nb\t0\t5\n", False),  # a dev split of one label: nothing else to say
    ("a\t0\t0\nb\t5\t0\n", False)])
def test_one_answer_for_all_of_a_varied_split_is_a_collapse(tmp_path, matrix, expected):
    (tmp_path / "confusion_matrix.tsv").write_text(TWO + matrix)
    assert results.is_collapsed(str(tmp_path), {"pearson": 0.0}) is expected


@pytest.mark.parametrize(("scores", "expected"), [
    ({"pearson": math.nan}, True), ({"pearson": 0.0}, True), ({"pearson": 0.1}, False),
    ({}, False)])
def test_a_regression_without_correlation_has_collapsed(tmp_path, scores, expected):
    assert results.is_collapsed(str(tmp_path), scores) is expected


@pytest.mark.parametrize(("outcomes", "metric", "expected"), [
    ([("a", 0.1), ("b", 0.3), ("c", 0.2)], "mcc", "b"),
    ([("a", 0.3, FINISHED, 0.6), ("b", 0.3, FINISHED, 0.4)], "mcc", "b"),
    ([("a", 0.3), ("b", 0.3)], "mcc", "a"),
    ([("a", 0.9, COLLAPSED), ("b", -0.3)], "mcc", "b"),
    ([("a", 0.1, COLLAPSED), ("b", 0.3, COLLAPSED)], "mcc", "b"),
    ([("a", 0.1, FINISHED, 0.6), ("b", 0.3, FINISHED, 0.7)], "loss", "a"),
    ([("a", math.nan), ("b", -1.0)], "mcc", "b"),
    ([("a", 0.9, FAILED), ("b", 0.9, WAITING), ("c", 0.1)], "mcc", "c"),
    ([("a", 0.9, FAILED)], "mcc", None), ([], "mcc", None)])
def test_the_choice(outcomes, metric, expected):
    chosen = choose([outcome(*one) for one in outcomes], metric)
    assert (chosen.run.label if chosen else None) == expected


SIX = [outcome("a1", 0.5), outcome("b1", 0.1, rate=2), outcome("a2", 0.6, seed=2),
       outcome("b2", 0.0, COLLAPSED, seed=2, rate=2), outcome("a3", 0.7, seed=3),
       outcome("b3", 0.9, FAILED, seed=3, rate=2)]


def test_runs_are_grouped_by_all_but_the_seed():
    one, two = results.by_setting(SIX, "mcc")
    assert (one.name, one.values, one.asked) == ("lr1", [0.5, 0.6, 0.7], 3)
    assert (one.mean, one.deviation, one.best("mcc")) == (
        pytest.approx(0.6), pytest.approx(0.1), 0.7)
    assert (two.name, two.values, two.asked) == ("lr2", [0.1, 0.0], 3)
    assert two.best("loss") == 0.0
    [alone] = results.by_setting([outcome("a", 0.5)], "mcc")
    assert math.isnan(alone.deviation)
    [one] = results.by_setting([outcome("a"), outcome("b", 0.5, seed=2)], "mcc")
    assert math.isnan(one.mean) and math.isnan(one.deviation) and one.best("mcc") == 0.5


def test_the_table_names_collapse_lack_and_choice(tmp_path):
    chosen = choose(SIX, "mcc")
    path = tmp_path / "table.md"
    reports.write_table(str(path), SIX, "mcc", chosen, "python x.py --seed=3")
    text = path.read_text()
    assert "| lr1 | 0.6000 | 0.1000 | 0.7000 | 3 |  | chosen |" in text
    assert "| lr2 | 0.0500 | 0.0707 | 0.1000 | 2 of 3 | 1 |  |" in text
    assert "*   chosen: a3 with dev mcc 0.7000" in text
    assert "*   collapsed (one answer for all of dev): b2" in text
    assert "*   failed: b3: " in text and "    python x.py --seed=3\n" in text


def test_runs_to_come_are_told():
    assert reports.verdict([outcome("a", status=WAITING)], "mcc", None) == [
        "not run yet: 1; the same command goes on"]


def test_the_csv_has_a_line_a_run_and_quotes(tmp_path):
    import csv
    bad = Outcome(SIX[5].run, "out/b3", FAILED, {}, 2.0, 'said "no",\nthen died')
    results.write_csv(str(tmp_path / "r.csv"), [SIX[0], bad], "mcc", SIX[0], ["c 1", "c 2"])
    with open(tmp_path / "r.csv", newline="") as file:
        first, second = csv.DictReader(file)
    assert list(first) == ["run", "status", "chosen", "learning_rate", "seed", "mcc", "eval_loss",
                           "seconds", "error", "command"]
    assert (first["chosen"], first["mcc"], first["command"]) == ("yes", "0.5", "c 1")
    assert (second["error"], second["mcc"]) == ('said "no",\nthen died', "")


def test_the_plot_is_a_png_and_leaves_nothing_else(tmp_path):
    reports.write_plot(str(tmp_path / "p.png"), SIX, "mcc", choose(SIX, "mcc"))
    assert [path.name for path in tmp_path.iterdir()] == ["p.png"]
    assert (tmp_path / "p.png").read_bytes()[:8] == b"\x89PNG\r\n\x1a\n"


def test_matplotlib_is_imported_only_to_draw():
    tree = ast.parse(pathlib.Path(reports.__file__).read_text())
    where = [node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)
             and "matplotlib" in ast.unparse(node)]
    assert where == ["write_plot"]
    assert not any("matplotlib" in ast.unparse(node) for node in tree.body
                   if isinstance(node, (ast.Import, ast.ImportFrom)))
