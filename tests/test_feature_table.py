import numpy as np

from finetune.feature_table import FeatureBlock, InputFeatures, LengthSummary, length_summary

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
