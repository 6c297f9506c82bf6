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
        'train.csv:4: label " really" is not one of "0", "1"; the labels are set by --labels']


def test_columns_of_objects(write, problems):
    folder = write("train.jsonl", '{"txt": "a", "label": 1}\n{"txt": "b"}\n')
    assert problems(Delimited(label_column="lable").get_train_examples, folder) == [
        'train.jsonl: there is no column "text", "sentence" or "title" and "body"; the objects '
        'have "txt", "label"; say --text_column=...',
        'train.jsonl: --label_column=lable: there is no such column, closest is "label"; the '
        'objects have "txt", "label"']
    assert problems(Delimited(text_column=["txt"]).get_train_examples, folder) == [
        'train.jsonl:2: the label is missing: there is no "label", only "txt"']


# Labels


def test_labels_of_the_training_file_are_sorted_and_bind_dev(write, problems):
    folder = write("train.csv", "text,label\na,question\nb,bug\nc,feature\n")
    write("dev.csv", "text,label\na,Bug\nb,feature\n")
    write("test.csv", "text,label\na,bug\nb,?\n")
    task = Delimited()
    assert task.get_labels() is None
    task.get_train_examples(folder)
    assert task.get_labels() == ["bug", "feature", "question"]
    assert problems(task.get_dev_examples, folder) == [
        'dev.csv:2: label "Bug" is not one of "bug", "feature", "question", closest is "bug"; the '
        "labels are set by --labels"]
    assert [each.label for each in task.get_test_examples(folder)] == ["bug", None]


@pytest.mark.parametrize("labels, expected", [
    (["10", "9", "-1"], ["-1", "9", "10"]), (["10", "9", "x"], ["10", "9", "x"]),
    (["1.5", "10", "9"], ["1.5", "10", "9"]),
    (["0" * zeros for zeros in range(9, 0, -1)], ["0" * zeros for zeros in range(1, 10)])])
def test_integers_are_sorted_as_numbers(write, labels, expected):
    task = Delimited()
    task.get_train_examples(write("train.csv", "text,label\n"
                                  + "".join(f"a,{label}\n" for label in labels)))
    assert task.get_labels() == expected


def test_given_labels_keep_their_order_and_are_checked(write, problems):
    folder = write("train.csv", "text,label\na,b\nc,d\n")
    task = Delimited(labels=("z", "b"))
    assert task.get_labels() == ["z", "b"]
    assert problems(task.get_train_examples, folder) == [
        'train.csv:3: label "d" is not one of "z", "b"; the labels are set by --labels']


def test_without_a_training_file_labels_are_unknown(write):
    folder = write("dev.csv", "text,label\na,x\n")
    task = Delimited()
    assert [each.label for each in task.get_dev_examples(folder)] == ["x"]
    assert task.get_labels() is None


def test_one_label_is_no_task(write, problems):
    task = Delimited()
    assert problems(task.get_train_examples, write("train.csv", "text,label\na,x\nb,x\n")) == [
        'train.csv: every row has the label "x"; a classifier needs two labels or more']
    assert task.get_labels() is None


@pytest.mark.parametrize(("content", "options", "told"), [
    ("text,label\na,1\nb,0\nc,0\nd,1\n", {}, '"label"'),
    ("text,label\na,ui\nb,\nc,ui\nd,docs\n", {"task_type": "multilabel"}, '"label"'),
    ("a,1\nb,0\nc,0\nd,1\n", {}, None),
    ("a,\nb,ui\nc,docs\n", {"task_type": "multilabel"}, None),
    ("text,label\na,1\nb,0\n", {"header": "true"}, None)])
def test_a_header_that_is_read_as_a_row_is_told(write, content, options, told):
    task = Delimited(**{"header": "false", "text_column": ["0"], "label_column": "1", **options})
    folder = write("train.csv", content)
    task.get_train_examples(folder)
    assert task.notices == ([] if told is None else [
        f"{folder}/train.csv:1: read as a row, as --header=false says, and no other has the label "
        f"{told}; if this line is a header, say --header=true"])


@pytest.mark.parametrize(("content", "options", "doubted"), [
    ("ENTY\twhat\nHUM\twho\nENTY\twhich\nENTY\thow\n", {}, True),
    ("ENTY\twhat\nHUM\twho\nLOC\twhere\n", {}, False),
    ("ENTY\twhat\nHUM\twho\nENTY\twhich\n", {"labels": ["ENTY", "HUM"]}, True),
    ("ENTY\twhat\nHUM\twho\nENTY\twhich\n", {"header": "false"}, False),
    ("ENTY\twhat\nHUM\twho\nENTY\twhich\n", {"label_column": "ENTY"}, False),
    ("ENTY\twhat\nHUM\twho\nENTY\twhich\n", {"task_type": "multilabel"}, True),
    ("1.5\twhat\n2\twho\n1.5\twhich\n", {"task_type": "regression"}, True)])
def test_a_row_that_is_taken_for_a_header_is_told(write, content, options, doubted):
    task = Delimited(**{"header": "true", "text_column": ["1"], "label_column": "0", **options})
    folder = write("train.tsv", content)
    task.get_train_examples(folder)
    assert task.notices == [
        f"{folder}/train.tsv:1: taken for a header, as --header=true says, but its label column "
        f'holds "{content[:content.index(chr(9))]}", which rows have as a label; if line 1 is a '
        "row, say --header=false"] * doubted


def test_a_row_of_dev_that_is_taken_for_a_header_is_told(write):
    task = Delimited(header="true", text_column=["1"], label_column="0")
    task.get_dev_examples(write("dev.tsv", "HUM\twhat\nHUM\twho\nENTY\twhich\n"))
    assert len(task.notices) == 1 and "dev.tsv:1: taken for a header" in task.notices[0]


def test_keys_that_look_like_positions_are_no_header(write):
    folder = write("train.jsonl", '{"0": "a", "1": "x"}\n{"0": "b", "1": "y"}\n')
    assert len(train(folder, header="true", text_column=["0"], label_column="1")) == 2


def test_labels_that_look_wrong_are_told(write):
    task = Delimited(label_column="text", text_column=["label"])
    content = "text,label\n" + "".join(f"text {number},x\n" for number in range(30))
    folder = write("train.csv", content + "Text 1,y\n")
    task.get_train_examples(folder)
    assert task.notices == [
        f'{folder}/train.csv: the labels "Text 1", "text 1" differ only in case or blanks',
        f"warning: {folder}/train.csv: 31 different labels in 31 rows: is this the label column?"]


def test_of_labels_that_are_alike_some_are_told(write):
    folder = write("train.csv", "text,label\n" + "".join(
        f"t,{case}{number}\n" for case in "xX" for number in range(24)))
    task = Delimited(text_column=["text"])
    task.get_train_examples(folder)
    assert len(task.notices) == 20 + 2
    assert task.notices[-2].endswith("/train.csv: ... and 4 more such groups of labels")


@pytest.mark.parametrize(("unique", "rows", "refused"), [
    (95, 100, True), (94, 100, False), (99, 99, False), (1000, 1050, True)])
def test_a_label_for_nearly_every_row_is_refused(write, unique, rows, refused):
    """The other rows share two labels."""
    labels = [f"x{number}" for number in range(unique)] + ["a", "b"] * rows
    folder = write("train.csv", "text,title\n" + "".join(
        f"t,{label}\n" for label in labels[:rows]))
    task = Delimited(label_column="title")
    if not refused:
        task.get_train_examples(folder)
        assert "is this the label column?" in task.notices[-1]
        return
    with pytest.raises(DataError) as caught:
        task.get_train_examples(folder)
    assert caught.value.problems[0].startswith(
        f"{folder}/train.csv: {unique + min(rows - unique, 2):,} different labels in {rows:,} "
        f"rows, {unique:,} of them in a single row: --label_column=title is hardly ")
    assert caught.value.problems[0].endswith("by --labels or --labels_file")
    insisting = Delimited(label_column="title", labels=sorted(set(labels)))
    assert len(insisting.get_train_examples(folder)) == rows


def test_a_number_for_every_row_may_be_a_score(write):
    folder = write("train.csv", "text,label\n" + "".join(
        f"t,{number / 7}\n" for number in range(100)))
    with pytest.raises(DataError, match=r"--label_column=label \(the default\) .*; numbers are "
                                        "learned with --task_type=regression"):
        Delimited().get_train_examples(folder)


@pytest.mark.parametrize(("cells", "options", "said"), [
    (["ui", "docs", "", "ui, docs", "docs,ui"], {}, '"ui, docs" (line 5) is made of other labels, '
     "and 1 more are; if a row may have any number of them, say --task_type=multilabel"),
    (["ui", "docs", "ui;docs", ""], {}, '"ui;docs" (line 4) is made of other labels; if a row may '
     'have any number of them, say --task_type=multilabel --label_separator=";"'),
    (["ui,docs", "ui"], {"labels": ["ui", "docs"]}, '"ui,docs" (line 2) is made of'),
    (["ui,docs", "ui", ""], {}, None), (["ui", "docs", ""], {}, None)])
def test_several_labels_in_a_cell_where_one_is_expected(write, cells, options, said):
    folder = write("train.tsv", "text\tkind\n" + "".join(f"t\t{cell}\n" for cell in cells))
    with pytest.raises(DataError) as caught:
        Delimited(label_column="kind", **options).get_train_examples(folder)
    assert [one for one in caught.value.problems if "made of" in one] == [
        one for one in caught.value.problems if said and f"train.tsv: label {said}" in one]
    assert bool(said) == ("made of" in caught.value.problems[0])
    if "" in cells:
        assert (f'{folder}/train.tsv:{cells.index("") + 2}: the label in column "kind" is empty'
                in caught.value.problems)


def test_several_labels_in_cells_that_could_be_labels_are_told(write):
    folder = write("train.tsv", "text\tlabel\nt\tui\nt\tdocs\nt\tui, docs\n")
    task = Delimited(text_column=["text"])
    task.get_train_examples(folder)
    [notice] = task.notices
    assert 'label "ui, docs" (line 4) is made of other labels; ' in notice
    task = Delimited(text_column=["text"], task_type="multilabel")
    task.get_train_examples(folder)
    assert task.notices == []


def test_a_list_of_labels_where_one_is_expected(problems, write):
    folder = write("train.jsonl", '{"text": "a", "label": ["ui", "docs"]}\n')
    assert problems(train, folder) == [
        'train.jsonl:1: the label in "label" is a list, not a text or a number; lists of labels '
        "are read with --task_type=multilabel"]


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
