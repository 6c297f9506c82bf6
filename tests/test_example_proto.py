import random

import numpy as np
import pytest
import tensorflow as tf

from finetune.example_proto import serialized, varints
from finetune.feature_table import FeatureBlock, InputFeatures


@pytest.mark.parametrize(("value", "data"), [
    (0, "00"), (1, "01"), (127, "7f"), (128, "80 01"), (300, "ac 02"), (16383, "ff 7f"),
    (16384, "80 80 01"), (30521, "b9 ee 01"), (2097151, "ff ff 7f"), (2097152, "80 80 80 01"),
    (2**31 - 1, "ff ff ff ff 07")])
def test_varints(value, data):
    made, starts = varints(np.array([7, value, value], np.int32))
    size = len(bytes.fromhex(data))
    assert made == b"\x07" + 2 * bytes.fromhex(data)
    assert starts.tolist() == [0, 1, 1 + size, 1 + 2 * size]


def test_no_varints():
    made, starts = varints(np.zeros(0, np.int32))
    assert (made, starts.tolist()) == (b"", [0])


def built(row, width, scores):
    """The same example, by TensorFlow."""
    example, padding = tf.train.Example(), [0] * (width - len(row.input_ids))
    feature = example.features.feature
    feature["input_ids"].int64_list.value.extend(row.input_ids + padding)
    feature["input_mask"].int64_list.value.extend([1] * len(row.input_ids) + padding)
    feature["segment_ids"].int64_list.value.extend(row.segment_ids + padding)
    label = feature["label_ids"]
    (label.float_list if scores else label.int64_list).value.append(row.label_id or 0)
    feature["is_real_example"].int64_list.value.append(1)
    return example


def some_rows(count, longest, scores=False):
    dice, rows = random.Random(longest), []
    for _ in range(count):
        length = dice.randint(2, longest)
        second = dice.choice([0, dice.randint(0, length)])
        ids = [dice.choice([0, 5, 127, 128, 30521, 119546, 2**31 - 1]) for _ in range(length)]
        label = dice.choice([None, 0, 1, 127, 128, 5000, 2**31 - 1])
        if scores and label:
            label = dice.uniform(-5, 5)
        rows.append(InputFeatures(ids, [0] * (length - second) + [1] * second, label, length))
    return rows


@pytest.mark.parametrize("scores", [False, True])
@pytest.mark.parametrize(("longest", "pad_to"), [
    (8, None), (8, 8), (8, 130), (128, None), (128, 128), (512, None), (512, 600), (3000, None)])
def test_tensorflow_parses_what_was_meant(longest, pad_to, scores):
    rows = some_rows(60, longest, scores)
    label_type = np.float32 if scores else np.int32
    made = list(serialized(FeatureBlock.of(rows), pad_to, label_type))
    assert len(made) == len(rows)
    for row, data in zip(rows, made, strict=True):
        expected = built(row, pad_to or len(row.input_ids), scores)
        assert tf.train.Example.FromString(data) == expected
        assert len(data) == expected.ByteSize()  # nothing beside it, nothing longer than need be


def test_no_rows():
    assert list(serialized(FeatureBlock.of([]))) == []


def test_a_row_that_is_too_long():
    with pytest.raises(ValueError, match="a sequence of 9 ids does not fit into 8"):
        list(serialized(FeatureBlock.of([InputFeatures([1] * 9, [0] * 9, 0, 9)]), 8))
