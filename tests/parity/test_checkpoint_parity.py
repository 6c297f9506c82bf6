"""Checkpoints both ways: each side evaluates, predicts and goes on with what the other wrote.

    scripts/test.sh -v tests/parity/test_checkpoint_parity.py     # shows the largest differences

Ours is the command; the original is tests/parity/original_run.py. Both train on the same batches
(the rows of our --seed) without dropout, so that they can be compared.
"""

import json
import os
import random
import shutil
import subprocess
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest

import processors
from finetune import heads, records
from finetune.batches import TrainingOrder
from finetune.checkpoints import checkpoint
from tests.conftest import ROOT, TINY, WORDS, make_checkpoint

pytestmark = pytest.mark.slow
# warm-up ends at step 16, so that the other side takes over within it
ROWS, BATCH, STEPS, HALF, RATE, LENGTH, SEED = 44, 8, 33, 12, 3e-4, 32, 42


class Case(NamedTuple):
    """Where everything lies."""

    data: Path
    init: Path
    ours: Path  # a run of the command, from init to the end, with a checkpoint at HALF
    theirs: Path  # alone, alone_end: the original from init; continued, continued_end: from ours


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


# ---- the real TPUEstimator, where there is one


@pytest.fixture
def estimator(case, tmp_path):
    """Runs the unmodified run_classifier.main (finetune/original/flow.py) in $VENV_ORIGINAL."""
    python = Path(os.environ.get("VENV_ORIGINAL", "")) / "bin" / "python"
    if not os.environ.get("VENV_ORIGINAL") or not python.exists():
        pytest.skip("VENV_ORIGINAL does not name an environment with TensorFlow 2.15 and its "
                    "Estimator (docs/original.md)")
    processor, examples = processors.get("mrpc")(), {}
    for split in ("train", "dev", "test"):
        examples[split] = str(tmp_path / f"{split}.jsonl")
        with open(examples[split], "w") as file:
            for one in getattr(processor, f"get_{split}_examples")(str(case.data)):
                file.write(json.dumps({"guid": one.guid, "text_a": one.text_a,
                                       "text_b": one.text_b, "label": one.label or "0"}) + "\n")

    def run_original(folder, epochs, *what):
        plan = {"labels": ["0", "1"], "examples": examples, "records": None, "seed": 1,
                "scores": None, "flags": {
                    "vocab_file": str(case.init / "vocab.txt"), "output_dir": str(folder),
                    "bert_config_file": str(case.init / "bert_config.json"),
                    "init_checkpoint": str(case.init / "bert_model.ckpt"),
                    "max_seq_length": LENGTH, "train_batch_size": BATCH, "learning_rate": RATE,
                    "num_train_epochs": epochs, **dict.fromkeys(what, "true")}}
        path = tmp_path / "plan.json"
        path.write_text(json.dumps(plan))
        done = subprocess.run(
            [str(python), str(ROOT / "finetune" / "original" / "flow.py"), str(path)],
            capture_output=True, text=True, timeout=600)
        assert done.returncode == 0, done.stderr[-3000:]
    return run_original


def take(source, target, step):
    """Copies one checkpoint into a new output folder."""
    target.mkdir()
    for path in source.glob(f"model.ckpt-{step}.*"):
        shutil.copy(path, target)
    (target / "checkpoint").write_text(f'model_checkpoint_path: "model.ckpt-{step}"\n')


def check_moments_went_on(folder, first, last):
    """Adam's v, restored, cannot have shrunk by more than 0.999 a step."""
    before, after = (str(folder / f"model.ckpt-{step}") for step in (first, last))
    names = [name for name in checkpoint.shapes(before) if name.endswith("adam_v")]
    assert names
    held, now = checkpoint.read(before, names), checkpoint.read(after, names)
    for name in names:
        assert (now[name] >= held[name] * 0.999 ** (last - first) * (1 - 1e-4)).all(), name
        assert "key/bias" in name or held[name].max() > 0


def test_with_the_real_estimator(case, tmp_path, estimator, close):
    # The original evaluates and predicts with ours.
    take(case.ours, tmp_path / "read", HALF)
    estimator(tmp_path / "read", 1, "do_eval", "do_predict")
    run(*flags(case, tmp_path / "ours", f"--init_checkpoint={case.ours / f'model.ckpt-{HALF}'}",
               f"--vocab_file={case.init / 'vocab.txt'}", "--do_eval", "--do_predict"))
    same_answers(close, "our checkpoint, read by TPUEstimator", tmp_path / "ours",
                 tmp_path / "read")
    # It goes on with ours, and ours evaluates and predicts with what it wrote, and goes on.
    take(case.ours, tmp_path / "resumed", HALF)
    estimator(tmp_path / "resumed", 4, "do_train", "do_eval", "do_predict")
    step = int(ROWS / BATCH * 4)
    check_moments_went_on(tmp_path / "resumed", HALF, step)
    shutil.copytree(tmp_path / "resumed", tmp_path / "back")
    run(*flags(case, tmp_path / "back", "--do_eval", "--do_predict"))
    same_answers(close, "TPUEstimator's checkpoint, read by ours", tmp_path / "back",
                 tmp_path / "resumed")
    run(*flags(case, tmp_path / "back", "--do_train"))
    check_moments_went_on(tmp_path / "back", step, STEPS)
    assert (tmp_path / "resumed" / "train.tf_record").stat().st_size > 0
    for name in ("train", "eval", "predict"):
        same_records(tmp_path / "back" / f"{name}.tf_record",
                     tmp_path / "resumed" / f"{name}.tf_record")


def same_records(ours, theirs):
    ours, theirs = records.read(str(ours)), records.read(str(theirs))
    for field in ("input_ids", "segment_ids", "offsets", "label_ids", "is_real"):
        np.testing.assert_array_equal(getattr(ours, field), getattr(theirs, field), field)
