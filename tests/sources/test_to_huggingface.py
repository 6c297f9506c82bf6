"""finetune/sources/to_huggingface.py: what is written for transformers, and what is refused.

That transformers reads it is tested by tests/huggingface/test_with_transformers.py.
"""

import json

import numpy as np
import pytest
import safetensors.numpy

from finetune import model
from finetune.bert_config import BertConfig, variable_shapes
from finetune.checkpoints import checkpoint
from finetune.errors import UserError
from finetune.sources import from_huggingface, to_huggingface
from tests.conftest import TINY, vocabulary


@pytest.fixture
def run(tmp_path):
    """Writes a run's folder: labels, tensors to leave out, files -> its path."""
    def write(labels=("no", "yes"), rows=None, without="nothing", words=None, **settings):
        folder = tmp_path / "run"
        folder.mkdir()
        words = words or vocabulary(cased=False)
        config = {**TINY, "vocab_size": len(words)}
        shapes = model.variable_shapes(BertConfig(**config), rows or len(labels))
        shapes = {**shapes, **model.slot_shapes(shapes)}
        random = np.random.default_rng(0)
        checkpoint.Folder(str(folder), 1).write(9, {"global_step": np.int64(9), **{
            name: random.normal(size=shape).astype(np.float32)
            for name, shape in shapes.items() if not name.startswith(without)}})
        (folder / "bert_config.json").write_text(json.dumps(config))
        (folder / "vocab.txt").write_text("\n".join(words) + "\n")
        (folder / "run_config.json").write_text(json.dumps(settings))
        if labels:
            (folder / "labels.txt").write_text("".join(f"{label}\n" for label in labels))
        return str(folder)
    return write


@pytest.fixture
def convert(tmp_path):
    return lambda source, **options: to_huggingface.convert(source, str(tmp_path / "hf"), **options)


@pytest.fixture
def refused(convert, tmp_path):
    def call(source, **options):
        with pytest.raises(UserError) as caught:
            convert(source, **options)
        assert not (tmp_path / "hf").exists()
        assert not list(tmp_path.glob(".converting*"))
        return caught.value.problems
    return call


def read(folder, name):
    return json.loads((folder / "hf" / name).read_text())


def test_a_run_becomes_a_folder_of_transformers(run, convert, tmp_path):
    source = run(max_seq_length=32, do_lower_case=True)
    done = convert(source)
    assert (done.labels, done.do_lower_case, done.activation) == (["no", "yes"], True, "gelu")
    assert done.notices == ["hidden_act 'gelu' is called 'gelu_new' there: the same function"]
    assert {path.name for path in (tmp_path / "hf").iterdir()} == {
        "config.json", "model.safetensors", "vocab.txt", "tokenizer_config.json"}
    assert len({path.stat().st_mode for path in (tmp_path / "hf").iterdir()}) == 1
    assert read(tmp_path, "config.json")["id2label"] == {"0": "no", "1": "yes"}
    settings = read(tmp_path, "tokenizer_config.json")
    assert (settings["do_lower_case"], settings["model_max_length"]) == (True, 32)
    with safetensors.safe_open(tmp_path / "hf" / "model.safetensors", "np") as file:
        assert file.metadata() == {"format": "pt"}
        names = set(file.keys())
        kernel = file.get_tensor("bert.encoder.layer.1.intermediate.dense.weight")
    assert len(names) == len(variable_shapes(BertConfig(vocab_size=1, num_hidden_layers=2))) + 2
    assert not any("adam" in name or "step" in name for name in names)
    held = checkpoint.read(checkpoint.latest(source), [
        "bert/encoder/layer_1/intermediate/dense/kernel"])
    np.testing.assert_array_equal(kernel.T, next(iter(held.values())))


def test_the_best_checkpoint_is_taken(run, convert, tmp_path):
    source = run()
    folder = checkpoint.Folder(source, 0)
    held = checkpoint.latest(source)
    folder.note_evaluation(9, "accuracy", 0.9)
    names = list(checkpoint.shapes(held))
    folder.write(12, {name: value + 1 for name, value in checkpoint.read(held, names).items()})
    convert(source)
    found = safetensors.numpy.load_file(tmp_path / "hf" / "model.safetensors")
    np.testing.assert_array_equal(found["classifier.bias"],
                                  checkpoint.read(held, ["output_bias"])["output_bias"])


def test_without_labels_they_are_numbered_and_told(run, convert):
    done = convert(run(labels=(), rows=3))
    assert done.labels == ["LABEL_0", "LABEL_1", "LABEL_2"]
    assert any("there is no labels.txt beside the checkpoint" in note for note in done.notices)


def test_a_regression(run, convert, tmp_path):
    convert(run(labels=(), rows=1))
    config = read(tmp_path, "config.json")
    assert (config["problem_type"], config["id2label"]) == ("regression", {"0": "LABEL_0"})


def test_an_encoder_alone(run, convert, tmp_path):
    done = convert(run(without="output_"))
    assert done.labels is None and "an encoder alone" in done.notices[0]
    assert read(tmp_path, "config.json")["architectures"] == ["BertModel"]


@pytest.mark.parametrize(("option", "setting", "words", "expected"), [
    (None, False, None, False), (True, False, None, True), (None, None, None, True),
    (None, None, ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "1"], None),
    (False, None, ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "1"], False)])
def test_the_casing_is_the_option_s_the_run_s_or_the_vocabulary_s(
        option, setting, words, expected, run, convert, refused, tmp_path):
    source = run(words=words, **({} if setting is None else {"do_lower_case": setting}))
    if expected is None:
        assert "give --do_lower_case=true or --do_lower_case=false" in refused(source)[0]
    else:
        convert(source, do_lower_case=option)
        assert read(tmp_path, "tokenizer_config.json")["do_lower_case"] is expected


def test_there_and_back_keeps_the_step_and_the_length(run, convert, tmp_path):
    source = run(max_seq_length=24, do_lower_case=True)
    assert convert(source).max_seq_length == 24
    assert read(tmp_path, "config.json")["run_classifier_custom"] == {
        "global_step": 9, "max_seq_length": 24}
    done = from_huggingface.convert(str(tmp_path / "hf"), str(tmp_path / "back"))
    prefix = str(tmp_path / "back" / "bert_model.ckpt")
    assert done.max_seq_length == 24
    before, after = (checkpoint.read(one, ["global_step"])["global_step"]
                     for one in (checkpoint.latest(source), prefix))
    assert (before, before.dtype, before.shape) == (after, after.dtype, after.shape) == (
        9, np.int64, ())
    to_huggingface.convert(prefix, str(tmp_path / "again"))  # and there once more
    assert ((tmp_path / "again" / "config.json").read_text()
            == (tmp_path / "hf" / "config.json").read_text())
    from_huggingface.convert(str(tmp_path / "hf"), str(tmp_path / "encoder"), encoder_only=True)
    assert "global_step" not in checkpoint.shapes(str(tmp_path / "encoder" / "bert_model.ckpt"))


def test_what_is_not_known_is_not_invented(convert, tiny, tmp_path):
    convert(str(tiny))  # neither a step nor a run
    assert "run_classifier_custom" not in read(tmp_path, "config.json")
    from_huggingface.convert(str(tmp_path / "hf"), str(tmp_path / "back"))
    assert "global_step" not in checkpoint.shapes(str(tmp_path / "back" / "bert_model.ckpt"))
    assert "max_seq_length" not in json.loads((tmp_path / "back" / "source.json").read_text())


@pytest.mark.parametrize(("value", "problem"), [
    ([], "run_classifier_custom is []; an object is expected."),
    ({"global_step": -1}, "global_step is -1; a whole number is expected, 0 or more."),
    ({"max_seq_length": "64"}, "max_seq_length is '64'; a whole number is expected, 3 or more.")])
def test_a_note_of_ours_that_was_altered(run, convert, tmp_path, value, problem):
    convert(run())
    path = tmp_path / "hf" / "config.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "run_classifier_custom": value}))
    with pytest.raises(UserError) as caught:
        from_huggingface.convert(str(tmp_path / "hf"), str(tmp_path / "back"))
    assert len(caught.value.problems) == 1 and caught.value.problems[0].endswith(problem)


def test_files_that_lie_elsewhere(run, convert, refused, tmp_path):
    source = run()
    for name in ("vocab.txt", "bert_config.json"):
        (tmp_path / "run" / name).rename(tmp_path / name)
    first, second = refused(source)
    assert first.endswith("bert_config.json: no such file; name it with --bert_config_file")
    assert second.endswith("vocab.txt: no such file; name it with --vocab_file")
    convert(source, bert_config_file=str(tmp_path / "bert_config.json"),
            vocab_file=str(tmp_path / "vocab.txt"))


def test_problems_are_told_together(run, refused, tmp_path):
    source = run(words=["[UNK]", "[CLS]", "[SEP]", "a", "a"])
    (tmp_path / "run" / "labels.txt").write_text("one\n")
    message = "\n".join(refused(source))
    for expected in ("labels.txt: has 1 labels; the head has 2", "holds 1 tokens twice",
                     "has no [PAD]"):
        assert expected in message


@pytest.mark.parametrize(("without", "expected"), [
    ("bert/pooler", "has a head, but no pooler for it"),
    ("output_bias", "output_weights and output_bias have the shapes"),
    ("bert/encoder/layer_1/output", "lacks 4 of")])
def test_tensors_that_are_missing(without, expected, run, refused):
    problem, = refused(run(without=without))
    assert expected in problem and "--init_checkpoint" not in problem


def test_no_checkpoint(refused, tmp_path):
    assert refused(str(tmp_path))[0].startswith(f"{tmp_path}: the folder holds no checkpoint")
