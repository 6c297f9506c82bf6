"""Whole runs in lower precision, compiled, with the batch in parts."""

import json

import pytest

from finetune.checkpoints import checkpoint
from tests.end_to_end.conftest import ALL, IDS, names, results, table, tensors

pytestmark = pytest.mark.slow


@pytest.mark.parametrize("flags", [
    ["--precision=bfloat16", "--gradient_accumulation_steps=2"],
    ["--precision=float16", "--xla"]], ids=" ".join)
def test_a_run_learns_and_its_predictions_are_made_again(run, tmp_path, flags):
    out = tmp_path / "out"
    run(*ALL, "--train_batch_size=15", "--num_train_epochs=60", "--learning_rate=3e-3", *flags,
        f"--output_dir={out}")
    assert float(results(out)["eval_accuracy"]) == 1
    predicted = table(out / "predictions.tsv")
    assert [row[0] for row in predicted[1:]] == IDS
    held = tensors(out)
    assert ("loss_scale" in held) == ("--precision=float16" in flags)
    assert checkpoint.shapes(checkpoint.latest(str(out))).keys() == held.keys()
    assert len(held["output_bias"]) == 4 * 3  # float32 all the same
    assert json.loads((out / "run_config.json").read_text())["precision"] in flags[0]
    run("--do_predict", *flags, f"--output_dir={out}")
    assert table(out / "predictions.tsv") == predicted
    run("--do_predict", f"--output_dir={out}")  # in float32, from the same checkpoint
    again = table(out / "predictions.tsv")
    assert [row[:2] for row in again] == [row[:2] for row in predicted] and again != predicted
    assert "predictions.tsv" in names(out)


@pytest.mark.parametrize(("flag", "said"), [
    ("--precision=float64", "--precision"),
    ("--gradient_accumulation_steps=0", "--gradient_accumulation_steps=0: must be 1 or more"),
    ("--gradient_accumulation_steps=6", "--gradient_accumulation_steps=6: a step of "
                                        "--train_batch_size=5 rows has no more parts than rows")])
def test_what_is_refused(main, tiny, data, tmp_path, flag, said):
    status, error = main(f"--data_dir={data}", f"--init_checkpoint={tiny}", "--do_train",
                         "--train_batch_size=5", flag, f"--output_dir={tmp_path / 'out'}")
    assert status == 2 and said in error and "Traceback" not in error
