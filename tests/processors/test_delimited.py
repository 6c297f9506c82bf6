import json

import pytest

from processors import DataError, get

Delimited = get("delimited")


def rows(examples):
    return [(each.guid, each.text_a, each.text_b, each.label, each.row_id) for each in examples]


def train(folder, **options):
    return rows(Delimited(**options).get_train_examples(folder))


# Formats


RECORDS = [{"title": "Crash", "body": "on start", "label": 0},
           {"title": "Dark mode", "body": None, "label": 1},
           {"title": "How to", "body": "log in", "label": 2}]
READ = [("Crash on start", "0"), ("Dark mode", "1"), ("How to log in", "2")]


@pytest.mark.parametrize("name, content, first", [
    ("train.json", json.dumps(RECORDS, indent=1), 0),
    ("train.jsonl", "".join(json.dumps(each) + "\n" for each in RECORDS), 0),
    ("train.ndjson", "\n".join(map(json.dumps, RECORDS)), 0),
    ("train.csv", "title,body,label\nCrash,on start,0\nDark mode,,1\nHow to,log in,2\n", 1),
    ("train.tsv", "title\tbody\tlabel\nCrash\ton start\t0\nDark mode\t\t1\nHow to\tlog in\t2\n", 1),
])
def test_the_same_records_in_every_format(write, name, content, first):
    folder = write(name, content)
    task = Delimited()
    examples = task.get_train_examples(folder)
    assert [(each.text_a, each.label) for each in examples] == READ
    assert examples[0].guid == f"train-{first}"
    assert task.get_labels() == ["0", "1", "2"]
    assert task.notices == [f'{folder}/{name}: text from "title", "body", label from "label"']


def test_csv_as_issues_really_come(write):
    """Multi-line bodies, quotation marks, a NUL byte, a body beyond csv's limit, a BOM."""
    long = "x" * 140_000
    folder = write("issues.csv", '\ufeffrepo,label,title,body\r\n'
                   'a/b,bug,"[Bug] ""x"" fails","line 1\nline 2\0\n"\r\n'
                   f'a/b,feature,More,{long}\r\n')
    task = Delimited(train_file="issues.csv")
    examples = task.get_train_examples(folder)
    assert [(each.text_a, each.label, each.source) for each in examples] == [
        ('[Bug] "x" fails line 1\nline 2\ufffd\n', "bug", f"{folder}/issues.csv:2"),
        (f"More {long}", "feature", f"{folder}/issues.csv:5")]
    assert task.get_labels() == ["bug", "feature"]


def test_encoding(write):
    folder = write("train.csv", "text,label\nmüde,a\nwach,b\n".encode("cp1252"))
    assert train(folder, encoding="cp1252")[0][1] == "müde"


# Columns


def test_columns_by_name(write):
    folder = write("train.csv", "key,q1,q2,same\n7,a,b,yes\n8,c,d,no\n")
    assert train(folder, text_column=["q1"], text_b_column=["q2"], label_column="same",
                 id_column="key") == [("train-1", "a", "b", "yes", "7"),
                                      ("train-2", "c", "d", "no", "8")]


def test_columns_by_position_with_and_without_a_header(write):
    folder = write("train.tsv", "id\tlabel\tx\ty\n1\ta\tfoo\tbar\n2\tb\tq\tr\n")
    options = {"text_column": ["3", "2"], "label_column": "1"}
    assert train(folder, header="true", **options) == [
        ("train-1", "bar foo", None, "a", "1"), ("train-2", "r q", None, "b", "2")]
    assert train(folder, header=False, **options)[0] == ("train-0", "y x", None, "label", None)


def test_names_and_positions_may_be_mixed(write):
    folder = write("train.tsv", "a\tb\tlabel\nx\ty\t1\nz\tw\t0\n")
    assert train(folder, text_column=["1"]) == [("train-1", "y", None, "1", None),
                                                ("train-2", "w", None, "0", None)]


@pytest.mark.parametrize("header, text", [
    ("id,text,sentence,title,body,label", "B"), ("id,x,sentence,title,body,label", "C"),
    ("id,x,y,title,body,label", "D E")])
def test_default_text_columns(write, header, text):
    folder = write("train.csv", f"{header}\nA,B,C,D,E,1\nA,B,C,D,E,0\n")
    assert train(folder)[0] == ("train-1", text, None, "1", "A")


def test_positions_alone_need_to_know_about_the_header(write, problems):
    folder = write("train.tsv", "1\tfoo\n0\tbar\n")
    task = Delimited(text_column=["1"], label_column="0")
    assert problems(task.get_train_examples, folder) == [
        "train.tsv: the columns are given by position, so nothing tells whether the first line is "
        "a header; say --header=true or --header=false"]


def test_a_test_file_without_the_named_label_proves_no_header(write, problems):
    folder = write("test.csv", "foo,1\nbar,2\n")
    found = problems(Delimited(text_column=["0"]).get_test_examples, folder)
    assert found[0].endswith("say --header=true or --header=false")
    folder = write("test.csv", "text,label\nbar,2\n")
    assert len(Delimited(text_column=["0"]).get_test_examples(folder)) == 1


@pytest.mark.parametrize("content, options, expected", [
    ("Text,lable\na,1\n", {"text_column": ["text"]}, [
        'train.csv:1: --text_column=text: there is no such column, closest is "Text"; the header '
        'has "Text", "lable" (if line 1 is not a header, say --header=false, give positions)',
        'train.csv:1: --label_column=label (the default): there is no such column, closest is '
        '"lable"; the header has "Text", "lable" (if line 1 is not a header, say --header=false, '
        "give positions)"]),
    ("foo,label\na,1\n", {}, [
        'train.csv:1: there is no column "text", "sentence" or "title" and "body"; the header has '
        '"foo", "label" (if line 1 is not a header, say --header=false, give positions); say '
        "--text_column=..."]),
    ("text:label\na:1\n", {"text_column": ["text"], "label_column": "0"}, [
        'train.csv:1: --text_column=text: there is no such column; the '
        'header has "text:label" as its only column; csv is separated by commas, tsv by tabs (if '
        "line 1 is not a header, say --header=false, give positions)"]),
    ("text,text,label\na,b,1\n", {}, [
        "train.csv:1: --text_column=text: the header has this name 2 times; give the position, the "
        "first column is 0"]),
    ("text,label\na,1\n", {"label_column": "2"}, [
        "train.csv:1: --label_column=2: the header has only 2 columns (the first is 0)"]),
    ("text,label\na,1\n", {"id_column": "key"}, [
        'train.csv:1: --id_column=key: there is no such column; the header has "text", "label" (if '
        "line 1 is not a header, say --header=false, give positions)"]),
    ("a,1\nb,0\n", {"text_column": ["0"], "header": "false"}, [
        "train.csv:1: --label_column=label (the default) is a name, but the file has no header; "
        "give the position, the first column is 0"]),
    ("text,lable\na,1\n", {"label_column": "label"}, [
        'train.csv:1: --label_column=label: there is no such column, closest is "lable"; the '
        'header has "text", "lable" (if line 1 is not a header, say --header=false, give '
        "positions)"]),
    ("text,label\na,1\n", {"label_column": "text"}, [
        'train.csv:1: column "text" is both a text and the label']),
])
def test_columns_that_are_not_there(write, problems, content, options, expected):
    folder = write("train.csv", content)
    assert problems(Delimited(**options).get_train_examples, folder) == expected


@pytest.mark.parametrize(("name", "header", "told"), [
    ("train.csv", "label;text", 'has ";" and no comma: the file seems to be separated by ";"; '
     "save it with commas, or as TSV"),
    ("train.csv", "label|text", 'has "|" and no comma: the file seems to be separated by "|"; '
     "save it with commas, or as TSV"),
    ("train.csv", "label\ttext", "has a tab and no comma: the file seems to be separated by a tab; "
     "say --data_format=tsv"),
    ("train.tsv", "label;text", 'has ";" and no tab: the file seems to be separated by ";"; save '
     "it with tabs, or as CSV"),
    ("train.tsv", "label,text", "has a comma and no tab: the file seems to be separated by a "
     "comma; say --data_format=csv")])
@pytest.mark.parametrize("options", [{}, {"text_column": ["1"], "label_column": "0"}])
def test_another_separator_is_told_and_nothing_else(write, problems, name, header, told, options):
    folder = write(name, f"{header}\na, b{header[5]}c\n")
    assert problems(Delimited(**options).get_train_examples, folder) == [f"{name}:1: line 1 {told}"]


def test_another_separator_of_quoted_cells_is_told(write, problems):
    told = "; if it is not commas that separate, save it with commas, or as TSV"
    folder = write("train.csv", '"label";"text"\n"a";"b"\n')
    [problem] = problems(train, folder)
    assert problem.startswith("train.csv:1: broken quoting") and problem.endswith(told)
    folder = write("train.csv", 'label,text\n"a";"b"\n')
    assert told not in problems(train, folder)[0]


def test_a_column_alone_may_hold_what_separates_elsewhere(write):
    folder = write("test.csv", "a;b\nc\n")
    [example] = Delimited(text_column=["a;b"]).get_test_examples(folder)
    assert example.text_a == "c"


def test_unused_columns_may_have_the_same_name(write):
    folder = write("train.csv", "x,text,x,label\n1,a,2,0\n1,b,2,1\n")
    assert len(train(folder)) == 2


def test_rows_longer_than_the_header(write, problems):
    folder = write("train.csv", "text,label\na,1\nb,0,,\nc, really,1\n")
    assert problems(Delimited(labels=("0", "1")).get_train_examples, folder) == [
        "train.csv:4: 3 columns, but the header has 2; is there a separator inside a text?",
        'train.csv:4: label " really" is not one of "0", "1"; other labels are set by --labels']


def test_columns_of_objects(write, problems):
    folder = write("train.jsonl", '{"txt": "a", "label": 1}\n{"txt": "b"}\n')
    assert problems(Delimited(label_column="lable").get_train_examples, folder) == [
        'train.jsonl: there is no column "text", "sentence" or "title" and "body"; the objects '
        'have "txt", "label"; say --text_column=...',
        'train.jsonl: --label_column=lable: there is no such column, closest is "label"; the '
        'objects have "txt", "label"']
    assert problems(Delimited(text_column=["txt"]).get_train_examples, folder) == [
        'train.jsonl:2: the label is missing: there is no "label", only "txt"']


# Files


def test_files_by_flag_with_and_without_a_folder(write, tmp_path, monkeypatch):
    folder = write("sub/mine.txt", "text\tlabel\na\t1\nb\t0\n")
    options = {"train_file": "sub/mine.txt", "data_format": "tsv"}
    assert len(train(folder, **options)) == 2
    monkeypatch.chdir(tmp_path)
    assert len(train(None, **options)) == 2
    assert Delimited(**options).data_files(None) == {"train": "sub/mine.txt"}
    assert Delimited(train_file=f"{folder}/sub/mine.txt").data_files("elsewhere") == {
        "train": f"{folder}/sub/mine.txt"}


@pytest.mark.parametrize(("data_dir", "within"), [
    ("data", "mine.tsv"), ("other", "../data/mine.tsv")])
def test_a_file_that_is_there_from_the_current_folder_alone(
        write, problems, tmp_path, monkeypatch, data_dir, within):
    write("data/mine.tsv", "text\tlabel\na\t1\n")
    write("other/x", "")
    monkeypatch.chdir(tmp_path)
    task = Delimited(train_file="data/mine.tsv")
    assert problems(task.get_train_examples, data_dir) == [
        f"--train_file=data/mine.tsv: is looked for within --data_dir={data_dir}, where it is "
        "not; from the current folder it is there; as seen from that folder it is "
        f"--train_file={within}"]


@pytest.mark.parametrize("files, options, problem", [
    (["train.tsv", "train.json"], {}, 'DIR: "train.tsv", "train.json" could all be the train '
     "split; say --train_file=... to choose one"),
    (["training.csv"], {}, "DIR: no file of the train split (train.tsv, train.csv, train.jsonl, "
     'train.ndjson, train.json); the folder has "training.csv". Another name is given by '
     "--train_file"),
    (["train.csv"], {"train_file": "trian.csv"}, 'trian.csv: no such file, closest is '
     '"train.csv"; the folder has "train.csv"'),
    (["train.dat"], {"train_file": "train.dat"}, 'train.dat: the extension ".dat" tells no format; '
     "say --data_format=tsv, csv, jsonl or json"),
    (["train.csv"], {}, "train.csv: is empty: it holds no examples"),
    (["train.json"], {}, "train.json: is empty: it holds no examples"),
])
def test_file_problems(write, tmp_path, problems, files, options, problem):
    for name in files:
        write(name, "")
    assert problems(Delimited(**options).get_train_examples, str(tmp_path)) == [problem]


def test_a_table_of_a_program_is_told_as_one_whatever_its_name(write, tmp_path, problems):
    for name, options in (("rows.xlsx", {}), ("rows.tsv", {}), ("rows", {"data_format": "csv"})):
        write(name, b"PK\x03\x04\x14\0\x06\0\x08\0\0\0!\0\xb7")
        ask = Delimited(train_file=name, **options).get_train_examples
        assert problems(ask, str(tmp_path)) == [
            f"{name}: is not text: it begins like a ZIP archive or an .xlsx table; what is read "
            "are TSV, CSV, JSON lines and JSON"]


def test_a_file_with_a_header_only(write, problems):
    folder = write("dev.csv", "text,label\n")
    assert problems(Delimited().get_dev_examples, folder) == [
        "dev.csv: holds a header and no examples"]


def test_data_files_leaves_out_what_is_not_clear(write):
    folder = write("train.tsv", "")
    write("train.csv", "")
    write("test.json", "")
    assert Delimited().data_files(folder) == {"test": f"{folder}/test.json"}


def test_bad_format(problems):
    assert problems(Delimited, data_format="cvs") == [
        '--data_format=cvs is not one of tsv, csv, jsonl, json, closest is "csv"']


def test_syntax_and_rows_are_told_together(write, problems):
    folder = write("train.jsonl", '{"text": "a", "label": "x"}\n{"text": "b", "label"\n\n'
                                  '{"text": NaN, "label": "y"}\n')
    assert problems(Delimited().get_train_examples, folder) == [
        "train.jsonl:2: not valid JSON, Expecting ':' delimiter at column 22",
        "train.jsonl:3: blank line; every line is one example",
        'train.jsonl:4: the text in "text" is NaN, not a text or a number']


def test_a_failed_reading_leaves_no_labels(write):
    task = Delimited()
    with pytest.raises(DataError):
        task.get_train_examples(write("train.csv", "text,label\na,x\nb,\n"))
    assert task.get_labels() is None


# A regression


def scored(**flags):
    return get("delimited")(label_column="score", task_type="regression", **flags)


def test_scores_of_own_files(write):
    folder = write("train.csv", "text,score\na,1.50\nb,-2\nc,1.50\n")
    write("dev.jsonl", '{"text": "d", "score": 3}\n{"text": "e", "score": 0.1e1}\n')
    write("test.tsv", "text\tscore\nf\t2.5\ng\tunknown\n")
    task = scored()
    assert [each.label for each in task.get_train_examples(folder)] == ["1.50", "-2", "1.50"]
    assert [each.label for each in task.get_dev_examples(folder)] == ["3", "0.1e1"]
    assert [each.label for each in task.get_test_examples(folder)] == ["2.5", None]
    assert task.get_labels() is None
    assert task.metrics[0] == "pearson_spearman"


def test_one_score_for_all_rows_and_many_scores_need_no_notice(write):
    folder = write("train.tsv", "text\tscore\n" + "".join(f"a\t{i}.5\n" for i in range(30)))
    task = scored(text_column=["text"])
    task.get_train_examples(folder)
    assert task.notices == []
    write("train.tsv", "text\tscore\na\t1\nb\t1\n")
    assert len(scored().get_train_examples(folder)) == 2


def test_a_header_taken_for_a_score(write, problems):
    folder = write("train.tsv", "text\tscore\na\t1\nb\tgood\n")
    task = get("delimited")(text_column=["0"], label_column="1", header="false",
                            task_type="regression")
    assert problems(task.get_train_examples, folder) == [
        'train.tsv:1: label "score" is not a finite number; if line 1 is a header, say '
        "--header=true", 'train.tsv:3: label "good" is not a finite number']


@pytest.mark.parametrize(("files", "said"), [
    ({}, "no file of the train split (train.tsv, train.csv, train.jsonl, train.ndjson, train.json);"
         " the folder has files that cannot be listed (Permission denied). Another name is given by"
         " --train_file"),
    ({"train_file": "mine.tsv"},
     "mine.tsv: no such file; the folder has files that cannot be listed (Permission denied)")])
def test_a_folder_that_nobody_may_look_into(tmp_path, monkeypatch, problems, files, said):
    def refuse(folder):
        raise PermissionError(13, "Permission denied", folder)

    monkeypatch.setattr("os.listdir", refuse)
    [problem] = problems(Delimited(**files).get_train_examples, str(tmp_path))
    assert problem.removeprefix("DIR: ") == said


@pytest.mark.parametrize(("file", "said"), [
    ("trian", 'trian: no such file, closest is "train"; the folder has "train"'),
    (".", ".: cannot be read: Is a directory"),
    ("/dev/null", "/dev/null: cannot be read: is a pipe or a device, and data is read more than "
     "once"), ("train", 'train: the extension "" tells no format; say --data_format=tsv, csv, '
     "jsonl or json")])
def test_what_is_no_file_is_told_before_its_extension(write, problems, file, said):
    folder = write("train", "text\tlabel\na\tb\n")
    found = problems(Delimited(train_file=file).get_train_examples, folder)
    assert found == [said]


@pytest.mark.parametrize(("dev", "told"), [
    ("train.csv", True), ("./train.csv", True), ("other.csv", False), (None, False)])
def test_that_dev_is_the_file_of_train_is_told(write, dev, told):
    for name in ("train.csv", "dev.csv", "other.csv"):
        folder = write(name, "text,label\na,1\nb,0\n")
    task = Delimited(dev_file=dev)
    task.get_train_examples(folder)
    task.get_dev_examples(folder)
    assert any("dev is the file of train" in one for one in task.notices) is told
