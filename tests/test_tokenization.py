import random

import numpy as np
import pytest

from finetune import upstream
from finetune.errors import UserError
from finetune.tokenization import (
    Tokenizer,
    depends_on_neighbours,
    vocabulary_casing,
    vocabulary_problems,
)

UNCASED = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "want", "##want", "##ed", "un", "runn",
           "##ing", ",", "low", "##er", "[", "]", "mask", "unused", "##1", "博", "推", "zz", "ah",
           "a", "##a", "e", "##e", "i", "σ", "##σ", "##ς", "α", "한", "ᄒ", "##ᅡ", "##ᆫ", "…", "😀"]


@pytest.fixture
def write_vocab(tmp_path):
    def write(tokens, name="vocab.txt"):
        path = tmp_path / name
        path.write_text("".join(f"{token}\n" for token in tokens), encoding="utf-8")
        return str(path)
    return write


def original_ids(path, do_lower_case, texts):
    full = upstream.full_tokenizer(path, do_lower_case)
    return [full.convert_tokens_to_ids(full.tokenize(text)) for text in texts]


@pytest.mark.parametrize(("text", "tokens"), [
    ("", ""),
    (" \t\n\u2028\x1c", ""),
    ("UNwant\u00e9d,running", "un ##want ##ed , runn ##ing"),
    ("lower newer", "low ##er [UNK]"),
    ("ah\u535a\u63a8zz", "ah 博 推 zz"),
    ("[MASK][unused1] [CLS]", "[ mask ] [ unused ##1 ] [ [UNK] ]"),
    ("a\u0000\ufffd\u200da \u00a0 a\x85e", "a ##a a ##e"),
    ("A\u0301\u0327 İ", "a i"),
    ("한", "ᄒ ##ᅡ ##ᆫ"),
    ("Σ ασ ΑΣ ασς", "σ α ##σ α ##ς α ##σ ##ς"),
    ("…😀 a😀", "… 😀 [UNK]"),  # punctuation is split off, an emoji is not
    ("a" * 200, "a" + " ##a" * 199),
    ("a" * 201, "[UNK]"),
    ("\u00e1" * 200, "a" + " ##a" * 199),
    ("a\ud800", "[UNK]"),
    ("\ue000 a", "[UNK] a"),
    (b"a \xff e", "a e"),
])
def test_golden_tokens(write_vocab, text, tokens):
    path = write_vocab(UNCASED)
    expected = [UNCASED.index(token) for token in tokens.split()]
    assert Tokenizer(path).encode([text]) == [expected]
    assert original_ids(path, True, [text]) == [expected]


def test_cased_keeps_capitals_and_accents(write_vocab):
    path = write_vocab(["[UNK]", "[CLS]", "[SEP]", "E", "é", "##é", "##e"])
    assert Tokenizer(path, do_lower_case=False).encode(["E Eé Ee é e"]) == [[3, 3, 5, 3, 6, 4, 0]]


def test_attributes(write_vocab):
    tokenizer = Tokenizer(write_vocab(["[PAD]", "a", "a", " b ", "[SEP]", "[UNK]", "[CLS]"]))
    assert tokenizer.vocab == {"[PAD]": 0, "a": 1, "b": 2, "[SEP]": 3, "[UNK]": 4, "[CLS]": 5}
    assert (tokenizer.vocab_size, tokenizer.unk_id, tokenizer.cls_id, tokenizer.sep_id) == (
        6, 4, 5, 3)
    assert tokenizer.encode(["b c"]) == [[2, 4]]


def test_fingerprint_depends_on_vocabulary_and_casing(write_vocab):
    prints = [Tokenizer(write_vocab(UNCASED + extra), lower).fingerprint()
              for extra in ([], ["x"]) for lower in (True, False)]
    assert all(prints.count(one) == 1 for one in prints)


def test_order_over_batches_and_both_paths(write_vocab):
    path = write_vocab(UNCASED)
    texts = [random.Random(i).choice(["a", "ae", "ΑΣ", "\ue000", ""]) for i in range(3000)]
    assert Tokenizer(path).encode(texts) == original_ids(path, True, texts)


# A character and a word are looked at once.

@pytest.mark.parametrize("do_lower_case", [True, False])
def test_every_character(write_vocab, do_lower_case):
    """Alone, within a word and as its last character; of the planes above 0 every tenth."""
    tokenizer = Tokenizer(write_vocab(UNCASED), do_lower_case)
    basic = upstream.tokenization().BasicTokenizer(do_lower_case)
    codes = [*range(0x10000), *range(0x10000, 0x110000, 10)]
    texts = [f"{chr(code)} a{chr(code)}B a{chr(code)}" for code in codes]
    for text, spaced in zip(texts, tokenizer._characters.spaced(texts), strict=True):
        assert spaced.split() == basic.tokenize(text), ascii(text)


@pytest.mark.parametrize(("character", "expected"), [
    ("\u03a3", True),  # the final sigma
    ("\u302e", True),  # a Hangul tone mark: NFD moves it past others, and it is kept
    ("\u0301", False), ("\u00e9", False), ("a", False), ("\uac00", False), ("\u2b820", False)])
def test_what_depends_on_the_neighbours(character, expected):
    assert depends_on_neighbours(character) == expected


def test_a_text_with_such_a_character_is_split_by_the_original(write_vocab):
    path = write_vocab([*UNCASED, "\u302e", "##\u302e", "##\u302f"])
    texts = ["a\u302e\u302f", "a\u302e\u05b0\u302f a", "a\u0301\u302e", "\u0391\u03a3 a\u03a3a"]
    assert Tokenizer(path).encode(texts) == original_ids(path, True, texts)


def test_marks_of_our_own_are_no_text(write_vocab):
    path = write_vocab(UNCASED)
    texts = ["a\x01e \x02", "\x01", "", "\u00e9\x01a", "\x02\u00e9\x02 a", "\x01\x01a\x01"]
    for some in (texts, texts[:1], texts[3:4], texts[::-1], [texts[0], *texts[3:5]]):
        assert Tokenizer(path).encode(some) == original_ids(path, True, some)


def test_words_that_are_forgotten_come_out_the_same(write_vocab, monkeypatch):
    monkeypatch.setattr("finetune.tokenization._WORDS_KEPT", 3)
    path = write_vocab(UNCASED)
    texts = ["a e i want wanted, un low lower a e" + "a" * i for i in range(300)]
    tokenizer = Tokenizer(path)
    assert tokenizer.encode(texts) == original_ids(path, True, texts)
    assert len(tokenizer._words) <= 4


def test_flat(write_vocab):
    tokenizer = Tokenizer(write_vocab(UNCASED))
    ids, lengths = tokenizer.encode_flat(["a un", "", "e"])
    assert (ids.tolist(), lengths.tolist()) == ([23, 8, 25], [2, 0, 1])
    assert ids.dtype == np.int32
    ids, lengths = tokenizer.encode_flat([])
    assert (ids.tolist(), lengths.tolist()) == ([], [])
    assert tokenizer.encode([]) == []


NASTY = ("aAzZ09 \t\n\r.,-_[]#'\u00a0\u00ad\u0085\u1680\u2028\u2029\u200b\u200d\ufeff\ufffd\u0000"
         "\u0130\u0131\u1e9e\u00df\u03c3\u03c2\u03a3\u0391\u1f88\u0345\u0301\u0327\u0323\u05b0"
         "\u05bc\u064b\u0651\u0929\u093c\u09cb\u0e33\u0e38\u1100\u1161\u11a8\uac00\uac01\u3099"
         "\u302a\u304b\u304c\u4e00\uf900\u2f800\u20d0\ufe0f\ufb01\uff21\U0001f600\U0001f3fb"
         "\U0001d400\U000e0067\ue000\U0002b820\u2e5d\ud800\u061d\u0898")


@pytest.mark.parametrize("do_lower_case", [True, False])
@pytest.mark.parametrize("source", ["nasty", "all"])
def test_random_strings(write_vocab, do_lower_case, source):
    dice = random.Random(f"{source} {do_lower_case}")
    characters = {"nasty": list(NASTY), "all": [chr(code) for code in range(0x110000)]}[source]
    texts = ["".join(dice.choice(characters) if dice.random() < 0.7 else dice.choice(NASTY)
                     for _ in range(dice.randrange(30))) for _ in range(1500)]
    # Every character is a token, so that the ids show exactly what became of each of them.
    basic = upstream.tokenization().BasicTokenizer(do_lower_case)
    pieces = sorted({c for text in texts for word in basic.tokenize(text) for c in word
                     if not "\ud800" <= c <= "\udfff"})
    path = write_vocab(["[UNK]", "[CLS]", "[SEP]", *pieces, *(f"##{c}" for c in pieces)])
    assert Tokenizer(path, do_lower_case).encode(texts) == original_ids(path, do_lower_case, texts)


# Vocabulary files.

@pytest.mark.parametrize(("tokens", "casing"), [
    (["[PAD]", "[UNK]", "the", "##s", "a", "1"], "uncased"),
    (["[PAD]", "[UNK]", "the", "The", "##s"], "cased"),
    (["[UNK]", "[CLS]", "<S>", "[unused1]", "博", "1", "."], None),
    (["É", "##x"], "cased"),
    ([f"w{'abcdefghij'[i % 10]}{i}" for i in range(99)] + ["TM"], None),
])
def test_casing(tokens, casing):
    assert vocabulary_casing({token: i for i, token in enumerate(tokens)}) == casing


def test_casing_has_to_suit_the_flag(write_vocab):
    special = ["[UNK]", "[CLS]", "[SEP]"]
    cased = write_vocab([*special, "Paris", "paris", "##S"], "cased.txt")
    uncased = write_vocab([*special, "paris", "##s"], "uncased.txt")
    unknown = write_vocab([*special, "博"], "unknown.txt")
    for path, flag in ((cased, False), (uncased, True), (unknown, True), (unknown, False)):
        assert vocabulary_problems(path, flag) == []
    [message] = vocabulary_problems(cased, True)
    assert "--do_lower_case=True" in message and cased in message
    assert "2 of its 6 tokens" in message and "Paris" in message
    assert "Pass --do_lower_case=False" in message
    [message] = vocabulary_problems(uncased, False)
    assert "--do_lower_case=False" in message and uncased in message
    assert "Pass --do_lower_case=True" in message


@pytest.mark.parametrize(("content", "said"), [
    (None, "cannot be read"),
    (b"", "is empty"),
    (b"\n\n", "is empty"),
    (b"[UNK]\n[SEP]\nthe\n", "lacks [CLS] among its 3 tokens"),
    (b"the\n", "lacks [UNK], [CLS], [SEP]"),
    (b"[unk]\n[cls]\n[sep]\n", "spells them in lower case"),
    (b"[UNK]\n[CLS]\ncaf\xe9\n[SEP]\n", ":3: byte 0xe9 is not UTF-8"),
])
def test_bad_vocabulary_files(tmp_path, content, said):
    path = tmp_path / "vocab.txt"
    if content is not None:
        path.write_bytes(content)
    [message] = vocabulary_problems(path, True)
    assert said in message and str(path) in message
    with pytest.raises(UserError) as error:
        Tokenizer(path)
    assert error.value.problems == (message,)


def test_vocabulary_on_another_file_system():
    import tensorflow as tf

    with tf.io.gfile.GFile("ram://vocab.txt", "w") as file:
        file.write("[UNK]\n[CLS]\n[SEP]\nthe\n")
    assert Tokenizer("ram://vocab.txt").encode(["The"]) == [[3]]
    assert "cannot be read" in vocabulary_problems("ram://none.txt", True)[0]
