"""Scores and thresholds by hand; the loss by its formula."""

import numpy as np
import pytest
import tensorflow as tf

from finetune import heads
from finetune.errors import UserError
from finetune.multilabel import report, scores, thresholds
from finetune.task_kind import Labels, TaskKind

TRUTH = np.array([[1, 0, 0], [1, 1, 0], [0, 0, 0], [0, 1, 0]], np.uint8)
PROBABILITIES = np.array([[.9, .2, .1], [.4, .8, .1], [.3, .6, .1], [.5, .7, .1]], np.float32)


def test_scores_by_hand():
    given = scores.chosen(PROBABILITIES)
    assert given.tolist() == [[True, False, False], [False, True, False], [False, True, False],
                              [True, True, False]]  # 0.5 is enough
    # right 1 2 0; rows that have it 2 2 0; rows given it 2 3 0
    assert scores.of_choice(TRUTH, given) == pytest.approx({
        "f1_micro": 2 * 3 / (4 + 5), "f1_macro": (1 / 2 + 4 / 5) / 2, "accuracy": 1 / 4})
    assert scores.per_label(TRUTH, given) == [
        {"precision": 1 / 2, "recall": 1 / 2, "f1": 1 / 2, "support": 2},
        {"precision": pytest.approx(2 / 3), "recall": 1, "f1": pytest.approx(4 / 5), "support": 2},
        {"precision": 0, "recall": 0, "f1": 0, "support": 0}]


def test_ranking_by_hand():
    # label 1: rows 0, 3, 1, 2 are right, wrong, right, wrong: (1 + 2/3) / 2; 3 of 4 pairs in order
    # label 2: rows 1, 3, 2, 0: both first; label 3 has no row and does not count
    assert scores.of_ranking(TRUTH, PROBABILITIES) == pytest.approx({
        "average_precision": ((1 + 2 / 3) / 2 + 1) / 2, "roc_auc": (3 / 4 + 1) / 2})


def test_scores_are_scikit_learns_where_every_label_occurs():
    from sklearn import metrics

    random = np.random.default_rng(0)
    truth, given = random.integers(0, 2, (40, 5)), random.integers(0, 2, (40, 5)).astype(bool)
    found = scores.of_choice(truth, given)
    assert found == pytest.approx({
        "f1_micro": metrics.f1_score(truth, given, average="micro"),
        "f1_macro": metrics.f1_score(truth, given, average="macro"),
        "accuracy": metrics.accuracy_score(truth, given)})


def test_nothing_there_and_nothing_said_is_0():
    nothing = np.zeros((2, 3), np.uint8)
    assert scores.of_choice(nothing, nothing.astype(bool)) == {
        "f1_micro": 0, "f1_macro": 0, "accuracy": 1}
    assert scores.of_ranking(nothing, np.zeros((2, 3), np.float32)) == {
        "average_precision": 0, "roc_auc": 0}


def test_thresholds_lie_midway_and_have_the_best_f1():
    # label 1: given to rows 0 alone 2/3, 0 and 3 1/2, 0 3 1 4/5: between .4 and .3
    # label 2: given to rows 1 and 3: F1 1, between .7 and .6; label 3: no row has it
    found = thresholds.fit(TRUTH, PROBABILITIES)
    assert found == pytest.approx([0.35, 0.65, 0.5])


@pytest.mark.parametrize(("truth", "scored", "expected"), [
    ([1, 1], [.2, .4], .1),  # all have it: below the lowest, midway to 0
    ([1, 0, 0], [.6, .6, .2], .4),  # equal probabilities are not parted
    ([1, 0, 1, 0, 0], [.9, .8, .8, .1, .1], .45),
    ([1, 0, 1], [.9, .6, .3], .15)])
def test_thresholds_at_the_edges(truth, scored, expected):
    found = thresholds.fit(np.array([truth]).T, np.array([scored], np.float32).T)
    assert found == pytest.approx([expected])


def test_thresholds_to_doubt():
    truth = np.zeros((100, 4), int)
    truth[:9, 0] = truth[:30, 1] = truth[:80, 2] = truth[:30, 3] = 1
    answers = np.stack([truth[:, 0], np.full(100, .2), np.full(100, .9), truth[:, 3] * .9], 1)
    few, wide = thresholds.doubts(truth, answers, ["rare", "wide", "usual", "good"],
                                  [.5, .1, .5, .5])
    assert few.startswith("thresholds fitted to fewer than 10 rows are chance: rare (9); --label_t")
    assert "for wide (from 0.10 on, 100 of 100 rows, 30 of them rightly): train" in wide
    assert list(thresholds.doubts(truth, answers, list("abcd"), [.5] * 4))[1:] == []


def test_no_other_threshold_is_better():
    random = np.random.default_rng(1)
    for _ in range(50):
        truth = random.integers(0, 2, (12, 1))
        truth[0] = 1
        probabilities = np.round(random.random((12, 1)), 1).astype(np.float32)
        best = max(scores.of_choice(truth, scores.chosen(probabilities, one))["f1_micro"]
                   for one in np.linspace(0, 1, 101))
        found = thresholds.fit(truth, probabilities)
        assert scores.of_choice(truth, scores.chosen(probabilities, found))["f1_micro"] == best


def test_the_loss_is_the_mean_binary_cross_entropy_over_the_labels():
    logits = np.array([[2.0, -1.0, 0.0], [40.0, -40.0, 3.0]], np.float32)
    truth = np.array([[1, 0, 1], [0, 1, 1]], np.float32)
    p = 1 / (1 + np.exp(-logits[:1].astype(np.float64)))
    expected = [np.mean(-truth[0] * np.log(p) - (1 - truth[0]) * np.log(1 - p)),
                (40 + 40 + np.log1p(np.exp(-3.0))) / 3]  # where 1 - p is 0 in float64
    np.testing.assert_allclose(heads.losses(tf.constant(logits), tf.constant(truth)), expected,
                               rtol=1e-6)
    np.testing.assert_allclose(heads.answers(tf.constant(logits[:1]), TaskKind.MULTILABEL), p,
                               rtol=1e-6)


def test_the_loss_is_that_of_torch():
    torch = pytest.importorskip("torch", reason="torch is not installed")
    random = np.random.default_rng(2)
    logits = random.normal(size=(7, 4)).astype(np.float32)
    truth = random.integers(0, 2, (7, 4)).astype(np.float32)
    theirs = torch.nn.BCEWithLogitsLoss()(torch.tensor(logits), torch.tensor(truth)).item()
    ours = tf.reduce_mean(heads.losses(tf.constant(logits), tf.constant(truth)))
    assert float(ours) == pytest.approx(theirs, rel=1e-6)


def test_the_focal_loss_is_taken_label_by_label():
    from finetune.config import RunConfig
    from finetune.training import loss as training_loss
    from finetune.training.schedules import Plan

    logits, truth = np.array([[2.0, -1.0]], np.float32), np.array([[1, 1]], np.float32)
    right = 1 / (1 + np.exp(-logits.astype(np.float64)))
    losses = training_loss.of(RunConfig(focal_gamma=2.0), Plan(10, 1), truth)
    np.testing.assert_allclose(losses(tf.constant(logits), tf.constant(truth)),
                               np.mean(-(1 - right) ** 2 * np.log(right), 1), rtol=1e-5)


def pooled(pooling):
    """Returns what becomes of a text of two windows and of one that is single."""
    from finetune.feature_table import FeatureTable
    from finetune.pooling import pooled
    from finetune.predictor import Predictions

    table = FeatureTable(np.zeros(6, np.int32), np.zeros(6, np.int32), np.arange(0, 8, 2),
                         np.array([[1, 0], [1, 0], [0, 1]], np.uint8), np.ones(3, bool),
                         windows=np.array([0, 1, 0]))
    given = Predictions(np.array([[.2, .9], [.6, .7], [.3, .4]], np.float32),
                        np.array([5, 6, 7], np.float32))
    return pooled(given, table, pooling)


@pytest.mark.parametrize(("pooling", "expected"), [("mean", [.4, .8]), ("max", [.6, .9])])
def test_windows_are_pooled_label_by_label(pooling, expected):
    found = pooled(pooling)
    np.testing.assert_allclose(found.probabilities, [expected, [.3, .4]], rtol=1e-6)
    a, b = expected
    np.testing.assert_allclose(found.losses, [-(np.log(a) + np.log(1 - b)) / 2, 7], rtol=1e-5)


def test_messages_do_not_grow_with_the_number_of_labels(tmp_path):
    labels = Labels((f"label {number}" for number in range(3000)), TaskKind.MULTILABEL)
    truth = np.zeros((2, 3000), np.uint8)
    truth[0, 0] = 1
    told = [*report._warnings(truth, np.full((2, 3000), .9, np.float32), labels, 3)]
    thresholds.write(tmp_path, labels[1:], [.5] * 2999, 2, 3)
    with pytest.raises(UserError) as error:
        thresholds.read(tmp_path, labels, 3)
    for message in (*told, str(error.value)):
        assert "label 7" in message and "in all)" in message and len(message) < 1000
    assert len(told) == 2
