"""bert_config.json: what is read, what is refused, and the variables it implies."""

import json

import pytest

from finetune.bert_config import BertConfig, variable_shapes
from finetune.errors import UserError


def test_the_defaults_are_the_originals():
    assert json.loads(BertConfig.from_dict({"vocab_size": 5}, "here").to_json()) == {
        "vocab_size": 5, "hidden_size": 768, "num_hidden_layers": 12, "num_attention_heads": 12,
        "intermediate_size": 3072, "hidden_act": "gelu", "hidden_dropout_prob": 0.1,
        "attention_probs_dropout_prob": 0.1, "max_position_embeddings": 512,
        "type_vocab_size": 16, "initializer_range": 0.02}


def test_what_is_written_is_read_and_other_keys_are_left_aside(tmp_path):
    config = BertConfig(vocab_size=7, hidden_size=24, hidden_act="relu", hidden_dropout_prob=0.0)
    fields = {**json.loads(config.to_json()), "pooler_type": "first_token_transform"}
    path = tmp_path / "bert_config.json"
    path.write_text(json.dumps(fields))
    assert BertConfig.from_json_file(str(path)) == config


@pytest.mark.parametrize(("change", "says"), [
    ({"hidden_size": 0}, "hidden_size is 0: must be a whole number above 0"),
    ({"num_hidden_layers": 2.5}, "num_hidden_layers is 2.5: must be a whole number"),
    ({"vocab_size": "30522"}, "vocab_size is '30522': must be a whole number"),
    ({"type_vocab_size": True}, "type_vocab_size is True: must be a whole number"),
    ({"hidden_size": 2 ** 31}, "hidden_size is 2147483648: must be 2147483647 or less"),
    ({"num_hidden_layers": 1001}, "num_hidden_layers is 1001: must be 1000 or less"),
    ({"vocab_size": ["x"] * 1000}, "vocab_size is ['x', 'x', "),
    ({"hidden_dropout_prob": 1.0}, "hidden_dropout_prob is 1.0: must be a number from 0 to below"),
    ({"attention_probs_dropout_prob": None}, "attention_probs_dropout_prob is None: must be"),
    ({"initializer_range": float("nan")}, "initializer_range is nan: must be"),
    ({"hidden_act": "swish"},
     "hidden_act is 'swish': must be one of gelu, relu, tanh, linear, gelu_erf"),
    ({"hidden_size": 100}, "hidden_size 100 is no multiple of num_attention_heads 12"),
    ({"num_attention_heads": 7}, "hidden_size 768 is no multiple of num_attention_heads 7"),
])
def test_values_that_no_bert_has(change, says):
    with pytest.raises(UserError) as caught:
        BertConfig.from_dict({"vocab_size": 5, **change}, "--bert_config_file=x.json")
    problem, = caught.value.problems
    assert problem.startswith("--bert_config_file=x.json: " + says)


def test_all_problems_are_reported_together():
    with pytest.raises(UserError) as caught:
        BertConfig.from_dict({"vocab_size": 0, "hidden_act": 3, "hidden_dropout_prob": 2}, "x")
    assert len(caught.value.problems) == 3


@pytest.mark.parametrize("fields", [{}, {"hidden_size": 4}, [], None, "vocab_size"])
def test_something_else_than_a_configuration(fields):
    with pytest.raises(UserError, match="x: is no BERT configuration: it has no vocab_size"):
        BertConfig.from_dict(fields, "x")


@pytest.mark.parametrize(("content", "says"), [
    (None, "cannot be read"), (b"{", "is not JSON"), (b"\xff\xfe", "is not JSON"),
    (b"[" * 100_000, "is not JSON: nested too deeply"), (b"9" * 5000, "is not JSON"),
    (b"[]", "is no BERT configuration")])
def test_files_that_are_none(tmp_path, content, says):
    path = tmp_path / "bert_config.json"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(UserError) as caught:
        BertConfig.from_json_file(str(path))
    assert str(caught.value).startswith(f"--bert_config_file={path}: {says}")


def test_names_and_shapes_of_the_variables():
    config = BertConfig(vocab_size=11, hidden_size=4, num_hidden_layers=1, num_attention_heads=2,
                        intermediate_size=6, max_position_embeddings=9, type_vocab_size=2)
    layer = "bert/encoder/layer_0"
    assert variable_shapes(config) == {
        "bert/embeddings/word_embeddings": (11, 4),
        "bert/embeddings/token_type_embeddings": (2, 4),
        "bert/embeddings/position_embeddings": (9, 4),
        "bert/embeddings/LayerNorm/beta": (4,), "bert/embeddings/LayerNorm/gamma": (4,),
        f"{layer}/attention/self/query/kernel": (4, 4),
        f"{layer}/attention/self/query/bias": (4,),
        f"{layer}/attention/self/key/kernel": (4, 4), f"{layer}/attention/self/key/bias": (4,),
        f"{layer}/attention/self/value/kernel": (4, 4),
        f"{layer}/attention/self/value/bias": (4,),
        f"{layer}/attention/output/dense/kernel": (4, 4),
        f"{layer}/attention/output/dense/bias": (4,),
        f"{layer}/attention/output/LayerNorm/beta": (4,),
        f"{layer}/attention/output/LayerNorm/gamma": (4,),
        f"{layer}/intermediate/dense/kernel": (4, 6), f"{layer}/intermediate/dense/bias": (6,),
        f"{layer}/output/dense/kernel": (6, 4), f"{layer}/output/dense/bias": (4,),
        f"{layer}/output/LayerNorm/beta": (4,), f"{layer}/output/LayerNorm/gamma": (4,),
        "bert/pooler/dense/kernel": (4, 4), "bert/pooler/dense/bias": (4,)}


def test_every_layer_has_the_same_16_variables():
    shapes = [variable_shapes(BertConfig(vocab_size=5, num_hidden_layers=layers))
              for layers in (1, 3)]
    assert [len(one) for one in shapes] == [7 + 16, 7 + 3 * 16]
    for index in range(3):
        for name, shape in shapes[0].items():
            assert shapes[1][name.replace("layer_0", f"layer_{index}")] == shape
