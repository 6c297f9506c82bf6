"""What training makes small: weights of labels and focal loss, against numpy and scikit-learn."""

import numpy as np
import pytest
import tensorflow as tf
from sklearn.utils.class_weight import compute_class_weight

from finetune import heads
from finetune.config import RunConfig
from finetune.errors import UserError
from finetune.training import loss as training_loss
from finetune.training.plan import find, read_class_weights
from finetune.training.schedules import Plan

LABELS = ["bug", "feature", "question"]
LABEL_IDS = np.array([0] * 6 + [1] * 3 + [2], np.int32)
LOGITS = np.random.default_rng(2).standard_normal((10, 3)).astype("f") * 2


def log_probabilities():
    shifted = LOGITS - LOGITS.max(1, keepdims=True)
    table = shifted - np.log(np.exp(shifted).sum(1, keepdims=True))
    return table[np.arange(10), LABEL_IDS].astype(np.float64)


def losses(plan=Plan(10, 0), **settings):  # noqa: B008
    function = training_loss.of(RunConfig(**settings), plan, LABEL_IDS)
    return function(tf.constant(LOGITS), tf.constant(LABEL_IDS)).numpy()


def test_without_a_flag_it_is_the_loss_itself():
    assert training_loss.of(RunConfig(), Plan(10, 0), LABEL_IDS) is heads.losses


def test_balanced_is_scikit_learn_s():
    weights = compute_class_weight("balanced", classes=np.arange(3), y=LABEL_IDS)
    np.testing.assert_allclose(weights, [10 / 18, 10 / 9, 10 / 3])
    np.testing.assert_allclose(losses(class_weights="balanced"),
                               -log_probabilities() * weights[LABEL_IDS], rtol=1e-5)


def test_a_label_without_a_row_does_not_count():
    config = RunConfig(class_weights="balanced")
    weights = training_loss.class_weights(config, Plan(10, 0), np.array([0, 0, 0, 2]))
    np.testing.assert_allclose(weights[[0, 2]], [4 / (2 * 3), 4 / 2])


def test_weights_of_a_file_are_scaled_to_a_mean_of_1():
    plan = Plan(10, 0, class_weights=(1.0, 2.0, 4.0))
    # mean (6 * 1 + 3 * 2 + 1 * 4) / 10 = 1.6
    expected = np.array([1.0, 2.0, 4.0])[LABEL_IDS] / 1.6
    assert expected.mean() == pytest.approx(1.0)
    np.testing.assert_allclose(losses(plan, class_weights="w.tsv"),
                               -log_probabilities() * expected, rtol=1e-5)


@pytest.mark.parametrize("gamma", [0.5, 1.0, 2.0])
def test_focal_loss_is_that_of_the_paper(gamma):
    logs = log_probabilities()
    np.testing.assert_allclose(losses(focal_gamma=gamma),
                               -(1.0 - np.exp(logs)) ** gamma * logs, rtol=1e-4)
    weighted = losses(focal_gamma=gamma, class_weights="balanced")
    np.testing.assert_allclose(weighted / losses(focal_gamma=gamma),
                               np.array([10 / 18, 10 / 9, 10 / 3])[LABEL_IDS], rtol=1e-5)


@pytest.mark.parametrize("gamma", [0.5, 2.0])
def test_a_row_that_is_certainly_right_has_a_gradient_of_0(gamma):
    entropy = tf.Variable([0.0, 1e-30, 1e-9, 1.0, 80.0])
    with tf.GradientTape() as tape:
        loss = training_loss.focal(entropy, gamma)
    slopes = tape.gradient(loss, entropy).numpy()
    assert np.isfinite(slopes).all() and np.abs(slopes[:3]).max() < 1e-3
    np.testing.assert_allclose([loss[0], loss[4]], [0.0, 80.0])


def test_focal_loss_works_on_sigmoids_too():
    scores, truth = tf.constant([[2.0, -1.0]]), tf.constant([[1.0, 1.0]])
    entropy = tf.nn.sigmoid_cross_entropy_with_logits(truth, scores)
    right = 1.0 / (1.0 + np.exp([[-2.0, 1.0]]))
    np.testing.assert_allclose(training_loss.focal(entropy, 2.0),
                               -(1.0 - right) ** 2 * np.log(right), rtol=1e-5)


@pytest.fixture
def written(tmp_path):
    """Writes a file of weights; returns its path."""
    def write(content):
        path = tmp_path / "weights.tsv"
        path.write_bytes(content.encode("utf-8") if isinstance(content, str) else content)
        return str(path)
    return write


@pytest.mark.parametrize("content", ["question\t2.5\nbug\t1\nfeature\t1e-1\n",
                                     "\ufeffquestion\t2.5\r\nbug\t1\r\nfeature\t0.1"])
def test_weights_come_in_the_order_of_the_labels(written, content):
    assert read_class_weights(written(content), LABELS) == (1.0, 0.1, 2.5)


@pytest.mark.parametrize(("content", "says"), [
    ("bug\t1\nfeature\t1\n", "--class_weights={}: has no weight for 'question'"),
    ("bug\t1\nfeature\t1\nbug\t2\nquestion\t1", "{}:3: 'bug' stands in line 1 already"),
    ("bug\t1\nfeature\t1\nother\t2\nquestion\t1", "{}:3: 'other' is not one of the labels, 'bug'"),
    ("bug\t1\nfeature 1\nfeature\t1\nquestion\t1", "{}:2: 'feature 1': must be a label, a tab"),
    ("bug\t1\nfeature\t0\nquestion\t1", "{}:2: the weight '0': must be a number from 1e-06 to"),
    ("bug\t1\nfeature\t1_0\nquestion\t1", "{}:2: the weight '1_0'"),
    ("bug\tnan\nfeature\t1\nquestion\t1", "{}:1: the weight 'nan'"),
    (b"bug\t1\xff\n", "--class_weights={}: cannot be read: line 1 holds the byte 0xff")])
def test_what_is_wrong_with_a_file(written, content, says):
    path = written(content)
    with pytest.raises(UserError) as caught:
        read_class_weights(path, LABELS)
    [problem] = caught.value.problems
    assert problem.startswith(says.format(path))


def problems_of(path, labels=LABELS):
    with pytest.raises(UserError) as caught:
        read_class_weights(path, labels)
    return [problem.removeprefix(f"{path}:") for problem in caught.value.problems]


@pytest.mark.parametrize("labels", [LABELS, None])  # None: the data are wrong themselves
def test_lines_of_another_form_are_told_once_with_the_form(written, labels):
    assert problems_of(written("bug,1\nfeature,1\nquestion,1\n"), labels) == [
        "1: 'bug,1': must be a label, a tab and its weight on each line, as \"bug<TAB>2.5\" (3 "
        "such lines)"]


def test_names_that_are_no_labels_are_told_once_and_not_as_labels_without_a_weight(written):
    assert problems_of(written("Bug\t1\nfeatures\t1\nquestion\t1\n")) == [
        "1: 'Bug' is not one of the labels, 'bug', 'feature', 'question' (2 such lines)"]


def test_a_file_that_is_not_there_may_be_the_word(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    [problem] = problems_of("balance")
    assert "as \"bug<TAB>2.5\"" in problem and problem.endswith("; did you mean balanced?")


@pytest.mark.parametrize(("settings", "labels", "says"), [
    ({"class_weights": "none.tsv"}, None, "--class_weights=none.tsv: cannot be read"),
    ({"class_weights": "none.tsv"}, LABELS, "--class_weights=none.tsv: cannot be read"),
    ({"class_weights": "balanced"}, ["score"], "--class_weights=balanced: goes with labels"),
    ({"focal_gamma": 2.0}, ["score"], "--focal_gamma=2.0: goes with labels"),
    ({"trainable_layers": 3}, LABELS, "--trainable_layers=3: the model of b.json has 2")])
def test_what_does_not_go_with_labels_or_model(tiny_config, settings, labels, says):
    problems = []
    config = RunConfig(do_train=True, output_dir="nowhere", bert_config_file="b.json", **settings)
    find(config, tiny_config, labels, {}, None, problems)
    [problem] = problems
    assert problem.startswith(says)
    find(RunConfig(do_eval=True, **settings), tiny_config, labels, {}, None, problems)
    assert len(problems) == 1  # they have no meaning without training


def test_the_plan_holds_the_weights(written, tiny_config):
    path, problems = written("question\t2.5\nbug\t1\nfeature\t3\n"), []
    config = RunConfig(do_train=True, output_dir="nowhere", class_weights=path)
    plan = find(config, tiny_config, LABELS, {"train": range(64)}, None, problems)
    assert not problems and plan.class_weights == (1.0, 3.0, 2.5) and plan.steps == 6
