"""Which weights are trained, and how fast each: layer-wise rates, frozen and thawing layers."""

import numpy as np
import pytest
import tensorflow as tf

from finetune import model
from finetune.batches import pack
from finetune.config import RunConfig
from finetune.training import depth
from finetune.training import step as training_step
from finetune.training.schedules import Plan
from finetune.training.step import TrainingStep

CPU = tf.distribute.OneDeviceStrategy("CPU:0")
EMBEDDINGS, POOLER = "bert/embeddings/word_embeddings", "bert/pooler/dense/bias"
LAYERS = [f"bert/encoder/layer_{index}/output/dense/bias" for index in range(12)]
LENGTHS = (5, 1, 9, 3, 12, 2, 7, 4, 6, 8)
BATCH = 5  # 2 steps an epoch


def values(state):
    return {name: variable.numpy() for name, variable in state.variables().items()}


@pytest.fixture
def train(tiny_config, make_table):
    """Makes steps on a model of two layers; returns all variables before each and at the end."""
    def run(steps, **settings):
        config = RunConfig(train_batch_size=BATCH, learning_rate=1e-3, warmup_proportion=0.0,
                           num_train_epochs=100.0, **settings)
        state = model.create(tiny_config, 3, 1, {}, training=True)
        table = make_table(*LENGTHS)
        step = TrainingStep(CPU, state, tiny_config, config, Plan.of(config, len(LENGTHS)), table)
        found, norms = [values(state)], []
        for number in range(steps):
            norms.append(float(step([np.arange(BATCH) + number % 2 * BATCH])[1][0]))
            step.write_back()
            found.append(values(state))
        return found, norms, step
    return run


def changed(before, after):
    """The depths at which weights differ, and those at which none does."""
    names = [name for name in before if "/adam_" not in name and name != "global_step"]
    moved = {name for name in names if not np.array_equal(before[name], after[name])}
    return ({depth.depth(name, 2) for name in moved},
            {depth.depth(name, 2) for name in set(names) - moved})


@pytest.mark.parametrize(("name", "expected"), [
    (EMBEDDINGS, 0), ("bert/embeddings/LayerNorm/gamma", 0), (LAYERS[0], 1), (LAYERS[1], 2),
    (LAYERS[10], 11), (LAYERS[11], 12), (POOLER, 13), ("output_weights", 13), ("output_bias", 13)])
def test_depth_in_a_model_of_12_layers(name, expected):
    assert depth.depth(name, 12) == expected


@pytest.mark.parametrize(("name", "expected"), [
    ("output_weights", 1.0), (POOLER, 1.0), (LAYERS[11], 0.9), (LAYERS[10], 0.81),
    (LAYERS[0], 0.2824295), (EMBEDDINGS, 0.2541866)])  # 0.9^12, 0.9^13
def test_factor_of_the_rate(name, expected):
    assert depth.factor(name, 12, 0.9) == pytest.approx(expected, rel=1e-6)
    assert depth.factor(name, 12, 1.0) == 1.0


@pytest.mark.parametrize(("settings", "epochs", "expected"), [
    ({}, (0, 9), (0, 0)), ({"trainable_layers": 0}, (0, 9), (13, 13)),
    ({"trainable_layers": 2}, (0, 9), (11, 11)), ({"trainable_layers": 12}, (0,), (1,)),
    ({"gradual_unfreezing": True}, (0, 1, 2, 12, 13, 14), (13, 12, 11, 1, 0, 0)),
    ({"gradual_unfreezing": True, "trainable_layers": 1}, (0, 1, 2), (13, 12, 12))])
def test_what_is_trained_in_an_epoch(settings, epochs, expected):
    config = RunConfig(**settings)
    assert tuple(depth.lowest_trained(config, 12, epoch) for epoch in epochs) == expected


def test_the_first_update_shows_the_rate_of_every_layer(train):
    [before, whole], _, _ = train(1)
    [_, after], _, _ = train(1, layerwise_lr_decay=0.5)  # with the same gradients
    for name, value in before.items():
        if "/adam_" not in name and name != "global_step":
            factor = 0.5 ** (3 - depth.depth(name, 2))
            change = whole[name] - value
            assert change.any(), name
            np.testing.assert_allclose(after[name] - value, factor * change, atol=2e-7, rtol=1e-3,
                                       err_msg=name)
    unused = np.flatnonzero(~after[f"{EMBEDDINGS}/adam_v"].any(1))  # they only decay
    assert len(unused) > 15  # so that they stand apart, see used_words.py
    np.testing.assert_allclose(after[EMBEDDINGS][unused] / before[EMBEDDINGS][unused],
                               1.0 - 1e-3 * 0.125 * 0.01, rtol=2e-7)


@pytest.mark.parametrize(("layers", "frozen"), [(0, {0, 1, 2}), (1, {0, 1}), (2, {0})])
def test_frozen_weights_keep_their_bits(train, layers, frozen):
    found, _, _ = train(3, trainable_layers=layers)
    moved, kept = changed(found[0], found[-1])
    assert kept == frozen and moved == {0, 1, 2, 3} - frozen
    for name, value in found[-1].items():
        if "/adam_" in name and depth.depth(name, 2) in frozen:
            assert not value.any(), name


def test_the_norm_is_that_of_what_is_trained(train, tiny_config, make_table):
    _, [norm], _ = train(1, trainable_layers=0)
    state = model.create(tiny_config, 3, 1, {}, training=True)
    names = [name for name in state.weights if depth.depth(name, 2) == 3]
    assert len(names) == 4
    with tf.GradientTape() as tape:  # rows by falling length, and the masks of the first step
        batch = tf.nest.map_structure(
            tf.constant, pack(make_table(*LENGTHS), np.array([4, 2, 0, 3, 1])))
        logits = model.logits(state.weights, tiny_config, batch,
                              training_step.dropout_seed(42, tf.constant(0, tf.int64)), 2)
        loss = tf.reduce_mean(tf.nn.sparse_softmax_cross_entropy_with_logits(
            batch.label_ids, logits))
    gradients = tape.gradient(loss, [state.weights[name] for name in names])
    assert norm == pytest.approx(float(tf.linalg.global_norm(gradients)), rel=1e-5)


def test_nothing_is_computed_backwards_below_what_is_trained(tiny_config, make_table):
    def products(lowest):
        state = model.create(tiny_config, 3, 1, {}, training=True)
        step = training_step.make_step(CPU, state, tiny_config, RunConfig(train_batch_size=3),
                                       Plan(10, 0), lowest=lowest)
        batch = tf.nest.map_structure(tf.constant, pack(make_table(5, 1, 9), np.arange(3)))
        graph = step.get_concrete_function(batch).graph
        kinds = [one.type for one in graph.get_operations()]
        return (sum("MatMul" in kind for kind in kinds),
                sum(kind == "ResourceApplyAdam" for kind in kinds))

    found = [products(lowest) for lowest in (0, 1, 2, 3)]
    assert found == sorted(found, reverse=True) and len(set(found)) == 4
    # Forwards a layer has 6 products or more, the pooler and the head 1 each.
    assert found[3][1] == 4 and found[0][0] > 2.5 * (found[3][0] - 4)


def test_one_layer_more_learns_in_every_epoch(train):
    found, _, step = train(8, gradual_unfreezing=True)
    for epoch, expected in enumerate(({3}, {2, 3}, {1, 2, 3}, {0, 1, 2, 3})):
        for start in (2 * epoch, 2 * epoch + 1):
            assert changed(found[start], found[start + 1])[0] == expected, start
    assert step._make.cache_info().currsize == 4  # traced once for each


def test_by_default_one_step_is_traced(train):
    _, _, step = train(4)
    assert step._make.cache_info().currsize == 1

