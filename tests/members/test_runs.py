"""--kfold and --ensemble as a user runs them, on the tiny checkpoint, in this process."""


import numpy as np
import pytest

from finetune import Predictor
from tests.conftest import TEXTS
from tests.end_to_end.conftest import results, table, write_rows

SMALL = ["--max_seq_length=16", "--train_batch_size=5", "--learning_rate=1e-3",
         "--num_train_epochs=1"]
ROWS = [(f"r{number}", text, label) for number, (label, text) in enumerate(
    (label, text) for label, texts in TEXTS.items() for text in texts)]
ROWS.insert(7, ("double", "IT crashes!", "bug"))
TEST = [("a", "it crashes"), ("b", "how can i use it ?"), ("c", "please add"), ("d", "file")]


def flags(tiny, data, *more):
    return [f"--data_dir={data}", f"--init_checkpoint={tiny}", *SMALL, *more]


def numbers(path):
    return np.array([[np.float32(cell) for cell in line] for line in table(path)], np.float32)


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    folder = tmp_path_factory.mktemp("data")
    write_rows(folder / "train.tsv", ("id", "text", "label"), *ROWS)
    write_rows(folder / "dev.tsv", ("id", "text", "label"), *ROWS[:9])
    write_rows(folder / "test.tsv", ("id", "text"), *TEST)
    return folder


@pytest.fixture(scope="module")
def made(tiny, data, tmp_path_factory):
    """Folders of --kfold=3 and --ensemble=2, and their command lines."""
    import run_classifier_custom

    found = {}
    for name, asked in (("kfold", ["--kfold=3", "--do_train", "--do_predict"]),
                        ("ensemble", ["--ensemble=2", "--do_train", "--do_eval", "--do_predict"])):
        folder = tmp_path_factory.mktemp(name) / "out"
        arguments = flags(tiny, data, *asked, f"--output_dir={folder}")
        assert run_classifier_custom.main(arguments) == 0
        found[name] = folder, arguments
    return found


def test_every_row_is_answered_once_by_the_model_that_has_not_seen_it(made):
    folder, _ = made["kfold"]
    header, *lines = table(folder / "out_of_fold.tsv")
    assert header == ["id", "label", "fold", "prediction", "confidence", "bug", "feature",
                      "question"]
    assert [(line[0], line[1]) for line in lines] == [(row[0], row[2]) for row in ROWS]
    folds = {line[0]: line[2] for line in lines}
    assert folds["double"] == folds["r3"]  # "it crashes"
    for fold in "123":
        own = [(line, row) for line, row in zip(lines, ROWS, strict=True) if line[2] == fold]
        told = Predictor(folder / f"fold-{fold}").answers([row[1] for _, row in own])
        assert [line[5:] for line, _ in own] == [[f"{value:.6f}" for value in row] for row in told]
        assert int(sum(float(value) for key, value in results(folder / f"fold-{fold}").items()
                       if key.startswith("support"))) == len(own)
