import csv
import gzip
import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from processors.errors import DataError, Report
from processors.readers import csv_rows, json_rows, json_text, jsonl_rows, read_text, tsv_rows


def read(reader, text):
    """Returns the rows and the problems of a text."""
    report = Report("f")
    rows = list(reader(text, report))
    return rows, list(report.error().problems)


# TSV


def test_tsv_knows_no_quotes_and_ends_lines_at_newlines_only():
    text = 'a "quoted\tcell"\n"open\tb\x85\u2028\x0b\x1c\r\nlast\t\n'
    assert read(tsv_rows, text) == ([
        (1, ['a "quoted', 'cell"']), (2, ['"open', "b\x85\u2028\x0b\x1c"]), (3, ["last", ""])], [])


def test_tsv_takes_nul_and_cells_of_any_length():
    long = "x" * 200_000
    assert read(tsv_rows, f"a\0b\t{long}") == ([(1, ["a\0b", long])], [])


def test_tsv_strips_one_carriage_return_and_keeps_those_inside():
    assert read(tsv_rows, "a\tb\r\nc\rd\te\r\r\n")[0] == [(1, ["a", "b"]), (2, ["c\rd", "e\r"])]


def test_tsv_reports_every_blank_line_and_reads_on():
    rows, problems = read(tsv_rows, "a\tb\n\nc\td\n  \r\n\t\n\n")
    assert rows == [(1, ["a", "b"]), (3, ["c", "d"]), (5, ["", ""])]
    assert problems == [f"f:{line}: blank line; every line is one example" for line in (2, 4, 6)]


def test_tsv_with_old_macintosh_line_ends_is_explained():
    rows, problems = read(tsv_rows, "a\tb\rc\td\r")
    assert rows == []
    assert problems == ["f:1: a carriage return that ends no line; convert the line ends, for "
                        "example with tr '\\r' '\\n' < old > new"]


@settings(derandomize=True, deadline=None)
@given(st.lists(st.lists(st.text(st.characters(exclude_characters="\t\n\r",
                                               exclude_categories=["Cs"]), min_size=1),
                         min_size=2, max_size=4)))
def test_tsv_reads_back_any_cells(table):
    text = "".join("\t".join(row) + "\n" for row in table)
    assert [cells for _, cells in read(tsv_rows, text)[0]] == table


# CSV


def test_csv_cells_span_lines_and_rows_know_where_they_start():
    text = 'id,text\r\n1,"two\nlines, ""quoted"""\r\n2,plain "inside"\n3,""\n'
    assert read(csv_rows, text) == ([
        (1, ["id", "text"]), (2, ["1", 'two\nlines, "quoted"']), (4, ["2", 'plain "inside"']),
        (5, ["3", ""])], [])


def test_csv_takes_long_cells_and_leaves_the_limit_of_the_process_alone():
    limit = csv.field_size_limit()
    assert read(csv_rows, "x" * 200_000 + ",b\n")[0] == [(1, ["x" * 200_000, "b"])]
    assert csv.field_size_limit() == limit


def test_csv_replaces_nul_by_a_character_that_the_tokenizer_drops_too():
    assert read(csv_rows, 'a\0b,"\0"\n') == ([(1, ["a\ufffdb", "\ufffd"])], [])


def test_csv_reports_blank_lines():
    rows, problems = read(csv_rows, "a,b\n\nc,d\n  \n")
    assert rows == [(1, ["a", "b"]), (3, ["c", "d"])]
    assert problems == ["f:2: blank line; every line is one example",
                        "f:4: blank line; every line is one example"]


@pytest.mark.parametrize("text, problem", [
    ('a,b\nc,"d\ne\n', "f:2: a quoted cell that starts in this record is not closed up to the end, "
                       "line 3"),
    ('a,b\n"c"d,e\n', "f:2: broken quoting, ',' expected after '\"' near line 2; inside a quoted "
                      'cell a quotation mark is written twice ("")'),
    ("a\rb,c\n", "f:1: a carriage return that ends no line; convert the line ends"),
])
def test_csv_broken_quoting_is_no_text(text, problem):
    rows, problems = read(csv_rows, text)
    assert len(rows) == text.startswith("a,b")
    assert len(problems) == 1
    assert problems[0].startswith(problem)


@settings(derandomize=True, deadline=None)
@given(st.lists(st.lists(st.text(st.characters(exclude_characters="\r\0",
                                               exclude_categories=["Cs"])),
                         min_size=2, max_size=4)))
def test_csv_reads_back_any_cells(table):
    def quote(cell):
        return '"' + cell.replace('"', '""') + '"'

    text = "".join(",".join(map(quote, row)) + "\n" for row in table)
    rows, problems = read(csv_rows, text)
    assert ([cells for _, cells in rows], problems) == (table, [])
    for line, cells in rows:
        assert text.split("\n")[line - 1].startswith(quote(cells[0]).split("\n")[0])


# JSON


def test_jsonl_reads_an_object_a_line():
    text = '{"text": "a\u2028b"}\r\n {"text": "\\u00e9", "label": 1}'
    assert read(jsonl_rows, text) == ([(1, {"text": "a\u2028b"}),
                                       (2, {"text": "é", "label": "1"})], [])


def test_jsonl_reports_every_bad_line():
    text = '{"a": 1}\n\n{"a": 1 2}\n[1]\n{"a": 1} {}\n"x"\n{"a": 1, "a": 2}\n{"b": 3}\n'
    rows, problems = read(jsonl_rows, text)
    assert rows == [(1, {"a": "1"}), (8, {"b": "3"})]
    assert problems == [
        "f:2: blank line; every line is one example",
        "f:3: not valid JSON, Expecting ',' delimiter at column 9",
        "f:4: a list, not a JSON object",
        "f:5: not valid JSON, Extra data at column 10",
        "f:6: a single value, not a JSON object",
        'f:7: the object has a key twice: "a"']


@pytest.mark.parametrize("text", ['[{"a": 1}, {"a": 2}]', '[\n{"a": 1}\n]'])
def test_jsonl_recognises_a_list(text):
    assert read(jsonl_rows, text)[1][0].endswith("; a list of objects is read by "
                                                 "--data_format=json")


def test_json_records_know_their_lines():
    text = '\n[ {"a": 1},\n{"a": [\n2]},{"a": "x\\ny"}\n\n,\n{"a": null} ]\n'
    assert read(json_rows, text) == ([(2, {"a": "1"}), (3, {"a": ["2"]}), (4, {"a": "x\ny"}),
                                      (7, {"a": None})], [])


@pytest.mark.parametrize("text", ["", " \n", "[]", " [\n]\n"])
def test_json_without_objects_has_no_rows(text):
    assert read(json_rows, text) == ([], [])


@pytest.mark.parametrize("text, rows, problem", [
    ('{"a": 1}\n{"a": 2}', 0, "f:1: not a list of objects "),
    ('[{"a": 1},\n{"a": 1 2}]', 1, "f:2: not valid JSON, Expecting ',' delimiter at column 9"),
    ('[{"a": 1}\n{"a": 2}]', 1, "f:2: not valid JSON, Expecting ',' or ']' at column 1"),
    ('[{"a": 1},\n', 1, "f:2: not valid JSON, Expecting value at column 1"),
    ('[{"a": 1}]\n\nx', 1, "f:3: not valid JSON, Extra data at column 1"),
    ('[{"a": 1},\n3]', 1, "f:2: a single value, not a JSON object"),
    ('[{"a": 1},\n{"b": 1, "b": 2}]', 1, 'f:2: the object has a key twice: "b"'),
    ("[" * 100_000, 0, "f:1: nested too deeply"),
])
def test_json_problems(text, rows, problem):
    found, problems = read(json_rows, text)
    assert len(found) == rows
    assert len(problems) == 1
    assert problems[0].startswith(problem)


def test_json_that_is_no_list_tells_the_ways_out():
    problem = read(json_rows, '{"text": {"0": "a"}}')[1][0]
    assert "--data_format=jsonl" in problem
    assert 'orient="records"' in problem


@pytest.mark.parametrize("written, text", [
    ('"a"', "a"), ("1", "1"), ("-1.50", "-1.50"), ("1e5", "1e5"), ("9" * 5000, "9" * 5000),
    ("true", "true"), ("false", "false"), ("null", None), ('"x\\ud83d"', "x\ufffd"),
    ('"\\ud83d\\ude00"', "\U0001f600"), ('"\\u0000"', "\0")])
def test_json_values_become_texts(written, text):
    (_, cells), = read(jsonl_rows, f'{{"a": {written}}}')[0]
    assert json_text(cells["a"]) == (text, None)


@pytest.mark.parametrize("written, kind", [
    ("NaN", "NaN"), ("-Infinity", "-Infinity"), ("[1]", "a list"), ("{}", "an object")])
def test_json_values_that_are_no_texts(written, kind):
    (_, cells), = read(jsonl_rows, f'{{"a": {written}}}')[0]
    assert json_text(cells["a"]) == (None, f"is {kind}, not a text or a number")


@settings(derandomize=True, deadline=None)
@given(st.lists(st.dictionaries(st.text(), st.text())), st.sampled_from([None, 1]))
def test_json_reads_back_any_objects(objects, indent):
    text = json.dumps(objects, indent=indent)
    assert [cells for _, cells in read(json_rows, text)[0]] == [
        {json.loads(json.dumps(key)): value for key, value in each.items()} for each in objects]


# Files


def test_read_text_strips_a_byte_order_mark(write):
    folder = write("a.tsv", b"\xef\xbb\xbfa\tb\r\n")
    write("b.tsv", "a\tb".encode("utf-16"))
    assert read_text(f"{folder}/a.tsv", "utf-8", Report("f")) == "a\tb\r\n"
    assert read_text(f"{folder}/b.tsv", "utf-16", Report("f")) == "a\tb"


def test_read_text_reports_every_line_that_does_not_decode(write):
    folder = write("a.tsv", b"Stra\xc3\x9fe\nStra\xdfe \xdf\n\xe9t\xe9\n")
    report = Report("a.tsv")
    read_text(f"{folder}/a.tsv", "utf-8", report)
    assert report.error().problems == (
        'a.tsv:2: not utf-8: byte 0xdf at character 5, after "Stra"; say --encoding=... or convert '
        "the file, for example with iconv -f WINDOWS-1252 -t UTF-8 old > new",
        "a.tsv:3: not utf-8: byte 0xe9 at character 1, the first of the line")
    assert read_text(f"{folder}/a.tsv", "latin-1", Report("f")).endswith("\nété\n")


@pytest.mark.parametrize(("lines", "last"), [
    (3, "a.tsv:3: not utf-8: byte 0xe9 at character 1, the first of the line"),
    (4, "a.tsv:4: not utf-8 either"),
    (2000, "a.tsv:4: not utf-8 either, nor are 1,996 lines after it")])
def test_of_many_lines_that_do_not_decode_a_few_are_told(write, lines, last):
    folder, report = write("a.tsv", b"\xe9t\xe9 has a NUL at its end\0\n" * lines), Report("a.tsv")
    read_text(f"{folder}/a.tsv", "utf-8", report)
    assert (len(report.error().problems), report.error().problems[-1]) == (min(lines, 4), last)


@pytest.mark.parametrize(("content", "told"), [
    (b"PK\x03\x04\x14\0\xb7", "begins like a ZIP archive or an .xlsx table"),
    (gzip.compress(b"text\tlabel\n", mtime=0), "begins like a gzip file"),
    (b"PAR1\x15\0\xff", "begins like a Parquet table"), (b"%PDF-1.7\n\xe2", "begins like a PDF"),
    (b"\x89PNG\r\n\x1a\n", "begins like a PNG picture"),
    (b"SQLite format 3\0\xff", "begins like an SQLite database"),
    (b"\xd0\xcf\x11\xe0\xa1\xb1", "begins like an .xls table"),
    (bytes(range(256)) * 100, "is not text, or it is UTF-16: say --encoding=utf-16;"),
    ("caf\xe9".encode("utf-16-be") * 10, "is not text, or it is UTF-16")])
def test_a_file_that_is_no_text_is_told_in_one_message(write, problems, content, told):
    folder = write("a.tsv", content)
    message, = problems(read_text, f"{folder}/a.tsv", "utf-8", Report("a.tsv"))
    assert told in message and message.endswith("; what is read are TSV, CSV, JSON lines and JSON")


@pytest.mark.parametrize("name, content, encoding, problem", [
    ("a.tsv", "text".encode("utf-16"), "utf-8", "a.tsv: starts with the mark of UTF-16 and is not "
                                                "utf-8; say --encoding=utf-16"),
    ("a.tsv", b"abc", "utf-16", "a.tsv: not utf-16: "),
    ("a.tsv", b"abc", "utf9", "--encoding=utf9 is not a text encoding that Python knows"),
    ("a.tsv", b"abc", "base64", "--encoding=base64 is not a text encoding that Python knows"),
    ("rows.tsv", b"abc", "utf-8", 'a.tsv: no such file; the folder has "rows.tsv"'),
    ("aa.tsv", b"abc", "utf-8", 'a.tsv: no such file, closest is "aa.tsv"; the folder has "aa.t'),
])
def test_read_text_refuses(write, tmp_path, problems, name, content, encoding, problem):
    write(name, content)
    path = str(tmp_path / "a.tsv")
    found = problems(lambda: read_text(path, encoding, Report("a.tsv")))
    assert len(found) == 1
    assert found[0].startswith(problem)


def test_read_text_of_a_missing_folder_a_folder_and_a_remote_file(tmp_path, problems):
    def read_problem(path):
        return problems(read_text, path, "utf-8", Report(path))

    assert read_problem(f"{tmp_path}/no/a.tsv") == [
        "no/a.tsv: no such file; the folder no does not exist"]
    assert read_problem(str(tmp_path)) == ["DIR: cannot be read: Is a directory"]
    assert read_problem("ram://bucket/a.tsv") == [
        "ram://bucket/a.tsv: no such file; the folder ram://bucket does not exist"]


def test_data_error_is_what_readers_raise(tmp_path):
    with pytest.raises(DataError):
        read_text(f"{tmp_path}/a.tsv", "utf-8", Report("a.tsv"))
