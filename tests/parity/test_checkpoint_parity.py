"""Checkpoints both ways: each side evaluates, predicts and goes on with what the other wrote.

    scripts/test.sh -v tests/parity/test_checkpoint_parity.py     # shows the largest differences

Ours is the command; the original is tests/parity/original_run.py. Both train on the same batches
(the rows of our --seed) without dropout, so that they can be compared.
"""

import json
import random
import shutil
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest

from finetune import checkpoint, heads
from finetune.batches import TrainingOrder
from tests.conftest import TINY, WORDS, make_checkpoint

# warm-up ends at step 16, so that the other side takes over within it
ROWS, BATCH, STEPS, HALF, RATE, LENGTH, SEED = 44, 8, 33, 12, 3e-4, 32, 42


class Case(NamedTuple):
    """Where everything lies."""

    data: Path
    init: Path
    ours: Path  # a run of the command, from init to the end, with a checkpoint at HALF
    theirs: Path  # alone/, alone_end/: the original from init; continued/, continued_end/: from ours


def write_data(folder):
    dice = random.Random(5)
    folder.mkdir()
    for name, rows in (("train", ROWS), ("dev", 29), ("test", 13)):
        lines = ["Quality\t#1 ID\t#2 ID\t#1 String\t#2 String"] + [
            "\t".join([str(number % 2), str(number), str(-number), *(
                " ".join(dice.choices(WORDS, k=dice.randint(1, 20))) for _ in range(2))])
            for number in range(rows)]
        (folder / f"{name}.tsv").write_text("\n".join(lines) + "\n")


def write_start(folder):
    """A checkpoint with a head, which both sides then start from, and no dropout."""
    make_checkpoint(folder)
    config = json.loads((folder / "bert_config.json").read_text())
    config |= {"hidden_dropout_prob": 0.0, "attention_probs_dropout_prob": 0.0}
    (folder / "bert_config.json").write_text(json.dumps(config))
    prefix = str(folder / "bert_model.ckpt")
    values = {name: value if name.endswith("gamma") else value * 3
              for name, value in checkpoint.read(prefix, list(checkpoint.shapes(prefix))).items()}
    head = np.random.default_rng(6).standard_normal((2, TINY["hidden_size"]))
    checkpoint.save(prefix, {**values, "output_weights": head.astype(np.float32),
                             "output_bias": np.zeros(2, np.float32)})


def flags(case, output_dir, *more):
    return [f"--{name}={value}" for name, value in {
        "task_name": "mrpc", "data_dir": case.data, "init_checkpoint": case.init,
        "output_dir": output_dir, "max_seq_length": LENGTH, "train_batch_size": BATCH,
        "num_train_epochs": 6, "warmup_proportion": 0.5, "learning_rate": RATE, "seed": SEED,
        "save_checkpoints_steps": HALF}.items()] + list(more)


def run(*arguments):
    import run_classifier_custom

    assert run_classifier_custom.main([str(each) for each in arguments]) == 0


@pytest.fixture(scope="module")
def case(tmp_path_factory, original):
    folder = tmp_path_factory.mktemp("checkpoints")
    case = Case(folder / "data", folder / "init", folder / "ours", folder / "theirs")
    write_data(case.data)
    write_start(case.init)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(heads, "HEAD_DROPOUT", 0.0)
        run(*flags(case, case.ours, "--do_train"))
    order = TrainingOrder(ROWS, BATCH, SEED)
    plan = {"data_dir": str(case.data), "vocab_file": str(case.init / "vocab.txt"),
            "bert_config": json.loads((case.init / "bert_config.json").read_text()),
            "max_seq_length": LENGTH, "eval_batch_size": 8, "learning_rate": RATE,
            "steps": STEPS, "warmup": STEPS // 2, "half": HALF, "folder": str(case.theirs),
            "order": [order.batch(step).tolist() for step in range(STEPS)],
            "runs": {"alone": str(case.init / "bert_model.ckpt"),
                     "continued": str(case.ours / f"model.ckpt-{HALF}")}}
    (folder / "plan.json").write_text(json.dumps(plan))
    original("original_run.py", folder / "plan.json")
    return case


def results(folder):
    lines = (line.split(" = ") for line in (folder / "eval_results.txt").read_text().splitlines())
    return ({key: float(value) for key, value in lines},
            np.loadtxt(folder / "test_results.tsv"))


def same_answers(close, what, folder, other):
    (ours, probabilities), (theirs, expected) = results(folder), results(other)
    for name in ("eval_accuracy", "eval_loss", "loss", "global_step"):
        close(f"{what}: eval_results.txt", ours[name], theirs[name], 1e-6, name)
    close(f"{what}: probabilities (absolute)", probabilities, expected, 1e-5, scale=1.0)
    assert np.ptp(expected[:, 0]) > 0.05  # there is something to compare


def same_weights(close, what, folder, other):
    """The change of each variable since the start, and the slots, after the last step."""
    prefixes = [str(each / f"model.ckpt-{STEPS}") for each in (folder, other)]
    held = [checkpoint.shapes(prefix) for prefix in prefixes]
    assert held[0] == held[1] and "global_step" in held[0]
    ours, theirs = (checkpoint.read(prefix, list(held[0])) for prefix in prefixes)
    assert ours.pop("global_step") == theirs.pop("global_step") == STEPS
    for name in ours:
        if "key/bias" not in name:  # see test_model_parity.py
            close(f"{what}: weights and slots", ours[name], theirs[name], 1e-3, name)


def test_ours_evaluates_and_predicts_with_the_originals(case, tmp_path, close):
    shutil.copytree(case.theirs / "alone", tmp_path / "out")
    for name in ("eval_results.txt", "test_results.tsv"):
        (tmp_path / "out" / name).unlink()
    run(*flags(case, tmp_path / "out", "--do_eval", "--do_predict"))
    same_answers(close, "the original's checkpoint, read by ours", tmp_path / "out",
                 case.theirs / "alone")


def test_the_original_evaluates_and_predicts_with_ours(case, tmp_path, close):
    start = f"--init_checkpoint={case.ours / f'model.ckpt-{HALF}'}"
    run(*flags(case, tmp_path / "out", start, "--do_eval", "--do_predict",
               f"--vocab_file={case.init / 'vocab.txt'}"))
    same_answers(close, "our checkpoint, read by the original", tmp_path / "out",
                 case.theirs / "continued")


def test_ours_goes_on_where_the_original_stopped(case, tmp_path, close, monkeypatch):
    monkeypatch.setattr(heads, "HEAD_DROPOUT", 0.0)
    shutil.copytree(case.theirs / "alone", tmp_path / "out")
    run(*flags(case, tmp_path / "out", "--do_train"))
    what = "the original's run, ended by ours"
    same_weights(close, what, tmp_path / "out", case.theirs / "alone_end")
    same_weights(close, what, tmp_path / "out", case.ours)


def test_the_original_goes_on_where_ours_stopped(case, close):
    what = "our run, ended by the original"
    same_weights(close, what, case.theirs / "continued_end", case.ours)
    same_weights(close, what, case.theirs / "continued_end", case.theirs / "alone_end")


def test_each_alone_comes_to_the_same(case, close):
    same_weights(close, "each side alone", case.ours, case.theirs / "alone_end")


def test_the_slots_matter(case, close, tmp_path, monkeypatch):
    """Without Adam's moments a resumed run ends elsewhere: the comparison above would see it."""
    monkeypatch.setattr(heads, "HEAD_DROPOUT", 0.0)
    prefix = str(case.theirs / "alone" / f"model.ckpt-{HALF}")
    values = checkpoint.read(prefix, [name for name in checkpoint.shapes(prefix)
                                      if "adam" not in name])
    (tmp_path / "out").mkdir()
    checkpoint.save(str(tmp_path / "out" / f"model.ckpt-{HALF}"), values)
    shutil.copy(case.theirs / "alone" / "checkpoint", tmp_path / "out")
    run(*flags(case, tmp_path / "out", "--do_train"))
    with pytest.raises(AssertionError):
        same_weights(lambda what, ours, theirs, tolerance, detail: np.testing.assert_allclose(
            ours, theirs, atol=tolerance * np.abs(theirs).max()), "", tmp_path / "out", case.ours)
