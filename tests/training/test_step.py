"""One update: in parts, in lower precision, compiled; each against the plain one."""

import dataclasses

import numpy as np
import pytest
import tensorflow as tf

from finetune import heads, model
from finetune.config import RunConfig
from finetune.training import loss_scale
from finetune.training.schedules import Plan
from finetune.training.step import TrainingStep, dropout_seed

CPU = tf.distribute.OneDeviceStrategy("CPU:0")
LENGTHS = (5, 1, 9, 3, 12, 2, 2)
ROWS = np.arange(len(LENGTHS))


@pytest.fixture
def certain(tiny_config, monkeypatch):
    """A layer without dropout."""
    monkeypatch.setattr(heads, "HEAD_DROPOUT", 0.0)
    return dataclasses.replace(tiny_config, num_hidden_layers=1, hidden_dropout_prob=0.0,
                               attention_probs_dropout_prob=0.0)


@pytest.fixture
def train(make_table):
    """Makes steps on all rows; returns (losses and norms, values of all variables, the step)."""
    def run(bert, steps=3, values=(), **settings):
        config = RunConfig(train_batch_size=len(LENGTHS), max_seq_length=12, learning_rate=0.01,
                           **settings)
        random = np.random.default_rng(4)
        start = {name: (random.standard_normal(shape) * 0.3 + name.endswith("gamma")).astype("f")
                 for name, shape in model.variable_shapes(bert, 3).items()} | dict(values)
        state = model.create(bert, 3, 1, start, training=True,
                             loss_scaling=config.precision == "float16")
        step = TrainingStep(CPU, state, bert, config, Plan(10, 0), make_table(*LENGTHS))
        told = [[float(value) for [value] in step([ROWS])] for _ in range(steps)]
        step.write_back()
        return np.array(told), {name: variable.numpy()
                                for name, variable in state.variables().items()}
    return run


def assert_close(ours, theirs, tolerance, ignored="key/bias"):
    """Adam turns noise into steps where a gradient is 0, as that of a key's bias."""
    for name, value in theirs.items():
        if ignored not in name:
            error = np.linalg.norm(ours[name] - value) / max(np.linalg.norm(value), 1e-30)
            assert error < tolerance, f"{name}: {error}"


@pytest.mark.parametrize("parts", [2, 3, 7])
def test_parts_make_the_update_of_the_whole_batch(certain, train, parts):
    told, values = train(certain)
    told_in_parts, values_in_parts = train(certain, gradient_accumulation_steps=parts)
    np.testing.assert_allclose(told_in_parts, told, rtol=1e-5)
    assert_close(values_in_parts, values, 1e-4)


def test_every_part_has_masks_of_its_own(tiny_config, train):
    seeds = [tuple(dropout_seed(7, tf.constant(3, tf.int64), part).numpy()) for part in range(3)]
    assert len(set(seeds)) == 3 and seeds[0] == (7, 3)
    losses = [train(tiny_config, 1, gradient_accumulation_steps=parts)[0][0, 0]
              for parts in (1, 2, 2)]
    assert losses[1] == losses[2] != losses[0]


def test_a_part_begins_when_the_one_before_is_done(certain, train, monkeypatch):
    order, logits, words = [], model.logits, "bert/embeddings/word_embeddings"

    def note(event):
        return tf.control_dependencies([tf.py_function(lambda: order.append(event), [], [])])

    @tf.custom_gradient
    def watched(table):
        def gradient(upstream):  # the last of all gradients
            with tf.control_dependencies([upstream]), note("end"):
                return tf.identity(upstream)
        return tf.identity(table), gradient

    def traced(weights, config, batch, *rest):
        with tf.control_dependencies([batch.input_ids]), note("begin"):
            batch = batch._replace(input_ids=tf.identity(batch.input_ids))
        return logits({**weights, words: watched(tf.convert_to_tensor(weights[words]))}, config,
                      batch, *rest)

    monkeypatch.setattr(model, "logits", traced)
    train(certain, 1, gradient_accumulation_steps=7)
    assert order == ["begin", "end"] * 7


@pytest.mark.parametrize("parts", [1, 2])
def test_xla_makes_the_same_update(certain, train, parts):
    told, values = train(certain)
    compiled, values_compiled = train(certain, xla=True, gradient_accumulation_steps=parts)
    np.testing.assert_allclose(compiled, told, rtol=1e-5)
    assert_close(values_compiled, values, 1e-4)


@pytest.mark.parametrize(("precision", "xla"), [
    ("bfloat16", False), ("float16", False), ("float16", True)])
def test_lower_precision_is_close_to_float32(certain, train, precision, xla):
    told, values = train(certain, 1)
    lower, values_lower = train(certain, 1, precision=precision, xla=xla)
    np.testing.assert_allclose(lower, told, rtol=0.02)
    assert not np.allclose(lower, told, rtol=1e-6)  # something is done in it
    for name, value in values_lower.items():
        assert value.dtype == (np.int64 if name == "global_step" else np.float32), name
        if name.endswith("/adam_m") and "key/bias" not in name:
            error = np.linalg.norm(value - values[name]) / np.linalg.norm(values[name])
            assert error < 0.1, name


def test_the_scale_of_the_loss_changes_nothing_but_itself(certain, train):
    first, doubled = (train(certain, precision="float16", values={
        "loss_scale": np.array([scale, 0], "f")}.items()) for scale in (1024, 4096))
    np.testing.assert_allclose(first[0], doubled[0], rtol=1e-2)
    assert first[1]["loss_scale"].tolist() == [1024, 3]
    assert doubled[1]["loss_scale"].tolist() == [4096, 3]


def test_a_step_whose_gradients_overflow_changes_nothing(certain, train):
    start = {"loss_scale": np.array([2.0 ** 40, 5], "f")}
    _, before = train(certain, 0, precision="float16", values=start.items())
    told, after = train(certain, 1, precision="float16", values=start.items())
    assert np.isfinite(told[0, 0]) and not np.isfinite(told[0, 1])
    for name, value in after.items():
        if name not in ("loss_scale", "global_step"):
            np.testing.assert_array_equal(value, before[name], err_msg=name)
    assert after["loss_scale"].tolist() == [2.0 ** 39, 0] and after["global_step"] == 1


@pytest.mark.parametrize(("before", "finite", "after"), [
    ((64, 3), True, (64, 4)), ((64, 1998), True, (64, 1999)), ((64, 1999), True, (128, 0)),
    ((64, 3), False, (32, 0)), ((1, 3), False, (1, 0))])
def test_the_scale_grows_slowly_and_falls_at_once(before, finite, after):
    state = tf.Variable(before, dtype=tf.float32)
    loss_scale.update(state, tf.constant(finite))
    assert tuple(state.numpy()) == after
