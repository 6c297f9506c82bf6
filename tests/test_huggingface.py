"""finetune/huggingface.py on a tiny random BERT in the Hugging Face layout, made here."""

import json
import math

import numpy as np
import pytest
import safetensors.numpy

from finetune import checkpoint, huggingface
from finetune.bert_config import BertConfig, variable_shapes
from finetune.errors import UserError

CONFIG = {"model_type": "bert", "hidden_size": 8, "num_hidden_layers": 2, "num_attention_heads": 2,
          "intermediate_size": 12, "vocab_size": 11, "max_position_embeddings": 16,
          "type_vocab_size": 2, "hidden_act": "gelu", "layer_norm_eps": 1e-12,
          "hidden_dropout_prob": 0.2, "attention_probs_dropout_prob": 0.3,
          "initializer_range": 0.05, "pad_token_id": 0, "use_cache": True}
# Hugging Face name -> (TF1 name, shape as PyTorch has it), typed by hand from both projects.
LAYER = {
    "attention.self.query.weight": ("attention/self/query/kernel", (8, 8)),
    "attention.self.query.bias": ("attention/self/query/bias", (8,)),
    "attention.self.key.weight": ("attention/self/key/kernel", (8, 8)),
    "attention.self.key.bias": ("attention/self/key/bias", (8,)),
    "attention.self.value.weight": ("attention/self/value/kernel", (8, 8)),
    "attention.self.value.bias": ("attention/self/value/bias", (8,)),
    "attention.output.dense.weight": ("attention/output/dense/kernel", (8, 8)),
    "attention.output.dense.bias": ("attention/output/dense/bias", (8,)),
    "attention.output.LayerNorm.weight": ("attention/output/LayerNorm/gamma", (8,)),
    "attention.output.LayerNorm.bias": ("attention/output/LayerNorm/beta", (8,)),
    "intermediate.dense.weight": ("intermediate/dense/kernel", (12, 8)),
    "intermediate.dense.bias": ("intermediate/dense/bias", (12,)),
    "output.dense.weight": ("output/dense/kernel", (8, 12)),
    "output.dense.bias": ("output/dense/bias", (8,)),
    "output.LayerNorm.weight": ("output/LayerNorm/gamma", (8,)),
    "output.LayerNorm.bias": ("output/LayerNorm/beta", (8,))}
NAMES = {
    "embeddings.word_embeddings.weight": ("bert/embeddings/word_embeddings", (11, 8)),
    "embeddings.position_embeddings.weight": ("bert/embeddings/position_embeddings", (16, 8)),
    "embeddings.token_type_embeddings.weight": ("bert/embeddings/token_type_embeddings", (2, 8)),
    "embeddings.LayerNorm.weight": ("bert/embeddings/LayerNorm/gamma", (8,)),
    "embeddings.LayerNorm.bias": ("bert/embeddings/LayerNorm/beta", (8,)),
    **{f"encoder.layer.{layer}.{theirs}": (f"bert/encoder/layer_{layer}/{ours}", shape)
       for layer in range(2) for theirs, (ours, shape) in LAYER.items()},
    "pooler.dense.weight": ("bert/pooler/dense/kernel", (8, 8)),
    "pooler.dense.bias": ("bert/pooler/dense/bias", (8,))}


@pytest.fixture
def tensors():
    random = np.random.default_rng(0)
    return {name: random.normal(size=shape).astype(np.float32)
            for name, (_, shape) in NAMES.items()}


@pytest.fixture
def write(tmp_path):
    def call(tensors, config=CONFIG):
        folder = tmp_path / "hf"
        folder.mkdir()
        safetensors.numpy.save_file(tensors, folder / "model.safetensors")
        (folder / "config.json").write_text(json.dumps(config), encoding="utf-8")
        (folder / "vocab.txt").write_bytes("[PAD]\né\n".encode())
        return str(folder)
    return call


def check(prefix, tensors, names=NAMES):
    assert set(checkpoint.shapes(prefix)) == {ours for ours, _ in names.values()}
    held = checkpoint.read(prefix, [ours for ours, _ in names.values()])
    for theirs, (ours, _) in names.items():
        expected = tensors[theirs].T if ours.endswith("/kernel") else tensors[theirs]
        assert held[ours].dtype == np.float32
        np.testing.assert_array_equal(held[ours], expected, err_msg=ours)


def test_every_tensor_arrives(tensors, write, tmp_path):
    tensors["embeddings.position_ids"] = np.arange(16)[None]
    out = tmp_path / "tf1"
    assert huggingface.to_tf1(write(tensors), str(out)) == []
    assert {path.name for path in out.iterdir()} == {
        "bert_config.json", "vocab.txt", "bert_model.ckpt.index",
        "bert_model.ckpt.data-00000-of-00001"}
    check(str(out / "bert_model.ckpt"), tensors)
    assert (out / "vocab.txt").read_bytes() == "[PAD]\né\n".encode()
    assert json.loads((out / "bert_config.json").read_text()) == {
        "attention_probs_dropout_prob": 0.3, "hidden_act": "gelu", "hidden_dropout_prob": 0.2,
        "hidden_size": 8, "initializer_range": 0.05, "intermediate_size": 12,
        "max_position_embeddings": 16, "num_attention_heads": 2, "num_hidden_layers": 2,
        "type_vocab_size": 2, "vocab_size": 11}


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
    ours = variable_shapes(BertConfig.from_dict(CONFIG, "test"))
    assert theirs == {name: shape for name, shape in ours.items() if "/embeddings/" in name}


def test_a_model_with_a_head_and_old_names(tensors, write, tmp_path):
    def old(name):
        name = name.replace("LayerNorm.weight", "LayerNorm.gamma")
        return "bert." + name.replace("LayerNorm.bias", "LayerNorm.beta")
    renamed = {old(name): value for name, value in tensors.items()}
    renamed["cls.predictions.bias"] = np.zeros(11, np.float32)
    huggingface.to_tf1(write(renamed), str(tmp_path / "tf1"))
    check(str(tmp_path / "tf1" / "bert_model.ckpt"), tensors)


def test_half_precision_becomes_float32(tensors, write, tmp_path):
    halves = {name: value.astype(np.float16) for name, value in tensors.items()}
    huggingface.to_tf1(write(halves), str(tmp_path / "tf1"))
    check(str(tmp_path / "tf1" / "bert_model.ckpt"), halves)


def test_a_model_without_pooler_is_taken_as_it_is(tensors, write, tmp_path):
    names = {theirs: ours for theirs, ours in NAMES.items() if "pooler" not in theirs}
    bare = {name: tensors[name] for name in names}
    assert huggingface.to_tf1(write(bare), str(tmp_path / "tf1")) == [
        "bert/pooler/dense/kernel", "bert/pooler/dense/bias"]
    check(str(tmp_path / "tf1" / "bert_model.ckpt"), tensors, names)


def test_all_that_does_not_fit_is_named_at_once(tensors, write, tmp_path):
    del tensors["encoder.layer.1.output.dense.bias"]
    tensors["embeddings.word_embeddings.weight"] = np.zeros([10, 8], np.float32)
    tensors["pooler.dense.bias"] = np.zeros([8], np.int8)
    with pytest.raises(UserError) as caught:
        huggingface.to_tf1(write(tensors), str(tmp_path / "tf1"))
    message = str(caught.value)
    assert "encoder.layer.1.output.dense.bias is missing" in message
    assert "the shape [10, 8]; by config.json it is [11, 8]" in message
    assert "pooler.dense.bias holds int8" in message
    assert not (tmp_path / "tf1").exists()


@pytest.mark.parametrize(("key", "value", "expected"), [
    ("model_type", "roberta", "model_type is 'roberta'"),
    ("position_embedding_type", "relative_key", "knows 'absolute' only"),
    ("layer_norm_eps", 1e-5, "layer_norm_eps is 1e-05"),
    ("hidden_act", "silu", "hidden_act is 'silu'; allowed: gelu, "),
    ("hidden_size", None, "hidden_size is missing")])
def test_a_model_the_original_cannot_compute(key, value, expected, tensors, write, tmp_path):
    config = {**CONFIG, key: value}
    if value is None:
        del config[key]
    with pytest.raises(UserError, match="config.json: ") as caught:
        huggingface.to_tf1(write(tensors, config), str(tmp_path / "tf1"))
    assert expected in str(caught.value)


def test_missing_and_damaged_files(tensors, write, tmp_path):
    folder = write(tensors)
    with open(folder + "/model.safetensors", "r+b") as file:
        file.truncate(900)
    with pytest.raises(UserError, match="cannot be read as safetensors"):
        huggingface.to_tf1(folder, str(tmp_path / "tf1"))
    with open(folder + "/config.json", "w") as file:
        file.write("{")
    with pytest.raises(UserError, match="config.json: is not valid JSON"):
        huggingface.to_tf1(folder, str(tmp_path / "tf1"))
    with pytest.raises(UserError, match="model.safetensors: no such file") as caught:
        huggingface.to_tf1(str(tmp_path), str(tmp_path / "tf1"))
    assert len(caught.value.problems) == 3


def test_the_two_forms_of_gelu_are_close():
    """What ACTIVATIONS says of mapping the erf form to the tanh form."""
    xs = np.linspace(-8, 8, 4001)
    erf = 0.5 * xs * (1 + np.vectorize(math.erf)(xs / math.sqrt(2)))
    tanh = 0.5 * xs * (1 + np.tanh(math.sqrt(2 / math.pi) * (xs + 0.044715 * xs**3)))
    assert np.abs(erf - tanh).max() < 5e-4
