import json
import resource
import signal

import numpy as np
import pytest
import tensorflow as tf

from finetune import batches, columns, upstream
from finetune.columns import FileColumn
from finetune.errors import UserError
from finetune.feature_table import FeatureBlock, FeatureTable, InputFeatures
from finetune.features import blocks
from finetune.records import (
    cached,
    examples_digest,
    read,
    sha256_file,
    write,
)
from finetune.tokenization import Tokenizer

FEATURES = [
    InputFeatures([2, 7, 3], [0, 0, 0], 1, 3),
    InputFeatures([2, 3], [0, 0], None, 2),
    InputFeatures([2, 30521, 3, 300, 3], [0, 0, 0, 1, 1], 2, 9),
]
BLOCKS = [FeatureBlock.of(FEATURES[:2]), FeatureBlock.of(FEATURES[2:])]
NAMES = ["input_ids", "input_mask", "is_real_example", "label_ids", "segment_ids"]


def check(table):
    assert len(table) == 3
    assert table.input_ids.tolist() == [2, 7, 3, 2, 3, 2, 30521, 3, 300, 3]
    assert table.segment_ids.tolist() == [0] * 8 + [1, 1]
    assert table.offsets.tolist() == [0, 3, 5, 10]
    assert table.lengths().tolist() == [3, 2, 5]
    assert table.label_ids.tolist() == [1, 0, 2]
    assert table.is_real.tolist() == [True] * 3
    assert [column.dtype for column in (table.input_ids, table.segment_ids, table.offsets,
                                        table.label_ids, table.is_real)] == [
        np.int32, np.int32, np.int64, np.int32, bool]
    assert [part.tolist() for part in table.row(1)] == [[2, 3], [0, 0]]


def values(record):
    feature = tf.train.Example.FromString(record).features.feature
    return {name: list(feature[name].int64_list.value) for name in sorted(feature)}


def raw_records(path):
    return list(tf.data.TFRecordDataset(str(path)).as_numpy_iterator())


def write_raw(path, records):
    with tf.io.TFRecordWriter(str(path)) as writer:
        for record in records:
            writer.write(record)


def example(**columns):
    made = tf.train.Example()
    for name, numbers in columns.items():
        made.features.feature[name].int64_list.value.extend(numbers)
    return made.SerializeToString()


@pytest.mark.parametrize("folder", [None, "ram://records"])
@pytest.mark.parametrize("pad_to", [None, 5, 8])
def test_round_trip(tmp_path, folder, pad_to):
    path = f"{folder or tmp_path}/train.tf_record"
    assert write(path, iter(BLOCKS), pad_to) == 3
    check(read(path))
    if not folder:
        assert [entry.name for entry in tmp_path.iterdir()] == ["train.tf_record"]


def test_what_a_killed_run_left_is_removed(tmp_path):
    path = tmp_path / "train.tf_record"
    (tmp_path / "train.tf_record.3fd21c88.tmp").write_text("half")
    write(str(path), iter(BLOCKS))
    assert [entry.name for entry in tmp_path.iterdir()] == ["train.tf_record"]


def test_schema_unpadded_and_padded(tmp_path):
    path = str(tmp_path / "x")
    write(path, BLOCKS)
    assert values(raw_records(path)[2]) == dict(zip(NAMES, (
        [2, 30521, 3, 300, 3], [1] * 5, [1], [2], [0, 0, 0, 1, 1]), strict=True))
    write(path, BLOCKS, pad_to=6)
    assert values(raw_records(path)[1]) == dict(zip(NAMES, (
        [2, 3, 0, 0, 0, 0], [1, 1, 0, 0, 0, 0], [1], [0], [0] * 6), strict=True))


def test_from_features_and_summary():
    table = FeatureTable.from_features(FEATURES)
    check(table)
    assert (table.summary.count, table.summary.max, table.summary.truncated) == (3, 9, 1)


def test_no_records(tmp_path):
    path = str(tmp_path / "x")
    assert write(path, []) == 0
    assert len(read(path)) == 0
    assert read(path).offsets.tolist() == [0]


def test_more_than_one_batch(tmp_path):
    path = str(tmp_path / "x")
    made = [InputFeatures([2, *range(i % 7), 3], [0] * (i % 7 + 2), i % 3, 2) for i in range(9000)]
    write(path, [FeatureBlock.of(made[:5000]), FeatureBlock.of(made[5000:])])
    table, expected = read(path), FeatureTable.from_features(made)
    for name in COLUMNS:
        assert np.array_equal(getattr(table, name), getattr(expected, name))


def test_files_of_the_original(tmp_path):
    original = upstream.run_classifier()
    vocab = tmp_path / "vocab.txt"
    vocab.write_text("[PAD]\n[UNK]\n[CLS]\n[SEP]\na\n##a\nb\n,\n")
    examples = [original.InputExample("1", "aa b, c", None, "x"),
                original.InputExample("2", "a b " * 9, "b", "y"),
                original.PaddingInputExample()]
    path, ours = str(tmp_path / "theirs"), str(tmp_path / "ours")
    full = upstream.full_tokenizer(str(vocab), True)
    original.file_based_convert_examples_to_features(examples, ["x", "y"], 12, full, path)
    table = read(path)
    assert table.lengths().tolist() == [7, 12, 0]
    assert table.is_real.tolist() == [True, True, False]
    assert table.label_ids.tolist() == [0, 1, 0]
    assert table.row(0)[0].tolist() == [2, 4, 5, 6, 7, 1, 3]
    write(ours, blocks(examples[:2], ["x", "y"], 12, Tokenizer(vocab)), pad_to=12)
    assert [values(record) for record in raw_records(ours)] == [
        values(record) for record in raw_records(path)[:2]]


COLUMNS = ("input_ids", "segment_ids", "offsets", "label_ids", "is_real")


@pytest.mark.parametrize("in_memory", [None, 1000])
def test_a_table_is_what_its_file_holds(tmp_path, monkeypatch, in_memory):
    """As it is made, and as it is read again; the second time with columns in files."""
    monkeypatch.setattr(columns, "IN_MEMORY", in_memory or columns.IN_MEMORY)
    path = str(tmp_path / "x")
    made = [InputFeatures([2, *range(99, 99 + i % 40), 3],
                          [0] * (i % 2) + [1] * (i % 40 + 2 - i % 2),
                          i % 3, 50) for i in range(1200)]
    first = cached(path, {}, lambda: [FeatureBlock.of(made[i:i + 100])
                                      for i in range(0, 1200, 100)])
    expected = FeatureTable.from_features(made)
    for table in (first, cached(path, {}, None), read(path)):
        assert isinstance(table.input_ids, FileColumn if in_memory else np.ndarray)
        for name in COLUMNS:
            column, wanted = np.asarray(getattr(table, name)), np.asarray(getattr(expected, name))
            assert np.array_equal(column, wanted) and column.dtype == wanted.dtype, name
        rows = np.array([700, 3, 1199, 4, 5])
        for one, other in zip(batches.pack(table, rows), batches.pack(expected, rows), strict=True):
            assert np.array_equal(one, other)
    assert sorted(entry.name for entry in tmp_path.iterdir()) == ["x", "x.json"]


# Faults.

def test_missing_file(tmp_path):
    with pytest.raises(UserError, match="x: there is no such file"):
        read(str(tmp_path / "x"))


@pytest.mark.parametrize(("damage", "number"), [
    (lambda data: data[:-5], "5,000"),
    (lambda data: data[:len(data) // 5000 * 4321 + 20] + b"\xff" * 4
     + data[len(data) // 5000 * 4321 + 24:], "4,322"),
    (lambda data: b"not a record at all, by far", "1"),
])
def test_damaged_file_names_the_record(tmp_path, damage, number):
    path = tmp_path / "train.tf_record"
    write(str(path), [FeatureBlock.of([FEATURES[0]] * 5000)])
    path.write_bytes(damage(path.read_bytes()))
    with pytest.raises(UserError, match=f"train.tf_record: record {number} is damaged; delete"):
        read(str(path))


@pytest.mark.parametrize(("record", "said"), [
    (b"\xff\xff", "damaged"),
    (example(input_ids=[2, 3]), "input_mask has the wrong number of values"),
    (example(input_ids=[2], input_mask=[1], segment_ids=[0], label_ids=[0, 1],
             is_real_example=[1]), "label_ids has the wrong number of values"),
    (example(input_ids=[2, 3], input_mask=[0, 1], segment_ids=[0, 0], label_ids=[0],
             is_real_example=[1]), "input_mask is not a row of ones"),
    (example(), "label_ids has the wrong number of values"),
])
def test_foreign_records(tmp_path, record, said):
    path = str(tmp_path / "x")
    write(path, BLOCKS)
    write_raw(path, [*raw_records(path), record])
    with pytest.raises(UserError, match=said) as error:
        read(path)
    assert "record 4 is damaged" in str(error.value)


def test_pad_to_too_small(tmp_path):
    with pytest.raises(ValueError, match="5 ids does not fit into 4"):
        write(str(tmp_path / "x"), BLOCKS, pad_to=4)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt])
def test_an_interrupted_write_leaves_the_old_file(tmp_path, error):
    def broken():
        yield BLOCKS[0]
        raise error

    path = str(tmp_path / "x")
    write(path, BLOCKS)
    with pytest.raises(error):
        write(path, broken())
    check(read(path))
    assert [entry.name for entry in tmp_path.iterdir()] == ["x"]


def test_a_full_disk(tmp_path):
    """A limit on the size of files stands for the disk; the error comes from the real writer."""
    path = str(tmp_path / "x")
    write(path, BLOCKS)
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, hard))
    try:
        with pytest.raises(UserError, match="x: cannot be written"):
            write(path, BLOCKS * 5000)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        signal.signal(signal.SIGXFSZ, handler)
    check(read(path))
    assert [entry.name for entry in tmp_path.iterdir()] == ["x"]


def test_a_folder_that_is_none(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match="cannot be written"):
        write(str(tmp_path / "file" / "x"), BLOCKS)


# The cache.

class Maker:
    def __init__(self, features=BLOCKS):
        self.features, self.calls = features, 0

    def __call__(self):
        self.calls += 1
        return iter(self.features)


FINGERPRINT = {"data": "abc", "labels": ["x", "y"], "max_seq_length": 5, "cased": False}


def test_cache_is_used_again(tmp_path):
    path, make = str(tmp_path / "train.tf_record"), Maker()
    first, second = cached(path, FINGERPRINT, make), cached(path, dict(FINGERPRINT), make)
    assert make.calls == 1
    check(first)
    check(second)
    assert first.summary == second.summary
    assert (second.summary.truncated, second.summary.max) == (1, 9)
    assert sorted(entry.name for entry in tmp_path.iterdir()) == [
        "train.tf_record", "train.tf_record.json"]
    note = json.loads((tmp_path / "train.tf_record.json").read_text())
    assert note["records"] == 3
    assert note["sha256"] == sha256_file(path)
    assert note["fingerprint"]["max_seq_length"] == 5


def flip(path):
    data = bytearray(path.read_bytes())
    data[20] ^= 1
    path.write_bytes(data)


def edit_note(path, **changes):
    note = path.with_name(path.name + ".json")
    note.write_text(json.dumps({**json.loads(note.read_text()), **changes}))


@pytest.mark.parametrize("spoil", [
    lambda path: path.unlink(),
    lambda path: path.with_name(path.name + ".json").unlink(),
    lambda path: path.with_name(path.name + ".json").write_text('{"fingerpr'),
    lambda path: path.with_name(path.name + ".json").write_text("[]"),
    lambda path: path.with_name(path.name + ".json").write_text("[" * 100_000),
    lambda path: path.with_name(path.name + ".json").write_bytes(b"\xff"),
    lambda path: path.write_bytes(path.read_bytes()[:-3]),
    lambda path: path.write_bytes(b""),
    flip,
    lambda path: write(str(path), BLOCKS[::-1]),  # an intact file of somebody else
    lambda path: edit_note(path, records=2),
    lambda path: edit_note(path, lengths={}),
    lambda path: edit_note(path, fingerprint=None),
])
def test_a_spoilt_cache_is_made_anew(tmp_path, spoil):
    path, make = tmp_path / "train.tf_record", Maker()
    cached(str(path), FINGERPRINT, make)
    spoil(path)
    check(cached(str(path), FINGERPRINT, make))
    assert make.calls == 2
    check(cached(str(path), FINGERPRINT, make))
    assert make.calls == 2


@pytest.mark.parametrize("change", [
    {"data": "abd"}, {"labels": ["y", "x"]}, {"max_seq_length": 6}, {"cased": True}, {"new": 1}])
def test_another_input_makes_another_file(tmp_path, change):
    path, make = str(tmp_path / "x"), Maker(BLOCKS[:1])
    cached(path, FINGERPRINT, make)
    make.features = BLOCKS
    check(cached(path, {**FINGERPRINT, **change}, make))
    assert make.calls == 2


def test_a_failed_run_leaves_no_usable_cache(tmp_path):
    def broken():
        yield BLOCKS[0]
        raise UserError("bad label")

    path, make = str(tmp_path / "x"), Maker()
    with pytest.raises(UserError, match="bad label"):
        cached(path, FINGERPRINT, broken)
    assert list(tmp_path.iterdir()) == []
    check(cached(path, FINGERPRINT, make))


# Digests.

def test_sha256_file(tmp_path):
    (tmp_path / "abc").write_bytes(b"abc")
    assert sha256_file(str(tmp_path / "abc")) == (
        "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad")


def test_examples_digest_tells_examples_apart():
    def digest(*rows):
        return examples_digest([make(*row) for row in rows])

    make = upstream.run_classifier().InputExample
    row = ("1", "ab", "c", "x")
    sets = [[], [row], [("1", "a", "bc", "x")], [("1", "abc", "", "x")], [("1", "abc", None, "x")],
            [("1", "ab", "c", "y")], [("2", "ab", "c", "x")], [row, row],
            [("1", "\ud800", "c", "x")]]
    assert len({digest(*rows) for rows in sets}) == len(sets)
    assert digest(row) == digest(("1", "ab", "c", "x"))
    assert digest(("1", "ab", "c", 1)) == digest(("1", "ab", "c", "1"))


# --- the scores of a regression --------------------------------------------------------------

SCORED = [InputFeatures([2, 7, 3], [0, 0, 0], 3.8, 3), InputFeatures([2, 3], [0, 0], None, 2)]


@pytest.mark.parametrize("pad_to", [None, 8])
def test_scores_are_a_float_feature(tmp_path, pad_to):
    path = str(tmp_path / "x")
    write(path, [FeatureBlock.of(SCORED)], pad_to, label_type=np.float32)
    first = tf.train.Example.FromString(raw_records(path)[0]).features.feature
    assert list(first["label_ids"].float_list.value) == [np.float32(3.8)]
    assert not first["label_ids"].int64_list.value
    assert list(first["is_real_example"].int64_list.value) == [1]
    for table in (read(path, np.float32), FeatureTable.from_features(SCORED, np.float32)):
        assert table.label_ids.dtype == np.float32
        assert table.label_ids.tolist() == [np.float32(3.8), 0.0]
        assert table.input_ids.tolist() == [2, 7, 3, 2, 3]


def test_records_of_the_other_kind_are_no_cache(tmp_path):
    path, made = str(tmp_path / "x"), []

    def make():
        made.append(1)
        return [FeatureBlock.of(SCORED)]

    first = cached(path, {"a": 1}, make, np.float32)
    again = cached(path, {"a": 1}, make, np.float32)
    assert len(made) == 1
    assert first.label_ids.tolist() == again.label_ids.tolist()
    assert cached(path, {"a": 1}, lambda: BLOCKS).label_ids.tolist() == [1, 0, 2]
    with pytest.raises(UserError, match="record 1 is damaged"):
        read(path, np.float32)


def test_no_scores(tmp_path):
    path = str(tmp_path / "x")
    write(path, [], label_type=np.float32)
    assert read(path, np.float32).label_ids.dtype == np.float32
