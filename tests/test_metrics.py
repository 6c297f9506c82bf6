"""Scores against numbers worked out by hand."""

import math

import numpy as np
import pytest

from finetune import metrics
from finetune.task_kind import SCORE

# Seven rows of the labels a, b, c. Rows of the matrix are the truth, columns the predictions.
TRUTH, PREDICTED = np.array([0, 0, 0, 1, 1, 2, 2]), np.array([0, 0, 1, 0, 1, 1, 2])
MATRIX = [[2, 1, 0],
          [1, 1, 0],
          [0, 1, 1]]
PER_CLASS = [{"precision": 2 / 3, "recall": 2 / 3, "f1": 2 / 3, "support": 3},
             {"precision": 1 / 3, "recall": 1 / 2, "f1": 2 / 5, "support": 2},
             {"precision": 1 / 1, "recall": 1 / 2, "f1": 2 / 3, "support": 2}]
ZEROS = {"precision": 0, "recall": 0, "f1": 0, "support": 0}


def ids(text):
    """"aab" -> [0, 0, 1]"""
    return np.array([ord(letter) - ord("a") for letter in text])


def test_scores_of_three_labels():
    # mcc = (correct N - sum t p) / sqrt((N^2 - sum p^2) (N^2 - sum t^2)), t = 3 2 2, p = 3 3 1
    assert metrics.classification(TRUTH, PREDICTED, "abc") == pytest.approx({
        "accuracy": 4 / 7, "f1_macro": (2 / 3 + 2 / 5 + 2 / 3) / 3,
        "mcc": (4 * 7 - 17) / math.sqrt((49 - 19) * (49 - 17))})


def test_two_labels_are_also_scored_by_the_second():
    # 3 right of b, 1 a taken for b, 2 b taken for a, 2 right of a
    truth, predicted = ids("bbbabbaa"), ids("bbbbaaaa")
    assert metrics.classification(truth, predicted, ["no", "yes"]) == pytest.approx({
        "accuracy": 5 / 8, "precision": 3 / 4, "recall": 3 / 5, "f1": 2 / 3,
        "f1_macro": (2 / 3 + 4 / 7) / 2, "mcc": (3 * 2 - 1 * 2) / math.sqrt(4 * 5 * 3 * 4)})


@pytest.mark.parametrize(("truth", "predicted", "accuracy", "f1_macro", "mcc"), [
    ("abcabc", "abcabc", 1, 1, 1),
    ("aabc", "aaaa", 1 / 2, (2 / 3 + 0 + 0) / 3, 0),  # one label for everything
    ("abab", "baba", 0, 0, -1),
    ("aabb", "aabb", 1, 1, 1),  # c does not occur and does not count
    ("aabb", "aabc", 3 / 4, (1 + 2 / 3 + 0) / 3, 6 / math.sqrt(10 * 8)),
    ("aaa", "aaa", 1, 1, 0),  # scikit-learn warns the user
    ("aaa", "bbb", 0, 0, 0)])
@pytest.mark.filterwarnings("error")
def test_scores_where_a_label_is_missing_or_never_predicted(truth, predicted, accuracy, f1_macro,
                                                            mcc):
    assert metrics.classification(ids(truth), ids(predicted), "abc") == pytest.approx(
        {"accuracy": accuracy, "f1_macro": f1_macro, "mcc": mcc})


def test_scores_are_plain_numbers():
    assert {type(score) for score in metrics.classification(TRUTH, PREDICTED, "abc").values()} == {
        float}


def test_scores_label_by_label():
    found = metrics.per_class(TRUTH, PREDICTED, "abc")
    assert [pytest.approx(one) for one in found] == PER_CLASS
    assert all(type(one["support"]) is int for one in found)


@pytest.mark.filterwarnings("error")
def test_a_label_that_never_occurs_has_its_place_in_every_table():
    assert [pytest.approx(one) for one in metrics.per_class(TRUTH + 1, PREDICTED + 1, "xabcy")] == [
        ZEROS, *PER_CLASS, ZEROS]
    padded = np.pad(MATRIX, 1).tolist()
    assert metrics.confusion_matrix(TRUTH + 1, PREDICTED + 1, 5).tolist() == padded


def test_rows_of_the_confusion_matrix_are_the_truth():
    assert metrics.confusion_matrix(TRUTH, PREDICTED, 3).tolist() == MATRIX


@pytest.mark.parametrize(("batch_size", "loss"), [
    (2, (1.5 + 3.5 + 8) / 3),  # the last batch has one row
    (3, (2 + 6) / 2), (5, 3.6), (8, 3.6), (1, 3.6)])
def test_the_original_s_loss_is_the_mean_of_its_batches_means(batch_size, loss):
    losses = np.array([1, 2, 3, 4, 8], np.float32)
    found = metrics.original(ids("aabba"), ids("aabbb"), losses, batch_size)
    assert found == pytest.approx({"eval_accuracy": 0.8, "eval_loss": 3.6, "loss": loss})
    assert {type(number) for number in found.values()} == {np.float32}  # printed as it prints


def test_losses_are_summed_without_losing_the_small_ones():
    losses = np.array([2.0 ** 24, *[1.0] * 4], np.float32)  # 2**24 + 1 is no float32
    found = metrics.original(ids("aaaaa"), ids("aaaaa"), losses, 5)
    assert found["eval_loss"] == found["loss"] == np.float32((2 ** 24 + 4) / 5)


@pytest.mark.parametrize(("num_labels", "expected"), [
    (2, {"accuracy", "f1_macro", "mcc", "loss", "precision", "recall", "f1"}),
    (3, {"accuracy", "f1_macro", "mcc", "loss"})])
def test_every_score_can_decide_which_checkpoint_is_best(num_labels, expected):
    scores = metrics.classification(ids("ab"), ids("ba"), "abc"[:num_labels])
    assert set(metrics.names("abc"[:num_labels])) == expected == {*scores, "loss"}


# --- regression ------------------------------------------------------------------------------


def test_scores_of_a_regression_by_hand():
    truth, predicted = np.array([1, 2, 3, 6], np.float32), np.array([1, 3, 2, 4], np.float32)
    # deviations -2 -1 0 3 and -1.5 .5 -.5 1.5; ranks 1 2 3 4 and 1 3 2 4
    pearson = (3 - 0.5 + 0 + 4.5) / math.sqrt(14 * 5)
    spearman = 1 - 6 * (0 + 1 + 1 + 0) / (4 * 15)
    found = metrics.regression(truth, predicted)
    assert found == pytest.approx({
        "pearson": pearson, "spearman": spearman, "pearson_spearman": (pearson + spearman) / 2,
        "mse": (0 + 1 + 1 + 4) / 4, "mae": (0 + 1 + 1 + 2) / 4})
    assert {type(value) for value in found.values()} == {float}


def test_ties_share_their_rank():
    found = metrics.regression(np.array([1.0, 1.0, 2.0]), np.array([1.0, 2.0, 3.0]))
    assert found["spearman"] == pytest.approx(math.sqrt(3) / 2)  # ranks 1.5 1.5 3 and 1 2 3


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize(("truth", "predicted"), [
    ([1, 2, 3], [2, 2, 2]), ([2, 2, 2], [1, 2, 3]), ([2, 2], [2, 2]), ([1], [3])])
def test_what_does_not_vary_has_the_correlation_0(truth, predicted):
    found = metrics.regression(np.array(truth, np.float32), np.array(predicted, np.float32))
    assert found["pearson"] == found["spearman"] == found["pearson_spearman"] == 0
    assert found["mae"] == np.mean(np.abs(np.subtract(truth, predicted)))


def test_every_score_of_a_regression_can_decide_too():
    scores = metrics.regression(np.array([1.0, 2.0]), np.array([1.0, 2.0]))
    assert set(metrics.names([SCORE])) == {*scores, "loss"}
    assert metrics.names([SCORE])[0] == "pearson_spearman"
    assert set(metrics.LOWER_IS_BETTER) == {"mse", "mae", "loss"}


def test_the_original_s_losses_alone():
    assert metrics.original_losses(np.array([1, 2, 6], np.float32), 2) == {
        "eval_loss": 3.0, "loss": np.float32((1.5 + 6) / 2)}


@pytest.mark.parametrize(("values", "expected"), [
    ([0.5, 0.6, 0.7], 0.1), ([0.5], math.nan), ([0.5, math.nan], math.nan),
    ([math.inf, 0.5], math.nan)])
def test_the_deviation_of_several_models(values, expected):
    assert metrics.deviation(values) == pytest.approx(expected, nan_ok=True)
