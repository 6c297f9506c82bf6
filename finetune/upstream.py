"""The original: the only module that imports `bert` (PyPI package bert-tensorflow 1.0.4).

    from finetune import upstream
    tokenizer = upstream.full_tokenizer("vocab.txt", do_lower_case=True)

Two accidents of that package are met here, so that nobody else has to know of them:

*   `bert.modeling` needs one thing that TensorFlow 2 lacks, `tensorflow.contrib.layers.layer_norm`.
    A stand-in takes its place, and only where no `tensorflow.contrib` exists.
*   `FullTokenizer.tokenize` reads an absl flag and fails in a program that has not parsed the
    global flags (google-research/bert issue 1133). They are marked as parsed.
"""

from __future__ import annotations  # original/flow.py imports this on Python 3.9 too

import sys
import types
from typing import Any


def layer_norm(inputs: Any, begin_norm_axis: int = -1, begin_params_axis: int = -1,
               scope: str | None = None) -> Any:
    """`tensorflow.contrib.layers.layer_norm` as `bert.modeling` calls it.

    Args:
        inputs: float32[..., H].
        begin_norm_axis: -1; the last dimension is normalised.
        begin_params_axis: -1; beta and gamma have the shape [H].
        scope: variable scope, "LayerNorm" if None.

    Returns:
        float32[..., H]. Variance epsilon 1e-12, as in contrib (Keras has 1e-3).

    Raises:
        ValueError: another axis than the last is asked for.
    """
    import tensorflow.compat.v1 as tf

    if begin_norm_axis != -1 or begin_params_axis != -1:
        raise ValueError("only the last axis is normalised here")
    with tf.variable_scope(scope, "LayerNorm", [inputs]):
        width = [inputs.shape[-1]]
        beta = tf.get_variable("beta", width, initializer=tf.zeros_initializer())
        gamma = tf.get_variable("gamma", width, initializer=tf.ones_initializer())
        mean, variance = tf.nn.moments(inputs, [-1], keepdims=True)
        return tf.nn.batch_normalization(inputs, mean, variance, beta, gamma, 1e-12)


def make_importable() -> None:
    """Makes `import bert.run_classifier` (and so the user's processors) work on TensorFlow 2."""
    from absl import flags

    if "tensorflow.contrib" not in sys.modules:
        layers = types.ModuleType("tensorflow.contrib.layers", "Stand-in, see finetune/upstream.py")
        layers.layer_norm = layer_norm
        contrib = types.ModuleType("tensorflow.contrib", "Stand-in, see finetune/upstream.py")
        contrib.layers = layers
        sys.modules["tensorflow.contrib"] = contrib
        sys.modules["tensorflow.contrib.layers"] = layers
    import bert.tokenization  # noqa: F401  (it defines the flag that has to count as parsed)

    if not flags.FLAGS.is_parsed():
        flags.FLAGS.mark_as_parsed()


def tokenization() -> types.ModuleType:
    """Returns `bert.tokenization`."""
    make_importable()
    import bert.tokenization

    return bert.tokenization


def run_classifier() -> types.ModuleType:
    """Returns `bert.run_classifier`; its flags live in absl's global FLAGS, ours do not."""
    make_importable()
    import bert.run_classifier

    return bert.run_classifier


def modeling() -> types.ModuleType:
    """Returns `bert.modeling`, whose graph needs TF_USE_LEGACY_KERAS=1 to be built."""
    make_importable()
    import bert.modeling

    return bert.modeling


def optimization() -> types.ModuleType:
    """Returns `bert.optimization`."""
    make_importable()
    import bert.optimization

    return bert.optimization


def load_vocab(vocab_file: str) -> dict[str, int]:
    """Reads a vocabulary as the original does: stripped lines, duplicates skipped."""
    return dict(tokenization().load_vocab(vocab_file))


def full_tokenizer(vocab_file: str, do_lower_case: bool) -> Any:
    """Returns the original's `FullTokenizer`."""
    return tokenization().FullTokenizer(vocab_file=vocab_file, do_lower_case=do_lower_case)
