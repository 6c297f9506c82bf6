"""The encoder: padding and neighbours change nothing, first values, dropout, activations.

That its numbers are the original's is the subject of parity/test_model_parity.py.
"""

import dataclasses
import functools
import itertools

import numpy as np
import pytest
import tensorflow as tf

from finetune import bert_config, encoder, layers
from finetune.batches import pack, pad
from finetune.encoder import initial_value
from finetune.layers import Dropout
from finetune.layout import PackedLayout, PaddedLayout

SEED = tf.constant([42, 7])


@pytest.fixture(scope="module")
def weights(tiny_config):
    """Weights far from 0, so that nothing goes unnoticed."""
    return {name: tf.constant(initial_value(name, shape, 0.3, 1))
            for name, shape in bert_config.variable_shapes(tiny_config).items()}


def last_layer(*arguments):
    return encoder.encode(*arguments)[-1]


@pytest.fixture
def encode(weights, tiny_config, make_table):
    """Encodes rows of 7, 1 and 4 tokens, or some of them; `padded` is a width."""
    table = make_table(7, 1, 4)

    def run(*rows, padded=None, config=tiny_config, seed=None, encode=last_layer, groups=1):
        rows = np.array(rows or [0, 1, 2])
        batch = pad(table, rows, padded) if padded else pack(table, rows)
        lengths = tf.constant(batch.lengths)
        layout = PaddedLayout(lengths, padded) if padded else PackedLayout(lengths, groups)
        return layout, encode(weights, config, layout, batch.input_ids.reshape(-1),
                              batch.segment_ids.reshape(-1), Dropout(seed))
    return run


def real_tokens(layout, hidden):
    if isinstance(layout, PaddedLayout):
        hidden = tf.boolean_mask(hidden, tf.reshape(layout.mask, [-1]))
    return hidden.numpy()


@pytest.mark.parametrize("width", [7, 12, 40])
def test_padding_changes_nothing(encode, weights, width):
    layout, hidden = encode()
    padded_layout, padded_hidden = encode(padded=width)
    assert hidden.shape == (12, 16) and padded_hidden.shape == (3 * width, 16)
    np.testing.assert_allclose(real_tokens(padded_layout, padded_hidden), hidden, atol=2e-6)
    np.testing.assert_allclose(encoder.pool(weights, padded_layout.first(padded_hidden)),
                               encoder.pool(weights, layout.first(hidden)), atol=2e-6)


@pytest.mark.parametrize("padded", [None, 9])
def test_a_row_does_not_depend_on_its_neighbours(encode, padded):
    together = real_tokens(*encode(padded=padded))
    alone = [real_tokens(*encode(row, padded=padded)) for row in range(3)]
    np.testing.assert_allclose(together, np.concatenate(alone), atol=2e-6)
    swapped = real_tokens(*encode(2, 1, 0, padded=padded))
    np.testing.assert_allclose(swapped, np.concatenate(alone[::-1]), atol=2e-6)


@pytest.mark.parametrize("groups", [2, 3])
@pytest.mark.parametrize("function", [last_layer, encoder.encode_cls])
def test_groups_in_attention_change_nothing(encode, weights, function, groups):
    found = []
    for count in (1, groups):
        with tf.GradientTape() as tape:
            tape.watch(weights)
            values = encode(groups=count, encode=function)[1]
            score = tf.reduce_sum(values * tf.random.stateless_normal(values.shape, [2, 2]))
        gradients = tape.gradient(score, weights)
        found.append([values, *(tf.convert_to_tensor(one) for name, one in gradients.items()
                                if one is not None and "key/bias" not in name)])
    for ours, theirs in zip(*found, strict=True):
        assert relative(ours, theirs) < 3e-6


def test_attention_sees_no_padding_however_low_the_scores(tiny_config):
    def linear(part, kernel, bias):
        return {f"a/{part}/kernel": kernel * tf.eye(16), f"a/{part}/bias": tf.fill([16], bias)}

    # All real scores are 8 * -900 / sqrt(8) = -2546, those of the places behind them 0 - 10000.
    weights = linear("query", 0.0, 30.0) | linear("key", 0.0, -30.0) | linear("value", 1.0, 0.0)
    hidden = tf.random.stateless_normal([4, 16], [5, 6])
    found = encoder.attention(weights, tiny_config, PackedLayout(tf.constant([3, 1])), "a", hidden,
                              Dropout(None), cls_only=False)
    mean = tf.reduce_mean(hidden[:3], 0)
    np.testing.assert_allclose(found, [mean, mean, mean, hidden[3]], atol=1e-6)


@pytest.mark.parametrize("count", [1, 2])
def test_a_layer_more_leaves_those_before_it_alone(encode, tiny_config, count):
    config = dataclasses.replace(tiny_config, num_hidden_layers=count)
    layers, whole = (encode(config=one, encode=encoder.encode)[1] for one in (config, tiny_config))
    assert len(layers) == 1 + count and len(whole) == 3
    for ours, theirs in zip(layers, whole, strict=False):
        assert ours.shape == (12, 16)
        np.testing.assert_array_equal(ours, theirs)
    assert not any(np.allclose(one, other) for one, other in itertools.pairwise(whole))


def relative(ours, theirs, scale=None):
    return np.linalg.norm(ours - theirs) / np.linalg.norm(theirs if scale is None else scale)


@pytest.mark.parametrize("layers", [1, 2])
@pytest.mark.parametrize("padded", [None, 7, 12])
def test_cls_alone_is_the_first_token_of_all(encode, weights, tiny_config, padded, layers):
    config = dataclasses.replace(tiny_config, num_hidden_layers=layers)
    used = [name for name in bert_config.variable_shapes(config) if "pooler" not in name]
    upstream = tf.random.stateless_normal([3, 16], [2, 2])
    with tf.GradientTape(persistent=True) as tape:
        tape.watch(weights)
        layout, hidden = encode(padded=padded, config=config)
        whole = layout.first(hidden)
        alone = encode(padded=padded, config=config, encode=encoder.encode_cls)[1]
        scores = [tf.reduce_sum(values * upstream) for values in (alone, whole)]
    assert alone.shape == (3, 16) and relative(alone, whole) < 3e-6
    ours, theirs = ({name: tf.convert_to_tensor(value)
                     for name, value in tape.gradient(score, weights).items() if value is not None}
                    for score in scores)
    assert list(ours) == list(theirs) == used
    for name in used:
        # The key's bias moves all scores of a softmax alike: its gradient is 0 but for rounding.
        scale = theirs[name.replace("/key/", "/query/")]
        assert np.linalg.norm(scale) > 1e-3, name
        assert relative(ours[name], theirs[name], scale) < 3e-6, name


def test_cls_alone_in_a_graph_of_any_size(encode, weights, tiny_config):
    @tf.function(input_signature=[tf.TensorSpec([None], tf.int32)] * 3)
    def run(lengths, input_ids, segment_ids):
        return encoder.encode_cls(weights, tiny_config, PackedLayout(lengths), input_ids,
                                  segment_ids, Dropout(None))

    def in_a_graph(weights, config, layout, input_ids, segment_ids, dropout):
        return run(layout.lengths, input_ids, segment_ids)

    for rows in ((0, 1, 2), (2,)):
        found, expected = (encode(*rows, encode=function)[1]
                           for function in (in_a_graph, encoder.encode_cls))
        assert relative(found, expected) < 1e-6


@pytest.mark.parametrize(("spread", "expected"), [
    (1.0, 1.0), (1e-5, 0.995037), (1e-6, 0.707107), (0.0, 0.0)])
@pytest.mark.parametrize("fused", [False, True])
def test_layer_norm_of_values_close_together(spread, expected, fused):
    # spread / sqrt(spread ** 2 + 1e-12): ordinary values do not show an epsilon of 1e-7
    weights = {"x/LayerNorm/gamma": tf.fill([2], 2.0), "x/LayerNorm/beta": tf.constant([0.0, 1.0])}
    norm = tf.function(functools.partial(layers.layer_norm, weights, "x", fused=fused))  # fuses
    found = norm(tf.constant([[spread, -spread]]))
    np.testing.assert_allclose(found, [[2 * expected, 1 - 2 * expected]], atol=2e-6)


@pytest.mark.parametrize(("name", "expected"), [
    ("gelu", [-0.158808, 0.0, 1.954598]), ("relu", [0.0, 0.0, 2.0]),
    ("tanh", [-0.761594, 0.0, 0.964028]), ("linear", [-1.0, 0.0, 2.0]),
    ("gelu_erf", [-0.158655, 0.0, 1.954500])])
def test_activations(encode, tiny_config, name, expected):
    values = layers.ACTIVATIONS[name](tf.constant([-1.0, 0.0, 2.0]))
    np.testing.assert_allclose(values, expected, atol=1e-6)
    hidden = encode(config=dataclasses.replace(tiny_config, hidden_act=name))[1]
    assert np.allclose(hidden, encode()[1], atol=1e-3) == name.startswith("gelu")
    assert np.array_equal(hidden, encode()[1]) == (name == "gelu")


def test_every_activation_of_the_configuration_is_there():
    assert tuple(layers.ACTIVATIONS) == bert_config.ACTIVATIONS


def plain_attend(query, key, value, real, dropout_mask):
    scores = tf.matmul(query, key, transpose_b=True) / tf.sqrt(4.0)
    scores += (1.0 - tf.cast(real, tf.float32))[:, None, None, :] * -10000.0
    probabilities = tf.nn.softmax(scores)
    return tf.matmul(probabilities if dropout_mask is None else probabilities * dropout_mask, value)


def plain_layer_norm(x, gamma, beta):
    mean, variance = tf.nn.moments(x, [-1], keepdims=True)
    return tf.nn.batch_normalization(x, mean, variance, beta, gamma, 1e-12)


ROWS_AND_HEADS = [[2, 3, 5, 4]] * 3  # B, N, S, D
REAL = tf.sequence_mask([5, 2], 5)
MASK = tf.cast(tf.random.stateless_uniform([2, 3, 5, 5], [8, 8]) > 0.3, tf.float32) / 0.7


@pytest.mark.parametrize(("ours", "theirs", "shapes"), [
    (lambda *x: layers.attend(*x, REAL, None), lambda *x: plain_attend(*x, REAL, None),
     ROWS_AND_HEADS),
    (lambda *x: layers.attend(*x, REAL, MASK), lambda *x: plain_attend(*x, REAL, MASK),
     ROWS_AND_HEADS),
    (lambda x, gamma, beta: layers.layer_norm(
        {"x/LayerNorm/gamma": gamma, "x/LayerNorm/beta": beta}, "x", x), plain_layer_norm,
     [[7, 6], [6], [6]]),
    (layers.gelu, lambda x: tf.nn.gelu(x, approximate=True), [[50, 20]]),
], ids=["attention", "attention with dropout", "LayerNorm", "gelu"])
def test_gradients_of_our_own_are_tensorflows(ours, theirs, shapes):
    inputs = [2.0 * tf.random.stateless_normal(shape, [3, number])
              for number, shape in enumerate(shapes)]
    with tf.GradientTape(persistent=True) as tape:
        tape.watch(inputs)
        values = [function(*inputs) for function in (ours, theirs)]
        upstream = tf.random.stateless_normal(values[0].shape, [5, 6])
        scores = [tf.reduce_sum(value * upstream) for value in values]
    found, expected = ([value, *tape.gradient(score, inputs)]
                       for value, score in zip(values, scores, strict=True))
    for one, other in zip(found, expected, strict=True):
        assert relative(one, other) < 2e-6


@pytest.mark.parametrize("spread", [1e-3, 1.0, 1e3])
def test_layer_norm_without_a_gradient_is_the_same(spread):
    names = ("x/LayerNorm/gamma", "x/LayerNorm/beta")
    weights = {name: tf.Variable(tf.random.stateless_normal([48], [place, 1]))
               for place, name in enumerate(names)}

    @tf.function(input_signature=[tf.TensorSpec([None, 48])])
    def run(x):
        return [layers.layer_norm(weights, "x", x + x, fused) for fused in (True, False)]

    assert relative(*run(spread * tf.random.stateless_normal([70, 48], [1, 2]))) < 1e-6


def test_gelu_without_a_gradient_is_the_same():
    x = 3.0 * tf.random.stateless_normal([50, 20], [1, 2])
    assert layers.activation("gelu", training=True) is layers.gelu
    fused = layers.activation("gelu", training=False)
    assert relative(fused(x), layers.gelu(x)) < 1e-6
    assert fused(tf.cast(x, tf.bfloat16)).dtype == tf.bfloat16
    assert layers.activation("relu", training=False) is tf.nn.relu


@pytest.mark.parametrize("x", [-1e4, -40.0, 40.0, 1e4])
def test_gelu_far_from_0(x):
    x = tf.constant(x)
    with tf.GradientTape() as tape:
        tape.watch(x)
        y = layers.gelu(x)
    assert (float(y), float(tape.gradient(y, x))) == ((float(x), 1.0) if x > 0 else (0.0, 0.0))


@pytest.mark.parametrize(("name", "value"), [
    ("bert/pooler/dense/bias", 0.0), ("output_bias", 0.0),
    ("bert/embeddings/LayerNorm/beta", 0.0), ("bert/embeddings/LayerNorm/gamma", 1.0)])
def test_constant_first_values(name, value):
    np.testing.assert_array_equal(initial_value(name, (5,), 0.02, 1), np.full(5, value, "f"))


def test_first_values_are_a_normal_distribution_cut_at_two_deviations():
    values = initial_value("bert/pooler/dense/kernel", (200, 200), 0.02, 1)
    assert values.dtype == np.float32 and values.shape == (200, 200)
    assert 0.0399 < np.abs(values).max() <= 0.04
    assert abs(values.mean()) < 5e-4
    assert values.std() == pytest.approx(0.8796 * 0.02, rel=0.02)  # of a normal one cut at 2


def test_first_values_depend_on_name_and_seed_alone():
    draws = [initial_value(name, (4, 4), 0.02, seed).tobytes()
             for name in ("bert/pooler/dense/kernel", "output_weights") for seed in (1, 2)]
    assert len(set(draws)) == 4
    assert initial_value("output_weights", (4, 4), 0.02, 2).tobytes() == draws[-1]


def test_dropout_zeroes_its_share_and_scales_the_rest():
    ones = tf.ones([200, 500])
    kept = Dropout(SEED)(ones, 0.3).numpy()
    assert set(np.unique(kept)) == {np.float32(0.0), np.float32(1 / 0.7)}
    assert (kept == 0).mean() == pytest.approx(0.3, abs=0.01)  # 7 standard deviations
    assert Dropout(None)(ones, 0.3) is ones and Dropout(SEED)(ones, 0.0) is ones


def test_masks_depend_on_seed_step_and_call():
    def mask(dropout):
        return dropout(tf.ones([64]), 0.5).numpy().tobytes()

    dropout = Dropout(SEED)
    first, second = mask(dropout), mask(dropout)
    assert mask(Dropout(SEED)) == first
    assert len({first, second, mask(Dropout(SEED + [0, 1])), mask(Dropout(SEED + [1, 0]))}) == 4


@pytest.mark.parametrize("function", [last_layer, encoder.encode_cls])
@pytest.mark.parametrize(("hidden", "attention"), [(0.0, 0.0), (0.2, 0.0), (0.0, 0.2)])
def test_both_dropout_rates_count_and_only_with_a_seed(encode, tiny_config, hidden, attention,
                                                       function):
    config = dataclasses.replace(tiny_config, hidden_dropout_prob=hidden,
                                 attention_probs_dropout_prob=attention)
    without, dropped, again = (encode(config=config, seed=seed, encode=function)[1].numpy()
                               for seed in (None, SEED, SEED))
    np.testing.assert_array_equal(dropped, again)
    assert np.allclose(without, dropped, atol=1e-5) == (hidden == attention == 0.0)


@pytest.mark.parametrize("padded", [None, 9])
@pytest.mark.parametrize(("hidden", "attention", "masks"), [
    (0.2, 0.0, 1 + 2 * 2), (0.0, 0.2, 2), (0.2, 0.2, 1 + 3 * 2)])
def test_every_dropout_of_the_original_is_made_for_cls_too(encode, tiny_config, monkeypatch,
                                                           hidden, attention, masks, padded):
    seeds, draw = [], tf.random.stateless_uniform

    def counted(shape, seed, **options):
        seeds.append(tuple(seed.numpy().tolist()))
        return draw(shape, seed, **options)

    monkeypatch.setattr(tf.random, "stateless_uniform", counted)
    config = dataclasses.replace(tiny_config, hidden_dropout_prob=hidden,
                                 attention_probs_dropout_prob=attention)
    encode(config=config, seed=SEED, padded=padded, encode=encoder.encode_cls)
    assert len(seeds) == len(set(seeds)) == masks


def test_dense_gather_has_the_gradient_of_gather():
    table, indices = tf.random.stateless_normal([5, 3], [1, 1]), tf.constant([4, 0, 4, 2])
    upstream = tf.random.stateless_normal([4, 3], [2, 2])
    with tf.GradientTape(persistent=True) as tape:
        tape.watch(table)
        ours, theirs = layers.dense_gather(table, indices), tf.gather(table, indices)
        scores = [tf.reduce_sum(values * upstream) for values in (ours, theirs)]
    np.testing.assert_array_equal(ours, theirs)
    gradients = [tape.gradient(score, table) for score in scores]
    assert isinstance(gradients[0], tf.Tensor)
    np.testing.assert_allclose(gradients[0], tf.convert_to_tensor(gradients[1]), rtol=1e-6)
