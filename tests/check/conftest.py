"""Clean data, and what the checks say of it once a defect is planted."""

import dataclasses
import types

import numpy as np
import pytest

from finetune.bert_config import BertConfig
from finetune.check import stage
from finetune.check.findings import Severity
from finetune.config import RunConfig
from finetune.tokenization import Tokenizer
from processors import InputExample
from tests.conftest import TINY, WORDS

LABELS = ["bug", "feature", "question"]
ROWS = {"train": 240, "dev": 150, "test": 150}


def clean():
    """Rows of three splits, all different, in no order, of lengths that tell nothing."""
    random, seen, splits = np.random.default_rng(7), set(), {}
    words = [word for word in WORDS if word.isalpha()]
    for split, count in ROWS.items():
        rows = splits[split] = []
        while len(rows) < count:
            text = " ".join(random.choice(words, random.integers(4, 9)))
            if text not in seen:
                seen.add(text)
                rows.append(InputExample(
                    f"{split}-{len(rows)}", text, None, LABELS[len(rows) % 3],
                    f"{split}{len(rows)}", f"{split}.tsv:{len(rows) + 2}"))
        for row, place in zip(list(rows), random.permutation(count), strict=True):
            rows[place] = dataclasses.replace(rows[place], label=row.label)
    for row in splits["test"]:
        row.label = None
    return splits


@pytest.fixture
def splits():
    """The clean rows, to be changed."""
    return clean()


@pytest.fixture
def scored(splits):
    """The same rows with scores from 0 to 5 for labels."""
    random = np.random.default_rng(3)
    for split in ("train", "dev"):
        for row in splits[split]:
            row.label = f"{random.uniform(0, 5):.2f}"
        splits[split][0].label, splits[split][1].label = "0", "5"
    return splits


@pytest.fixture(scope="session")
def tokenizers(tiny, tiny_cased):
    """The tokenizer of the uncased and of the cased vocabulary."""
    return {True: Tokenizer(tiny / "vocab.txt", True),
            False: Tokenizer(tiny_cased / "vocab.txt", False)}


@pytest.fixture
def look(tokenizers):
    """Looks at splits; keyword arguments are settings. Returns the result."""
    def run(splits, labels=LABELS, others=None, **settings):
        config = RunConfig(**{"max_seq_length": 16, "do_check": True, **settings})
        prepared = types.SimpleNamespace(
            config=config, labels=labels, examples=splits,
            tokenizer=tokenizers[config.do_lower_case],
            bert_config=BertConfig.from_dict({**TINY, "vocab_size": 60}, "tiny"))
        return stage.look(prepared, others or stage.Others({}, {}, {}))
    return run


def told(result, *severities):
    """Returns {(check, split): count} of what is not fine, or of the severities asked for."""
    wanted = severities or (Severity.PROBLEM, Severity.LOOK)
    found = [one for one in result.findings if one.severity in wanted]
    assert len({(one.check, one.split) for one in found}) == len(found)
    return {(one.check, one.split): one.count for one in found}


def finding(result, check, split=None):
    """Returns the one finding of a check."""
    [found] = [one for one in result.findings if one.check == check
               and split in (None, one.split)]
    return found
