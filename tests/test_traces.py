"""What was traced is forgotten, and not before every thread is done with it."""

import tensorflow as tf

from finetune import traces


@tf.custom_gradient
def doubled(x):
    return 2 * x, lambda upstream: 2 * upstream


def trace():
    @tf.function
    def slope(x):
        with tf.GradientTape() as tape:
            tape.watch(x)
            y = doubled(x)
        return tape.gradient(y, x)
    return slope(tf.constant(3.0))


def names():
    return {name for name in traces.ops.gradient_registry._registry if name.startswith("Custom")}


def test_gradients_of_a_block_are_dropped_with_it():
    before = names()
    with traces.forgotten():
        assert float(trace()) == 2.0
        assert len(names() - before) >= 1
    assert names() == before
    trace()
    assert len(names() - before) >= 1  # outside of a block they stay, as in TensorFlow


def test_a_block_that_ends_first_leaves_what_another_has_at_work():
    before = names()
    first, second = traces.forgotten(), traces.forgotten()
    first.__enter__()
    second.__enter__()
    trace()
    made = names() - before
    first.__exit__(None, None, None)
    assert names() - before == made
    second.__exit__(None, None, None)
    assert names() == before
