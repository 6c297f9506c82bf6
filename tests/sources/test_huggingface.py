"""finetune/sources/huggingface.py: names, settings and the two forms of gelu."""

import json
import math

import numpy as np
import pytest

from finetune import bert_config, layers
from finetune.bert_config import BertConfig
from finetune.errors import UserError
from finetune.sources import huggingface
from tests.sources.huggingface_model import CONFIG, NAMES, make_tensors

TINY = BertConfig.from_dict(huggingface.tf1_config(CONFIG), "test")


def test_names_of_every_tensor_in_both_worlds():
    assert {ours: theirs for ours, (theirs, _) in huggingface.tensor_names(TINY).items()} == {
        ours: theirs for theirs, (ours, _) in NAMES.items()}


def test_to_tensors_turns_kernels_over_and_keeps_the_head():
    theirs = make_tensors(labels=3)
    ours = {name: theirs[f"bert.{key}"].T if name.endswith("kernel") else theirs[f"bert.{key}"]
            for key, (name, _) in NAMES.items()}
    ours |= {"output_weights": theirs["classifier.weight"],
             "output_bias": theirs["classifier.bias"], "global_step": np.int64(3),
             "bert/pooler/dense/kernel/adam_m": np.zeros([8, 8], np.float32)}
    made = huggingface.to_tensors(ours, TINY)
    assert set(made) == set(theirs)
    for name, value in theirs.items():
        np.testing.assert_array_equal(made[name], value, err_msg=name)
        assert made[name].flags.c_contiguous  # what safetensors writes down


@pytest.mark.parametrize(("key", "value", "expected"), [
    ("model_type", "roberta", "model_type is 'roberta'"),
    ("position_embedding_type", "relative_key", "knows 'absolute' only"),
    ("layer_norm_eps", 1e-5, "layer_norm_eps is 1e-05"),
    ("hidden_act", "silu", "hidden_act is 'silu'; allowed: gelu, "),
    ("hidden_act", "gelu_10", "hidden_act is 'gelu_10'; allowed: gelu, "),
    ("hidden_act", ["gelu"], "hidden_act is ['gelu']; allowed: gelu, "),
    ("hidden_size", None, "hidden_size is missing")])
def test_a_model_the_original_cannot_compute(key, value, expected):
    config = {**CONFIG, key: value}
    if value is None:
        del config[key]
    with pytest.raises(UserError, match="config.json: ") as caught:
        huggingface.tf1_config(config)
    assert expected in str(caught.value)


def test_there_and_back_is_the_same_configuration():
    for name in bert_config.ACTIVATIONS:
        ours = BertConfig(**{**vars(TINY), "hidden_act": name})
        theirs = json.loads(json.dumps(huggingface.config_json(ours, ["a", "b"], 0)))
        assert BertConfig(**huggingface.tf1_config(theirs)) == ours


def test_config_json_by_head():
    labels = huggingface.config_json(TINY, ["no", "yes"], pad_id=4)
    assert labels["id2label"] == {"0": "no", "1": "yes"}
    assert labels["label2id"] == {"no": 0, "yes": 1}
    assert labels["problem_type"] == "single_label_classification"
    assert (labels["pad_token_id"], labels["classifier_dropout"]) == (4, 0.1)
    score = huggingface.config_json(TINY, ["score"], 0)
    assert (score["problem_type"], score["id2label"]) == ("regression", {"0": "score"})
    bare = huggingface.config_json(TINY, None, 0)
    assert bare["architectures"] == ["BertModel"] and "id2label" not in bare


def forms(xs):
    return {"gelu_erf": 0.5 * xs * (1 + np.vectorize(math.erf)(xs / math.sqrt(2))),
            "gelu": 0.5 * xs * (1 + np.tanh(math.sqrt(2 / math.pi) * (xs + 0.044715 * xs**3)))}


def test_each_name_is_its_own_form_in_the_encoder():
    xs = np.linspace(-4, 4, 401)
    for name, expected in forms(xs).items():
        found = layers.ACTIVATIONS[name](xs.astype(np.float32)).numpy()
        assert np.abs(found - expected).max() < 2e-6, name


def test_the_two_forms_of_gelu_are_close_and_not_the_same():
    """What the notices say."""
    both = forms(np.linspace(-8, 8, 4001))
    assert 4e-4 < np.abs(both["gelu"] - both["gelu_erf"]).max() < 5e-4
