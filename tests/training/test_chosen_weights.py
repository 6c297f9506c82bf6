"""--average_checkpoints: the mean of the last checkpoints answers, and disturbs nobody."""

import numpy as np
import pytest

from finetune import Predictor, model
from finetune.bert_config import BertConfig
from finetune.checkpoints import checkpoint
from finetune.config import RunConfig
from finetune.training import chosen_weights
from tests.end_to_end.conftest import data, names, results, run  # noqa: F401

NAME = "model.ckpt-averaged-6"
ASKED = ["--do_train", "--num_train_epochs=2", "--save_checkpoints_steps=2", "--learning_rate=1e-2"]


def test_the_mean_answers_and_training_goes_on_without_it(run, data, tmp_path):  # noqa: F811
    folder = tmp_path / "out"
    said = run(*ASKED, "--average_checkpoints=3", "--do_eval", f"--output_dir={folder}")
    variables = model.variable_shapes(
        BertConfig.from_json_file(str(folder / "bert_config.json")), 3)
    each = [checkpoint.read(str(folder / f"model.ckpt-{step}"), list(variables))
            for step in (2, 4, 6)]
    held = checkpoint.read(str(folder / NAME), list(variables))
    for name in variables:
        wanted = np.mean([one[name] for one in each], axis=0, dtype=np.float64)
        np.testing.assert_array_equal(held[name], wanted.astype(np.float32))
    # The names of the original, its global step, and nothing of Adam.
    assert checkpoint.shapes(str(folder / NAME)) == {**variables, "global_step": ()}
    assert "dev with the last checkpoint alone: accuracy" in said
    assert f"use {NAME}, the mean of the checkpoints of the steps 2, 4, 6" in said
    assert checkpoint.latest(str(folder)) == str(folder / "model.ckpt-6")

    scores = results(folder)
    assert Predictor(folder).checkpoint == str(folder / NAME)
    last = Predictor(folder / "model.ckpt-6")
    lines = [line.split("\t") for line in (data / "dev.tsv").read_text().splitlines()[1:]]
    texts = [line[1] for line in lines]
    truth = [last.labels.index(line[2]) for line in lines]

    def loss(one):
        return float(-np.log(one.answers(texts)[np.arange(len(texts)), truth]).mean())
    np.testing.assert_allclose(float(scores["eval_loss"]), loss(Predictor(folder)), rtol=1e-5)
    assert abs(loss(last) - loss(Predictor(folder))) > 1e-4  # so that the two can be told apart

    run("--do_eval", f"--output_dir={folder}")  # from the folder alone
    assert results(folder) == scores

    said = run(*ASKED, "--num_train_epochs=3", f"--output_dir={folder}")
    assert f"goes on from {folder / 'model.ckpt-6'}\n" in said
    assert not [name for name in names(folder) if "averaged" in name]
    assert checkpoint.chosen(str(folder)) == str(folder / "model.ckpt-9")


def test_the_mean_of_another_step_is_not_used(tmp_path):
    values = {"a": np.zeros(1, np.float32)}
    for name in ("model.ckpt-4", "model.ckpt-averaged-2"):
        checkpoint.save(str(tmp_path / name), values)
    (tmp_path / "checkpoint").write_text('model_checkpoint_path: "model.ckpt-4"\n')
    assert checkpoint.chosen(str(tmp_path)) == str(tmp_path / "model.ckpt-4")
    checkpoint.save(str(tmp_path / "model.ckpt-averaged-4"), values)
    assert checkpoint.chosen(str(tmp_path)) == str(tmp_path / "model.ckpt-averaged-4")
    assert checkpoint.steps(str(tmp_path)) == [4]


@pytest.mark.parametrize("steps, every, wanted", [
    (6, 2, None), (5, 2, None), (4, 2, "make 2 checkpoints; give --save_checkpoints_steps=1"),
    (6, 1000, "make 1 checkpoint; give --save_checkpoints_steps=2, or less"),
    (2, 1, "give more --num_train_epochs")])
def test_too_few_checkpoints_are_told_before_training(steps, every, wanted):
    config = RunConfig(average_checkpoints=3, save_checkpoints_steps=every)
    found = chosen_weights.problems(config, steps)
    assert (wanted in found[0]) if wanted else found == []
