import os

import numpy as np
import pytest

from finetune import columns
from finetune.columns import ColumnWriter, FileColumn


@pytest.fixture
def column(tmp_path, monkeypatch):
    """The numbers 0, 3, 6, ... 297 in a file."""
    monkeypatch.setattr(columns, "IN_MEMORY", 40)
    writer = ColumnWriter(np.int32, str(tmp_path))
    for start in range(0, 100, 7):
        writer.append(np.arange(start, min(start + 7, 100)) * 3)
    assert os.listdir(tmp_path) == []  # it has no name
    return writer.finished()


def test_a_short_column_is_an_array():
    writer = ColumnWriter(np.float32)
    assert writer.finished().tolist() == []
    writer.append(np.array([1, 2]))
    writer.append(np.array([0.5]))
    assert isinstance(writer.finished(), np.ndarray)
    assert writer.finished().tolist() == [1, 2, 0.5]
    assert writer.finished().dtype == np.float32


@pytest.mark.parametrize("index", [
    slice(None), slice(3, 9), slice(90, 200), slice(-4, None), slice(5, 5), slice(9, 3),
    slice(0, 50, 7), slice(None, None, -1), np.array([7]), np.array([], np.int64),
    np.array([1, 2, 3, 99, 98, 98, 0, 1, 50]), np.arange(100)])
def test_a_long_column_answers_as_an_array(column, index):
    assert isinstance(column, FileColumn)
    expected = np.arange(0, 300, 3, np.int32)
    assert len(column) == 100
    assert column[index].tolist() == expected[index].tolist()
    assert column[index].dtype == np.int32
    assert np.asarray(column).tolist() == expected.tolist()


def test_places_that_are_not_there(column):
    for index in ([100], [-1], [5, 3000]):
        with pytest.raises(IndexError):
            column[np.array(index)]


def test_a_file_that_was_cut(column):
    os.ftruncate(column._file.fileno(), 40)
    with pytest.raises(OSError, match="shorter"):
        column[5:20]
