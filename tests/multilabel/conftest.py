"""A small multi-label data set, and a run trained on it."""

import pytest

from tests.conftest import TEXTS

LABELS = ["bug", "feature", "question"]
# Every second row is of one label, the others of two or none.
ROWS = [(texts[number], label) for number in range(5) for label, texts in TEXTS.items()] + [
    (f"{TEXTS['bug'][number]} . {TEXTS['question'][number]}", "question, bug")
    for number in range(5)] + [("the page", ""), ("a file with it", "")]


def write_rows(path, header, rows):
    path.write_text("\n".join("\t".join(row) for row in [header, *rows]) + "\n", encoding="utf-8")


@pytest.fixture(scope="session")
def many(tmp_path_factory):
    """Folder with train.tsv, dev.tsv, test.tsv: id, text, label; 22, 22 and 5 rows."""
    folder = tmp_path_factory.mktemp("many")
    for name in ("train", "dev"):
        write_rows(folder / f"{name}.tsv", ("id", "text", "label"),
                   [(f"{name}{number}", *row) for number, row in enumerate(ROWS)])
    write_rows(folder / "test.tsv", ("id", "text"),
               [(f"t{number}", ROWS[number][0]) for number in (0, 1, 2, 16, 20)])
    return folder


def flags(many, tiny, *more):
    return [f"--data_dir={many}", f"--init_checkpoint={tiny}", "--task_type=multilabel",
            "--train_batch_size=6", "--max_seq_length=24", "--learning_rate=2e-3", *more]


@pytest.fixture(scope="session")
def trained(many, tiny, tmp_path_factory):
    """Folder of a multi-label run of 60 steps: trained, checked, evaluated, predicted."""
    import run_classifier_custom

    out = tmp_path_factory.mktemp("multilabel") / "out"
    assert run_classifier_custom.main(flags(
        many, tiny, "--do_train", "--do_eval", "--do_predict", "--do_check", "--baseline",
        "--num_train_epochs=50", "--eval_every_steps=60", f"--output_dir={out}")) == 0
    return out
