"""Training on the used rows of the word table gives the bits of training on the whole table."""

import numpy as np
import pytest
import tensorflow as tf

from finetune import model
from finetune.batches import pack, pad
from finetune.config import RunConfig
from finetune.records import FeatureTable
from finetune.training import step as training_step
from finetune.training.used_words import WORDS, UsedWords

CPU = tf.distribute.OneDeviceStrategy("CPU:0")
CONFIG = RunConfig(train_batch_size=3, learning_rate=0.01)
USED = [7, 9, 30]


def table(words=USED):
    lengths = np.array([4, 1, 6])
    ids = np.random.default_rng(1).choice(words, lengths.sum()).astype(np.int32)
    ids[:len(words)] = words
    return FeatureTable(ids, np.zeros_like(ids), np.cumsum([0, *lengths]),
                        np.array([0, 1, 2], np.int32), np.ones(3, bool))


def create(config, values=()):
    state = model.create(config, 3, 1, {}, training=True)
    for name, value in values:
        state.variables()[name].assign(value)
    return state


def values_of(state):
    return {name: variable.numpy() for name, variable in state.variables().items()}


def train(state, config, batch, steps=5, used=None):
    step = training_step.make_step(CPU, used.state if used else state, config, CONFIG,
                             training_step.Plan(steps, 0))
    if used:
        batch = batch._replace(input_ids=used.renumber(batch.input_ids))
    return [float(value) for _ in range(steps) for value in step(batch)]


def test_the_same_bits_as_the_whole_table(tiny_config):
    batch = pack(table(), np.arange(3))
    whole, state = create(tiny_config), create(tiny_config)
    used = UsedWords(CPU, state, table().input_ids)
    assert used.state.weights[WORDS].shape[0] == 1 + len(USED)
    assert train(state, tiny_config, batch, used=used) == train(whole, tiny_config, batch)
    used.write_back()
    expected = values_of(whole)
    for name, value in values_of(state).items():
        np.testing.assert_array_equal(value, expected[name], err_msg=name)
    start = values_of(create(tiny_config))[WORDS]
    assert not np.isclose(start, expected[WORDS], rtol=1e-5, atol=0.0).any()  # all rows decayed
    moved = np.flatnonzero(expected[f"{WORDS}/adam_v"].any(1))
    assert moved.tolist() == USED


def test_a_row_with_moments_from_other_data_goes_on_moving(tiny_config):
    batch = pack(table(), np.arange(3))
    moments = np.zeros((60, tiny_config.hidden_size), np.float32)
    moments[[7, 50]] = 0.01
    earlier = [(f"{WORDS}/adam_m", moments), (f"{WORDS}/adam_v", moments ** 2)]
    whole, state = create(tiny_config, earlier), create(tiny_config, earlier)
    used = UsedWords(CPU, state, table().input_ids)
    assert used.state.weights[WORDS].shape[0] == 1 + len(USED) + 1
    assert train(state, tiny_config, batch, used=used) == train(whole, tiny_config, batch)
    used.write_back()
    expected = values_of(whole)
    for name, value in values_of(state).items():
        np.testing.assert_array_equal(value, expected[name], err_msg=name)


def test_padding_has_a_row_though_no_text_does(tiny_config):
    used = UsedWords(CPU, create(tiny_config), table().input_ids)
    batch = pad(table(), np.arange(3), 8)
    numbers = used.renumber(batch.input_ids)
    assert numbers.min() == 0 and numbers.max() == len(USED)
    rows = used.state.weights[WORDS].numpy()
    whole = create(tiny_config).weights[WORDS].numpy()
    np.testing.assert_array_equal(rows[numbers], whole[batch.input_ids])


@pytest.mark.parametrize(("words", "saves"), [(range(1, 45), True), (range(1, 46), False)])
def test_a_table_that_is_nearly_all_used_stays_whole(tiny_config, words, saves):
    state, words = create(tiny_config), list(words)
    ids = np.array(words, np.int32)
    used = UsedWords(CPU, state, ids)
    assert (used.state is not state) == saves
    np.testing.assert_array_equal(used.renumber(ids), ids if not saves else np.arange(1, 45))
    before = values_of(state)
    used.write_back()
    for name, value in values_of(state).items():
        np.testing.assert_array_equal(value, before[name])


def test_all_ids_are_looked_through(tiny_config, monkeypatch):
    monkeypatch.setattr("finetune.training.used_words._SCANNED", 2)
    used = UsedWords(CPU, create(tiny_config), np.array([7, 9, 30, 30, 7], np.int32))
    assert used.renumber(np.array(USED)).tolist() == [1, 2, 3]
