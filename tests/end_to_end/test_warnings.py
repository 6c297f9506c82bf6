"""What is said of a model that has learned nothing, and of one that has."""

import re

import pytest

import run_classifier_custom
from tests.end_to_end.conftest import ALL, IDS, ROWS, SMALL, results, table


@pytest.fixture(scope="module")
def destroyed(tiny, data, tmp_path_factory):
    """run.log of a run whose loss is 1.1 at first and above 25 in the end."""
    folder = tmp_path_factory.mktemp("destroyed") / "output"
    assert run_classifier_custom.main([
        f"--data_dir={data}", f"--init_checkpoint={tiny}", *SMALL, "--do_train", "--do_eval",
        "--num_train_epochs=10", "--learning_rate=5", f"--output_dir={folder}"]) == 0
    return (folder / "run.log").read_text()


def test_a_model_that_gives_one_answer_is_said_out_loud(destroyed):
    assert re.search(r"warning: all 15 dev rows were predicted '(bug|feature|question)': .*"
                     r"--learning_rate \(now 5;", destroyed)


def test_a_rate_that_made_the_loss_climb_is_said_out_loud(destroyed):
    """Most of the climb is in the first steps, as soon as the warm-up is over."""
    assert re.search(r"warning: .*\bloss\b.*--learning_rate=5\b.*try", destroyed)


def test_a_healthy_run_warns_of_nothing(run, tmp_path):
    """dev and test hold the rows of train, which it has learned: each gets its own label."""
    said = run(*ALL, "--train_batch_size=15", "--num_train_epochs=60", "--learning_rate=3e-3",
               f"--output_dir={tmp_path / 'out'}")
    assert "warning" not in said.lower()
    assert float(results(tmp_path / "out")["eval_accuracy"]) == 1
    predicted = [row[1] for row in table(tmp_path / "out" / "predictions.tsv")[1:]]
    assert predicted == [label for _, label in ROWS[:len(IDS)]]
