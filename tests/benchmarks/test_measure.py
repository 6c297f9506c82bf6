"""What measures contestants, with contestants that are a line of Python."""

import json
import os
import subprocess
import sys

import pytest

from benchmarks import measure
from benchmarks.checkpoint import stall
from finetune.errors import UserError
from tests.conftest import ROOT


def contestant(name, code, **more):
    return measure.Contestant(name, [sys.executable, "-c", code], **more)


def test_a_run_takes_the_last_answer_and_the_time():
    code = ("import json, time; print('{not json'); print('go', flush=True); time.sleep(0.3);"
            "print(json.dumps({'rate': 1})); print(json.dumps({'rate': 2.5}))")
    found = measure.run(contestant("it", code, marker="^go", after=lambda: {"added": 7}))
    assert (found["rate"], found["added"]) == (2.5, 7)
    assert found["seconds"] >= found["marked_seconds"] + 0.3


def test_the_memory_is_that_of_the_child():
    # From a process of its own: a child of this one would begin with the tests' peak.
    code = """if True:
        import sys
        from benchmarks import measure
        peaks = [measure.run(measure.Contestant("x", [sys.executable, "-c", code]))["peak_mb"]
                 for code in ("pass", "block = b'x' * 150_000_000")]
        print(peaks[1] - peaks[0])"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT)
    assert 140 < float(done.stdout) < 160, done


@pytest.mark.parametrize(("code", "marker", "status"), [
    ("print('it broke'); raise SystemExit(3)", None, 3), ("print('it broke')", "never", 0)])
def test_a_failure_is_told_with_the_last_words(code, marker, status):
    with pytest.raises(UserError, match=rf"^worst: failed \(exit status {status}\).*it broke"):
        measure.run(contestant("worst", code, marker=marker))


def test_contestants_take_turns_and_whoever_cannot_run_is_told(tmp_path):
    note, told = tmp_path / "note", []
    one = "print('{\"rate\": 4}'); open(%r, 'a').write(%r)"
    both = [contestant(name, one % (str(note), name)) for name in "ab"]
    found = measure.alternate([*both, measure.Contestant("c", lacking="no such thing")], 2,
                              told.append)
    assert note.read_text() == "abab"
    assert [len(found[name]) for name in "abc"] == [2, 2, 0]
    assert told[0] == "c: left out: no such thing"
    assert "run 2 of 2, b: rate 4" in told[-1]


ROWS = [measure.Row("mrpc", {"ours": [{"rate": 30.0}, {"rate": 90.0}, {"rate": 31.0}],
                             "original": [{"rate": 15.5, "versions": {"tensorflow": "1.15.5"}}],
                             "other": []}),
        measure.Row("cola", {"ours": [{"rate": 1200.0}], "other": [{"rate": 2400.0}]})]


def test_tables_by_hand():
    assert measure.comparison(ROWS, "rate", "rows/s").splitlines() == [
        "| rows/s | ours | original | other |", "|---|---|---|---|",
        "| mrpc | 31.0 | 15.5 (2.00x) | - |", "| cola | 1,200.0 | - | 2,400.0 (0.50x) |"]
    assert measure.comparison(ROWS[1:], "rate", "s", more_is_better=False).endswith(
        "2,400.0 (2.00x) |")
    assert measure.columns(ROWS, "ours", [("rate", "r"), ("none", "n")]).splitlines()[2:] == [
        "| mrpc | 31.00 | - |", "| cola | 1,200 | - |"]
    assert "original: tensorflow 1.15.5" in measure.describe(ROWS)
    assert " cores" in measure.describe(ROWS)


def test_every_run_is_kept_and_no_path(tmp_path):
    path = measure.save("training", ROWS, [
        "--data_dir=/home/me/glue_data/", "--models=/a/b/minilm,bert-base", "--runs", "3",
        "--original_python=~/x/bin/python"], str(tmp_path))
    assert os.listdir(tmp_path) == ["training.json"]
    with open(path) as file:
        kept = json.load(file)
    assert kept["command"] == ("python -m benchmarks.training --data_dir=glue_data "
                               "--models=minilm,bert-base --runs 3 --original_python=python")
    assert kept["rows"][0]["runs"]["ours"] == ROWS[0].runs["ours"]
    assert kept["versions"] == {"original": {"tensorflow": "1.15.5"}}
    assert set(kept["machine"]) == {"processor", "cores", "memory_gb", "system"}


def test_the_stall_of_a_checkpoint_by_hand():
    # Steps of 100 ms; the ones after 4 and 8 take 250 ms, and 6 was slowed to 150 ms.
    spans = dict.fromkeys(range(2, 13), 0.1) | {5: 0.25, 9: 0.25, 6: 0.15}
    when, lines = 1.0, ["2026-01-01 10:00:01,000 INFO train 1/12  loss 1"]
    for step, span in spans.items():
        when += span
        lines.append(f"2026-01-01 10:00:{when:06.3f} INFO train {step}/12".replace(".", ","))
    found = stall("\n".join(lines), every=4)
    assert found["step_ms"] == pytest.approx(100)
    assert found["saving_step_ms"] == pytest.approx(250)
    assert found["stall_steps"] == pytest.approx(1.5)
    assert found["cost_steps"] == pytest.approx((0.15 + 0.15 + 0.05) / 8 / 0.1 * 4)
