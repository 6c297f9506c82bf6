"""Runs of the whole command on a tiny checkpoint, and what tests ask of their folders."""

import re
import shutil

import pytest
import tensorflow as tf

import run_classifier_custom
from tests.conftest import TEXTS

LABELS = ["question", "bug", "feature"]
ROWS = [(text, label) for row in zip(*TEXTS.values(), strict=True)
        for text, label in zip(row, TEXTS, strict=True)]
# Neither in order nor of one length, so that sorting them anywhere would show.
IDS = ["17", "a-2", "3", "17b", "z", "0", "#9"]
ALL = ["--do_train", "--do_eval", "--do_predict"]
SMALL = ["--max_seq_length=16", "--train_batch_size=5", "--learning_rate=1e-3"]


def write_rows(path, *rows):
    """Writes tab-separated rows."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join("\t".join(row) + "\n" for row in rows), encoding="utf-8")


@pytest.fixture(scope="session")
def data(tmp_path_factory):
    """train.tsv, dev.tsv with 15 rows each, test.tsv with 7 rows and no labels."""
    folder = tmp_path_factory.mktemp("data")
    for name in ("train", "dev"):
        write_rows(folder / f"{name}.tsv", ("id", "text", "label"),
                   *((f"{name}{number}", *row) for number, row in enumerate(ROWS)))
    write_rows(folder / "test.tsv", ("id", "text"),
               *((row_id, text) for row_id, (text, _) in zip(IDS, ROWS, strict=False)))
    return folder


@pytest.fixture(scope="session")
def trained(tiny, data, tmp_path_factory):
    """(output folder, command line) of a run of 2 epochs; tests copy it before they change it."""
    folder = tmp_path_factory.mktemp("trained") / "output"
    arguments = [f"--data_dir={data}", f"--init_checkpoint={tiny}", f"--labels={','.join(LABELS)}",
                 *ALL, *SMALL, "--num_train_epochs=2", f"--output_dir={folder}"]
    assert run_classifier_custom.main(arguments) == 0
    return folder, arguments


@pytest.fixture
def run(main, tiny, data):
    """Runs the command on `data` and `tiny` (later flags win); it has to succeed.

    Returns:
        A function: flags -> standard error.
    """
    def succeed(*arguments):
        status, said = main(f"--data_dir={data}", f"--init_checkpoint={tiny}", *SMALL, *arguments)
        assert status == 0, said
        return said
    return succeed


@pytest.fixture
def copied(trained, tmp_path):
    """A copy of the trained folder, to be changed."""
    return shutil.copytree(trained[0], tmp_path / "copied")


def names(folder):
    """Returns the paths of all files below a folder, event files without their time and host."""
    found = (str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())
    return sorted(re.sub(r"(events\.out\.tfevents)\..*", r"\1", name) for name in found)


def table(path):
    """Returns the cells of a TSV file."""
    return [line.split("\t") for line in path.read_text(encoding="utf-8").split("\n")[:-1]]


def results(folder):
    """Returns eval_results.txt as a dictionary in its order."""
    lines = (folder / "eval_results.txt").read_text().splitlines()
    return dict(line.split(" = ") for line in lines)


def tensors(folder):
    """Returns the bytes of every variable of the newest checkpoint, by name."""
    reader = tf.train.load_checkpoint(str(folder))
    return {name: reader.get_tensor(name).tobytes()
            for name in reader.get_variable_to_shape_map()}
