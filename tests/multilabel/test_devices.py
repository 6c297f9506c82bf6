"""Parts, replicas, padding: the same update and the same answers as one batch on one device."""

import dataclasses

import numpy as np
import pytest

from finetune import distribution, model
from finetune.config import RunConfig
from finetune.feature_table import FeatureTable
from finetune.predictor import Predictor
from finetune.task_kind import TaskKind
from finetune.training.step import Plan, TrainingStep


@pytest.fixture(scope="module")
def setting(tiny_config, make_table):
    made = make_table(5, 9, 3, 12, 7, 7)
    labels = np.random.default_rng(4).integers(0, 2, (6, 3)).astype(np.uint8)
    table: FeatureTable = dataclasses.replace(made, label_ids=labels)
    config = dataclasses.replace(tiny_config, hidden_dropout_prob=0.0,
                                 attention_probs_dropout_prob=0.0)
    return config, table


def updated(setting, monkeypatch, **given):
    """Returns the weights after a step without dropout, and its loss."""
    config, table = setting
    from finetune import heads
    monkeypatch.setattr(heads, "HEAD_DROPOUT", 0.0)
    run = RunConfig(train_batch_size=6, max_seq_length=16, learning_rate=1e-2, **given)
    strategy = distribution.make_strategy(run)
    with strategy.scope():
        state = model.create(config, 3, 1, {}, training=True, kind=TaskKind.MULTILABEL)
    step = TrainingStep(strategy, state, config, run, Plan(10, 1), table)
    losses, _ = step([np.arange(6)])
    step.write_back()
    return {name: one.numpy() for name, one in state.weights.items()}, float(losses[0])


@pytest.mark.parametrize("given", [{"gradient_accumulation_steps": 3}])
def test_the_same_update(setting, monkeypatch, given):
    weights, loss = updated(setting, monkeypatch)
    others, other = updated(setting, monkeypatch, **given)
    assert other == pytest.approx(loss, rel=1e-5)
    for name, value in weights.items():
        np.testing.assert_allclose(others[name], value, atol=2e-4, err_msg=name)


def test_padded_answers_are_packed_ones(setting):
    config, table = setting
    state = model.create(config, 3, 1, {}, training=False, kind=TaskKind.MULTILABEL)
    packed, padded = (Predictor(state, config, widths).predict(table, 4, "")
                      for widths in ((), (8, 16)))
    np.testing.assert_allclose(padded.probabilities, packed.probabilities, atol=1e-6)
    np.testing.assert_allclose(padded.losses, packed.losses, atol=1e-6)
    assert packed.losses.shape == (6,)
    p, truth = packed.probabilities.astype(np.float64), table.label_ids
    np.testing.assert_allclose(
        packed.losses, -(truth * np.log(p) + (1 - truth) * np.log(1 - p)).mean(1), rtol=1e-4)
