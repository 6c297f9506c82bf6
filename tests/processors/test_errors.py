import pytest

from processors.errors import DataError, Report, listed, quoted, suggestion


def test_data_error_holds_one_or_many_problems():
    assert DataError("one").problems == ("one",)
    error = DataError(["one", "two"])
    assert error.problems == ("one", "two")
    assert str(error) == "one\ntwo"
    assert isinstance(error, ValueError)


def test_report_words_problems_in_the_order_of_the_file():
    report = Report("a.tsv")
    report.check()
    report.problem(12, "second")
    report.problem(3, "first")
    report.problem(0, "the file")
    with pytest.raises(DataError) as caught:
        report.check()
    assert caught.value.problems == ("a.tsv: the file", "a.tsv:3: first", "a.tsv:12: second")


@pytest.mark.parametrize("count, last", [(20, "a.tsv:20: bad"), (21, "a.tsv: ... and 1 more "
                                         "problems"), (2021, "a.tsv: ... and 2,001 more problems")])
def test_report_words_twenty_problems_and_counts_the_others(count, last):
    report = Report("a.tsv")
    for line in range(1, count + 1):
        report.problem(line, "bad")
    error = report.error()
    assert len(error.problems) == min(count, 21)
    assert error.problems[-1] == last


def test_report_of_a_big_file_keeps_what_it_words_and_no_more():
    report = Report("a.tsv")
    for line in range(100_000, 0, -1):
        report.problem(line, "bad")
        report.problem(line, "worse")
    assert len(report) == 200_000 and len(report._problems) <= 1000
    assert report.error().problems == tuple(
        f"a.tsv:{line}: {text}" for line in range(1, 11) for text in ("bad", "worse")) + (
        "a.tsv: ... and 199,980 more problems",)


@pytest.mark.parametrize("value, expected", [
    ("bug", '"bug"'),
    ("\ufeff2", '"\\ufeff2"'),
    ("a\tb", '"a\\tb"'),
    ("Käse 推", '"Käse 推"'),
    ("x" * 61, '"' + "x" * 60 + '..."'),
])
def test_quoted_shows_what_cannot_be_seen(value, expected):
    assert quoted(value) == expected


def test_listed_is_cut():
    assert listed(["a", "b"]) == '"a", "b"'
    assert listed("abcd", limit=2) == '"a", "b", ... and 2 more'


@pytest.mark.parametrize("value, expected", [
    ("bgu", ', closest is "bug"'),
    ("BUG ", ', closest is "bug"'),
    ("feture", ', closest is "Feature"'),
    ("zzz", ""),
])
def test_suggestion(value, expected):
    assert suggestion(value, ["bug", "Feature", "question"]) == expected
