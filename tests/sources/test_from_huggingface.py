"""from_huggingface.py on a tiny random BERT in the Hugging Face layout, made here."""

import json

import ml_dtypes
import numpy as np
import pytest
import safetensors.numpy

from finetune import bound_labels
from finetune.bert_config import BertConfig, variable_shapes
from finetune.checkpoints import checkpoint
from finetune.errors import UserError
from finetune.sources import from_huggingface
from finetune.task_kind import TaskKind
from tests.sources.huggingface_model import (
    CONFIG,
    LABELS,
    NAMES,
    VOCABULARY,
    WITH_HEAD,
    make_tensors,
    write_folder,
)


@pytest.fixture
def tensors():
    return make_tensors()


@pytest.fixture
def write(tmp_path):
    return lambda tensors, config=CONFIG: write_folder(tmp_path / "hf", tensors, config)


@pytest.fixture
def convert(tmp_path):
    return lambda folder, **settings: from_huggingface.convert(
        folder, str(tmp_path / "tf1"), **settings)


@pytest.fixture
def refused(convert, tmp_path):
    """Returns the problems of a conversion that is refused, and makes sure nothing is left."""
    def run(folder, **settings):
        before = sorted(tmp_path.iterdir())
        with pytest.raises(UserError) as caught:
            convert(folder, **settings)
        assert sorted(tmp_path.iterdir()) == before
        return caught.value.problems
    return run


def check(prefix, tensors, names=NAMES):
    held = checkpoint.read(prefix, [ours for ours, _ in names.values()])
    for theirs, (ours, _) in names.items():
        expected = tensors[theirs].T if ours.endswith("/kernel") else tensors[theirs]
        assert held[ours].dtype == np.float32
        np.testing.assert_array_equal(held[ours], expected.astype(np.float32), err_msg=ours)


def test_every_tensor_arrives(tensors, write, convert, tmp_path):
    tensors["embeddings.position_ids"] = np.arange(16)[None]
    done = convert(write(tensors))
    assert (done.labels, done.do_lower_case, done.activation) == (None, False, "gelu_erf")
    out = tmp_path / "tf1"
    assert {path.name for path in out.iterdir()} == {
        "SHA256SUMS", "bert_config.json", "vocab.txt", "source.json", "bert_model.ckpt.index",
        "bert_model.ckpt.data-00000-of-00001"}
    assert set(checkpoint.shapes(str(out / "bert_model.ckpt"))) == {
        ours for ours, _ in NAMES.values()}
    check(str(out / "bert_model.ckpt"), tensors)
    assert (out / "vocab.txt").read_bytes() == (tmp_path / "hf" / "vocab.txt").read_bytes()
    assert json.loads((out / "bert_config.json").read_text()) == {
        "attention_probs_dropout_prob": 0.3, "hidden_act": "gelu_erf", "hidden_dropout_prob": 0.2,
        "hidden_size": 8, "initializer_range": 0.05, "intermediate_size": 12,
        "max_position_embeddings": 16, "num_attention_heads": 2, "num_hidden_layers": 2,
        "type_vocab_size": 2, "vocab_size": 11}
    source = json.loads((out / "source.json").read_text())
    assert (source["activation"], source["do_lower_case"]) == ("gelu_erf", False)
    assert source["notices"] == done.notices


def test_the_head_and_its_labels_arrive_in_the_order_of_their_ids(write, convert, tmp_path):
    tensors = make_tensors(labels=3)
    done = convert(write(tensors, WITH_HEAD))
    assert done.labels == LABELS
    out = tmp_path / "tf1"
    assert (out / "labels.txt").read_text() == "bug\nfeature\na question\n"
    check(str(out / "bert_model.ckpt"), tensors, {
        **{f"bert.{theirs}": rest for theirs, rest in NAMES.items()},
        "classifier.weight": ("output_weights", ()), "classifier.bias": ("output_bias", ())})


def test_an_activation_that_is_not_named_is_the_default_of_transformers(write, convert, tmp_path):
    config = {name: value for name, value in CONFIG.items() if name != "hidden_act"}
    done = convert(write(make_tensors(), config))
    assert done.activation == "gelu_erf" and "'gelu' there, the erf form" in done.notices[0]
    written = json.loads((tmp_path / "tf1" / "bert_config.json").read_text())
    assert written["hidden_act"] == "gelu_erf"


def test_a_head_can_be_left_out(write, convert, tmp_path):
    done = convert(write(make_tensors(labels=3), WITH_HEAD), encoder_only=True)
    assert done.labels is None and any("head was left out" in note for note in done.notices)
    assert not (tmp_path / "tf1" / "labels.txt").exists()
    assert "output_weights" not in checkpoint.shapes(str(tmp_path / "tf1" / "bert_model.ckpt"))


@pytest.mark.parametrize("architectures", [["BertForTokenClassification"], None])
def test_a_head_of_another_kind_is_no_classifier_of_texts(architectures, write, convert):
    done = convert(write(make_tensors(labels=3), {**WITH_HEAD, "architectures": architectures}))
    assert done.labels is None
    assert any("the head was left out (architectures: " in note for note in done.notices)


def test_a_regression_has_no_labels(write, convert, tmp_path):
    config = {**WITH_HEAD, "id2label": {"0": "LABEL_0"}, "problem_type": "regression"}
    assert convert(write(make_tensors(labels=1), config)).labels == []
    assert not (tmp_path / "tf1" / "labels.txt").exists()
    prefix = str(tmp_path / "tf1" / "bert_model.ckpt")
    assert checkpoint.shapes(prefix)["output_weights"] == (1, 8)


@pytest.mark.parametrize(("change", "expected"), [
    ({"id2label": {"0": "a", "1": "b"}}, "the head has 3 outputs"),
    ({"id2label": {"0": "a", "1": "b", "3": "c"}}, "it has to name the ids 0 to 2"),
    ({"id2label": {"0": "a", "1": "b", "2": "a"}}, "given more than once: 'a'"),
    ({"id2label": None}, "the head has 3 outputs")])  # two labels are transformers' default
def test_labels_that_do_not_suit_the_head(change, expected, write, refused):
    problem, = refused(write(make_tensors(labels=3), {**WITH_HEAD, **change}))
    assert expected in problem


MANY = {**WITH_HEAD, "problem_type": "multi_label_classification"}


def test_a_multi_label_head_is_known_as_one(write, convert, tmp_path):
    convert(write(make_tensors(labels=3), MANY))
    labels = bound_labels.read(str(tmp_path / "tf1"))
    assert (len(labels), labels.kind) == (3, TaskKind.MULTILABEL)


def test_a_multi_label_head_has_several_labels(write, refused):
    problem, = refused(write(make_tensors(labels=1), {**MANY, "id2label": {"0": "a"}}))
    assert "there is one label" in problem


def test_labels_without_names_are_told(write, convert):
    done = convert(write(make_tensors(labels=2), {**WITH_HEAD, "id2label": None}))
    assert done.labels == ["LABEL_0", "LABEL_1"]
    assert any("the labels have no names there" in note for note in done.notices)


def test_a_damaged_head(write, refused, tmp_path):
    tensors = make_tensors(labels=3)
    del tensors["classifier.bias"]
    assert "the tensor classifier.bias is missing" in refused(write(tensors, WITH_HEAD))[0]
    tensors["classifier.bias"] = np.zeros(2, np.float32)
    safetensors.numpy.save_file(tensors, tmp_path / "hf" / "model.safetensors")
    assert "have the shapes [3, 8] and [2]" in refused(str(tmp_path / "hf"))[0]


@pytest.mark.parametrize(("theirs", "activation", "ours", "told"), [
    ("gelu", "keep", "gelu_erf", "google-research/bert cannot compute it"),
    ("gelu", "original", "gelu", "the two differ by less than 5e-4"),
    ("gelu_new", "keep", "gelu", None), ("gelu_pytorch_tanh", "original", "gelu", None),
    ("relu", "original", "relu", None)])
def test_the_activation_keeps_its_function_unless_asked(theirs, activation, ours, told, tensors,
                                                        write, convert, tmp_path):
    done = convert(write(tensors, {**CONFIG, "hidden_act": theirs}), activation=activation)
    config = json.loads((tmp_path / "tf1" / "bert_config.json").read_text())
    assert config["hidden_act"] == ours
    assert done.activation == ("gelu_erf" if theirs == "gelu" else ours)
    assert [told in note for note in done.notices if "hidden_act" in note] == [True] * bool(told)


def test_the_original_builds_the_same_variables():
    """The names and shapes, against the graph that bert.modeling itself makes."""
    import tensorflow as tf

    from finetune import upstream
    upstream.make_importable()
    with tf.Graph().as_default():
        import bert.modeling as modeling
        # Its dense layers are Keras 2's; what it makes before the first one can be built anywhere.
        with tf.compat.v1.variable_scope("bert"), tf.compat.v1.variable_scope("embeddings"):
            ids = tf.zeros([1, 16], tf.int32)
            output, _ = modeling.embedding_lookup(ids, vocab_size=11, embedding_size=8)
            modeling.embedding_postprocessor(
                output, use_token_type=True, token_type_ids=ids, token_type_vocab_size=2,
                max_position_embeddings=16)
        theirs = {variable.op.name: tuple(variable.shape)
                  for variable in tf.compat.v1.global_variables()}
        with pytest.raises(ValueError, match="Unsupported activation"):
            modeling.get_activation("gelu_erf")
    ours = variable_shapes(BertConfig.from_dict(CONFIG, "test"))
    assert theirs == {name: shape for name, shape in ours.items() if "/embeddings/" in name}


def test_a_model_with_old_names(tensors, write, convert, tmp_path):
    def old(name):
        name = name.replace("LayerNorm.weight", "LayerNorm.gamma")
        return "bert." + name.replace("LayerNorm.bias", "LayerNorm.beta")
    renamed = {old(name): value for name, value in tensors.items()}
    renamed["cls.predictions.bias"] = np.zeros(11, np.float32)
    convert(write(renamed))
    check(str(tmp_path / "tf1" / "bert_model.ckpt"), tensors)


@pytest.mark.parametrize(("dtype", "told"), [
    (np.float16, "39 tensors hold float16 numbers and were widened"),
    (ml_dtypes.bfloat16, "39 tensors hold bfloat16 numbers and were widened"),
    (np.float64, "39 tensors hold float64 numbers and were rounded to float32")])
def test_other_widths_become_float32_and_are_told(dtype, told, tensors, write, convert, tmp_path):
    others = {name: value.astype(dtype) for name, value in tensors.items()}
    done = convert(write(others))
    check(str(tmp_path / "tf1" / "bert_model.ckpt"), others)
    assert any(note.startswith(told) for note in done.notices)


def test_a_model_without_pooler_is_taken_as_it_is(tensors, write, convert, tmp_path):
    names = {theirs: ours for theirs, ours in NAMES.items() if "pooler" not in theirs}
    done = convert(write({name: tensors[name] for name in names}))
    assert any("no pooler (bert/pooler/dense/kernel, bert/pooler/dense/bias)" in note
               for note in done.notices)
    check(str(tmp_path / "tf1" / "bert_model.ckpt"), tensors, names)


def test_all_that_does_not_fit_is_named_at_once(tensors, write, refused, tmp_path):
    del tensors["encoder.layer.1.output.dense.bias"]
    tensors["embeddings.word_embeddings.weight"] = np.zeros([10, 8], np.float32)
    tensors["pooler.dense.bias"] = np.zeros([8], np.int8)
    folder = write(tensors)
    (tmp_path / "hf" / "vocab.txt").write_text("[PAD]\n")
    message = "\n".join(refused(folder))
    assert "encoder.layer.1.output.dense.bias is missing" in message
    assert "the shape [10, 8]; by config.json it is [11, 8]" in message
    assert "pooler.dense.bias holds int8" in message
    assert "vocab.txt: has 1 tokens; by the configuration the model has 11" in message


def test_missing_and_damaged_files(tensors, write, refused, tmp_path):
    folder = write(tensors)
    with open(folder + "/model.safetensors", "r+b") as file:
        file.truncate(900)
    assert "cannot be read as safetensors" in refused(folder)[0]
    with open(folder + "/config.json", "w") as file:
        file.write("{")
    first, second = refused(folder)
    assert "config.json: is not valid JSON" in first and "as safetensors" in second
    assert [problem.split(":")[0] for problem in refused(str(tmp_path))] == [
        str(tmp_path / "config.json"), str(tmp_path)]


def test_a_folder_with_something_in_it_is_left_alone(tensors, write, refused, tmp_path):
    (tmp_path / "tf1").mkdir()
    (tmp_path / "tf1" / "mine").write_text("")
    assert "is there already and is no empty folder" in refused(write(tensors))[0]
    assert [path.name for path in (tmp_path / "tf1").iterdir()] == ["mine"]


def test_an_empty_folder_is_taken(tensors, write, convert, tmp_path):
    (tmp_path / "tf1").mkdir()
    convert(write(tensors))
    assert (tmp_path / "tf1" / "bert_config.json").is_file()


def test_nothing_is_left_when_writing_fails(tensors, write, convert, tmp_path, monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device")
    monkeypatch.setattr(checkpoint, "save", full)
    with pytest.raises(OSError, match="No space"):
        convert(write(tensors))
    assert [path.name for path in tmp_path.iterdir()] == ["hf"]


def test_only_a_tokenizer_json(tensors, write, convert, tmp_path):
    folder = write(tensors)
    (tmp_path / "hf" / "vocab.txt").unlink()
    (tmp_path / "hf" / "tokenizer.json").write_text(json.dumps({
        "model": {"type": "WordPiece", "vocab": {
            token: row for row, token in reversed(list(enumerate(VOCABULARY)))}},
        "normalizer": {"type": "BertNormalizer", "lowercase": True, "strip_accents": None}}))
    assert convert(folder).do_lower_case is True
    assert (tmp_path / "tf1" / "vocab.txt").read_text(encoding="utf-8") == "".join(
        f"{token}\n" for token in VOCABULARY)
