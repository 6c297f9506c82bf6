"""Forward, gradients, updates, learning rate and dropout against the original's own graph.

    scripts/test.sh -v tests/parity/test_model_parity.py     # shows the largest differences

One process runs tests/parity/original_model.py; the tests compare with what it saved.
"""

import dataclasses
import json

import numpy as np
import pytest
import tensorflow as tf

from finetune import encoder, heads, layers, model
from finetune.batches import Batch
from finetune.bert_config import BertConfig
from finetune.config import RunConfig
from finetune.layout import PackedLayout, PaddedLayout
from finetune.training import schedules
from finetune.training import step as training_step

CONFIG = BertConfig(vocab_size=60, hidden_size=24, num_hidden_layers=3, num_attention_heads=4,
                    intermediate_size=40, hidden_dropout_prob=0.0,
                    attention_probs_dropout_prob=0.0, max_position_embeddings=512,
                    type_vocab_size=2)
DROPPING = dataclasses.replace(CONFIG, hidden_dropout_prob=0.2, attention_probs_dropout_prob=0.3)
LABELS, ROWS, LENGTH = 3, 5, 12
STEPS, WARMUP, RATE = 50, 10, 1e-3  # as many updates as steps: warm-up ends, and so does training
# width of the original's padding -> lengths of the rows; the last one is cut to 300 when packed
FORWARD = [(1, [1, 1]), (2, [2, 1]), (3, [3, 2, 1]), (16, [*range(16, 0, -1)]), (64, [33, 64, 63]),
           *((width, [width, 1, width // 2, width - 1]) for width in (127, 128, 129, 511, 512)),
           (512, [2, 300, 17])]
SCHEDULES = [(5e-5, 343, 34), (1e-3, 50, 10), (2e-5, 20, 0), (3e-5, 7, 1), (1e-4, 10, 10)]
MASKED, DRAWS = [6, 3, 4, 1], 4000


def random_batch(random, lengths, width):
    """(input_ids, input_mask, segment_ids, label_ids) as the original takes them."""
    mask = (np.arange(width) < np.array(lengths)[:, None]).astype(np.int32)
    return [random.integers(1, 60, mask.shape).astype(np.int32) * mask, mask,
            random.integers(0, 2, mask.shape).astype(np.int32) * mask,
            random.integers(0, LABELS, len(lengths)).astype(np.int32)]


def mask_shapes(rows, length):
    """The shapes of the original's masks in its order, each with the rate it is drawn by."""
    hidden, probabilities = [rows, length, CONFIG.hidden_size], [
        rows, CONFIG.num_attention_heads, length, length]
    return [(0.2, hidden), *[(0.3, probabilities), (0.2, hidden), (0.2, hidden)] * 3,
            (0.1, [rows, CONFIG.hidden_size])]


@pytest.fixture(scope="module")
def batches():
    """name -> batches, made at random: forward, train, masked, draws."""
    random = np.random.default_rng(7)
    one = random_batch(random, [5], 7)
    return {"forward": [random_batch(random, lengths, width) for width, lengths in FORWARD],
            "train": [random_batch(random, random.integers(1, LENGTH + 1, ROWS), LENGTH)
                      for _ in range(STEPS)],
            "masked": [random_batch(random, MASKED, max(MASKED))],
            "draws": [[np.repeat(part, DRAWS, 0) for part in one]]}


@pytest.fixture(scope="module")
def weights():
    random = np.random.default_rng(8)
    return {name: (random.standard_normal(shape) * 0.3 + name.endswith("gamma")).astype(np.float32)
            for name, shape in model.variable_shapes(CONFIG, LABELS).items()}


@pytest.fixture(scope="module")
def masks():
    random = np.random.default_rng(9)
    return [(random.random(shape) >= rate).astype(np.float32) / np.float32(1 - rate)
            for rate, shape in mask_shapes(len(MASKED), max(MASKED))]


@pytest.fixture(scope="module")
def result(tmp_path_factory, original, batches, weights, masks):
    """What the original makes of all that."""
    folder = tmp_path_factory.mktemp("original")
    arrays = {f"weight:{name}": value for name, value in weights.items()}
    arrays |= {f"mask:{number}": mask for number, mask in enumerate(masks)}
    arrays |= {f"{name}:{number}:{part}": value for name, some in batches.items()
               for number, batch in enumerate(some)
               for part, value in zip(("input_ids", "input_mask", "segment_ids", "label_ids"),
                                      batch, strict=True)}
    settings = {"bert_config": json.loads(CONFIG.to_json()), "num_labels": LABELS,
                "dropout_config": json.loads(DROPPING.to_json()), "learning_rate": RATE,
                "steps": STEPS, "warmup": WARMUP, "schedules": SCHEDULES}
    np.savez(folder / "case.npz", settings=json.dumps(settings), **arrays)
    original("original_model.py", folder / "case.npz", folder / "result.npz")
    return dict(np.load(folder / "result.npz"))


def packed(batch):
    ids, mask, segments, labels = batch
    real = mask.astype(bool)
    return Batch(*map(tf.constant, (ids[real], segments[real], mask.sum(1).astype(np.int32),
                                    labels)))


def padded(batch):
    ids, mask, segments, labels = batch
    return Batch(*map(tf.constant, (ids, segments, mask.sum(1).astype(np.int32), labels)))


def lay_out(batch, make):
    """(layout, input_ids[T], segment_ids[T])"""
    made = make(batch)
    layout = (PaddedLayout(made.lengths, made.input_ids.shape[1]) if make is padded
              else PackedLayout(made.lengths))
    return layout, tf.reshape(made.input_ids, [-1]), tf.reshape(made.segment_ids, [-1])


both = pytest.mark.parametrize("make", [packed, padded])


@both
def test_every_layer_at_lengths_1_to_512(batches, weights, result, make, close):
    form = make.__name__
    for number, batch in enumerate(batches["forward"]):
        layout, ids, segments = lay_out(batch, make)
        inputs = (weights, CONFIG, layout, ids, segments, layers.Dropout(None))
        outputs, theirs = encoder.encode(*inputs), result[f"{number}:layers"]
        real = batch[1].astype(bool)
        assert len(outputs) == len(theirs) == 1 + CONFIG.num_hidden_layers
        for ours, their in zip(outputs, theirs, strict=True):
            ours = ours.numpy() if make is packed else ours.numpy()[real.reshape(-1)]
            close(f"output of every layer, {form}", ours, their[real], 1e-5,
                  f"width {real.shape[1]}")
        for cls in (layout.first(outputs[-1]), encoder.encode_cls(*inputs)):
            close(f"pooled output, {form}", encoder.pool(weights, cls), result[f"{number}:pooled"],
                  1e-5, f"width {real.shape[1]}")


def loss_and_gradients(weights, config, batch, seed=None):
    variables = {name: tf.Variable(value) for name, value in weights.items()}
    with tf.GradientTape() as tape:
        logits = model.logits(variables, config, batch, seed)
        loss = tf.reduce_mean(heads.losses(logits, batch.label_ids))
    gradients = tape.gradient(loss, variables)
    return logits, loss, {name: tf.convert_to_tensor(one).numpy()
                          for name, one in gradients.items()}


def compare(close, form, prefix, result, logits, loss, gradients):
    close(f"logits, {form}", logits, result[f"{prefix}:logits"], 1e-5, prefix)
    close(f"loss, {form}", loss, result[f"{prefix}:loss"], 1e-5, prefix)
    for name, ours in gradients.items():
        theirs = result[f"{prefix}:gradient:{name}"]
        # Mathematically 0, and rounding is what is there: a key's bias, and in rows of one token
        # all of query and key.
        if name.endswith("key/bias") or "/self/" in name and not theirs.any():
            close(f"gradient where it is 0 (absolute), {form}", ours, theirs, 1e-6,
                  f"{prefix} {name}", scale=1.0)
        else:
            close(f"gradient of every variable, {form}", ours, theirs, 1e-4, f"{prefix} {name}")


@both
def test_logits_loss_and_every_gradient(batches, weights, result, make, close, monkeypatch):
    monkeypatch.setattr(heads, "HEAD_DROPOUT", 0.0)
    for number, batch in enumerate(batches["forward"]):
        for seed in (None, tf.constant([0, 0])):  # as in prediction; as in training, at rates of 0
            compare(close, make.__name__, str(number), result,
                    *loss_and_gradients(weights, CONFIG, make(batch), seed))


# Adam turns the rounding noise of a gradient that is mathematically 0 into steps of full size;
# nothing depends on a key's bias, which adds the same to all scores of a query.
def without_noise(names):
    return [name for name in names if "key/bias" not in name]


def test_fifty_updates(batches, weights, result, close, monkeypatch):
    monkeypatch.setattr(heads, "HEAD_DROPOUT", 0.0)
    state = model.create(CONFIG, LABELS, 0, weights, training=True)
    config = RunConfig(train_batch_size=ROWS, learning_rate=RATE)
    step = training_step.make_step(tf.distribute.OneDeviceStrategy("CPU:0"), state, CONFIG, config,
                             training_step.Plan(STEPS, WARMUP))
    for number, batch in enumerate(batches["train"]):
        loss, _ = step(packed(batch))
        close("loss of every step of 50", loss, result[f"loss:{number}"], 1e-4, f"step {number}")
        for name in without_noise(weights):
            theirs, before = result[f"step:{number}:{name}"], weights[name]
            if number == 0:  # the rate of step 0 is 0
                np.testing.assert_array_equal(state.weights[name].numpy(), before)
                np.testing.assert_array_equal(theirs, before)
            else:
                close("change of every weight since the start, at every step of 50",
                      state.weights[name].numpy() - before, theirs - before, 1e-3,
                      f"step {number} {name}")
    ours = state.variables()
    assert set(ours) == {name.removeprefix("final:") for name in result
                         if name.startswith("final:")}
    assert int(ours["global_step"].numpy()) == result["final:global_step"] == STEPS
    for name in without_noise(state.slots):
        close(f"{name[-6:]} of every weight after 50 steps", ours[name].numpy(),
              result[f"final:{name}"], 1e-3, name)


@pytest.mark.parametrize("number", range(len(SCHEDULES)))
def test_learning_rate_of_every_step(result, number, close):
    peak, steps, warmup = SCHEDULES[number]
    ours = [schedules.linear(tf.constant(step, tf.int64), peak, steps, warmup).numpy()
            for step in range(steps + 2)]
    theirs = result[f"rates:{number}"]
    close("learning rate of every step, over its peak", ours, theirs, 1e-6, scale=peak)
    assert ours[steps] == ours[steps + 1] == theirs[steps] == theirs[steps + 1] == 0
    if 1 < warmup < steps:
        assert ours[0] == theirs[0] == 0
        assert ours[warmup - 1] > ours[warmup] and theirs[warmup - 1] > theirs[warmup]


# ---- dropout


class Recorded(layers.Dropout):
    """Notes rate and shape of every mask."""

    def __init__(self):
        super().__init__(tf.constant([1, 2]))
        self.places = []

    def mask(self, shape, rate, dtype=tf.float32):
        self.places.append((rate, np.array(shape).tolist()))
        return super().mask(shape, rate, dtype)


def test_dropout_is_where_the_original_has_it_at_its_rate(batches, weights, result):
    theirs = json.loads(str(result["places"]))
    layer = "bert/encoder/layer_{}/{}"
    assert [name for name, _, _ in theirs] == [
        "bert/embeddings/dropout",
        *(layer.format(number, place) for number in range(3) for place in (
            "attention/self/dropout", "attention/output/dropout", "output/dropout")),
        "loss/dropout"]
    assert result["random_ops"] == len(theirs)
    wanted = mask_shapes(2, 5)
    assert [shape for _, _, shape in theirs] == [shape for _, shape in wanted]
    rates = [rate for _, rate, _ in theirs]
    np.testing.assert_allclose(rates, [rate for rate, _ in wanted], rtol=1e-6)

    batch = random_batch(np.random.default_rng(1), [5, 2], 5)
    layout, ids, segments = lay_out(batch, padded)
    ours = Recorded()
    outputs = encoder.encode(weights, DROPPING, layout, ids, segments, ours)
    heads.classify(weights, encoder.pool(weights, layout.first(outputs[-1])), ours)
    np.testing.assert_allclose([rate for rate, _ in ours.places], rates, rtol=1e-6)
    assert [np.prod(shape) for _, shape in ours.places] == [
        np.prod(shape) for _, _, shape in theirs]


@both
def test_with_the_same_masks_dropout_does_the_same(batches, weights, masks, result, make, close,
                                                   monkeypatch):
    """What is dropped, and before or after what it is added, shows in loss and gradients."""
    [batch] = batches["masked"]
    real = batch[1].astype(bool)

    class Given(layers.Dropout):
        """Applies the original's masks, cut to what is computed here."""

        def __init__(self, seed):
            super().__init__(seed)
            self.left = list(zip(mask_shapes(*real.shape), masks, strict=True))

        def mask(self, shape, rate, dtype=tf.float32):
            (wanted, whole), mask = self.left.pop(0)
            assert rate == pytest.approx(wanted)
            if len(whole) == 4:
                return mask[:, :, :shape[2], :shape[3]]
            if len(whole) == 3:  # [T, H] packed, [B * S, H] padded, [B, H] for [CLS] alone
                return {real.sum(): mask[real], real.size: mask.reshape(-1, whole[2]),
                        len(real): mask[:, 0]}[int(shape[0])]
            return mask

    monkeypatch.setattr(layers, "Dropout", Given)
    compare(close, f"{make.__name__}, given masks", "masked", result,
            *loss_and_gradients(weights, DROPPING, make(batch), tf.constant([0, 0])))


@pytest.mark.parametrize("rate", [0.1, 0.3])
def test_masks_are_independent_and_scaled(rate):
    masks = {}
    for seed, step in ((42, 0), (42, 1), (43, 0), (43, 1), (42, 2 ** 20)):
        dropout = layers.Dropout(tf.constant([seed, step]))
        for place in range(3):
            masks[seed, step, place] = dropout(tf.ones([400, 250]), rate).numpy()
    again = layers.Dropout(tf.constant([42, 1]))
    np.testing.assert_array_equal(again(tf.ones([400, 250]), rate), masks[42, 1, 0])
    deviation = np.sqrt(rate * (1 - rate) / 100_000)
    flat = np.stack([mask.ravel() for mask in masks.values()])
    assert set(np.unique(flat)) == {np.float32(0), np.float32(1 / (1 - rate))}
    kept = (flat > 0).mean(1)
    assert np.abs(kept - (1 - rate)).max() < 5 * deviation
    correlation = np.corrcoef(flat) - np.eye(len(flat))
    assert np.abs(correlation).max() < 5 / np.sqrt(100_000)
    for mask in masks.values():  # nor do rows or columns of one mask go together
        assert abs(np.corrcoef(mask[:-1].ravel(), mask[1:].ravel())[0, 1]) < 5 / np.sqrt(100_000)


@both
def test_logits_under_dropout_are_distributed_alike(batches, weights, result, make):
    [batch] = batches["draws"]
    ours = model.logits(weights, DROPPING, make(batch), tf.constant([3, 4])).numpy()
    theirs = result["draws"]
    error = np.sqrt((ours.var(0) + theirs.var(0)) / DRAWS)
    assert (np.abs(ours.mean(0) - theirs.mean(0)) < 5 * error).all()
    np.testing.assert_allclose(ours.std(0), theirs.std(0), rtol=0.1)
    assert theirs.std(0).min() > 0.1  # there is something to compare
