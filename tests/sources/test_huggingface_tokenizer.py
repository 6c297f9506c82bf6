"""finetune/sources/huggingface_tokenizer.py: the vocabulary and the casing of a folder."""

import json

import pytest

from finetune.errors import UserError
from finetune.sources import huggingface_tokenizer

TOKENS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "the", "app", "##s"]
MODEL = {"type": "WordPiece", "unk_token": "[UNK]", "continuing_subword_prefix": "##",
         "vocab": {token: row for row, token in enumerate(TOKENS)}}
NORMALIZER = {"type": "BertNormalizer", "lowercase": True, "strip_accents": None,
              "handle_chinese_chars": True}


@pytest.fixture
def folder(tmp_path):
    """Writes what is given and reads it: (tokens, casing, notices)."""
    def write(vocab=None, tokenizer=None, settings=None, size=7):
        if vocab is not None:
            (tmp_path / "vocab.txt").write_bytes(vocab)
        for name, content in (("tokenizer.json", tokenizer), ("tokenizer_config.json", settings)):
            if content is not None:
                (tmp_path / name).write_text(content if isinstance(content, str)
                                             else json.dumps(content))
        return huggingface_tokenizer.read(str(tmp_path), size)
    return write


VOCAB = "".join(f"{token}\n" for token in TOKENS).encode()


@pytest.mark.parametrize(("given", "casing", "told"), [
    ({"vocab": VOCAB, "settings": {"do_lower_case": False}}, False, []),
    ({"vocab": VOCAB.replace(b"\n", b"\r\n"), "settings": {"do_lower_case": True}}, True, []),
    ({"vocab": VOCAB}, True, ["tells the casing; the vocabulary looks uncased"]),
    ({"tokenizer": {"model": MODEL, "normalizer": NORMALIZER}}, True, []),
    ({"vocab": VOCAB, "settings": {"do_lower_case": True},  # transformers goes by tokenizer.json
      "tokenizer": {"model": MODEL, "normalizer": {**NORMALIZER, "lowercase": False}}}, False, []),
    ({"tokenizer": {"model": MODEL, "normalizer": {**NORMALIZER, "strip_accents": False}}}, True,
     ["strip_accents is False and do_lower_case True there"]),
    ({"vocab": VOCAB, "settings": {"do_lower_case": True, "tokenize_chinese_chars": False}}, True,
     ["tokenize_chinese_chars is False there"]),
    ({"tokenizer": {"model": MODEL, "normalizer": {"type": "NFC"}}}, True,
     ["its normalizer is 'NFC' and not BertNormalizer", "the vocabulary looks uncased"])])
def test_tokens_and_casing(folder, given, casing, told):
    tokens, found, notices = folder(**given)
    assert (tokens, found) == (TOKENS, casing)
    assert len(notices) == len(told)
    assert all(one in notice for one, notice in zip(told, notices, strict=True))


def test_nothing_tells_the_casing(folder):
    tokens = [str(number) for number in range(7)]
    assert folder("\n".join(tokens).encode())[:2] == (tokens, None)


def test_added_tokens_have_their_ids(folder):
    tokenizer = {"model": MODEL, "normalizer": NORMALIZER, "added_tokens": [
        {"id": 7, "content": "[MASK]"}, {"id": 0, "content": "[PAD]"}]}
    assert folder(tokenizer=tokenizer, size=8)[0] == [*TOKENS, "[MASK]"]


@pytest.mark.parametrize(("given", "expected"), [
    ({}, "has neither vocab.txt nor tokenizer.json"),
    ({"vocab": VOCAB, "size": 9}, "vocab.txt: has 7 tokens; by the configuration the model has 9"),
    ({"vocab": VOCAB.replace(b"app", b"the")}, "holds 1 tokens twice, first 'the'"),
    ({"vocab": b"\xe9\n"}, "vocab.txt: is not UTF-8"),
    ({"vocab": VOCAB, "settings": "{"}, "tokenizer_config.json: is not valid JSON"),
    ({"vocab": VOCAB, "settings": "[]"}, "tokenizer_config.json: must be a JSON object"),
    ({"vocab": VOCAB[:-4], "tokenizer": {"model": MODEL}}, "holds another vocabulary (7 tokens)"),
    ({"tokenizer": {"model": {**MODEL, "type": "BPE"}}}, "BPE, ##, [UNK]; google-research/bert"),
    ({"tokenizer": {"model": {**MODEL, "unk_token": "<unk>"}}}, "WordPiece, ##, <unk>"),
    ({"tokenizer": {}}, "knows WordPiece"),
    ({"tokenizer": {"model": [1]}}, "tokenizer.json: is not what transformers writes there"),
    ({"tokenizer": {"model": MODEL, "added_tokens": [{"id": 7}]}}, "there: KeyError: 'content'"),
    ({"tokenizer": {"model": {**MODEL, "vocab": {"a": 0, "b": "1"}}}}, "there: TypeError"),
    ({"tokenizer": {"model": MODEL, "normalizer": "NFC"}}, "there: AttributeError"),
    ({"tokenizer": {"model": {**MODEL, "vocab": {"a": 0, "b": 2}}}}, "are not 0 to 1, each once"),
    ({"tokenizer": {"model": {**MODEL, "vocab": {"a": 0, "b\n": 1}}}}, "cannot stand on a line")])
def test_what_is_no_vocabulary_of_the_original(folder, given, expected):
    with pytest.raises(UserError) as caught:
        folder(**given)
    assert expected in str(caught.value)
