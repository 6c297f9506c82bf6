"""What is kept of texts longer than the model's input, against a straightforward slow reference."""

import itertools

import numpy as np
import pytest

from finetune.feature_table import FeatureTable, offsets
from finetune.features import blocks, convert, count_sequences, decided_by
from finetune.options.long_texts import LongTexts
from finetune.pooling import pooled
from finetune.predictor import Predictions
from finetune.tokenization import Tokenizer
from finetune.windows import estimated, kept, layout
from tests.test_features import CLS, SEP, VOCAB, Example

LABELS = ["bug", "feature"]
ALL = [LongTexts(*kind) for kind in itertools.product(
    ("head", "tail", "head_tail"), (0, 1, 2, 3, 5), ("mean",), (1, 2, 3, 32))]


def cut(tokens, keep, truncation):
    """Returns which of the tokens are kept, the plain way."""
    if len(tokens) <= keep:
        return tokens
    head = {"head": keep, "tail": 0, "head_tail": round(0.25 * keep)}[truncation]
    return tokens[:head] + tokens[len(tokens) - (keep - head):]


def popped(a, b, room):
    """Returns the lengths that the original's _truncate_seq_pair leaves."""
    a, b = len(a), len(b)
    while a + b > room:
        if a > b:
            a -= 1
        else:
            b -= 1
    return a, b


def reference(a, b, longest, settings):
    """Returns the sequences of one example as lists of (tokens of a, tokens of b)."""
    room = longest - (3 if b else 2)
    kind = settings.truncation
    if not settings.window_stride:
        keep_a, keep_b = popped(a, b, room) if b else (room, 0)
        return [(cut(a, keep_a, kind), cut(b, keep_b, kind))]
    if len(a) + len(b) <= room:
        return [(a, b)]
    swapped = bool(b) and len(b) >= len(a)
    long, short = (b, a) if swapped else (a, b)
    short = cut(short, room // 2, kind)
    width = room - len(short)
    stride = min(settings.window_stride, width)
    long = cut(long, width + (settings.max_windows - 1) * stride, kind)
    starts = [0]
    while starts[-1] + width < len(long):
        starts.append(min(starts[-1] + stride, len(long) - width))
    windows = [long[start:start + width] for start in starts]
    return [(short, one) if swapped else (one, short) for one in windows]


@pytest.mark.parametrize("longest", [5, 6, 8, 13])
@pytest.mark.parametrize("settings", ALL, ids=str)
def test_layout_against_the_reference(settings, longest):
    pairs = [(a, b) for a in range(0, 25, 1) for b in (0, 1, 2, 3, 5, 8, 13, 24)]
    a, b = np.array(pairs).T
    made = layout(a, b, longest, settings)
    texts_a, texts_b = np.arange(a.sum()), np.arange(b.sum())
    expected = [(row, number, one_a, one_b) for row, (n_a, n_b, start_a, start_b) in enumerate(
        zip(a, b, offsets(a).tolist(), offsets(b).tolist(), strict=False))
        for number, (one_a, one_b) in enumerate(reference(
            list(range(start_a, start_a + n_a)), list(range(start_b, start_b + n_b)), longest,
            settings))]
    assert made.rows.tolist() == [row for row, *_ in expected]
    assert made.windows.tolist() == [number for _, number, *_ in expected]
    assert made.lengths_a.tolist() == [len(one) for *_, one, _ in expected]
    assert made.lengths_b.tolist() == [len(one) for *_, one in expected]
    assert texts_a[made.places_a].tolist() == [place for *_, one, _ in expected for place in one]
    assert texts_b[made.places_b].tolist() == [place for *_, one in expected for place in one]
    for row in range(len(pairs)):
        mine = [one for one in expected if one[0] == row]
        assert made.read[row] == len({place for one in mine for place in one[2]}) + len(
            {place for one in mine for place in one[3]})
        assert kept(a, b, longest, settings).tokens()[row] == sum(
            len(one[2]) + len(one[3]) + (3 if one[3] else 2) for one in mine)


def test_the_share_of_sun_et_al():
    made = layout(np.array([1000]), np.array([0]), 512, LongTexts("head_tail"))
    assert made.places_a.tolist() == [*range(128), *range(1000 - 382, 1000)]


@pytest.fixture
def tokenizer(tmp_path):
    path = tmp_path / "vocab.txt"
    path.write_text("\n".join(VOCAB) + "\n")
    return Tokenizer(path)


@pytest.mark.parametrize(("text_a", "text_b", "settings", "expected"), [
    ("a b c d a b c", None, LongTexts("tail"), [[CLS, 5, 6, 7, 4, 5, 6, SEP]]),
    ("a b c d a b d", None, LongTexts("head_tail"), [[CLS, 4, 5, 7, 4, 5, 7, SEP]]),
    ("a b c d", "d c b a", LongTexts("tail"), [[CLS, 5, 6, 7, SEP, 5, 4, SEP]]),
    ("a b", "c", LongTexts("tail", 3), [[CLS, 4, 5, SEP, 6, SEP]]),
    # 6 tokens fit; the last window ends with the text.
    ("a b c d a b c", None, LongTexts("head", 3), [[CLS, 4, 5, 6, 7, 4, 5, SEP],
                                                   [CLS, 5, 6, 7, 4, 5, 6, SEP]]),
    # 5 places: a keeps two, b is read in windows of three.
    ("a b c", "a b c d", LongTexts("head", 3), [[CLS, 4, 5, SEP, 4, 5, 6, SEP],
                                                [CLS, 4, 5, SEP, 5, 6, 7, SEP]]),
    # Two windows hold seven tokens: the first of the eight is cut.
    ("c a a a a a a b", None, LongTexts("tail", 1, "mean", 2), [[CLS, 4, 4, 4, 4, 4, 4, SEP],
                                                                [CLS, 4, 4, 4, 4, 4, 5, SEP]])])
def test_golden_ids(tokenizer, text_a, text_b, settings, expected):
    [block] = blocks([Example("1", text_a, text_b)], LABELS, 8, tokenizer, long_texts=settings)
    assert [row.input_ids for row in block.rows()] == expected
    second = [ids.index(SEP) + 1 if text_b else len(ids) for ids in expected]
    assert [row.segment_ids for row in block.rows()] == [
        [0] * start + [1] * (len(ids) - start) for ids, start in zip(expected, second, strict=True)]


def rows(*lengths):
    return [Example(str(n), " ".join("abcd"[place % 4] for place in range(length)),
                    label=LABELS[n % 2]) for n, length in enumerate(lengths)]


def test_a_table_knows_its_examples(tokenizer):
    settings = LongTexts("head", 3, "mean", 3)
    table = FeatureTable.from_blocks(blocks(rows(2, 7, 40, 6), LABELS, 8, tokenizer,
                                            long_texts=settings))
    assert table.windows.tolist() == [0, 0, 1, 0, 1, 2, 0]
    assert table.label_ids.tolist() == [0, 1, 1, 0, 0, 0, 1]
    assert table.example_labels().tolist() == [0, 1, 0, 1]
    assert table.examples_of(np.array([0, 2, 3, 5, 6])).tolist() == [0, 1, 2, 2, 3]
    assert (table.summary.count, table.summary.max, table.summary.truncated) == (4, 42, 1)
    assert count_sequences(rows(2, 7, 40, 6), 8, tokenizer, settings) == 7
    assert count_sequences(rows(2, 7, 40, 6), 8, tokenizer, LongTexts("tail")) == 4


def test_what_decides_features(tokenizer):
    def decided(*settings):
        return decided_by(LABELS, 8, tokenizer, LongTexts(*settings))

    different = [decided(), decided("tail"), decided("head_tail"), decided("head", 3),
                 decided("head", 4), decided("head", 3, "mean", 8), decided("tail", 3)]
    assert all(one != other for one, other in itertools.combinations(different, 2))
    assert decided("head", 3) == decided("head", 3, "max")  # pooling comes after the features
    assert decided() == decided("head", 0, "mean", 8) == decided_by(LABELS, 8, tokenizer)
    assert "truncation" not in decided()  # features of earlier versions are used again


def test_head_is_the_default(tokenizer):
    some = [Example(str(n), "a b c d " * n, "b c " * (n % 3)) for n in range(20)]
    assert list(convert(some, LABELS, 12, tokenizer)) == list(
        convert(some, LABELS, 12, tokenizer, long_texts=LongTexts("head")))


def table_of(counts, labels):
    windows = np.concatenate([np.arange(count) for count in counts])
    repeated = np.repeat(labels, counts, axis=0)
    return FeatureTable(np.zeros(0, np.int32), np.zeros(0, np.int32), offsets(0 * windows),
                        repeated, np.ones(len(windows), bool), windows=windows)


def test_pooled_probabilities_by_hand():
    table = table_of([1, 3, 2], np.array([0, 1, 0], np.int32))
    given = Predictions(np.array([[0.7, 0.3], [0.9, 0.1], [0.2, 0.8], [0.4, 0.6], [0.5, 0.5],
                                  [0.1, 0.9]], np.float32), np.arange(6, dtype=np.float32))
    mean = pooled(given, table, "mean")
    np.testing.assert_allclose(mean.probabilities, [[0.7, 0.3], [0.5, 0.5], [0.3, 0.7]], rtol=1e-6)
    np.testing.assert_allclose(mean.losses, [0, -np.log(0.5), -np.log(0.3)], rtol=1e-6)
    best = pooled(given, table, "max")
    np.testing.assert_allclose(best.probabilities, [
        [0.7, 0.3], [0.9 / 1.7, 0.8 / 1.7], [0.5 / 1.4, 0.9 / 1.4]], rtol=1e-6)
    np.testing.assert_allclose(best.losses, [0, -np.log(0.8 / 1.7), -np.log(0.5 / 1.4)], rtol=1e-6)
    for made in (mean, best):  # a single window keeps its bits
        assert made.probabilities.dtype == made.losses.dtype == np.float32
        np.testing.assert_array_equal(made.probabilities[0], given.probabilities[0])
    sure = Predictions(np.array([[1, 0]] * 6, np.float32), np.zeros(6, np.float32))
    assert np.isfinite(pooled(sure, table, "mean").losses).all()


def test_pooled_scores_by_hand():
    table = table_of([2, 1], np.array([2.5, 7], np.float32))
    given = Predictions(np.array([[1], [3], [4]], np.float32), np.array([9, 9, 8], np.float32))
    assert pooled(given, table, "mean").probabilities.tolist() == [[2], [4]]
    assert pooled(given, table, "mean").losses.tolist() == [0.25, 8]
    assert pooled(given, table, "max").probabilities.tolist() == [[3], [4]]
    assert pooled(given, table, "max").losses.tolist() == [0.25, 8]


def test_pooled_labels_of_a_multi_label_model_by_hand():
    table = table_of([2, 1], np.array([[1, 0], [0, 0]], np.uint8))
    given = Predictions(np.array([[0.5, 0.25], [0.75, 0.75], [0.5, 0.5]], np.float32),
                        np.array([9, 9, 8], np.float32))
    mean, best = pooled(given, table, "mean"), pooled(given, table, "max")
    np.testing.assert_allclose(mean.probabilities, [[0.625, 0.5], [0.5, 0.5]])
    np.testing.assert_allclose(mean.losses, [-(np.log(0.625) + np.log(0.5)) / 2, 8], rtol=1e-6)
    np.testing.assert_allclose(best.probabilities, [[0.75, 0.75], [0.5, 0.5]])
    np.testing.assert_allclose(best.losses, [-(np.log(0.75) + np.log(0.25)) / 2, 8], rtol=1e-6)


def test_without_windows_nothing_is_touched(make_table):
    given = Predictions(np.zeros((2, 2), np.float32), np.zeros(2, np.float32))
    assert pooled(given, make_table(3, 4), "mean") is given


@pytest.mark.parametrize(("characters", "settings", "windows"), [
    (10 ** 6, LongTexts(), 1), (0, LongTexts("head", 64), 1), (504, LongTexts("head", 64), 1),
    (508, LongTexts("head", 64), 2), (504 + 4 * 64, LongTexts("head", 64), 2),
    (504 + 4 * 65, LongTexts("head", 64), 3), (10 ** 6, LongTexts("head", 64), 32)])
def test_windows_by_characters(characters, settings, windows):
    assert estimated(characters, 128, settings) == windows
