import tempfile

import numpy as np

from finetune import columns
from finetune.feature_table import (
    FeatureBlock,
    InputFeatures,
    LengthSummary,
    TableWriter,
    length_summary,
)

ROWS = [InputFeatures([2, 7, 3], [0, 0, 0], 1, 3), InputFeatures([2, 3], [0, 0], None, 9)]


def test_a_block_holds_its_rows():
    block = FeatureBlock.of(ROWS)
    assert list(block.rows()) == ROWS
    assert len(block) == 2
    assert block.input_ids.tolist() == [2, 7, 3, 2, 3]
    assert block.lengths.tolist() == [3, 2]
    assert block.labels(np.int32).tolist() == [1, 0]
    assert block.labels(np.float32).dtype == np.float32
    assert list(FeatureBlock.of([]).rows()) == []


def test_length_summary():
    features = [InputFeatures([0] * min(n, 90), [0] * min(n, 90), 0, n) for n in range(1, 101)]
    assert length_summary(features) == LengthSummary(
        count=100, mean=50.5, p50=50, p90=90, p95=95, p99=99, max=100, truncated=10)
    assert length_summary(features[:3]) == LengthSummary(3, 2.0, 2, 3, 3, 3, 3, 0)
    assert length_summary([]) == LengthSummary(0, 0.0, 0, 0, 0, 0, 0, 0)


def test_all_that_a_table_puts_into_files_lies_in_its_folder(tmp_path, monkeypatch):
    folders, make = [], tempfile.TemporaryFile
    monkeypatch.setattr(columns, "IN_MEMORY", 0)
    monkeypatch.setattr("tempfile.TemporaryFile",
                        lambda dir: folders.append(dir) or make(dir=dir))
    writer = TableWriter(np.dtype((np.uint8, (2,))), str(tmp_path))
    writer.append(np.array([1, 2, 3]), np.array([0, 0, 1]), np.array([2, 1]),
                  np.array([[1, 0], [1, 1]]), np.array([True, True]), np.array([0, 1]))
    table = writer.table()
    assert folders == [str(tmp_path)] * 6
    assert table.row(1)[0].tolist() == [3] and table.label_ids.tolist() == [[1, 0], [1, 1]]
