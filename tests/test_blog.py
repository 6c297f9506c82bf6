"""The command line of the blog's notebook, as it stands: only the script and the labels differ."""

import re

import pytest

import run_classifier_custom
from tests import conftest

LABELS = ["0", "1", "2"]
TEXTS = ["The App crashes when I open a file", "Please add a new mode", "How do I use it ?",
         "Save button is broken", "Add support for the File option", "Why is it not new ?"]


@pytest.fixture(scope="module")
def blog(tmp_path_factory):
    """The folder the notebook was run in: data/ in CoLA's layout without a header, a model."""
    folder = tmp_path_factory.mktemp("blog")
    (folder / "data").mkdir()
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(conftest.TINY, "max_position_embeddings", 512)
        conftest.make_checkpoint(folder / "cased_L-12_H-768_A-12", cased=True)
    for name in ("train", "dev"):
        (folder / "data" / f"{name}.tsv").write_text("".join(
            f"{number}\t{LABELS[number % 3]}\ta\t{text}\n"
            for number, text in enumerate(TEXTS * 4)))
    (folder / "data" / "test.tsv").write_text("".join(
        f"{number + 100}\t{text}\n" for number, text in enumerate(TEXTS)))
    return folder


@pytest.fixture(scope="module")
def ran(blog):
    """The folder after the command, run in this process with its relative paths."""
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(blog)
        assert run_classifier_custom.main([
            "--task_name=cola", "--labels=0,1,2", "--do_train=true", "--do_eval=true",
            "--do_predict=true", "--data_dir=./data/",
            "--vocab_file=./cased_L-12_H-768_A-12/vocab.txt",
            "--bert_config_file=./cased_L-12_H-768_A-12/bert_config.json",
            "--init_checkpoint=./cased_L-12_H-768_A-12/bert_model.ckpt",
            "--max_seq_length=100", "--train_batch_size=8", "--learning_rate=1e-3",
            "--num_train_epochs=1.0", "--do_lower_case=False", "--output_dir=./bert_output/",
            "--save_checkpoints_steps=9999999"]) == 0
    return blog


def lines(path):
    return [line.split("\t") for line in path.read_text().splitlines()]


def test_every_row_is_predicted_the_first_included(ran):
    head, *rows = lines(ran / "bert_output" / "predictions.tsv")
    assert head == ["id", "prediction", "confidence", *LABELS]
    assert [row[0] for row in rows] == [str(number + 100) for number in range(len(TEXTS))]
    probabilities = lines(ran / "bert_output" / "test_results.tsv")
    assert [len(row) for row in probabilities] == [3] * len(TEXTS)


def test_the_whole_training_split_is_used(ran):
    said = (ran / "bert_output" / "run.log").read_text()
    assert re.search(r"train +24 rows: 0 8, 1 8, 2 8", said)
    assert re.search(r"dev +24 rows", said)
    found = dict(line.split(" = ") for line in
                 (ran / "bert_output" / "eval_results.txt").read_text().splitlines())
    assert found["global_step"] == "3"
    assert (ran / "bert_output" / "labels.txt").read_text().split() == LABELS


def test_the_first_line_that_is_no_header_is_told(ran):
    said = (ran / "bert_output" / "run.log").read_text()
    [notice] = [line for line in said.splitlines() if "read as data" in line]
    assert "./data/test.tsv:1: " in notice
    assert f'"{TEXTS[0]}"' in notice and '"sentence"' in notice and "--header=true" in notice


def test_capitals_reach_the_model(ran):
    from finetune import records

    words = (ran / "cased_L-12_H-768_A-12" / "vocab.txt").read_text().split()
    ids, _ = records.read(str(ran / "bert_output" / "predict.tf_record")).row(0)
    assert [words[token] for token in ids] == ["[CLS]", *TEXTS[0].split(), "[SEP]"]


def test_the_misspelt_flag_of_the_originals_readme_is_refused(blog, command):
    """The original ignores --do_lower and lower-cases for a cased model without a word."""
    done = command(
        "--task_name=cola", "--do_train=true", "--do_eval=true", "--data_dir=./data/",
        "--vocab_file=./cased_L-12_H-768_A-12/vocab.txt",
        "--bert_config_file=./cased_L-12_H-768_A-12/bert_config.json",
        "--init_checkpoint=./cased_L-12_H-768_A-12/bert_model.ckpt", "--max_seq_length=100",
        "--do_lower=False", "--output_dir=./refused/", cwd=blog)
    assert done.returncode == 2 and done.stdout == ""
    assert "--do_lower" in done.stderr and "--do_lower_case" in done.stderr
    assert "Traceback" not in done.stderr
    assert not (blog / "refused").exists()
