"""A task whose --data_dir is the folder of another."""

import pytest

from processors import get
from processors.base import Split, TsvProcessor
from processors.layouts import owners

ROWS = 30
FILES = {  # train.tsv of each task: header, then a row made of its number
    "cola": ("", lambda n: f"gj04\t{n % 2}\t\tsentence {n}"),
    "mrpc": ("Quality\t#1 ID\t#2 ID\t#1 String\t#2 String",
             lambda n: f"{n % 2}\t70{n}\t71{n}\tone {n}\tother {n}"),
    "rte": ("index\tsentence1\tsentence2\tlabel",
            lambda n: f"{n}\tone {n}\tother {n}\t{'not_' * (n % 2)}entailment"),
    "qnli": ("index\tquestion\tsentence\tlabel",
             lambda n: f"{n}\tone {n}\tother {n}\t{'not_' * (n % 2)}entailment"),
    "wnli": ("index\tsentence1\tsentence2\tlabel", lambda n: f"{n}\tone {n}\tother {n}\t{n % 2}"),
    "sst-2": ("sentence\tlabel", lambda n: f"sentence {n}\t{n % 2}"),
    "sts-b": ("index\tgenre\tfilename\tyear\told_index\tsource1\tsource2\tsentence1\tsentence2\t"
              "score", lambda n: f"{n}\tnews\tf\t2012\t7\tnone\tnone\tone {n}\tother {n}\t{n / 9}"),
    "qqp": ("id\tqid1\tqid2\tquestion1\tquestion2\tis_duplicate",
            lambda n: f"{n}\t1{n}\t2{n}\tone {n}?\tother {n}?\t{n % 2}")}


def content(task):
    header, row = FILES[task]
    return "".join(f"{line}\n" for line in [*([header] if header else []),
                                            *map(row, range(ROWS))])


@pytest.mark.parametrize("asked", FILES)
@pytest.mark.parametrize("there", FILES)
def test_the_folder_of_another_task_is_told_in_one_message(write, problems, asked, there):
    folder = write("train.tsv", content(there))
    if asked == there:
        assert len(get(asked)().get_train_examples(folder)) == ROWS
        return
    [found] = problems(get(asked)().get_train_examples, folder)
    assert found.startswith(f"train.tsv:1: is not laid out as train.tsv of the task {asked}: ")
    assert f"It looks like train.tsv of {there}: give --task_name={there}" in found
    assert "--header=true" not in found


def test_the_message_names_what_is_there_and_what_is_expected(write, problems):
    folder = write("train.tsv", content("mrpc"))
    assert problems(get("cola")().get_train_examples, folder) == [
        'train.tsv:1: is not laid out as train.tsv of the task cola: this line has 5 columns, '
        '"Quality", "#1 ID", "#2 ID", "#1 String", "#2 String". cola has the text in column 3, '
        'the label ("0", "1") in column 1 (the first is 0), and no header. It looks like '
        "train.tsv of mrpc: give --task_name=mrpc, or another --data_dir"]
    folder = write("train.tsv", content("rte"))
    [found] = problems(get("wnli")().get_train_examples, folder)
    assert '"label", and line 2 has "entailment" for a label. wnli has' in found


def test_a_file_that_would_be_read_without_an_error_but_is_of_another_task(write, problems):
    folder = write("train.tsv", content("cola"))  # its sources would be read as sentences
    [found] = problems(get("sst-2")().get_train_examples, folder)
    assert "It looks like train.tsv of cola" in found
    assert "--header" not in found  # four columns: not sst-2's, with or without a header
    folder = write("test.tsv", "index\t#1 ID\t#2 ID\t#1 String\t#2 String\n0\t8\t9\tA.\tB.\n")
    [found] = problems(get("cola")().get_test_examples, folder)
    assert "It looks like test.tsv of mrpc" in found


def test_a_file_of_nobody_names_the_way_for_own_files(write, problems):
    folder = write("train.tsv", "".join(f"{n},crash on start,bug\n" for n in range(ROWS)))
    assert problems(get("rte")().get_train_examples, folder) == [
        'train.tsv:1: is not laid out as train.tsv of the task rte: this line has 1 column, '
        '"0,crash on start,bug". rte has the text in column 1, the second text in column 2, the '
        'label ("entailment", "not_entailment") in column 3 (the first is 0), and a header with '
        '"sentence1" in column 1. Columns are separated by tabs. Files of your own are read '
        "without --task_name, by --text_column and --label_column"]


def test_a_few_bad_rows_are_told_row_by_row(write, problems):
    lines = content("rte").splitlines()
    lines[3], lines[20] = lines[3] + "s", "19\tone"
    found = problems(get("rte")().get_train_examples,
                     write("train.tsv", "".join(f"{line}\n" for line in lines)))
    assert [each.split(": ")[0] for each in found] == ["train.tsv:4", "train.tsv:21"]


def test_other_labels_in_the_tasks_own_layout_are_told_as_labels(write, problems):
    text = content("rte").replace("not_entailment", "no").replace("entailment", "yes")
    found = problems(get("rte")().get_train_examples, write("train.tsv", text))
    assert len(found) == 2 and all("other labels are set by --labels" in each for each in found)


def test_a_header_without_rows_belongs_to_nobody():
    class Own(TsvProcessor):
        name, labels = "own", ("a", "b")
        train = Split("train.tsv", text_a=0, label=1, header="sentence")

    assert owners([(1, ["sentence", "label"]), (2, ["one", "0"])], "train.tsv", but=Own.name) == [
        "sst-2"]
    assert owners([(1, ["sentence", "label"])], "train.tsv", but=Own.name) == []  # no row
