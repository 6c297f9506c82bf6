"""A model's variables, from a checkpoint and fresh, and its logits."""

import numpy as np
import pytest
import tensorflow as tf

from finetune import model
from finetune.batches import Batch, pack, pad


def create(config, values=None, seed=1, training=False):
    return model.create(config, 3, seed, values or {}, training)


def test_the_variables_are_those_of_a_checkpoint(tiny_config):
    state = create(tiny_config, training=True)
    names = list(model.variable_shapes(tiny_config, 3))
    assert names[-2:] == ["output_weights", "output_bias"] and len(names) == 7 + 2 * 16 + 2
    assert list(state.weights) == names
    assert set(state.variables()) == {"global_step", *names, *(
        f"{name}/{slot}" for name in names for slot in ("adam_m", "adam_v"))}
    for name, shape in model.variable_shapes(tiny_config, 3).items():
        for variable in (state.weights[name], state.slots[f"{name}/adam_m"],
                         state.slots[f"{name}/adam_v"]):
            assert variable.shape == shape and variable.dtype == tf.float32
    assert all(variable.trainable for variable in state.weights.values())
    assert not any(variable.trainable for variable in (*state.slots.values(), state.step))
    assert not any(slot.numpy().any() for slot in state.slots.values())
    assert state.step.dtype == tf.int64 and state.step.numpy() == 0


def test_no_slots_outside_training(tiny_config):
    assert create(tiny_config).slots == {}


def test_values_are_taken_over_and_the_rest_is_fresh(tiny_config):
    shapes = model.variable_shapes(tiny_config, 3)
    given = {"bert/pooler/dense/kernel": np.full((16, 16), 0.5, np.float32),
             "output_bias": np.arange(3, dtype=np.float32),
             "output_bias/adam_v": np.arange(3, dtype=np.float32), "global_step": np.int64(17)}
    variables = create(tiny_config, given, training=True).variables()
    fresh = create(tiny_config, training=True).variables()
    assert list(variables) == list(fresh) and set(shapes) < set(variables)
    for name, variable in variables.items():
        np.testing.assert_array_equal(variable, given.get(name, fresh[name].numpy()), name)


@pytest.mark.parametrize(("initializer_range", "name", "deviation"), [
    (0.5, "bert/embeddings/word_embeddings", 0.5), (0.5, "output_weights", 0.02)])
def test_the_head_has_its_own_deviation(tiny_config, initializer_range, name, deviation):
    config = type(tiny_config)(**{**vars(tiny_config), "initializer_range": initializer_range})
    values = create(config).weights[name].numpy()
    assert deviation < np.abs(values).max() <= 2 * deviation


def test_only_fresh_weights_depend_on_the_seed(tiny_config):
    one, same, other = (create(tiny_config, seed=seed).weights for seed in (1, 1, 2))
    for name, weight in one.items():
        np.testing.assert_array_equal(weight, same[name])
        constant = name.endswith(("bias", "beta", "gamma"))
        assert np.array_equal(weight, other[name]) == constant, name


def test_logits_of_packed_and_padded_batches(tiny_config, make_table):
    weights, table, rows = create(tiny_config).weights, make_table(5, 1, 9), np.array([2, 0, 1])
    packed, padded = (Batch(*map(tf.constant, batch))
                      for batch in (pack(table, rows), pad(table, rows, 12)))
    logits = model.logits(weights, tiny_config, packed)
    assert logits.shape == (3, 3) and logits.dtype == tf.float32
    np.testing.assert_allclose(model.logits(weights, tiny_config, padded), logits, atol=1e-6)
    dropped = model.logits(weights, tiny_config, packed, tf.constant([1, 2]))
    assert not np.allclose(dropped, logits, atol=1e-4)


def test_no_mask_is_drawn_twice_in_a_step(tiny_config, make_table, monkeypatch):
    seeds, draw = [], tf.random.stateless_uniform

    def counted(shape, seed, **options):
        seeds.append(tuple(seed.numpy().tolist()))
        return draw(shape, seed, **options)

    monkeypatch.setattr(tf.random, "stateless_uniform", counted)
    weights, batch = create(tiny_config).weights, pack(make_table(5, 1, 9), np.arange(3))
    for step in (0, 1):
        model.logits(weights, tiny_config, Batch(*map(tf.constant, batch)), tf.constant([1, step]))
    assert len(seeds) == len(set(seeds)) == 2 * (1 + 2 * 3 + 1)  # embeddings, layers, head
