"""Features against the original's `convert_single_example`, on thousands of random examples."""

import random

import pytest

from finetune import upstream
from finetune.features import convert
from finetune.tokenization import Tokenizer

LABELS = ["bug", "feature", "question"]
WORDS = ["the", "cat", "un", "##want", "##ed", "run", "##n", "##ing", "café", "cafe", "The", "Ü",
         ",", ".", "[", "]", "mask", "博", "推", "é", "##é", "##e", "e", "a", "##a",
         "ß", "и", "##и"]
VOCAB = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *WORDS]
FRAGMENTS = ["the", "The", "cat", "unwanted", "running", "café", "cafe\u0301", "Ünwanted",
             "[MASK]", "[SEP]", "博推", "ß", "Ии", "ΑΣ", "\ue000", "\ud800", "\u00a0", "\u2028",
             "\u200b", " ", "  ", "\t", "\n", ",", "...", "e" * 30, "a" * 201, "\u0000", "\ufffd",
             "-the-"]


@pytest.fixture(scope="module")
def vocab_file(tmp_path_factory):
    path = tmp_path_factory.mktemp("vocab") / "vocab.txt"
    path.write_text("\n".join(VOCAB) + "\n", encoding="utf-8")
    return str(path)


def random_text(dice, most):
    return "".join(dice.choice(FRAGMENTS) + dice.choice(["", " "])
                   for _ in range(dice.randrange(most)))


@pytest.mark.parametrize("do_lower_case", [True, False])
@pytest.mark.parametrize("max_seq_length", [3, 4, 5, 9, 64])
def test_convert_single_example(vocab_file, do_lower_case, max_seq_length):
    original = upstream.run_classifier()
    full = upstream.full_tokenizer(vocab_file, do_lower_case)
    dice = random.Random(max_seq_length)
    examples = [
        original.InputExample(guid=str(i), text_a=random_text(dice, 25),
                              text_b=dice.choice([None, "", random_text(dice, 25)]),
                              label=dice.choice(LABELS))
        for i in range(500)]
    ours = convert(examples, LABELS, max_seq_length, Tokenizer(vocab_file, do_lower_case))
    for example, features in zip(examples, ours, strict=True):
        theirs = original.convert_single_example(10, example, LABELS, max_seq_length, full)
        length = sum(theirs.input_mask)
        assert features.input_ids == theirs.input_ids[:length]
        assert features.segment_ids == theirs.segment_ids[:length]
        assert features.label_id == theirs.label_id
        assert len(features.input_ids) <= min(features.tokens_before, max_seq_length)
