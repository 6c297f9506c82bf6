"""What a regression writes and says; of classifiers the tests of runs and outputs tell."""

import numpy as np
import pytest

from finetune import evaluation, log
from finetune.config import RunConfig
from finetune.predictor import Predictions

TRUTH = np.array([1, 2, 3, 5], np.float32)
ANSWERS = np.array([[2], [1], [4], [3]], np.float32)


@pytest.fixture
def evaluate(tmp_path, capsys):
    """Returns (eval_results.txt, what TensorBoard gets, what was said) for scores."""
    def run(truth, answers):
        report = evaluation.of(["score"])
        predictions = Predictions(answers, (answers[:, 0] - truth) ** 2)
        scores = report.scores(truth, predictions)
        config = RunConfig(output_dir=str(tmp_path), eval_batch_size=3, learning_rate=1e-4)
        log.start()
        try:
            told = report.write_evaluation(config, truth, predictions, scores, 7)
        finally:
            log.stop()
        text = (tmp_path / "eval_results.txt").read_text()
        return text, told, capsys.readouterr().err.splitlines()
    return run


def test_results_of_a_regression(evaluate, tmp_path):
    text, told, said = evaluate(TRUTH, ANSWERS)
    # deviations -1.75 -.75 .25 2.25 and -.5 -1.5 1.5 .5; ranks 1 2 3 4 and 2 1 4 3
    assert text == ("eval_loss = 1.75\nglobal_step = 7\nloss = 2.5\n"
                    "pearson = 0.5291503\nspearman = 0.6\npearson_spearman = 0.5645751\n"
                    "mse = 1.75\nmae = 1.25\n")
    assert told["loss"] == told["mse"] == 1.75
    assert "eval_accuracy" not in told
    assert len(said) == 1
    assert said[0].startswith("dev at step 7: eval_loss 1.7500 loss 2.5000 pearson 0.5292 ")
    assert [path.name for path in tmp_path.iterdir()] == ["eval_results.txt"]  # no matrix


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize(("truth", "answers", "warning"), [
    (TRUTH, np.full((4, 1), 2.5, np.float32), "warning: all 4 dev rows were given the score 2.5: "
     "the correlations are given as 0. "),
    (np.full(4, 3, np.float32), ANSWERS, "warning: all 4 dev rows have the score 3: nothing "
     "correlates with it, "),
    (np.array([2], np.float32), np.array([[1]], np.float32), "warning: all 1 dev rows ")])
def test_no_correlation_is_told_and_no_nan(evaluate, truth, answers, warning):
    text, told, said = evaluate(truth, answers)
    assert told["pearson"] == told["spearman"] == told["pearson_spearman"] == 0
    assert "nan" not in text
    assert said[1].startswith(warning)


def test_predictions_of_a_regression(tmp_path):
    answers = np.array([[2.5], [-0.1], [1 / 3]], np.float32)
    evaluation.of(["score"]).write_predictions(str(tmp_path), ["7", "a\tb", "9"], answers)
    assert (tmp_path / "test_results.tsv").read_text() == "2.5\n-0.1\n0.33333334\n"
    assert (tmp_path / "predictions.tsv").read_text() == (
        "id\tprediction\n7\t2.500000\na\\tb\t-0.100000\n9\t0.333333\n")


def test_two_labels_or_more_are_a_classification():
    report = evaluation.of(["no", "yes"])
    predictions = Predictions(np.array([[0.25, 0.75], [0.75, 0.25]], np.float32),
                              np.array([0.5, 1.5], np.float32))
    assert report.scores(np.array([1, 1]), predictions) == pytest.approx({
        "accuracy": 0.5, "precision": 1, "recall": 0.5, "f1": 2 / 3, "f1_macro": 1 / 3, "mcc": 0,
        "loss": 1})
