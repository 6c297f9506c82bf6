"""What holds for every input, tried on those that hypothesis makes: readers, tokenizer, packing,
checkpoint names, label lists. Each compares with something that is not ours, or with itself undone.
"""

import contextlib
import csv
import json
import math
import pathlib
import tempfile
import unicodedata

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from hypothesis.errors import UnsatisfiedAssumption

import processors
import run_classifier_custom
from finetune import batches, config_problems, outputs, upstream
from finetune.checkpoints import checkpoint
from finetune.config import RunConfig
from finetune.errors import UserError
from finetune.feature_table import FeatureTable, InputFeatures
from finetune.features import convert
from finetune.labels import labels_of_run
from finetune.layout import PackedLayout
from finetune.settings import read_labels_file
from finetune.tokenization import Tokenizer
from processors.errors import Report
from processors.examples import InputExample
from processors.readers import read_rows
from tests.csv_text import csv_text
from tests.faults.tally import scale

TEXT = st.one_of(st.text(st.characters(exclude_categories=["Cs"])),
                 st.text(' "\',;\\ab\n\r\t\0\ufeff\u2028\x85\x1c\x0b', max_size=6))
NO_BREAK = st.one_of(
    st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\t\n\r")),
    st.text(' "\',;\\ab\0\ufeff\u2028\x85\x1c\x0b', max_size=6))
LABEL = st.one_of(st.text(max_size=8), st.sampled_from(
    ["bug", "a,b", 'the "bug"', "é", "0", "-1", "a\u2028b", " a", "a\t", "", "\ud800", "\0",
    "--x"]))
LABELS = st.lists(LABEL, max_size=6)
LENGTHS = st.lists(st.integers(1, 12), min_size=1, max_size=20)


def every(**strategies):
    """Makes a property of a test: the same examples every time, and none kept in the project."""
    def decorate(test):
        return settings(derandomize=True, database=None, deadline=None,
                        max_examples=scale(40, 1000),
                        suppress_health_check=[HealthCheck.function_scoped_fixture])(
                            given(**strategies)(test))
    return decorate


@pytest.fixture
def counted(tally):
    """Returns a context: what is within it is one example of a property."""
    @contextlib.contextmanager
    def count(what):
        seen = tally(f"properties: {what}", tried=0, survived=0,
                     detail="examples of hypothesis, none against what is claimed")
        try:
            yield
        except UnsatisfiedAssumption:  # not an example
            raise
        except Exception:
            seen.tried += 1
            raise
        seen.tried += 1
        seen.survived += 1
    return count


@contextlib.contextmanager
def folder():
    """An empty folder for one example."""
    with tempfile.TemporaryDirectory() as path:
        yield pathlib.Path(path)


# --- readers ---------------------------------------------------------------------------------


def rows_of(path, data_format, encoding="utf-8"):
    report = Report(str(path))
    rows = [cells for _, cells in read_rows(str(path), data_format, encoding, report)]
    report.check()
    return rows


@every(table=st.lists(st.lists(NO_BREAK, min_size=2, max_size=4), max_size=8),
       end=st.sampled_from(["\n", "\r\n"]), last=st.booleans(),
       encoding=st.sampled_from(["utf-8", "utf-8-sig", "utf-8-sig", "utf-16", "utf-32", "gb18030"]))
def test_tsv_is_read_as_written(counted, table, end, last, encoding):
    assume(not (table and table[0][0].startswith("\ufeff")))  # a mark of order, not a text
    with counted("readers"), folder() as place:
        text = end.join("\t".join(row) for row in table) + (end if last and table else "")
        (place / "a.tsv").write_bytes(text.encode(encoding))
        assert rows_of(place / "a.tsv", "tsv", encoding.removesuffix("-sig")) == table


@every(table=st.lists(st.lists(TEXT, min_size=2, max_size=4), max_size=8),
       form=st.sampled_from([(csv.QUOTE_ALL, "\n"), (csv.QUOTE_ALL, "\r\n"),
                             # where lines end at \n Python leaves a \r in a cell unquoted
                             (csv.QUOTE_MINIMAL, "\r\n")]))
def test_csv_is_read_as_pythons_writer_wrote_it(counted, table, form):
    quoting, end = form
    assume(not (table and table[0][0].startswith("\ufeff")))
    with counted("readers"), folder() as place:
        text = csv_text(table, quoting=quoting, lineterminator=end)
        (place / "a.csv").write_text(text, encoding="utf-8", newline="")
        assert rows_of(place / "a.csv", "csv") == [
            [cell.replace("\0", "\ufffd") for cell in row] for row in table]


@every(objects=st.lists(st.dictionaries(TEXT, st.one_of(
           TEXT, st.none(), st.booleans(), st.integers(), st.floats(allow_nan=False,
                                                                    allow_infinity=False))),
           max_size=6),
       indent=st.sampled_from([None, 0, 2]), ascii_only=st.booleans(), lines=st.booleans())
def test_json_is_read_as_pythons_writer_wrote_it(counted, objects, indent, ascii_only, lines):
    with counted("readers"), folder() as place:
        path = place / f"a.{'jsonl' if lines else 'json'}"
        text = ("".join(json.dumps(one, ensure_ascii=ascii_only) + "\n" for one in objects)
                if lines else json.dumps(objects, indent=indent, ensure_ascii=ascii_only))
        path.write_text(text, encoding="utf-8", newline="")
        # A number is the text that stands in the file.
        expected = [{key: value if isinstance(value, (str, bool, type(None)))
                     else json.dumps(value) for key, value in one.items()} for one in objects]
        assert rows_of(path, path.suffix[1:]) == expected


@every(rows=st.lists(st.tuples(NO_BREAK, st.sampled_from(["bug", "new, feature", "é"])),
                     min_size=1, max_size=8),
       data_format=st.sampled_from(["tsv", "csv", "jsonl", "json"]))
def test_every_format_gives_the_same_examples(counted, rows, data_format):
    rows = [("a text", "bug"), ("another", "é"), *rows]
    with counted("readers"), folder() as place:
        path = place / f"train.{data_format}"
        objects = [{"text": text, "label": label} for text, label in rows]
        with open(path, "w", newline="", encoding="utf-8") as file:
            if data_format == "csv":
                file.write(csv_text([("text", "label"), *rows]))
            elif data_format == "tsv":
                file.write("".join("\t".join(row) + "\n" for row in [("text", "label"), *rows]))
            else:
                file.write(json.dumps(objects) if data_format == "json" else
                           "\n".join(map(json.dumps, objects)))
        made = processors.get("delimited")().get_train_examples(str(place))
        nul = "\ufffd" if data_format == "csv" else "\0"
        assert [(one.text_a, one.label) for one in made] == [
            (text.replace("\0", nul), label) for text, label in rows]
        assert len({one.guid for one in made}) == len(rows)


# --- tokenizer -------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def tokenizers(tiny, tiny_cased):
    """Ours and the original's, uncased and cased."""
    return [(Tokenizer(str(path / "vocab.txt"), lower),
             upstream.full_tokenizer(str(path / "vocab.txt"), lower))
            for path, lower in ((tiny, True), (tiny_cased, False))]


@every(texts=st.lists(st.one_of(st.text(), st.text("abcthe ?#['.\u03a3\u0301\u4e2d\x00\x01")),
                      max_size=5))
def test_ids_are_those_of_the_original(counted, tokenizers, texts):
    with counted("tokenizer"):
        for ours, original in tokenizers:
            ids = ours.encode(texts)
            assert ids == [original.convert_tokens_to_ids(original.tokenize(text))
                           for text in texts]
            assert all(0 <= one < ours.vocab_size for row in ids for one in row)


@every(vocabulary=st.lists(st.text(st.characters(exclude_categories=["Cs"]), max_size=4),
                           max_size=9),
       text=st.one_of(st.text(max_size=40), st.text("aΣ .", min_size=2, max_size=9),
                      st.text("aΑ\u0301\u0345\u05b0\u05bc ", max_size=9)))
def test_ids_are_those_of_the_original_with_any_vocabulary(counted, vocabulary, text):
    with counted("tokenizer"), folder() as place:
        path = str(place / "vocab.txt")
        # Every character is a token, so that the ids show what became of each of them.
        letters = sorted(set(text + text.lower() + unicodedata.normalize("NFD", text.lower()))
                         | set("ςσ"))
        letters += [f"##{one}" for one in letters]
        tokens = ["[UNK]", "[CLS]", "[SEP]", *vocabulary, *letters]
        (place / "vocab.txt").write_text("\n".join(tokens).encode("utf-8", "ignore").decode(),
                                         encoding="utf-8", newline="")
        for lower in (True, False):
            original = upstream.full_tokenizer(path, lower)
            assert Tokenizer(path, lower).encode([text]) == [
                original.convert_tokens_to_ids(original.tokenize(text))]


@every(a=st.text("abc the?", max_size=40), b=st.one_of(st.none(), st.text("abc the?", max_size=40)),
       most=st.integers(4, 20))
def test_long_texts_are_cut_by_the_originals_rule(counted, tokenizers, a, b, most):
    with counted("tokenizer"):
        ours, original = tokenizers[0]
        example = InputExample("1", a, b, "x")
        [made] = convert([example], ["x", "y"], most, ours)
        tokens, pair = original.tokenize(a), original.tokenize(b) if b else []
        if pair:
            while len(tokens) + len(pair) > most - 3:  # one at a time from the longer
                (tokens if len(tokens) > len(pair) else pair).pop()
        else:
            tokens = tokens[:most - 2]
        first = ["[CLS]", *tokens, "[SEP]"]
        second = [*pair, "[SEP]"] if pair else []
        assert made.input_ids == original.convert_tokens_to_ids(first + second)
        assert made.segment_ids == [0] * len(first) + [1] * len(second)
        assert len(made.input_ids) <= most


# --- packing and order -----------------------------------------------------------------------


def table_of(lengths):
    """A table whose every token is another number, so that none can be taken for another."""
    ends = np.cumsum(lengths)
    return FeatureTable.from_features(
        InputFeatures(list(range(end - length, end)), [token % 2 for token in range(length)],
                      row % 3, length)
        for row, (length, end) in enumerate(zip(lengths, ends.tolist(), strict=True)))


@every(lengths=LENGTHS, draw=st.randoms(use_true_random=False))
def test_packing_and_padding_lose_and_move_nothing(counted, lengths, draw):
    with counted("packing"):
        table, rows = table_of(lengths), np.array(draw.choices(range(len(lengths)), k=7))
        packed, padded = batches.pack(table, rows), batches.pad(table, rows, max(lengths))
        ends = np.cumsum(packed.lengths)
        for place, row in enumerate(rows):
            ids, segments = table.row(row)
            span = slice(ends[place] - packed.lengths[place], ends[place])
            length = packed.lengths[place]
            for made, wanted in ((packed.input_ids[span], ids),
                                 (packed.segment_ids[span], segments),
                                 (padded.input_ids[place, :length], ids),
                                 (padded.segment_ids[place, :length], segments)):
                assert made.tolist() == wanted.tolist()
            assert not padded.input_ids[place, length:].any()
            assert packed.label_ids[place] == padded.label_ids[place] == row % 3
        assert len(packed.input_ids) == sum(lengths[row] for row in rows)


@every(lengths=LENGTHS, groups=st.integers(1, 3), heads=st.integers(1, 3), parts=st.integers(1, 3))
def test_tokens_go_to_their_heads_and_come_back(counted, lengths, groups, heads, parts):
    with counted("packing"):
        groups = min(groups, len(lengths))
        layout = PackedLayout(tf.constant(lengths), groups)
        tokens = tf.reshape(tf.range(sum(lengths) * parts * heads * 2, dtype=tf.float32),
                            [sum(lengths), parts * heads * 2])
        moved = [group.heads(some, parts, heads) for group, some in
                 zip(layout.groups, layout.split(tokens), strict=True)]
        back = [tf.concat([group.tokens(one) for one in some], -1)
                for group, some in zip(layout.groups, moved, strict=True)]
        np.testing.assert_array_equal(tf.concat(back, 0), tokens)


@every(lengths=LENGTHS, batch_size=st.integers(1, 9), tokens=st.integers(0, 60),
       fill=st.booleans())
def test_evaluation_meets_every_row_once(counted, lengths, batch_size, tokens, fill):
    with counted("packing"):
        made = list(batches.by_length(np.array(lengths), batch_size, tokens, fill))
        met = np.concatenate(made).tolist()
        assert sorted(met) == list(range(len(lengths)))
        assert [lengths[row] for row in met] == sorted(lengths, reverse=True)


@every(rows=st.integers(1, 40), batch_size=st.integers(1, 50), seed=st.integers(0, 2 ** 31 - 1),
       epochs=st.integers(1, 4))
def test_every_epoch_is_a_permutation(counted, rows, batch_size, seed, epochs):
    with counted("packing"):
        order = batches.TrainingOrder(rows, batch_size, seed)
        steps = math.ceil(rows * epochs / batch_size)
        stream = np.concatenate([order.batch(step) for step in range(steps)])
        for epoch in range(epochs):
            assert sorted(stream[epoch * rows:(epoch + 1) * rows]) == list(range(rows))
        late = batches.TrainingOrder(rows, batch_size, seed).batch(steps - 1)  # a resumed run
        assert late.tolist() == stream[(steps - 1) * batch_size:].tolist()


# --- names in checkpoints --------------------------------------------------------------------

NAME = st.from_regex(r"[A-Za-z0-9.][A-Za-z0-9_.\\/>-]{0,40}", fullmatch=True)  # TensorFlow's
SHAPE = st.lists(st.integers(0, 3), max_size=3).map(tuple)


@every(shapes=st.dictionaries(NAME, SHAPE, min_size=1, max_size=6))
def test_a_checkpoint_has_any_name_and_shape(counted, shapes):
    with counted("checkpoint names"), folder() as place:
        random = np.random.default_rng(0)
        values = {name: random.standard_normal(shape).astype(np.float32)
                  for name, shape in shapes.items()}
        prefix = str(place / "model.ckpt-7")
        checkpoint.save(prefix, values)
        assert checkpoint.shapes(prefix) == shapes
        read = checkpoint.read(prefix, list(shapes))
        for name, value in values.items():
            np.testing.assert_array_equal(read[name], value)
        assert sorted(path.name for path in place.iterdir()) == [
            "model.ckpt-7.data-00000-of-00001", "model.ckpt-7.index"]


@every(steps=st.lists(st.integers(0, 10 ** 12), min_size=1, max_size=8), keep=st.integers(0, 4))
def test_the_newest_checkpoint_is_the_one_last_written(counted, steps, keep):
    with counted("checkpoint names"), folder() as place:
        made = checkpoint.Folder(str(place), keep)
        for step in steps:
            made.write(step, {"a": np.zeros(1, np.float32)})
            assert checkpoint.latest(str(place)) == str(place / f"model.ckpt-{step}")
        held = checkpoint.steps(str(place))
        assert held == sorted(held) and set(held) <= set(steps)
        assert steps[-1] in checkpoint.steps(str(place))
        distinct = len(set(steps))
        assert len(checkpoint.steps(str(place))) == (min(keep, distinct) if keep else distinct)
        (place / "model.ckpt-1x.index").touch()
        (place / "model.ckpt-.index").touch()
        assert len(checkpoint.steps(str(place))) == (min(keep, distinct) if keep else distinct)


# --- label lists -----------------------------------------------------------------------------


def is_good(labels):
    """The rule in other words than config_problems has it."""
    return (len(labels) >= 2 and len(set(labels)) == len(labels) and all(
        one and one.strip() == one and "\t" not in one and one.splitlines() == [one]
        and one.encode("utf-8", "replace").decode() == one for one in labels))


@every(labels=LABELS)
def test_a_label_list_that_is_accepted_survives_every_file(counted, labels):
    with counted("label lists"), folder() as place:
        found = config_problems.of_labels(labels, "here")
        assert bool(found) != is_good(labels)
        assert all(one.startswith("here: ") for one in found)
        path = place / "labels"
        path.write_bytes("".join(f"{one}\n" for one in labels).encode("utf-8", "surrogatepass"))
        if found:
            if "\n" not in "".join(labels) and labels != [""]:
                with pytest.raises(UserError):
                    read_labels_file(str(path))
            return
        outputs.write_labels(str(place), labels)
        assert outputs.read_labels(str(place)) == labels
        if not labels[0].startswith("\ufeff"):
            assert read_labels_file(str(path)) == tuple(labels)


@every(labels=LABELS.filter(is_good))
def test_labels_come_back_through_the_settings_of_a_run(counted, labels):
    with counted("label lists"), folder() as place:
        config = RunConfig(do_train=True, data_dir="d", output_dir="o", labels=tuple(labels))
        (place / "run.json").write_text(json.dumps(config.as_dict()), encoding="utf-8")
        assume("\0" not in "".join(labels))  # refused there, as no command line can hold one
        again = run_classifier_custom.make_config([f"--config={place / 'run.json'}"])
        assert again.labels == config.labels


@every(labels=LABELS, given_labels=st.one_of(st.none(), LABELS))
def test_the_labels_of_a_run_are_good_or_refused(counted, labels, given_labels):
    with counted("label lists"), folder() as place:
        config = RunConfig(do_train=True, output_dir=str(place),
                           labels=None if given_labels is None else tuple(given_labels))
        problems: list[str] = []
        found = labels_of_run(config, object(), problems, lambda: labels)
        wanted = labels if given_labels is None else given_labels
        assert (found is None) == bool(problems) == (not is_good(wanted))
        assert found in (None, wanted)
