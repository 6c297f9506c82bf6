"""Adam without bias correction and its clipping, against numbers worked by hand."""

import numpy as np
import pytest
import tensorflow as tf

from finetune.training import optimizer

KERNEL, BIAS = "layer/kernel", "layer/bias"
KERNEL_ERROR = 2e-5  # TensorFlow's kernel takes 1 - beta_2 in float32: 0.00099999, not 0.001


def update(name, start, gradients, rate=0.1):
    """Returns (variable, adam_m, adam_v) after one update a gradient."""
    weights = {name: tf.Variable(start)}
    slots = {f"{name}/{slot}": tf.Variable(tf.zeros_like(start)) for slot in optimizer.SLOTS}
    for gradient in gradients:
        optimizer.apply({name: gradient}, weights, slots, tf.constant(rate))
    return [weights[name].numpy(), *(slot.numpy() for slot in slots.values())]


@pytest.mark.parametrize(("name", "expected"), [
    # m = 0.1 * 0.5 = 0.05, v = 0.001 * 0.25 = 0.00025, m / (sqrt(v) + 1e-6) = 3.162078;
    # 1 - 0.1 * (3.162078 + 0.01 * 1), and without decay 1 - 0.1 * 3.162078
    (KERNEL, 0.6827922), (BIAS, 0.6837922)])
def test_one_update_by_hand(name, expected):
    value, moment, velocity = update(name, [1.0], [tf.constant([0.5])])
    np.testing.assert_allclose([value, moment, velocity], [[expected], [0.05], [0.00025]],
                               rtol=KERNEL_ERROR)


@pytest.mark.parametrize("name", [KERNEL, BIAS])
def test_several_updates_follow_the_papers_formula(name):
    gradients = np.random.default_rng(1).standard_normal((4, 3))
    value, moment, velocity = np.array([1.0, -2.0, 0.0]), np.zeros(3), np.zeros(3)
    ours = update(name, value.astype("f"), [tf.constant(one, tf.float32) for one in gradients])
    for gradient in gradients:
        moment = 0.9 * moment + 0.1 * gradient
        velocity = 0.999 * velocity + 0.001 * gradient ** 2
        decay = 0.01 * value if name == KERNEL else 0.0
        value = value - 0.1 * (moment / (np.sqrt(velocity) + 1e-6) + decay)
    np.testing.assert_allclose(ours, [value, moment, velocity], rtol=KERNEL_ERROR)


def test_a_row_that_occurs_twice_in_slices_gets_the_sum():
    slices = tf.IndexedSlices(tf.constant([[1.0], [2.0]]), tf.constant([1, 1]),
                              dense_shape=tf.constant([2, 1]))
    start = np.ones((2, 1), "f")
    for ours, theirs in zip(update(KERNEL, start, [slices]),
                            update(KERNEL, start, [tf.constant([[0.0], [3.0]])]), strict=True):
        np.testing.assert_array_equal(ours, theirs)


@pytest.mark.parametrize(("name", "expected"), [
    ("bert/embeddings/word_embeddings", True), ("output_weights", True),
    ("bert/encoder/layer_0/output/dense/kernel", True),
    ("bert/encoder/layer_0/output/dense/bias", False), ("output_bias", False),
    ("bert/embeddings/LayerNorm/gamma", False), ("bert/embeddings/LayerNorm/beta", False),
    ("layer_norm/scale", False)])
def test_what_decays(name, expected):
    assert optimizer.decays(name) is expected


@pytest.mark.parametrize(("gradients", "norm", "expected"), [
    ([[3.0], [4.0]], 5.0, [[0.6], [0.8]]), ([[0.3], [0.4]], 0.5, [[0.3], [0.4]]),
    ([[0.0], [0.0]], 0.0, [[0.0], [0.0]])])
def test_clip(gradients, norm, expected):
    clipped, found = optimizer.clip([tf.constant(one) for one in gradients])
    assert float(found) == pytest.approx(norm)
    np.testing.assert_allclose(clipped, expected, rtol=1e-6)


def test_the_norm_counts_every_slice_by_itself():
    slices = tf.IndexedSlices(tf.constant([[3.0], [4.0]]), tf.constant([1, 1]),
                              dense_shape=tf.constant([2, 1]))
    (clipped,), norm = optimizer.clip([slices])
    assert float(norm) == pytest.approx(5.0)  # summed first it would be 7
    np.testing.assert_allclose(tf.convert_to_tensor(clipped), [[0.0], [1.4]], rtol=1e-6)


def test_a_variable_without_a_gradient_only_decays():
    unused = tf.Variable([2.0, -4.0])
    optimizer.apply({BIAS: tf.constant([0.5])}, {BIAS: tf.Variable([1.0])},
                    {f"{BIAS}/{slot}": tf.Variable([0.0]) for slot in optimizer.SLOTS},
                    tf.constant(0.1), decaying={KERNEL: unused})
    np.testing.assert_allclose(unused, [2.0 * 0.999, -4.0 * 0.999], rtol=1e-6)


def test_a_factor_multiplies_the_rate_of_its_variable_alone():
    for own in (1.0, 0.5):
        kernel, unused = tf.Variable([1.0]), tf.Variable([2.0])
        optimizer.apply({KERNEL: tf.constant([0.5])}, {KERNEL: kernel},
                        {f"{KERNEL}/{slot}": tf.Variable([0.0]) for slot in optimizer.SLOTS},
                        tf.constant(0.1), {"word": unused},
                        factor={KERNEL: own, "word": own / 4}.get)
        # as above: 3.162078 + 0.01 of decay; the other decays by 0.01 * its own rate
        np.testing.assert_allclose(kernel, [1.0 - 0.1 * own * 3.172078], rtol=KERNEL_ERROR)
        np.testing.assert_allclose(unused, [2.0 * (1.0 - 0.1 * own / 4 * 0.01)], rtol=1e-7)
