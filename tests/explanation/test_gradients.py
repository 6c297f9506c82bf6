"""Integrated gradients: complete, the same as a slow sum of them, and blind to what is alike."""

import dataclasses

import numpy as np
import pytest
import tensorflow as tf

from finetune import encoder, heads
from finetune.explanation import explain, gradients
from finetune.layers import Dropout, layer_norm
from finetune.layout import PaddedLayout
from tests.explanation.conftest import LABELS

TEXTS = ["The app crashes when I open a file!", ("how can I use it?", "save the new page"),
         "new", "", "zorp mubli " * 20, ("a b c d e " * 9, "the page " * 9)]


@pytest.fixture(scope="module")
def found(explainer):
    return list(explainer.explain(TEXTS))


def test_the_words_add_up_to_the_logit_s_difference(found):
    for one in found:
        difference = one.logit - one.baseline_logit
        total = sum(word.attribution for word in one.words())
        assert one.complete and abs(difference - total) <= max(0.01 * abs(difference), 0.001)
        assert one.gap == pytest.approx(difference - total, abs=1e-6)
    assert max(abs(one.logit - one.baseline_logit) for one in found) > 0.5  # there is something
    assert found[3].words() == [] and abs(found[3].gap) < 1e-5


def slow(made, input_ids, segment_ids, label, points=800):
    """Midpoints of the path in small batches, every layer for every token, padded, one GradientTape
    from the words' vectors on: float64[S]."""
    weights, config = made.state.weights, made.bert_config
    table = weights["bert/embeddings/word_embeddings"].numpy()
    blank = np.where(np.isin(input_ids, [made.tokenizer.cls_id, made.tokenizer.sep_id]), input_ids,
                     made.tokenizer.vocab["[PAD]"])
    start, end, size = table[blank], table[input_ids], len(input_ids)
    rest = (weights["bert/embeddings/position_embeddings"].numpy()[:size]
            + weights["bert/embeddings/token_type_embeddings"].numpy()[segment_ids])
    total = np.zeros(size)
    for some in np.array_split((np.arange(points) + 0.5) / points, 8):
        words = tf.constant((start + some[:, None, None] * (end - start)).astype("f"))
        layout = PaddedLayout(tf.fill([len(some)], size), size)
        with tf.GradientTape() as tape:
            tape.watch(words)
            hidden = layer_norm(weights, "bert/embeddings",
                                tf.reshape(words + rest, [-1, config.hidden_size]))
            for layer in range(config.num_hidden_layers):
                hidden = encoder.transformer_layer(
                    weights, config, layout, f"bert/encoder/layer_{layer}", hidden, Dropout(None),
                    cls_only=False)
            pooled = encoder.pool(weights, layout.first(hidden))
            logit = heads.classify(weights, pooled, Dropout(None))[:, label]
        slopes = tape.gradient(logit, words).numpy().astype(float)
        total += (slopes * (end - start)).sum((0, 2)) / points
    return total


@pytest.mark.parametrize("text", TEXTS[:2], ids=["single", "pair"])
@pytest.mark.parametrize("label", [0, 2])
def test_the_same_as_a_slow_sum_along_the_path(untrained, explainer, text, label):
    features = explainer._features(*(text if isinstance(text, tuple) else (text, "")))[0]
    ids, segments = features.input_ids, features.segment_ids
    mine = explainer._gradients.explain(ids, segments, label)
    expected = slow(untrained, ids, segments, label)
    assert np.abs(expected).max() > 0.05
    np.testing.assert_allclose(mine.tokens, expected, atol=0.01 * np.abs(expected).max())
    specials = np.isin(ids, [untrained.tokenizer.cls_id, untrained.tokenizer.sep_id])
    assert (mine.tokens[specials] == 0).all() and (mine.tokens[~specials] != 0).all()


def test_a_coarse_part_is_halved_until_it_adds_up(explainer, monkeypatch):
    few = next(explainer.explain(TEXTS))
    for name in ("RELATIVE", "ABSOLUTE"):
        monkeypatch.setattr(gradients, name, 2e-5)
    many = next(explainer.explain(TEXTS))
    assert few.points < many.points and abs(many.gap) < 2e-4
    monkeypatch.setattr(gradients, "_SHORTEST", 1 / 8)
    monkeypatch.setattr(gradients, "RELATIVE", 0.0)
    monkeypatch.setattr(gradients, "ABSOLUTE", 0.0)
    never = next(explainer.explain(TEXTS))
    assert not never.complete and never.points == 9 * (1 + 2 + 4 + 8)  # it ends all the same


def test_words_that_are_alike_get_alike(untrained, explainer):
    """Without positions, the same word gets the same wherever it stands."""
    positions = untrained.state.weights["bert/embeddings/position_embeddings"]
    before = positions.numpy()
    try:
        positions.assign(np.tile(before[:1], (len(before), 1)))
        words = next(explainer.explain(["crash the page crash"])).words()
    finally:
        positions.assign(before)
    assert words[0].attribution == pytest.approx(words[3].attribution, abs=1e-6)
    assert abs(words[0].attribution - words[2].attribution) > 1e-4


def test_a_word_that_is_the_baseline_s_adds_nothing(arguments, monkeypatch):
    monkeypatch.setattr(gradients, "BASELINE_TOKENS", ("page",))
    words = explain(["the page crash"], *arguments)[0].words()
    assert words[1].attribution == 0.0 != words[0].attribution


def test_the_same_bits_whatever_else_is_explained(arguments, found):
    again = explain(reversed(TEXTS), *arguments)
    assert [dataclasses.astuple(one) for one in reversed(again)] == [
        dataclasses.astuple(one) for one in found]


def test_a_long_text_in_parts_is_the_same(explainer, found, monkeypatch):
    monkeypatch.setattr(gradients, "_TOKENS", 1)
    again = explainer.explain(TEXTS[:2])
    for one, other in zip(again, found, strict=False):
        assert [word.attribution for word in one.words()] == pytest.approx(
            [word.attribution for word in other.words()], abs=1e-4)


def test_a_label_by_name(explainer, found):
    by_name = {label: next(explainer.explain(TEXTS, label)) for label in LABELS}
    assert by_name[found[0].prediction] == found[0]
    assert {one.prediction for one in by_name.values()} == {found[0].prediction}
    assert len({one.logit for one in by_name.values()}) == 3
    assert [one.label for one in by_name.values()] == LABELS
    with pytest.raises(ValueError):
        next(explainer.explain(TEXTS, "none"))


def test_lobatto_is_exact_to_its_degree():
    nodes, weights = gradients.lobatto(9)
    assert (nodes.min(), nodes.max()) == (0, 1)
    for degree in range(16):
        assert weights @ nodes ** degree == pytest.approx(1 / (degree + 1), abs=1e-13)
    assert abs(weights @ nodes ** 16 - 1 / 17) > 1e-11


def test_what_stands_for_the_words(untrained):
    class Vocabulary:
        vocab = {"[MASK]": 1, "[UNK]": 2}
    assert gradients.baseline_token(untrained.tokenizer) == "[PAD]"
    assert gradients.baseline_token(Vocabulary) == "[MASK]"
    del Vocabulary.vocab["[MASK]"]
    assert gradients.baseline_token(Vocabulary) == "[UNK]"
