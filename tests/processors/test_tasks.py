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
        'train.tsv:1: label "label" is not one of "0", "1"; other labels are set by --labels; if '
        "line 1 is a header, say --header=true",
        'train.tsv:2: label "2" is not one of "0", "1"; other labels are set by --labels']


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


# The tasks of GLUE besides the original's


PAIRS = {  # task -> (name of the first column of text, a label of train, a label of dev)
    "qnli": ("question", "entailment", "not_entailment"),
    "rte": ("sentence1", "not_entailment", "entailment"), "wnli": ("sentence1", "1", "0")}


@pytest.mark.parametrize("name", PAIRS)
def test_pairs_with_an_index_in_front_and_the_label_behind(write, name):
    column, first, second = PAIRS[name]
    header = f"index\t{column}\tsentence2"
    folder = write("train.tsv", f'{header}\tlabel\n0\tHe said "so".\tHe spoke.\t{first}\n'
                                f"1\tC.\tD.\t{second}\n")
    write("dev.tsv", f"{header}\tlabel\n0\tE.\tF.\t{second}\n")
    write("test.tsv", f"{header}\n0\tG.\tH.\n1\tI.\tJ.\n")
    task = get(name)()
    assert set(task.get_labels()) == {first, second}
    assert rows(task.get_train_examples(folder)) == [
        ("train-1", 'He said "so".', "He spoke.", first, "0"),
        ("train-2", "C.", "D.", second, "1")]
    assert rows(task.get_dev_examples(folder)) == [("dev-1", "E.", "F.", second, "0")]
    assert rows(task.get_test_examples(folder)) == [
        ("test-1", "G.", "H.", None, "0"), ("test-2", "I.", "J.", None, "1")]
    assert task.notices == []


def test_label_ids_of_the_entailment_tasks_are_those_of_glue():
    assert get("qnli")().get_labels() == get("rte")().get_labels() == [
        "entailment", "not_entailment"]
    assert get("ax")().get_labels() == get("mnli-mm")().get_labels() == get("mnli")().get_labels()


STSB = "index\tgenre\tfilename\tyear\told_index\tsource1\tsource2\tsentence1\tsentence2"


def test_stsb(write):
    front = "main-captions\tMSRvid\t2012test\t0001\tnone\tnone"
    folder = write("train.tsv", f'{STSB}\tscore\n0\t{front}\tA "plane".\tAn air plane.\t5.000\n'
                                f"1\t{front}\tC.\tD.\t3.8\n")
    write("dev.tsv", f"\ufeff{STSB}\tscore\n0\t{front}\tE.\tF.\t0.00\n")
    write("test.tsv", f"{STSB}\n0\t{front}\tG.\tH.\n")
    stsb = get("sts-b")()
    assert stsb.task_type == "regression"
    assert stsb.get_labels() == []
    assert rows(stsb.get_train_examples(folder)) == [
        ("train-1", 'A "plane".', "An air plane.", "5.000", "0"),
        ("train-2", "C.", "D.", "3.8", "1")]
    assert rows(stsb.get_dev_examples(folder)) == [("dev-1", "E.", "F.", "0.00", "0")]
    assert rows(stsb.get_test_examples(folder)) == [("test-1", "G.", "H.", None, "0")]
    assert stsb.notices == []


def test_scores_that_are_none_are_all_named(write, problems):
    front = "g\tf\ty\to\tn\tn\tA.\tB."
    bad = ["nan", "3,8", "", "inf", "1_0", "1e39", "high"]
    folder = write("train.tsv", f"{STSB}\tscore\n0\t{front}\t2.5\n" + "".join(
        f"1\t{front}\t{value}\n" for value in bad) + f"8\t{front}\t-1e-3\n9\t{front}\n")
    assert problems(get("stsb")().get_train_examples, folder) == [
        'train.tsv:3: label "nan" is not a finite number',
        'train.tsv:4: label "3,8" is not a finite number; the decimal mark is a point',
        "train.tsv:5: the label in column 9 is empty",
        'train.tsv:6: label "inf" is not a finite number',
        'train.tsv:7: label "1_0" is not a finite number',
        'train.tsv:8: label "1e39" is not a finite number',
        'train.tsv:9: label "high" is not a finite number',
        "train.tsv:11: the label is in column 9 (the first is 0), but the row has only 9 columns"]


QQP = "id\tqid1\tqid2\tquestion1\tquestion2\tis_duplicate\n"


def test_qqp(write):
    folder = write("train.tsv", QQP + '133273\t1\t2\tHow "old"?\tWhat age?\t1\n')
    write("dev.tsv", f"{QQP}7\t3\t4\tWhy?\tHow?\t0\n")
    write("test.tsv", "id\tquestion1\tquestion2\n0\tWho?\tWhen?\n")
    qqp = get("qqp")()
    assert qqp.get_labels() == ["0", "1"]
    assert rows(qqp.get_train_examples(folder)) == [
        ("train-1", 'How "old"?', "What age?", "1", "133273")]
    assert rows(qqp.get_dev_examples(folder)) == [("dev-1", "Why?", "How?", "0", "7")]
    assert rows(qqp.get_test_examples(folder)) == [("test-1", "Who?", "When?", None, "0")]
    assert qqp.notices == []


def test_a_blank_line_within_a_question_of_qqp_is_left_out_with_the_rest_of_it(write):
    folder = write("train.tsv", QQP + "1\t2\t3\tWhy?\tHow?\t0\n"
                                      "2\t4\t5\tWhen\n\nand where?\tWho?\t1\n")
    qqp = get("qqp")()
    assert [example.row_id for example in qqp.get_train_examples(folder)] == ["1"]
    assert [notice.removeprefix(f"{folder}/") for notice in qqp.notices] == [
        "train.tsv: 3 rows with fewer than 6 columns left out, line 3, 4, 5"]


@pytest.mark.parametrize("split", ["train", "dev"])
def test_short_rows_of_qqp_are_left_out_and_named(write, split):
    folder = write(f"{split}.tsv", QQP + "1\t1\t2\tWhy?\tHow?\t1\n2\t3\t4\tA line\n"
                   "break?\tIs it?\t0\n3\t5\t6\tWho?\tWhen?\t0\n4\t7\t8\tWhat\tof me?\n")
    qqp = get("qqp")()
    examples = getattr(qqp, f"get_{split}_examples")(folder)
    assert [example.row_id for example in examples] == ["1", "3"]
    assert [example.source for example in examples] == [
        f"{folder}/{split}.tsv:2", f"{folder}/{split}.tsv:5"]
    assert qqp.notices == [
        f"{folder}/{split}.tsv: 3 rows with fewer than 6 columns left out, line 3, 4, 6"]


def test_many_short_rows_are_counted(write):
    folder = write("dev.tsv", QQP + "1\t1\t2\tWhy?\tHow?\t1\n" + "2\t3\n" * 30)
    qqp = get("qqp")()
    assert len(qqp.get_dev_examples(folder)) == 1
    lines = ", ".join(map(str, range(3, 23)))
    assert qqp.notices == [
        f"{folder}/dev.tsv: 30 rows with fewer than 6 columns left out, line {lines}, ..."]


def test_a_test_file_of_qqp_is_never_shortened(write, problems):
    folder = write("test.tsv", "id\tquestion1\tquestion2\n0\tWho?\tWhen?\n1\tWho?\n")
    assert problems(get("qqp")().get_test_examples, folder) == [
        "test.tsv:3: the second text is in column 2 (the first is 0), but the row has only 2 "
        "columns"]


def test_a_wrong_label_of_qqp_is_refused_all_the_same(write, problems):
    folder = write("dev.tsv", QQP + "1\t1\t2\tWhy?\tHow?\tyes\n2\t3\n")
    assert problems(get("qqp")().get_dev_examples, folder) == [
        'dev.tsv:2: label "yes" is not one of "0", "1"; other labels are set by --labels']


def test_other_tasks_refuse_short_rows(write, problems):
    folder = write("train.tsv", "index\tsentence1\tsentence2\tlabel\n"
                                "0\tA.\tB.\tentailment\n1\tC.\n")
    assert len(problems(get("rte")().get_train_examples, folder)) == 1


def test_mnli_mm_is_mnli_but_for_dev_and_test(write):
    columns = "\t".join("abcdefgh")
    row = "\t".join("pqrstuv")
    folder = write("train.tsv", f"{columns}\tsentence1\tsentence2\tgold_label\n"
                                f"0\t{row}\tA.\tB.\tneutral\n")
    write("dev_mismatched.tsv", f"{columns}\tsentence1\tsentence2\tl\tgold_label\n"
                                f"7\t{row}\tA.\tC.\tneutral\tcontradiction\n")
    write("test_mismatched.tsv", f"{columns}\tsentence1\tsentence2\n9\t{row}\tA.\tD.\n")
    mismatched = get("mnli-mm")()
    assert rows(mismatched.get_train_examples(folder)) == rows(
        get("mnli")().get_train_examples(folder)) == [("train-0", "A.", "B.", "neutral", "0")]
    assert rows(mismatched.get_dev_examples(folder)) == [
        ("dev_mismatched-7", "A.", "C.", "contradiction", "7")]
    assert rows(mismatched.get_test_examples(folder)) == [("test-9", "A.", "D.", None, "9")]


def test_ax_has_a_test_split_only(write, problems):
    folder = write("diagnostic.tsv", "index\tsentence1\tsentence2\n0\tThe cat sat.\tIt did not.\n")
    ax = get("ax")()
    assert rows(ax.get_test_examples(folder)) == [
        ("test-1", "The cat sat.", "It did not.", None, "0")]
    assert set(ax.data_files(folder)) == {"test"}
    assert problems(ax.get_train_examples, folder) == ["the task ax has no train split"]
    assert problems(ax.get_dev_examples, folder) == ["the task ax has no dev split"]


RAW = "\ufeffQuality\t#1 ID\t#2 ID\t#1 String\t#2 String\n"


@pytest.mark.parametrize("ids", ["dev_ids.tsv", "mrpc_dev_ids.tsv"])
def test_mrpc_as_microsoft_distributes_it(write, ids):
    folder = write("msr_paraphrase_train.txt", RAW + "1\t11\t12\tA.\tB.\n0\t21\t22\tC.\tD.\n"
                                                     "1\t12\t11\tE.\tF.\n")
    write("msr_paraphrase_test.txt", RAW + "1\t31\t32\tG.\tH.\n0\t41\t42\tI.\tJ.\n")
    write(ids, "21\t22\n")
    mrpc = get("mrpc")()
    assert rows(mrpc.get_train_examples(folder)) == [
        ("train-1", "A.", "B.", "1", None), ("train-2", "E.", "F.", "1", None)]
    assert rows(mrpc.get_dev_examples(folder)) == [("dev-1", "C.", "D.", "0", None)]
    assert rows(mrpc.get_test_examples(folder)) == [
        ("test-1", "G.", "H.", "1", "0"), ("test-2", "I.", "J.", "0", "1")]
    assert mrpc.notices == []
    assert mrpc.data_files(folder)["dev"] == f"{folder}/msr_paraphrase_train.txt"


def test_mrpc_of_microsoft_without_the_list_of_dev_rows(write, problems):
    folder = write("msr_paraphrase_train.txt", RAW + "1\t11\t12\tA.\tB.\n0\t21\t22\tC.\tD.\n")
    mrpc = get("mrpc")()
    text = ("msr_paraphrase_train.txt: holds train and dev; the list of the dev rows, dev_ids.tsv "
            "or mrpc_dev_ids.tsv, is not beside it")
    assert len(mrpc.get_train_examples(folder)) == 2
    assert mrpc.notices == [f"{folder}/{text}: all rows are trained on"]
    assert problems(mrpc.get_dev_examples, folder) == [text]


def test_glue_s_files_of_mrpc_come_before_microsoft_s(write, problems):
    folder = write("msr_paraphrase_train.txt", RAW + "1\t11\t12\tA.\tB.\n")
    write("msr_paraphrase_test.txt", RAW + "1\t31\t32\tG.\tH.\n")
    write("train.tsv", RAW + "0\t21\t22\tC.\tD.\n")
    mrpc = get("mrpc")()
    assert rows(mrpc.get_train_examples(folder)) == [("train-1", "C.", "D.", "0", None)]
    assert problems(mrpc.get_dev_examples, folder)[0].startswith("dev.tsv: no such file")


def test_metrics_are_those_of_glue():
    first = {name: get(name).metrics for name in (
        "cola", "sst-2", "mrpc", "sts-b", "qqp", "mnli", "mnli-mm", "qnli", "rte", "wnli", "ax")}
    assert first == {
        "cola": ("mcc", "accuracy"), "sst-2": ("accuracy",), "mrpc": ("f1", "accuracy"),
        "sts-b": ("pearson_spearman", "pearson", "spearman"), "qqp": ("f1", "accuracy"),
        "mnli": ("accuracy",), "mnli-mm": ("accuracy",), "qnli": ("accuracy",),
        "rte": ("accuracy",), "wnli": ("accuracy",), "ax": ("mcc", "accuracy")}
