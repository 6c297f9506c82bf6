"""Forward, gradients, updates and checkpoints against the original's own graph and optimizer."""

import json
import os
import pathlib
import subprocess
import sys

import numpy as np
import pytest
import tensorflow as tf

from finetune import checkpoint, encoder, heads, model, optimizer, trainer
from finetune.batches import Batch
from finetune.config import RunConfig
from finetune.encoder import BertConfig
from finetune.layout import PackedLayout, PaddedLayout

ROOT = pathlib.Path(__file__).parents[2]
CONFIG = BertConfig(vocab_size=60, hidden_size=24, num_hidden_layers=3, num_attention_heads=4,
                    intermediate_size=40, hidden_dropout_prob=0.0,
                    attention_probs_dropout_prob=0.0, max_position_embeddings=16,
                    type_vocab_size=2)
LABELS, ROWS, LENGTH, UPDATES, STEPS, WARMUP, RATE = 3, 5, 12, 8, 12, 4, 0.02


@pytest.fixture(scope="module")
def case(tmp_path_factory):
    """Random weights and batches, and what the original makes of them."""
    folder = tmp_path_factory.mktemp("original")
    random = np.random.default_rng(7)
    shapes = model.variable_shapes(CONFIG, LABELS)
    arrays = {f"weight:{name}": (random.standard_normal(shape) * 0.3
                                 + name.endswith("gamma")).astype(np.float32)
              for name, shape in shapes.items()}
    lengths = random.integers(1, LENGTH + 1, (UPDATES, ROWS))
    mask = (np.arange(LENGTH) < lengths[..., None]).astype(np.int32)
    arrays |= {
        "input_mask": mask, "input_ids": random.integers(1, 60, mask.shape).astype(np.int32) * mask,
        "segment_ids": random.integers(0, 2, mask.shape).astype(np.int32) * mask,
        "label_ids": random.integers(0, LABELS, (UPDATES, ROWS)).astype(np.int32)}
    settings = {"bert_config": json.loads(CONFIG.to_json()), "num_labels": LABELS,
                "learning_rate": RATE, "steps": STEPS, "warmup": WARMUP, "updates": UPDATES,
                "checkpoint": str(folder / "model.ckpt-8")}
    np.savez(folder / "case.npz", settings=json.dumps(settings), **arrays)
    subprocess.run(
        [sys.executable, str(ROOT / "tests/parity/original_model.py"), str(folder / "case.npz"),
         str(folder / "result.npz")], check=True, cwd=ROOT,
        env={**os.environ, "TF_USE_LEGACY_KERAS": "1", "PYTHONPATH": str(ROOT)})
    result = dict(np.load(folder / "result.npz"))
    return arrays, result, settings["checkpoint"]


def packed(arrays, step):
    mask = arrays["input_mask"][step].astype(bool)
    return Batch(arrays["input_ids"][step][mask], arrays["segment_ids"][step][mask],
                 mask.sum(1).astype(np.int32), arrays["label_ids"][step])


def padded(arrays, step):
    return Batch(tf.constant(arrays["input_ids"][step]), tf.constant(arrays["segment_ids"][step]),
                 tf.constant(arrays["input_mask"][step].sum(1).astype(np.int32)),
                 tf.constant(arrays["label_ids"][step]))


def new_state(arrays):
    values = {name.removeprefix("weight:"): value for name, value in arrays.items()
              if name.startswith("weight:")}
    return model.create(CONFIG, LABELS, 0, values, training=True)


def relative(ours, theirs):
    return np.abs(ours - theirs).max() / max(np.abs(theirs).max(), 1e-30)


def test_every_layer_packed_and_padded(case):
    arrays, result, _ = case
    weights = new_state(arrays).weights
    for batch, make in ((packed(arrays, 0), PackedLayout),
                        (padded(arrays, 0), lambda lengths: PaddedLayout(lengths, LENGTH))):
        layout = make(tf.constant(batch.lengths))
        inputs = (weights, CONFIG, layout, tf.reshape(batch.input_ids, [-1]),
                  tf.reshape(batch.segment_ids, [-1]), encoder.Dropout(None))
        layers = encoder.encode(*inputs)
        mask = arrays["input_mask"][0].astype(bool)
        assert len(layers) == len(result["layers"]) == 4
        for ours, theirs in zip(layers, result["layers"], strict=True):
            longest = layout.unpack(ours).numpy()
            width = longest.shape[1]
            assert relative(longest[mask[:, :width]], theirs[mask]) < 1e-5
        for cls in (layout.first(layers[-1]), encoder.encode_cls(*inputs)):
            assert relative(encoder.pool(weights, cls).numpy(), result["pooled"]) < 1e-5


@pytest.mark.parametrize("lay_out", [packed, padded])
def test_logits_loss_and_every_gradient(case, lay_out):
    arrays, result, _ = case
    state, batch = new_state(arrays), lay_out(arrays, 0)
    batch = Batch(*map(tf.constant, batch))
    with tf.GradientTape() as tape:
        logits = model.logits(state.weights, CONFIG, batch)
        loss = tf.reduce_mean(heads.losses(logits, batch.label_ids))
    assert relative(logits.numpy(), result["logits"]) < 1e-5
    assert relative(loss.numpy(), result["loss:0"]) < 1e-5
    gradients = tape.gradient(loss, state.weights)
    for name, gradient in gradients.items():
        ours, theirs = tf.convert_to_tensor(gradient).numpy(), result[f"gradient:{name}"]
        if name.endswith("key/bias"):  # mathematically 0; what is there is rounding
            assert np.abs(ours).max() < 1e-6 and np.abs(theirs).max() < 1e-6
        else:
            assert relative(ours, theirs) < 1e-4, name


def train(arrays, state, steps):
    config = RunConfig(train_batch_size=ROWS, learning_rate=RATE)
    step = trainer.make_step(tf.distribute.OneDeviceStrategy("CPU:0"), state, CONFIG, config,
                             trainer.Plan(STEPS, WARMUP))
    return [float(step(packed(arrays, number))[0]) for number in steps]


def without_noise(arrays_by_name):
    # Adam turns the rounding noise of a gradient that is mathematically 0 into steps of full size.
    return {name: value for name, value in arrays_by_name.items() if "key/bias" not in name}


def test_updates_slots_and_step(case, monkeypatch):
    monkeypatch.setattr(heads, "HEAD_DROPOUT", 0.0)
    arrays, result, _ = case
    state = new_state(arrays)
    losses = train(arrays, state, range(UPDATES))
    np.testing.assert_allclose(losses, [result[f"loss:{step}"] for step in range(UPDATES)],
                               rtol=1e-4)
    assert set(state.variables()) == {name.removeprefix("final:") for name in result
                                      if name.startswith("final:")}
    for name, variable in without_noise(state.variables()).items():
        assert relative(variable.numpy(), result[f"final:{name}"]) < 1e-3, name


def test_the_originals_checkpoint_is_continued(case, monkeypatch, tmp_path):
    monkeypatch.setattr(heads, "HEAD_DROPOUT", 0.0)
    arrays, result, prefix = case
    values = checkpoint.read(prefix, list(checkpoint.shapes(prefix)))
    assert values["global_step"] == UPDATES and values["global_step"].dtype == np.int64
    theirs = model.create(CONFIG, LABELS, 0, values, training=True)
    for name, variable in theirs.variables().items():
        np.testing.assert_array_equal(variable.numpy(), result[f"final:{name}"])
    # The same from a checkpoint of ours: written, read, continued.
    checkpoint.save(str(tmp_path / "model.ckpt-8"), theirs.variables())
    held = checkpoint.shapes(str(tmp_path / "model.ckpt-8"))
    assert held == checkpoint.shapes(prefix)
    ours = model.create(CONFIG, LABELS, 0,
                        checkpoint.read(str(tmp_path / "model.ckpt-8"), list(held)), training=True)
    assert train(arrays, ours, [0, 1]) == train(arrays, theirs, [0, 1])


def test_learning_rate_of_every_step():
    import tensorflow.compat.v1 as tf1
    with tf.Graph().as_default():
        step = tf1.placeholder(tf.int64, [])
        decayed = tf1.train.polynomial_decay(tf.constant(5e-5), step, 343, 0.0, 1.0, cycle=False)
        with tf1.Session() as session:
            theirs = [session.run(decayed, {step: number}) for number in range(345)]
    for number in range(34):  # warm-up: global_step / num_warmup_steps * init_lr
        theirs[number] = np.float32(5e-5) * (np.float32(number) / np.float32(34))
    ours = [optimizer.learning_rate(tf.constant(number, tf.int64), 5e-5, 343, 34).numpy()
            for number in range(345)]
    np.testing.assert_allclose(ours, theirs, rtol=1e-6, atol=1e-11)
    assert ours[0] == 0 and ours[33] > ours[34] and ours[343] == ours[344] == 0
