import random
import unicodedata

import pytest

from finetune import upstream
from finetune.errors import UserError
from finetune.tokenization import (
    EXACT_RANGES,
    Tokenizer,
    is_exact,
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


# What the table of characters claims.

def exact_characters():
    return [chr(code) for first, last in EXACT_RANGES for code in range(first, last + 1)]


def test_ranges_ascend_and_decide():
    edges = [edge for first, last in EXACT_RANGES for edge in (first, last + 1)]
    assert edges == sorted(set(edges))
    for first, last in EXACT_RANGES:
        assert is_exact("a" + chr(first) + chr(last))
        assert not is_exact("a" + chr(last + 1))
        assert first == 0 or not is_exact("a" + chr(first - 1))


@pytest.mark.parametrize("do_lower_case", [True, False])
def test_every_exact_character(write_vocab, do_lower_case):
    """Alone, within a word and as its last character; of plane 2's ideographs every tenth."""
    tokenizer = Tokenizer(write_vocab(UNCASED), do_lower_case)
    basic, fast = tokenizer._original.basic_tokenizer, tokenizer._fast
    characters = [c for c in exact_characters() if c < "\U00020000" or ord(c) % 10 == 0]
    for start in range(0, len(characters), 1000):
        text = " ".join(f"{c} a{c}B a{c}" for c in characters[start:start + 1000])
        ours = [word for word, _ in
                fast.pre_tokenizer.pre_tokenize_str(fast.normalizer.normalize_str(text))]
        assert ours == basic.tokenize(text)


def test_nothing_depends_on_the_neighbours():
    """NFD reorders marks: harmless where they are dropped (category Mn), and only there."""
    for character in exact_characters():
        for part in unicodedata.normalize("NFD", character.lower()):
            assert unicodedata.combining(part) == 0 or unicodedata.category(part) == "Mn", part
    assert not is_exact("Σ")


NASTY = ("aAzZ09 \t\n\r.,-_[]#'\u00a0\u00ad\u0085\u1680\u2028\u2029\u200b\u200d\ufeff\ufffd\u0000"
         "\u0130\u0131\u1e9e\u00df\u03c3\u03c2\u03a3\u0391\u1f88\u0345\u0301\u0327\u0323\u05b0"
         "\u05bc\u064b\u0651\u0929\u093c\u09cb\u0e33\u0e38\u1100\u1161\u11a8\uac00\uac01\u3099"
         "\u302a\u304b\u304c\u4e00\uf900\u2f800\u20d0\ufe0f\ufb01\uff21\U0001f600\U0001f3fb"
         "\U0001d400\U000e0067\ue000\U0002b820\u2e5d\ud800\u061d\u0898")


@pytest.mark.parametrize("do_lower_case", [True, False])
@pytest.mark.parametrize("source", ["nasty", "exact", "all"])
def test_random_strings(write_vocab, do_lower_case, source):
    dice = random.Random(f"{source} {do_lower_case}")
    characters = {"nasty": list(NASTY), "exact": exact_characters(),
                  "all": [chr(code) for code in range(0x110000)]}[source]
    texts = ["".join(dice.choice(characters) if dice.random() < 0.7 else dice.choice(NASTY)
                     for _ in range(dice.randrange(30))) for _ in range(1500)]
    if source == "exact":
        texts = ["".join(filter(is_exact, text)) for text in texts]
    # Every character is a token, so that the ids show exactly what became of each of them.
    basic = upstream.tokenization().BasicTokenizer(do_lower_case)
    pieces = sorted({c for text in texts for word in basic.tokenize(text) for c in word
                     if not "\ud800" <= c <= "\udfff"})
    path = write_vocab(["[UNK]", "[CLS]", "[SEP]", *pieces, *(f"##{c}" for c in pieces)])
    tokenizer = Tokenizer(path, do_lower_case)
    if source == "exact":
        tokenizer._original = None
    assert tokenizer.encode(texts) == original_ids(path, do_lower_case, texts)


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
