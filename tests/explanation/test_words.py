"""Words: their places in the text as written, and their pieces, whatever the text."""

import random

import pytest

from finetune.explanation import Explainer
from finetune.explanation.words import Splitter
from finetune.tokenization import Tokenizer
from tests.explanation.conftest import lively, model_of
from tests.parity.texts import KNOWN, ORDINARY


@pytest.fixture(scope="module", params=["uncased", "cased"])
def tokenizer(request, tiny, tiny_cased):
    lower = request.param == "uncased"
    return Tokenizer((tiny if lower else tiny_cased) / "vocab.txt", lower)


@pytest.mark.parametrize(("text", "words"), [
    ("The app crashes!", "The|app|crashes|!"),
    ("  it's  \t new\n", "it|'|s|new"),
    ("Caf\xe9 cafe\u0301s x", "Caf\xe9|cafe\u0301s|x"),
    ("a\x00b\u200b \x00 c", "a\x00b\u200b|c"),
    ("東京a タワー", "東|京|a|タワー"),
    ("ΑΣ. ΑΣ'Α Σ", "ΑΣ|.|ΑΣ|'|Α|Σ"),
    ("ẞİ ﬁ Å", "ẞİ|ﬁ|Å"),
    ("한 e\u0327\u0301f", "한|e\u0327\u0301f"),
    ("b" * 201 + " c", "b" * 201 + "|c"),
    ("[MASK] a", "[|MASK|]|a"), ("", ""), ("\x00 \u200b", "")])
def test_words_as_they_were_written(tokenizer, text, words):
    spans = Splitter(tokenizer).split(text)
    assert "|".join(text[span.start:span.end] for span in spans) == words


def test_the_pieces_are_the_text_s(tokenizer):
    splitter, draw = Splitter(tokenizer), random.Random(5)
    texts = [text for some in KNOWN.values() for text in some if isinstance(text, str)]
    alphabet = [*texts, *ORDINARY, *"aAbé Σ\u0301\u302e\u0345.!中", " ", " "]
    texts += ["".join(draw.choices(alphabet, k=draw.randint(1, 12))) for _ in range(1500)]
    texts += [f"a{chr(code)}b {chr(code)}" for code in range(0, 0x110000, 211)]
    for text in texts:
        spans = splitter.split(text)
        assert sum(span.pieces for span in spans) == len(tokenizer.encode([text])[0]), repr(text)
        edges = [edge for span in spans for edge in (span.start, span.end)]
        assert edges == sorted(edges) and all(s.start < s.end and s.pieces for s in spans)
    word_by_word = splitter.split(" ".join(ORDINARY))
    assert len(word_by_word) > len(ORDINARY)


def test_each_word_alone_has_the_pieces_it_has_in_the_text(tokenizer):
    text = " ".join(ORDINARY)
    for span in Splitter(tokenizer).split(text):
        assert len(tokenizer.encode([text[span.start:span.end]])[0]) == span.pieces


def test_pieces_are_summed_and_what_was_cut_is_unseen(untrained):
    """10 tokens: [CLS] z ##o ##r ##p the m ##u ##b [SEP]."""
    explainer = Explainer(untrained.state, untrained.bert_config, untrained.tokenizer,
                          untrained.labels, 10)
    text = "Zorp the mubli is here"
    [one] = explainer.explain([text])
    features = explainer._features(text, "")[0]
    label = untrained.labels.index(one.label)
    tokens = explainer._gradients.explain(features.input_ids, features.segment_ids, label).tokens
    assert [word.text for word in one.words()] == ["Zorp", "the", "mubli"]
    assert [word.attribution for word in one.words()] == pytest.approx(
        [tokens[1:5].sum(), tokens[5], tokens[6:9].sum()], abs=1e-12)
    assert (one.texts[0].unseen, text[slice(*one.texts[0].unseen_part)]) == (2, " is here")


def test_both_texts_of_a_pair(untrained):
    explainer = Explainer(untrained.state, untrained.bert_config, untrained.tokenizer,
                          untrained.labels, 9)
    [one] = explainer.explain([("the app is not new", "how can i use it ?")])
    assert [[word.text for word in text.words] for text in one.texts] == [
        ["the", "app", "is"], ["how", "can", "i"]]
    assert [text.unseen for text in one.texts] == [2, 3]
    features = explainer._features(*(text.text for text in one.texts))[0]
    tokens = explainer._gradients.explain(features.input_ids, features.segment_ids,
                                          untrained.labels.index(one.label)).tokens
    assert [word.attribution for word in one.words()] == [*tokens[1:4], *tokens[5:8]]
    [one] = Explainer(untrained.state, untrained.bert_config, untrained.tokenizer,
                      untrained.labels, 3).explain([("the", "app")])
    assert [len(text.words) for text in one.texts] == [0, 0] or len(one.words()) == 1


def test_a_regression_explains_its_score(tiny):
    made = lively(model_of(tiny, ["score"]))
    explainer = Explainer(made.state, made.bert_config, made.tokenizer, made.labels, 16)
    [one] = explainer.explain(["the app crashes"])
    assert float(one.prediction) == pytest.approx(one.logit, abs=1e-5) and one.label == "score"
    assert one.confidence is None and one.baseline_prediction is None
    assert sum(word.attribution for word in one.words()) == pytest.approx(
        one.logit - one.baseline_logit, abs=0.01)


def test_a_cased_model_sees_capitals(tiny_cased):
    made = model_of(tiny_cased, ["a", "b"], lower=False)
    explainer = Explainer(made.state, made.bert_config, made.tokenizer, made.labels, 16)
    one, other = explainer.explain(["The app", "the app"])
    assert [word.text for word in one.words()] == ["The", "app"]
    assert one.words()[0].attribution != other.words()[0].attribution
