"""What a path that leads nowhere is most like."""

import pytest

from finetune import inputs


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """The current folder: examples/issues/{dev,train}.tsv."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "examples/issues").mkdir(parents=True)
    for name in ("dev", "train"):
        (tmp_path / f"examples/issues/{name}.tsv").touch()


@pytest.mark.parametrize(("path", "found"), [
    ("examples/isues", "examples/issues"), ("examples/isues/", "examples/issues"),
    ("exampels", "examples"), ("exampels/isues/trian.tsv", "examples/issues/train.tsv"),
    ("examples/issues/test.tsv", None),  # another file, not another spelling
    ("examples/issues/train.tsv/x", None), ("nothing/like/it", None), ("", None), ("/", None),
    ("gs://bucket/exampels", None), ("examples/issues", None)])
def test_closest(folder, path, found):
    assert inputs.closest(path) == found


@pytest.mark.parametrize(("path", "why"), [
    ("examples/issues", None), ("gs://bucket", None),
    ("examples/issues/dev.tsv", "is a file; give its folder, examples/issues"),
    ("examples/isues", "there is no such folder; did you mean examples/issues?"),
    ("zzz", "there is no such folder")])
def test_why_no_folder(folder, path, why):
    assert inputs.why_no_folder(path) == why
