import pytest

from processors import DataProcessor, InputExample, Split, TsvProcessor


class Toy(TsvProcessor):
    """Train without a header, dev and test with one."""

    name = "toy"
    labels = ("0", "1")
    train = Split("train.tsv", text_a=1, label=0)
    dev = Split("dev.tsv", text_a=(1, 2), label=0, header="Sentence")
    test = Split("sub/test.tsv", text_a=1, row_id=0, header="Sentence")


def test_data_processor_has_the_methods_of_the_original():
    class Mine(DataProcessor):
        """Nothing of its own."""

    for method, arguments in (("get_train_examples", ["d"]), ("get_dev_examples", ["d"]),
                              ("get_test_examples", ["d"]), ("get_labels", [])):
        with pytest.raises(NotImplementedError, match=f"Mine has no {method}"):
            getattr(Mine(), method)(*arguments)
    assert Mine().data_files("d") == {}
    assert Mine().notices == ()


def test_read_tsv_of_the_original_is_there_for_ported_processors(write):
    folder = write("a.tsv", '\ufeffa\t"b\r\n\nc\t"\n')
    assert DataProcessor._read_tsv(f"{folder}/a.tsv") == [["a", '"b'], [], ["c", '"']]
    write("b.tsv", 'a\t"b\tc"\n')
    assert DataProcessor._read_tsv(f"{folder}/b.tsv", quotechar='"') == [["a", "b\tc"]]
    write("c.tsv", "")
    assert DataProcessor._read_tsv(f"{folder}/c.tsv") == []


def test_a_header_is_skipped_where_it_is_one(write):
    folder = write("dev.tsv", "\ufefflabel\tsentence\tx\n1\ta\tb\n")
    toy = Toy()
    assert toy.get_dev_examples(folder) == [
        InputExample("dev-1", "a b", None, "1", None, f"{folder}/dev.tsv:2")]
    assert toy.notices == []


def test_a_first_line_that_is_no_header_is_kept_and_told(write):
    folder = write("sub/test.tsv", "7\tfirst\n8\tsecond\n")
    toy = Toy()
    assert [(each.guid, each.text_a, each.row_id) for each in toy.get_test_examples(folder)] == [
        ("test-0", "first", "7"), ("test-1", "second", "8")]
    notice = (f'{folder}/sub/test.tsv:1: read as data: column 1 holds "first", where a header has '
              '"Sentence"; if this line is a header, say --header=true')
    assert toy.notices == [notice]
    toy.get_test_examples(folder)
    assert toy.notices == [notice]


@pytest.mark.parametrize("header, texts", [
    ("auto", ["a", "b"]), ("true", ["b"]), (True, ["b"]), ("false", ["a", "b"]),
    (False, ["a", "b"])])
def test_header_can_be_forced(write, header, texts):
    folder = write("train.tsv", "0\ta\n1\tb\n")
    assert [each.text_a for each in Toy(header=header).get_train_examples(folder)] == texts


def test_header_false_keeps_even_a_header(write):
    folder = write("sub/test.tsv", "id\tsentence\n8\tb\n")
    assert len(Toy(header="false").get_test_examples(folder)) == 2
    assert len(Toy().get_test_examples(folder)) == 1


def test_labels_can_be_replaced(write):
    folder = write("train.tsv", "bug\ta\nquestion\tb\n")
    toy = Toy(labels=["bug", "feature", "question"])
    assert toy.get_labels() == ["bug", "feature", "question"]
    assert [each.label for each in toy.get_train_examples(folder)] == ["bug", "question"]
    assert Toy().get_labels() == ["0", "1"]


def test_all_problems_of_a_file_come_at_once(write, problems):
    folder = write("train.tsv", b"0\ta\n2\tb\n\n1\n1\tcaf\xe9\n2\tc\n")
    assert problems(Toy().get_train_examples, folder) == [
        'train.tsv:2: label "2" is not one of "0", "1" (2 such rows); other labels are set by '
        "--labels",
        "train.tsv:3: blank line; every line is one example",
        "train.tsv:4: the text is in column 1 (the first is 0), but the row has only 1 column; "
        "csv is separated by commas, tsv by tabs, and tsv has no quoting",
        'train.tsv:5: not utf-8: byte 0xe9 at character 6, after "1\\tcaf"; say --encoding=... or '
        "convert the file, for example with iconv -f WINDOWS-1252 -t UTF-8 old > new"]
    text = Toy(encoding="latin-1", labels="012")
    assert len(problems(text.get_train_examples, folder)) == 2


def test_a_label_with_a_byte_order_mark_inside_can_be_seen(write, problems):
    folder = write("train.tsv", "0\ta\n\ufeff1\tb\n")
    assert problems(Toy().get_train_examples, folder) == [
        'train.tsv:2: label "\\ufeff1" is not one of "0", "1", closest is "1"; other labels are '
        "set by --labels"]


@pytest.mark.parametrize(("content", "told"), [
    ("", "is empty: it holds no examples"),
    ("label\tsentence\tx\n", "holds a header and no examples")])
def test_a_file_without_rows(write, problems, content, told):
    folder = write("dev.tsv", content)
    assert problems(Toy().get_dev_examples, folder) == [f"dev.tsv: {told}"]


def test_a_missing_file_tells_what_the_folder_has(write, problems):
    folder = write("trian.tsv", "")
    assert problems(Toy().get_train_examples, folder) == [
        'train.tsv: no such file, closest is "trian.tsv"; the folder has "trian.tsv"']


def test_a_split_that_the_task_lacks(problems):
    class NoTest(Toy):
        """Toy without test."""

        test = None

    assert problems(NoTest().get_test_examples, ".") == ["the task toy has no test split"]


@pytest.mark.parametrize("arguments, problem", [
    ({"labels": ["a", "b", "a"]}, '--labels: "a" stands twice in "a", "b", "a"'),
    ({"labels": ["a", "", "b"]}, '--labels: an empty label in "a", "", "b"'),
    ({"labels": ["a"]}, '--labels: a classifier needs two labels or more, not "a"'),
    ({"header": "maybe"}, "--header=maybe is not one of auto, true, false"),
])
def test_bad_arguments(problems, arguments, problem):
    assert problems(Toy, **arguments) == [problem]


def test_data_files_names_those_that_exist(write):
    folder = write("train.tsv", "")
    write("sub/test.tsv", "")
    assert Toy().data_files(folder) == {"train": f"{folder}/train.tsv",
                                        "test": f"{folder}/sub/test.tsv"}
