"""Rows dealt to folds, and the splits of a fold."""

from collections import Counter
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from finetune.members.deal import deal, same_text, strata
from finetune.members.fold_processor import FoldProcessor, Rows


def example(text, label="bug", second=None):
    return SimpleNamespace(guid=text, text_a=text, text_b=second, label=label)


rows_and_folds = st.integers(2, 6).flatmap(lambda folds: st.tuples(
    st.just(folds), st.lists(st.tuples(st.integers(0, 30), st.integers(0, 3)), min_size=folds)))


@settings(max_examples=200, deadline=None)
@given(rows_and_folds, st.integers(0, 9))
def test_folds_partition_the_rows_and_one_text_lies_in_one(given_rows, seed):
    folds, rows = given_rows
    first = same_text([example(f"text {text}") for text, _ in rows])
    if len(set(first.tolist())) < folds:
        return
    dealt = deal(first, np.array([label for _, label in rows]), folds, seed)
    assert set(dealt.tolist()) == set(range(folds))  # every row has one, and none is empty
    of_text = {}
    for (text, _), fold in zip(rows, dealt.tolist(), strict=True):
        assert of_text.setdefault(text, fold) == fold
    processors = [FoldProcessor(None, list(enumerate(rows)), dealt, fold) for fold in range(folds)]
    held_out = sorted(row for one in processors for row in one.get_dev_examples(""))
    assert held_out == list(enumerate(rows))
    for one in processors:
        assert sorted(one.get_train_examples("") + one.get_dev_examples("")) == held_out


@settings(max_examples=200, deadline=None)
@given(st.integers(2, 6), st.lists(st.integers(0, 3), min_size=6), st.integers(0, 9))
def test_labels_are_alike_in_all_folds(folds, labels, seed):
    dealt = deal(np.arange(len(labels)), np.array(labels), folds, seed)
    assert np.ptp(np.bincount(dealt, minlength=folds)) <= 1
    for label in set(labels):
        own = dealt[np.array(labels) == label]
        assert np.ptp(np.bincount(own, minlength=folds)) <= 1


def test_the_seed_decides():
    first, stratum = np.arange(60), np.arange(60) % 3
    one, other = deal(first, stratum, 5, 42), deal(first, stratum, 5, 43)
    assert (one == deal(first, stratum, 5, 42)).all() and (one != other).any()


def test_a_lot_of_one_text_is_evened_out_by_the_others():
    first = np.array([0] * 6 + list(range(6, 18)))
    assert np.bincount(deal(first, np.zeros(18, int), 3, 1)).tolist() == [6, 6, 6]


def test_the_same_text():
    rows = [example("It crashes!"), example("it  crashes"), example("it crashes", second="now"),
            example(":-)"), example("!!!"), example("it crashes", "feature", "Now."),
            example(b"IT CRASHES")]
    assert same_text(rows).tolist() == [0, 0, 2, 3, 4, 2, 0]


def test_scores_are_dealt_by_tenths():
    scores = np.random.default_rng(1).permutation(100) / 7
    rows = [example(str(number), str(score)) for number, score in enumerate(scores)]
    tenths = strata(rows, ["score"])
    assert Counter(tenths.tolist()) == dict.fromkeys(range(10), 10)
    assert (tenths == np.argsort(np.argsort(scores)) // 10).all()
    dealt = deal(np.arange(100), tenths, 5, 42)
    assert np.ptp([scores[dealt == fold].mean() for fold in range(5)]) < 1.0


def test_labels_of_any_type_are_strata():
    assert strata([example("a", 1), example("b", "1"), example("c", "0")], ["0", "1"]
                  ).tolist() == [0, 0, 1]


class Streamed:
    """A sequence that counts how often it is gone through."""

    def __init__(self, rows):
        self.rows, self.passes = rows, 0

    def __len__(self):
        return len(self.rows)

    def __iter__(self):
        self.passes += 1
        return iter(self.rows)

    def __getitem__(self, place):
        return self.rows[place]


def test_rows_of_a_big_file_are_not_kept():
    everything = Streamed([example(str(number)) for number in range(10)])
    processor = FoldProcessor(None, everything, np.arange(10) % 3, 1)
    train, dev = processor.get_train_examples(""), processor.get_dev_examples("")
    assert isinstance(train, Rows) and isinstance(dev, Rows) and everything.passes == 0
    assert [row.guid for row in dev] == ["1", "4", "7"] and everything.passes == 1
    assert [row.guid for row in train] == ["0", "2", "3", "5", "6", "8", "9"]
    assert (len(train), train[1].guid, [row.guid for row in train[-2:]]) == (7, "2", ["8", "9"])
    assert dev[:1][0].guid == "1" and dev[-1].guid == "7"
    with pytest.raises(IndexError):
        dev[3]


def test_all_else_is_the_wrapped_processors():
    inner = SimpleNamespace(
        get_labels=lambda: ["0", "1"], get_test_examples=lambda folder: [folder],
        task_type="regression", notices=["n"], metrics=("mcc",),
        data_files=lambda folder: {"train": "t.tsv", "dev": "d.tsv", "test": "e.tsv"})
    one = FoldProcessor(inner, [1, 2], np.array([0, 1]), 0)
    assert (one.get_labels(), one.get_test_examples("x")) == (["0", "1"], ["x"])
    assert (one.task_type, one.notices, one.metrics) == ("regression", ["n"], ("mcc",))
    assert one.data_files("") == {"train": "t.tsv", "dev": "t.tsv", "test": "e.tsv"}
    bare = FoldProcessor(SimpleNamespace(), [1, 2], np.array([0, 1]), 0)
    assert bare.data_files("") == {} and not hasattr(bare, "notices")
