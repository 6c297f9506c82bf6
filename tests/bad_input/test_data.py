"""What is wrong with files and labels, and what of it is accepted."""

import sys

import pytest

from tests.bad_input.conftest import LABELS, SMALL, only, replaced
from tests.csv_text import csv_text


@pytest.mark.parametrize("split", ["train", "dev"])
def test_unknown_label(refused, issues, split):
    path = replaced(issues / f"{split}.tsv", 7, b"x\tit crashes\tbugg")
    only(refused("--do_train", "--do_eval", LABELS), f"{path}:7: ", '"bugg"', '"bug"', '"feature"',
         '"question"')


def test_a_label_of_dev_that_train_does_not_have(refused, issues):
    path = replaced(issues / "dev.tsv", 3, b"x\tit crashes\tcrash")
    only(refused("--do_train", "--do_eval"), f"{path}:3: ", '"crash"', '"question"')


def test_labels_that_differ_from_the_tasks_own(refused, issues):
    for name in ("train", "dev"):
        (issues / f"{name}.tsv").write_text("x\t1\t\tit crashes\nx\t0\t\twhy ?\nx\t2\t\tadd\n")
    found = refused("--task_name=cola", "--do_train", "--do_eval")
    assert [f"{issues / name}.tsv:3: " in message for name, message in
            zip(("train", "dev"), found, strict=True)] == [True, True]
    assert all('"2"' in message and '"0", "1"' in message for message in found)


def test_blank_row(refused, issues):
    path = replaced(issues / "train.tsv", 4, b"")
    only(refused("--do_train"), f"{path}:4: blank line", "every line is one example")


def test_short_row(refused, issues):
    path = replaced(issues / "train.tsv", 16, b"x\tit crashes")
    only(refused("--do_train"), f"{path}:16: ", "label", "column 2", "only 2 columns")


def test_short_row_of_a_task(refused, issues):
    path = issues / "train.tsv"
    path.write_text("x\t1\t\tit crashes\nx\t0\t\twhy ?\nx\t1\n")
    only(refused("--task_name=cola", "--do_train"), f"{path}:3: ", "column 3", "only 2 columns")


def test_wrong_encoding(refused, issues):
    path = replaced(issues / "dev.tsv", 5, "x\tthe café crashes\tbug".encode("latin-1"))
    only(refused("--do_eval", "--do_train"), f"{path}:5: ", "0xe9", "utf-8", "caf", "--encoding")


def test_unknown_encoding(refused):
    only(refused("--do_train", "--encoding=klingon"), "--encoding=klingon", "utf-8")


def test_missing_file(refused, issues):
    (issues / "test.tsv").unlink()
    only(refused("--do_train", "--do_predict"), issues, "test.tsv", '"dev.tsv", "train.tsv"',
         "--test_file")


def test_missing_file_of_a_task(refused, issues):
    only(refused("--task_name=xnli", "--do_train"), issues / "multinli" / "multinli.train.zh.tsv",
         "no such file", "does not exist")


def test_missing_folder(refused, tmp_path):
    only(refused("--do_train", f"--data_dir={tmp_path / 'nowhere'}"),
         f"--data_dir={tmp_path / 'nowhere'}", "no such folder")


@pytest.mark.parametrize("task", [[], ["--task_name=mrpc"], ["--train_file=train.tsv"]])
def test_a_folder_of_a_like_name(refused, issues, task):
    typed = f"--data_dir={issues.parent / issues.name.replace('u', '', 1)}"
    assert refused("--do_train", "--do_eval", typed, *task) == [
        f"{typed}: there is no such folder; did you mean {issues}?"]


@pytest.mark.parametrize("task", [[], ["--task_name=mrpc"]])
def test_a_file_for_a_folder(refused, issues, task):
    path = issues / "train.tsv"
    only(refused("--do_train", "--do_eval", f"--data_dir={path}", *task),
         f"--data_dir={path}: is a file; give its folder, {issues}")


@pytest.mark.parametrize(("content", "flags", "told"), [
    ("", [], "is empty"), ("id\ttext\tlabel\n", [], "holds a header and no examples"),
    ("", ["--task_name=cola"], "is empty")])
@pytest.mark.parametrize("split", ["train", "dev", "test"])
def test_empty_split(refused, issues, content, flags, told, split):
    for name in ("train", "dev"):
        (issues / f"{name}.tsv").write_text("a\t0\t\tid\nb\t1\t\tlabel\n" if flags else
                                            "id\ttext\tlabel\na\tit crashes\tbug\nb\twhy\tno\n")
    (issues / f"{split}.tsv").write_text(content)
    only(refused(*flags, "--do_train", "--do_eval", "--do_predict", "--train_batch_size=1"),
         issues / f"{split}.tsv", told)


def test_duplicate_label_names(refused, tmp_path):
    only(refused("--do_train", "--labels=bug,feature,bug"), "--labels", "'bug'", "more than once")
    path = tmp_path / "labels"
    path.write_text("bug\nfeature\nquestion\nfeature\n")
    only(refused("--do_train", f"--labels_file={path}"), f"--labels_file={path}", "'feature'")


@pytest.mark.parametrize(("flag", "parts"), [
    ("--labels=bug", ["two labels or more", "bug"]),
    ("--labels=bug,,question", ["label 2 is empty"])])
def test_other_labels_that_cannot_serve(refused, flag, parts):
    only(refused("--do_train", flag), "--labels", *parts)


def test_labels_of_a_processor_that_are_the_same(refused, tmp_path, monkeypatch):
    (tmp_path / "twice_named.py").write_text(
        "from processors import Split, TsvProcessor\n"
        "class Twice(TsvProcessor):\n"
        "    name = 'twice'\n"
        "    labels = ('bug', 'feature', 'question', 'bug')\n"
        "    train = Split('train.tsv', text_a=1, label=2, header='text')\n")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    only(refused("--do_train", "--processor=twice_named:Twice"), "more than once", "'bug'")


def test_many_mistakes_in_one_file(refused, issues):
    path = replaced(issues / "train.tsv", 2, b"x\tit crashes")
    replaced(path, 5, b"")
    replaced(path, 9, b"x\tit crashes\tbugg")
    found = refused("--do_train", LABELS)
    assert [message.partition(": ")[0] for message in found] == [
        f"{path}:{line}" for line in (2, 5, 9)]


LONG = "crash " * 30000  # 180,000 characters; csv's limit is 131,072


def test_bom_nul_and_a_huge_field_are_accepted_in_csv(main, tiny, tmp_path):
    rows = [("text", "label"), (LONG, "bug"), ("it\0 crashes\0", "bug"), ("how ?", "question"),
            ("why ?", "question")]
    for split in ("train", "dev", "test"):
        (tmp_path / f"{split}.csv").write_text(csv_text(rows), encoding="utf-8-sig", newline="")
    status, said = main(f"--data_dir={tmp_path}", f"--init_checkpoint={tiny}", *SMALL,
                        "--train_batch_size=2", "--do_train", "--do_eval", "--do_predict",
                        f"--output_dir={tmp_path / 'out'}")
    assert status == 0, said
    assert "(25.0%) cut to 16" in said
    assert (tmp_path / "out" / "labels.txt").read_text() == "bug\nquestion\n"
    assert (tmp_path / "out" / "predictions.tsv").read_text().count("\n") == 5


def test_bom_nul_and_a_huge_field_are_accepted_in_tsv(main, tiny, tmp_path):
    for split in ("train", "dev"):
        (tmp_path / f"{split}.tsv").write_text(
            f"label\ttext\nbug\t{LONG}\nwhy\twhy\0 ?\n", encoding="utf-8-sig")
    status, said = main(f"--data_dir={tmp_path}", f"--init_checkpoint={tiny}", *SMALL,
                        "--train_batch_size=2", "--do_train", "--do_eval",
                        f"--output_dir={tmp_path / 'out'}")
    assert status == 0, said
    assert (tmp_path / "out" / "labels.txt").read_text() == "bug\nwhy\n"
