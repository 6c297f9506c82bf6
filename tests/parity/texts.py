"""Texts to compare on, and what the original's and our tokens, features and examples differ in.

    tokenizers = Pair("vocab.txt", do_lower_case=True)
    token_differences(tokenizers, around(0x3A3))     # [] or [Difference(text, ours, theirs), ...]

Used by the tests here on a sample, and by tests/parity/everything.py on everything.
"""

import random
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from finetune import upstream
from finetune.features import convert
from finetune.tokenization import Tokenizer

CODE_POINTS = 0x110000
# Where the Rust tokenizer, asked for these texts as Hugging Face sets it up, answers otherwise
# than FullTokenizer, or where one might fear so. The tests show each of them to be met.
KNOWN = {
    "private use": ["\ue000", "a\ue000b", "\U000f0000 a", "a\U00100000"],
    "ideographs 2B820 to 2B91F": ["\U0002b820\U0002b821", "a\U0002b91fb"],
    "newer marks (Mn)": ["a\u0898b", "e\u1ac1", "a\U00010efd", "a\u0cbc"],
    "newer punctuation (Po)": ["a\u2e53b", "a\U00011b00b", "a\u061db", "a\u2e5d"],
    "newer format characters (Cf)": ["a\u0890b", "a\U00013430b", "\u08e2a"],
    "final sigma": ["ΑΣ", "ΑΣ ΑΣΑ", "ΟΔΥΣΣΕΥΣ", "Σ", "ΑΣ.", "Α\u0301Σ\u0301"],
    "words of more than 100 characters": ["a" * 100, "a" * 101, "a" * 200, "a" * 201,
                                          "\u00e1" * 150, "b" + "a" * 199 + "."],
    "special tokens in the text": ["[CLS]", "[SEP] a", "a[MASK]b", "[PAD]", "[UNK]", "[unused1]",
                                   "[ MASK ]", "[mask]", "##a", "a ##b"],
    "control characters": ["a\x01b", "a\x7fb", "a\x85b", "a\x0bb", "a\x0cb", "\x1c\x1d a\x1eb"],
    "NUL": ["\x00", "a\x00b", "a \x00 b"],
    "U+FFFD": ["\ufffd", "a\ufffdb"],
    "line separators": ["a\u2028b", "a\u2029b", "a\nb", "a\r\nb", "\u2028"],
    "surrogates": ["\ud800", "a\udfffb", "\ud83d\ude00"],
    "blanks": ["a\u00a0b", "a\u3000b", "a\u1680b", "a\u200bb", "a\u200db", "\ufeffa", "a\u2060b"],
    "capitals that grow or have no pair": ["İstanbul", "ẞ", "ǅ", "ŉ", "Ꭰ", "\u1c80", "Ⅷ", "ΐ"],
    "composed and decomposed": ["é", "e\u0301", "한", "ㅎ", "が", "か\u3099", "a\u0327\u0301",
                                "ﬁ", "Å", "\u0344", "\u0958", "\U0001d15e"],
    "emoji": ["😀", "a😀b", "👍🏽", "👨\u200d👩\u200d👧", "🇩🇪", "❤\ufe0f", "1\u20e3"],
    "bytes": [b"caf\xc3\xa9", b"caf\xe9 a", b""],
    "nothing": ["", " ", "\t\n"],
}
ORDINARY = ["the", "The", "quick", "running", "unaffable", "naïve", "Zürich", "Москва", "北京",
            "東京タワー", "서울", "ελλάδα", "עברית", "العربية", "हिन्दी", "ไทย", "it's", "U.S.A.",
            "$3.50", "e-mail", "http://example.org/a_b?c=1", "1,000", "...", "?!", "—", "“quoted”"]


class Difference(NamedTuple):
    """A text, an example or a row for which the two sides do not agree."""

    what: str
    ours: Any
    theirs: Any


class Pair:
    """Our tokenizer and the original's, of one vocabulary."""

    def __init__(self, vocab_file: str, do_lower_case: bool):
        self.ours = Tokenizer(vocab_file, do_lower_case)
        self.theirs = upstream.full_tokenizer(vocab_file, do_lower_case)


def around(code: int) -> list[str]:
    """A character alone, within a word and at its end."""
    return [chr(code), f"a{chr(code)}b", f"a{chr(code)}"]


def known() -> list[str | bytes]:
    """Every text of KNOWN."""
    return [text for texts in KNOWN.values() for text in texts]


def some_text(dice: random.Random, most: int = 12) -> str:
    """A random text: ordinary words, everything of KNOWN, and any characters at all."""
    parts = []
    for _ in range(dice.randrange(most)):
        kind = dice.random()
        if kind < 0.5:
            part = dice.choice(ORDINARY)
        elif kind < 0.75:
            part = dice.choice(dice.choice(list(KNOWN.values())))
            part = part.decode("latin1") if isinstance(part, bytes) else part
        else:
            plane = dice.choice((0x250, 0x3000, 0x10000, 0x20000, CODE_POINTS))
            part = "".join(chr(dice.randrange(plane)) for _ in range(dice.randrange(1, 6)))
        parts.append(part + dice.choice(("", " ", " ")))
    return "".join(parts)


def token_differences(pair: Pair, texts: Sequence[str | bytes]) -> list[Difference]:
    """Compares ids with `full.convert_tokens_to_ids(full.tokenize(text))`."""
    found = []
    for text, ours in zip(texts, pair.ours.encode(texts), strict=True):
        theirs = pair.theirs.convert_tokens_to_ids(pair.theirs.tokenize(text))
        if ours != theirs:
            found.append(Difference(ascii(text), ours, theirs))
    return found


def feature_differences(pair: Pair, examples: Sequence[Any], labels: Sequence[str],
                        max_seq_length: int) -> list[Difference]:
    """Compares features with the original's `convert_single_example`, its padding included."""
    original, found = upstream.run_classifier(), []
    for example, mine in zip(examples, convert(examples, labels, max_seq_length, pair.ours),
                             strict=True):
        their = original.convert_single_example(10, example, labels, max_seq_length, pair.theirs)
        padding = [0] * (max_seq_length - len(mine.input_ids))
        ours = (mine.input_ids + padding, [1] * len(mine.input_ids) + padding,
                mine.segment_ids + padding, mine.label_id)
        theirs = (their.input_ids, their.input_mask, their.segment_ids, their.label_id)
        if ours != theirs:
            found.append(Difference(f"example {example.guid}: {ascii(example.text_a)}, "
                                    f"{ascii(example.text_b)}", ours, theirs))
    return found


def random_examples(count: int, seed: int) -> Iterator[Any]:
    """Yields the original's InputExamples of random texts, two in five of them pairs."""
    dice, example = random.Random(seed), upstream.run_classifier().InputExample
    for number in range(count):
        second = dice.choice([None, None, "", some_text(dice), some_text(dice)])
        yield example(f"{seed}-{number}", some_text(dice), second, dice.choice("xyz"))


def example_differences(ours: Any, theirs: Any, split: str, data_dir: str) -> tuple[
        int, list[Difference]]:
    """Compares the examples of two processors: guid, texts and label, in their order.

    In a test split the original invents a label, where ours has None.

    Returns:
        How many examples the original has, and the differences.
    """
    found = []
    labelled = split != "test"
    mine, their = ([(each.guid, each.text_a, each.text_b, each.label if labelled else None)
                    for each in getattr(processor, f"get_{split}_examples")(data_dir)]
                   for processor in (ours, theirs))
    if ours.get_labels() != theirs.get_labels():
        found.append(Difference("labels", ours.get_labels(), theirs.get_labels()))
    if len(mine) != len(their):
        found.append(Difference(f"{split}: number of examples", len(mine), len(their)))
    found += [Difference(f"{split}: example {number}", one, other)
              for number, (one, other) in enumerate(zip(mine, their, strict=False))
              if one != other]
    return len(their), found
