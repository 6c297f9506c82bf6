import dataclasses
from types import SimpleNamespace

import numpy as np
import pytest

from finetune.errors import UserError
from finetune.feature_table import InputFeatures
from finetune.features import CHUNK, blocks, convert, decided_by
from finetune.tokenization import Tokenizer
from finetune.windows import pair_lengths, ranges

#          0        1        2        3      4    5    6    7    8
VOCAB = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "a", "b", "c", "d", "##d"]
CLS, SEP = 2, 3


@dataclasses.dataclass
class Example:
    guid: str
    text_a: str
    text_b: str | None = None
    label: str | None = "bug"
    source: str | None = None


@pytest.fixture
def tokenizer(tmp_path):
    path = tmp_path / "vocab.txt"
    path.write_text("\n".join(VOCAB) + "\n")
    return Tokenizer(path)


def one(tokenizer, text_a, text_b=None, max_seq_length=8, **more):
    [features] = convert([Example("1", text_a, text_b, **more)], ["bug", "feature"],
                         max_seq_length, tokenizer)
    return features


@pytest.mark.parametrize(("text_a", "text_b", "ids", "segments", "before"), [
    ("a b", None, [CLS, 4, 5, SEP], [0] * 4, 4),
    ("a b", "", [CLS, 4, 5, SEP], [0] * 4, 4),
    ("a b", " \n", [CLS, 4, 5, SEP], [0] * 4, 4),
    ("", None, [CLS, SEP], [0] * 2, 2),
    ("", "a", [CLS, SEP, 4, SEP], [0, 0, 1, 1], 4),
    ("Ad x", "c", [CLS, 4, 8, 1, SEP, 6, SEP], [0] * 5 + [1] * 2, 7),
    ("a b c d a b", None, [CLS, 4, 5, 6, 7, 4, 5, SEP], [0] * 8, 8),
    ("a b c d a b c", None, [CLS, 4, 5, 6, 7, 4, 5, SEP], [0] * 8, 9),
    # 5 places for the pair: the longer side gives first, b gives when both are as long.
    ("a b c d", "a b c d", [CLS, 4, 5, 6, SEP, 4, 5, SEP], [0] * 5 + [1] * 3, 11),
    ("a b c d", "a", [CLS, 4, 5, 6, 7, SEP, 4, SEP], [0] * 6 + [1] * 2, 8),
    ("a", "a b c d a b", [CLS, 4, SEP, 4, 5, 6, 7, SEP], [0] * 3 + [1] * 5, 10),
])
def test_golden_ids(tokenizer, text_a, text_b, ids, segments, before):
    assert one(tokenizer, text_a, text_b) == InputFeatures(ids, segments, 0, before)


def test_shortest_max_seq_length(tokenizer):
    assert one(tokenizer, "a b", "c", 3) == InputFeatures([CLS, SEP], [0, 0], 0, 6)
    assert one(tokenizer, "a b", "c", 4) == InputFeatures([CLS, 4, SEP], [0, 0, 0], 0, 6)
    assert one(tokenizer, "a", "b c", 5) == InputFeatures(
        [CLS, 4, SEP, 5, SEP], [0, 0, 0, 1, 1], 0, 6)
    with pytest.raises(ValueError, match="max_seq_length is 2"):
        convert([], ["bug"], 2, tokenizer)


def test_pair_lengths_as_the_original_pops():
    for a in range(12):
        for b in range(12):
            for room in range(24):
                keep_a, keep_b = a, b
                while keep_a + keep_b > room:
                    if keep_a > keep_b:
                        keep_a -= 1
                    else:
                        keep_b -= 1
                assert pair_lengths(a, b, room) == (keep_a, keep_b)


@pytest.mark.parametrize(("label", "labels", "label_id"), [
    ("feature", ["bug", "feature"], 1), (1, ["0", "1"], 1), ("1", [0, 1], 1), ("", ["", "x"], 0),
])
def test_labels(tokenizer, label, labels, label_id):
    [features] = convert([Example("1", "a", label=label)], labels, 8, tokenizer)
    assert features.label_id == label_id


def test_all_label_problems_at_once_before_any_work(tokenizer):
    examples = [Example("train-1", "a", label="bug"),
                Example("train-2", "a", label="Bug", source="data/train.tsv:3"),
                SimpleNamespace(guid="train-3", text_a="a", text_b=None, label=None),
                Example("train-4", None, text_b=3.5, label="")]
    with pytest.raises(UserError) as error:
        convert(examples, ["bug", "feature"], 8, None)
    assert error.value.problems == (
        "example train-4: text_a is None; it has to be a string.",
        "example train-4: text_b is 3.5; it has to be a string or None.",
        'data/train.tsv:3: label "Bug" is not one of "bug", "feature"',
        'example train-3: has no label; must be one of "bug", "feature" (2 such rows)')


def test_many_problems_are_counted(tokenizer):
    with pytest.raises(UserError) as error:
        convert([Example(str(i), "a", label=str(i // 2)) for i in range(3000)], ["y", "z"], 8,
                tokenizer)
    assert len(error.value.problems) == 21
    assert error.value.problems[0] == 'example 0: label "0" is not one of "y", "z" (2 such rows)'
    assert error.value.problems[-1] == "... and 1,480 more"


def label_ids(tokenizer, given, labels=("bug", "feature")):
    examples = [Example(str(i), "a", label=label) for i, label in enumerate(given)]
    return [features.label_id for features in
            convert(examples, labels, 8, tokenizer, require_labels=False)]


def test_rows_to_predict_need_no_label(tokenizer):
    assert label_ids(tokenizer, [None, "feature", ""]) == [None, 1, None]
    assert label_ids(tokenizer, ["0", "0"]) == [None, None]  # the original's placeholder
    assert label_ids(tokenizer, ["bug", "bug"]) == [0, 0]
    assert label_ids(tokenizer, []) == []
    for given in (["0", "bug"], ["0", None], ["0", "1"]):
        with pytest.raises(UserError, match='label "0" is not one of'):
            label_ids(tokenizer, given)


def test_streams_in_chunks_and_in_order(tokenizer):
    examples = [Example(str(i), " ".join("abcd"[i % 4] * (i % 5))) for i in range(2 * CHUNK + 1)]
    done = []
    stream = convert(examples, ["bug", "feature"], 128, tokenizer, done.append)
    assert done == []
    first = next(stream)
    features = [first, *stream]
    assert done == [CHUNK, 2 * CHUNK, 2 * CHUNK + 1]
    assert [item.input_ids for item in features] == [
        [CLS, *[4 + i % 4] * (i % 5), SEP] for i in range(len(examples))]


def test_blocks(tokenizer):
    rows = [Example("1", "a b", "c"), Example("2", ""), Example("3", "d", label="feature")]
    [block] = blocks(rows, ["bug", "feature"], 8, tokenizer)
    assert len(block) == 3
    assert block.input_ids.tolist() == [CLS, 4, 5, SEP, 6, SEP, CLS, SEP, CLS, 7, SEP]
    assert block.segment_ids.tolist() == [0] * 4 + [1] * 2 + [0] * 5
    assert block.lengths.tolist() == [6, 2, 3]
    assert block.label_ids == [0, 0, 1]
    assert block.tokens_before.tolist() == [6, 2, 3]


def test_examples_need_not_be_a_list(tokenizer):
    class Again:
        def __iter__(self):
            return (Example(str(i), "a") for i in range(CHUNK + 1))

    assert [len(block) for block in blocks(Again(), ["bug", "x"], 8, tokenizer)] == [CHUNK, 1]


def test_what_decides_features(tokenizer, monkeypatch):
    made = [decided_by(["bug", "x"], 8, tokenizer), decided_by(["x", "bug"], 8, tokenizer),
            decided_by(["bug", "x"], 9, tokenizer)]
    assert made[0] == decided_by(("bug", "x"), 8, tokenizer)
    monkeypatch.setattr("finetune.features.CODE_VERSION", -1)  # other code
    made.append(decided_by(["bug", "x"], 8, tokenizer))
    monkeypatch.setattr("unicodedata.unidata_version", "99.0")  # another Python
    made.append(decided_by(["bug", "x"], 8, tokenizer))
    assert all(made.count(one) == 1 for one in made)


def test_ranges():
    assert ranges(np.array([10, 5, 20]), np.array([2, 0, 3])).tolist() == [10, 11, 20, 21, 22]


# --- a regression: labels are numbers --------------------------------------------------------


def scores(tokenizer, given, require_labels=True):
    examples = [Example(str(i), "a", label=label) for i, label in enumerate(given)]
    return [features.label_id for features in
            convert(examples, ["score"], 8, tokenizer, require_labels=require_labels)]


def test_scores(tokenizer):
    assert scores(tokenizer, ["3.8", 2.5, 4, "-1e-2"]) == [3.8, 2.5, 4.0, -0.01]


def test_of_many_unknown_labels_those_are_worded_that_are_shown(tokenizer, monkeypatch):
    worded = []
    monkeypatch.setattr("finetune.features._spelled",
                        lambda label: worded.append(label) or f'"{label}"')
    examples = [Example(str(i), "a", label=f"x{i}") for i in range(3000)]
    with pytest.raises(UserError) as error:
        convert(examples, ["bug", "feature"], 8, tokenizer)
    assert worded == [f"x{i}" for i in range(20)]
    assert error.value.problems[19:] == (
        'example 19: label "x19" is not one of "bug", "feature"', "... and 2,980 more")


def test_scores_that_are_none(tokenizer):
    with pytest.raises(UserError) as error:
        scores(tokenizer, ["1", "nan", None, "high", "high", float("inf")])
    assert list(error.value.problems) == [
        'example 1: label "nan" is not a finite number',
        "example 2: has no label; must be a finite number",
        'example 3: label "high" is not a finite number (2 such rows)',
        "example 5: label inf is not a finite number"]


def test_rows_to_predict_need_no_score(tokenizer):
    assert scores(tokenizer, ["1", None, "2"], require_labels=False) == [1.0, None, 2.0]
    assert scores(tokenizer, [None, None], require_labels=False) == [None, None]
    assert scores(tokenizer, ["x", "x"], require_labels=False) == [None, None]  # a placeholder
