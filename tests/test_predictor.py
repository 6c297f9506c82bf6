"""Predictions: in the order of the input, whatever the batches and the layout."""

import dataclasses
import threading

import numpy as np
import pytest
import tensorflow as tf

from finetune import model
from finetune import predictor as prediction
from finetune.batches import Batch, pack
from finetune.predictor import Predictor, side_by_side

LENGTHS = (4, 9, 1, 6, 9, 2, 4)


@pytest.fixture(scope="module")
def state(tiny_config):
    weights = np.random.default_rng(5).standard_normal((3, 16)).astype("f")
    return model.create(tiny_config, 3, 1, {"output_weights": weights}, training=False)


@pytest.fixture(scope="module", params=[
    {}, {"widths": [12]}, {"widths": [4, 8, 12]}, {"widths": [4, 8, 12], "xla": True}],
    ids=["packed", "one width", "some widths", "xla"])
def predictor(request, state, tiny_config):
    return Predictor(state, tiny_config, **request.param)


@pytest.fixture(scope="module")
def expected(state, tiny_config, make_table):
    """Softmax and cross-entropy of every row by itself, in numpy."""
    table, rows = make_table(*LENGTHS), []
    for row in range(len(LENGTHS)):
        batch = Batch(*map(tf.constant, pack(table, np.array([row]))))
        logits = model.logits(state.weights, tiny_config, batch).numpy()[0]
        rows.append(np.exp(logits) / np.exp(logits).sum())
    rows = np.array(rows)
    return rows, -np.log(rows[np.arange(len(rows)), table.label_ids])


@pytest.mark.parametrize("batch_size", [1, 3, 7, 100])
def test_batches_and_layout_change_nothing(predictor, expected, make_table, batch_size):
    found = predictor.predict(make_table(*LENGTHS), batch_size)
    assert found.probabilities.dtype == found.losses.dtype == np.float32
    np.testing.assert_allclose(found.probabilities, expected[0], atol=1e-6)
    np.testing.assert_allclose(found.losses, expected[1], atol=2e-6)
    assert found.probabilities.std(axis=0).min() > 1e-4  # rows differ, so their order is tested


def test_batches_side_by_side_change_nothing(state, tiny_config, expected, make_table, monkeypatch):
    monkeypatch.setattr(prediction, "MIN_TOKENS", 1)
    found = Predictor(state, tiny_config).predict(make_table(*LENGTHS), 1)  # 5 of them
    np.testing.assert_allclose(found.probabilities, expected[0], atol=1e-6)
    np.testing.assert_allclose(found.losses, expected[1], atol=2e-6)


def test_side_by_side_keeps_the_order_and_begins_few():
    begun, others = [], threading.Event()

    def work(item):
        begun.append(item)
        if item == 0:
            assert others.wait(20)  # until the one after it is done: both are under way
        else:
            others.set()
        return item

    results = side_by_side(work, iter(range(7)))
    assert next(results) == 0 and len(begun) <= prediction.AT_ONCE + 1
    assert list(results) == [1, 2, 3, 4, 5, 6] and sorted(begun) == list(range(7))


def test_side_by_side_hands_on_what_goes_wrong():
    def work(item):
        if item == 3:
            raise ValueError("3")
        return item

    results = side_by_side(work, range(100))
    assert [next(results) for _ in range(3)] == [0, 1, 2]
    with pytest.raises(ValueError, match="3"):
        next(results)


def test_the_weights_of_the_moment_count(state, predictor, make_table):
    table, bias = make_table(3, 5), state.weights["output_bias"]
    before = predictor.predict(table, 8).probabilities
    try:
        bias.assign([0.0, 50.0, 0.0])
        assert predictor.predict(table, 8).probabilities.argmax(1).tolist() == [1, 1]
        bias.assign([0.0, np.nan, 0.0])  # what tells a damaged checkpoint
        assert np.isnan(predictor.predict(table, 8).probabilities).any(1).all()
    finally:
        bias.assign(tf.zeros_like(bias))
    np.testing.assert_array_equal(predictor.predict(table, 8).probabilities, before)


@pytest.mark.parametrize("precision", ["bfloat16", "float16"])
def test_lower_precision_is_close_and_another(state, tiny_config, expected, make_table, precision):
    found = Predictor(state, tiny_config, precision=precision).predict(make_table(*LENGTHS), 3)
    assert found.probabilities.dtype == found.losses.dtype == np.float32
    np.testing.assert_allclose(found.probabilities, expected[0], atol=0.02)
    assert np.abs(found.probabilities - expected[0]).max() > 1e-5


@pytest.mark.parametrize("length", [(), (12,)], ids=["packed", "padded"])
def test_a_regression_answers_with_scores(tiny_config, make_table, length):
    weights = np.random.default_rng(5).standard_normal((1, 16)).astype("f")
    state = model.create(tiny_config, 1, 1, {"output_weights": weights}, training=False)
    table = make_table(*LENGTHS)
    scores = np.linspace(0, 5, len(LENGTHS), dtype=np.float32)
    found = Predictor(state, tiny_config, length).predict(
        dataclasses.replace(table, label_ids=scores), 3)
    logits = [model.logits(state.weights, tiny_config, Batch(*map(
        tf.constant, pack(table, np.array([row]))))).numpy()[0] for row in range(len(LENGTHS))]
    np.testing.assert_allclose(found.probabilities, logits, atol=1e-6)
    np.testing.assert_allclose(found.losses, (np.array(logits)[:, 0] - scores) ** 2, atol=1e-5)
    assert found.probabilities.shape == (len(LENGTHS), 1)
    assert found.probabilities.std() > 1e-3
