"""finetune/sources/installed.py: names that nothing has, and folders that are whole or not."""

import json

import pytest

from finetune.errors import UserError
from finetune.sources import installed


def test_the_closest_names_are_told_as_they_are_written():
    known = ["BERT-tiny", "BERT-mini", "other"]
    assert installed.no_such("checkpoint", "bert-tinny", known) == (
        "'bert-tinny': no checkpoint of that name; the closest: BERT-tiny, BERT-mini.")
    assert installed.no_such("task", "zzz", known) == (
        "'zzz': no task of that name; --list shows all.")


def test_an_empty_folder_counts_as_absent(tmp_path):
    folder = tmp_path / "folder"
    assert installed.is_absent(str(folder))
    folder.mkdir()
    assert installed.is_absent(str(folder))
    (folder / "a").write_text("")
    assert not installed.is_absent(str(folder))
    assert not installed.is_absent(str(folder / "a"))


@pytest.mark.parametrize(("record", "contents", "problem"), [
    ({"files": {"a": 3}}, {"a": "abc"}, None),
    ({"files": {"a": 3}}, {"a": "ab"}, "a has 2 bytes where 3 were installed"),
    ({"files": {"a": 3}}, {"b": "abc"}, "a is missing"),
    ({"activation": "gelu"}, {"a": "abc"}, "its source.json cannot be read"),
    ([], {"a": "abc"}, "its source.json cannot be read"),
    ({"files": ["a"]}, {"a": "abc"}, "its source.json cannot be read"),
    ({"files": {"a": "many"}}, {"a": "abc"}, "its source.json cannot be read"),
    (None, {"a": "x", "b": "y"}, None),
    (None, {"a": "x"}, "b is missing"),
    (None, {"a": "x", "b": ""}, "b is empty")])
def test_what_is_recorded_decides_else_the_names(record, contents, problem, tmp_path):
    for name, text in contents.items():
        (tmp_path / name).write_text(text)
    if record is not None:
        (tmp_path / "source.json").write_text(json.dumps(record))
    if problem is None:
        assert installed.require_whole(str(tmp_path), ["a", "b"]) is (record is not None)
    else:
        with pytest.raises(UserError) as caught:
            installed.require_whole(str(tmp_path), ["a", "b"])
        assert str(caught.value) == (
            f"{tmp_path}: is there already, but is not complete: {problem}. Delete it or move it "
            "away, then run this again.")


def test_a_file_where_the_folder_should_be(tmp_path):
    (tmp_path / "file").write_text("mine")
    with pytest.raises(UserError, match="a is missing"):
        installed.require_whole(str(tmp_path / "file"), ["a"])
