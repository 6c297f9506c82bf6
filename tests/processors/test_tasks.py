"""The shipped tasks, one golden row of every official layout."""

import pytest

from processors import DataError, get


def rows(examples):
    return [(each.guid, each.text_a, each.text_b, each.label, each.row_id) for each in examples]


def test_cola(write):
    folder = write("train.tsv", 'gj04\t1\t\tHe said "so".\ngj04\t0\t*\tSaid he so.\n')
    write("dev.tsv", "gj04\t1\t\tThe sailors rode the breeze.\n")
    write("test.tsv", "index\tsentence\n0\tBill whistled past the house.\n")
    cola = get("CoLA")()
    assert cola.get_labels() == ["0", "1"]
    assert rows(cola.get_train_examples(folder)) == [
        ("train-0", 'He said "so".', None, "1", None), ("train-1", "Said he so.", None, "0", None)]
    assert rows(cola.get_dev_examples(folder)) == [
        ("dev-0", "The sailors rode the breeze.", None, "1", None)]
    assert rows(cola.get_test_examples(folder)) == [
        ("test-1", "Bill whistled past the house.", None, None, "0")]
    assert cola.notices == []
    assert set(cola.data_files(folder)) == {"train", "dev", "test"}


def test_cola_layout_of_the_blog_post_with_three_labels_and_no_header_anywhere(write):
    folder = write("train.tsv", "0\t2\ta\thow to log in\n1\t0\ta\tcrash on start\n")
    write("dev.tsv", "5\t1\ta\tadd dark mode\n")
    write("test.tsv", "0\tcannot open file\n1\twish: sorting\n")
    cola = get("cola")(labels=("0", "1", "2"))
    assert rows(cola.get_train_examples(folder)) == [
        ("train-0", "how to log in", None, "2", None),
        ("train-1", "crash on start", None, "0", None)]
    assert rows(cola.get_dev_examples(folder)) == [("dev-0", "add dark mode", None, "1", None)]
    assert rows(cola.get_test_examples(folder)) == [
        ("test-0", "cannot open file", None, None, "0"),
        ("test-1", "wish: sorting", None, None, "1")]
    assert cola.notices == [
        f'{folder}/test.tsv:1: read as data: column 1 holds "cannot open file", where a header has '
        '"sentence"; if this line is a header, say --header=true']


def test_cola_without_the_labels_says_which_flag_sets_them(write, problems):
    folder = write("train.tsv", "id\tlabel\ta\ttext\n0\t2\ta\thow to log in\n")
    assert problems(get("cola")().get_train_examples, folder) == [
        'train.tsv:1: label "label" is not one of "0", "1"; the labels are set by --labels; if '
        "line 1 is a header, say --header=true",
        'train.tsv:2: label "2" is not one of "0", "1"; the labels are set by --labels']


def test_mrpc(write):
    header = "Quality\t#1 ID\t#2 ID\t#1 String\t#2 String\n"
    folder = write("train.tsv", f'\ufeff{header}1\t11\t12\tHe said "yes".\t"Yes", he said.\n')
    write("dev.tsv", f"\ufeff{header}0\t21\t22\tA.\tB.\n")
    write("test.tsv", header.replace("Quality", "index") + "0\t31\t32\tC.\tD.\n")
    mrpc = get("mrpc")()
    assert mrpc.get_labels() == ["0", "1"]
    assert rows(mrpc.get_train_examples(folder)) == [
        ("train-1", 'He said "yes".', '"Yes", he said.', "1", None)]
    assert rows(mrpc.get_dev_examples(folder)) == [("dev-1", "A.", "B.", "0", None)]
    assert rows(mrpc.get_test_examples(folder)) == [("test-1", "C.", "D.", None, "0")]
    assert mrpc.notices == []


def test_mnli(write):
    columns = "\t".join("cdefg")
    header = f"index\tpromptID\tpairID\tgenre\t{columns[:7]}\tsentence1\tsentence2"
    row = f"p\tq\tgenre\t{columns[:7]}"
    folder = write("train.tsv", f"{header}\tlabel1\tgold_label\n"
                                f"0\t{row}\tA.\tB.\tneutral\tneutral\n")
    write("dev_matched.tsv", f"{header}\tlabel1\tlabel2\tgold_label\n"
                             f"7\t{row}\tA.\tC.\tneutral\tneutral\tentailment\n")
    write("test_matched.tsv", f"{header}\n9\t{row}\tA.\tD.\n")
    mnli = get("mnli")()
    assert mnli.get_labels() == ["contradiction", "entailment", "neutral"]
    assert rows(mnli.get_train_examples(folder)) == [("train-0", "A.", "B.", "neutral", "0")]
    assert rows(mnli.get_dev_examples(folder)) == [
        ("dev_matched-7", "A.", "C.", "entailment", "7")]
    assert rows(mnli.get_test_examples(folder)) == [("test-9", "A.", "D.", None, "9")]
    assert mnli.data_files(folder)["dev"] == f"{folder}/dev_matched.tsv"
    assert mnli.notices == []


@pytest.mark.parametrize("name", ["sst-2", "SST-2", "sst2"])
def test_sst2(write, name):
    folder = write("train.tsv", "sentence\tlabel\nhide new secretions \t0\n")
    write("dev.tsv", "sentence\tlabel\ncharming . \t1\n")
    write("test.tsv", "index\tsentence\n0\tuneasy mishmash .\n")
    sst2 = get(name)()
    assert sst2.get_labels() == ["0", "1"]
    assert rows(sst2.get_train_examples(folder)) == [
        ("train-1", "hide new secretions ", None, "0", None)]
    assert rows(sst2.get_dev_examples(folder)) == [("dev-1", "charming . ", None, "1", None)]
    assert rows(sst2.get_test_examples(folder)) == [
        ("test-1", "uneasy mishmash .", None, None, "0")]


def xnli_file(*examples):
    header = ("language\tgold_label\tsentence1_binary_parse\tsentence2_binary_parse\t"
              "sentence1_parse\tsentence2_parse\tsentence1\tsentence2\tpromptID\tpairID\tgenre\n")
    return header + "".join(f"{language}\t{label}\t\t\t\t\t{a}\t{b}\t1\t{pair}\tfacetoface\n"
                            for language, label, a, b, pair in examples)


def test_xnli(write):
    folder = write("multinli/multinli.train.zh.tsv",
                   "premise\thypo\tlabel\n你 好\t再 见\tcontradictory\n一\t二\tneutral\n")
    content = xnli_file(("de", "neutral", "Er sagte", "Sie sagte", 1),
                        ("zh", "entailment", "他说", "她说", 2),
                        ("zh", "contradiction", "他来", "他走", 3))
    write("xnli.dev.tsv", content)
    write("xnli.test.tsv", content)
    xnli = get("xnli")()
    assert xnli.get_labels() == ["contradiction", "entailment", "neutral"]
    assert rows(xnli.get_train_examples(folder)) == [
        ("train-1", "你 好", "再 见", "contradiction", None),
        ("train-2", "一", "二", "neutral", None)]
    assert rows(xnli.get_dev_examples(folder)) == [
        ("dev-2", "他说", "她说", "entailment", "2"),
        ("dev-3", "他来", "他走", "contradiction", "3")]
    assert rows(xnli.get_test_examples(folder))[0] == (
        "test-2", "他说", "她说", "entailment", "2")
    assert xnli.notices == []
    german = get("xnli")(language="de")
    assert rows(german.get_dev_examples(folder)) == [
        ("dev-1", "Er sagte", "Sie sagte", "neutral", "1")]
    assert german.train.file == "multinli/multinli.train.de.tsv"


def test_xnli_without_rows_in_the_language(write, problems):
    folder = write("xnli.dev.tsv", xnli_file(("de", "neutral", "a", "b", 1)))
    assert problems(get("xnli")(language="ur").get_dev_examples, folder) == [
        'xnli.dev.tsv: holds no examples with "ur" in column 0; there is "de"']


def test_xnli_languages():
    with pytest.raises(DataError, match="--language=ZH is not one of ar, bg, de, el, en, "
                       'es, fr, hi, ru, sw, th, tr, ur, vi, zh, closest is "zh"'):
        get("xnli")(language="ZH")
