"""BERT in the Hugging Face layout: its names, shapes and settings against those of TF1.

    from finetune.sources import huggingface
    huggingface.tf1_config({"model_type": "bert", "hidden_act": "gelu", ...})["hidden_act"]

A Hugging Face folder holds model.safetensors, config.json and vocab.txt; a folder of
google-research/bert holds bert_model.ckpt.*, bert_config.json and vocab.txt. The numbers are the
same; the names differ, and PyTorch keeps the matrix of a dense layer as [out, in] where
TensorFlow keeps [in, out]. This module says how; from_huggingface.py and
to_huggingface.py read and write.

Activations: what the original calls "gelu" is the tanh form, what Hugging Face calls "gelu" the erf
form. The function is kept, not the name: "gelu_erf" in a bert_config.json is the erf form. The
original refuses that name, as it should: it cannot compute it.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np

from finetune import config_problems, long_texts
from finetune.bert_config import BertConfig, variable_shapes
from finetune.errors import UserError
from finetune.sources.tensor_files import Weights
from finetune.task_kind import Labels, TaskKind

# The keys of bert_config.json that modeling.BertConfig reads, with its defaults (None: required).
CONFIG_DEFAULTS: dict[str, Any] = {
    "attention_probs_dropout_prob": 0.1, "hidden_act": "gelu", "hidden_dropout_prob": 0.1,
    "hidden_size": None, "initializer_range": 0.02, "intermediate_size": None,
    "max_position_embeddings": None, "num_attention_heads": None, "num_hidden_layers": None,
    "type_vocab_size": None, "vocab_size": None}

# What Hugging Face calls an activation -> what bert_config.json calls the same function.
ACTIVATIONS = {
    "gelu": "gelu_erf", "gelu_python": "gelu_erf",
    "gelu_new": "gelu", "gelu_pytorch_tanh": "gelu", "gelu_python_tanh": "gelu",
    "gelu_fast": "gelu", "gelu_accurate": "gelu",
    "relu": "relu", "tanh": "tanh", "linear": "linear"}
_BACK = {"gelu": "gelu_new", "gelu_erf": "gelu", "relu": "relu", "tanh": "tanh",
         "linear": "linear"}
KEEP, ORIGINAL = "keep", "original"  # what `activation` may be: see tf1_config

CLASSIFIER = "BertForSequenceClassification"
HEAD = {"output_weights": "classifier.weight", "output_bias": "classifier.bias"}
_HEAD_DROPOUT = 0.1  # the original's, whatever the configuration says

# What a checkpoint of ours has and transformers has no name for stands in config.json under this
# key, as {"global_step": 84, "max_seq_length": 64}; transformers passes over keys of others.
OWN_KEY = "run_classifier_custom"
_OWN_LEAST = {"global_step": 0, "max_seq_length": 3}

# Parts of TF1 names -> what Hugging Face calls them.
_RENAMED = (("bert/", ""), ("layer_", "layer/"), ("_embeddings", "_embeddings/weight"),
            ("gamma", "weight"), ("beta", "bias"), ("kernel", "weight"), ("/", "."))


def tensor_names(config: BertConfig) -> dict[str, tuple[str, bool]]:
    """The names of every variable of the encoder in both worlds.

    Returns:
        TF1 name -> (Hugging Face name without the prefix "bert.", whether it is transposed there).
        For example bert/pooler/dense/kernel -> ("pooler.dense.weight", True).
    """
    names = {}
    for ours in variable_shapes(config):
        theirs = ours
        for old, new in _RENAMED:
            theirs = theirs.replace(old, new)
        names[ours] = (theirs, ours.endswith("/kernel"))
    return names


def tf1_config(config: Mapping[str, Any], activation: str = KEEP) -> dict[str, Any]:
    """bert_config.json for a config.json: the original's keys and no others.

    Args:
        config: the contents of config.json.
        activation: "keep": the same function, "gelu_erf" where it is the erf form; "original":
            "gelu", the tanh form, in its place, so that google-research/bert can run the model.

    Raises:
        UserError: the model is no BERT, or computes what the original's code cannot.
    """
    fixed = {"model_type": "bert", "position_embedding_type": "absolute", "layer_norm_eps": 1e-12,
             "is_decoder": False}
    problems = [
        f"config.json: {key} is {config[key]!r}; google-research/bert knows {allowed!r} only."
        for key, allowed in fixed.items() if config.get(key, allowed) != allowed]
    problems += [f"config.json: {key} is missing." for key, default in CONFIG_DEFAULTS.items()
                 if default is None and key not in config]
    result = {key: config.get(key, default) for key, default in CONFIG_DEFAULTS.items()}
    ours = trained_with(config)
    if ours is None:
        problems.append(f"config.json: hidden_act is {result['hidden_act']!r}; allowed: "
                        f"{', '.join(ACTIVATIONS)}.")
    if problems:
        raise UserError(problems)
    return result | {"hidden_act": "gelu" if activation == ORIGINAL and ours == "gelu_erf"
                     else ours}


def trained_with(config: Mapping[str, Any]) -> str | None:
    """Returns the activation of a config.json as bert_config.json names it; None: unknown there.

    One that is not named is transformers' default.
    """
    theirs = config.get("hidden_act", CONFIG_DEFAULTS["hidden_act"])
    return ACTIVATIONS.get(theirs) if isinstance(theirs, str) else None


def read_encoder(weights: Weights, config: BertConfig) -> dict[str, np.ndarray]:
    """Reads the encoder, under TF1 names and in TF1 layout.

    A prefix "bert." (as models with a head have) and the old names LayerNorm.gamma and
    LayerNorm.beta are understood; heads and other tensors are left alone. A model without a
    pooler is taken as it is: fine-tuning then starts with a fresh one, as the original does.

    Args:
        weights: all tensors of the folder.
        config: the model's.

    Returns:
        TF1 name -> float32 array; kernels are [in, out].

    Raises:
        UserError: a damaged file, a missing tensor or one of another shape.
    """
    path, problems, tensors = weights.path, [], {}
    shapes = variable_shapes(config)
    keys = {_modern(key): key for key in weights.names()}
    for ours, (theirs, transpose) in tensor_names(config).items():
        if theirs not in keys:
            if not theirs.startswith("pooler."):
                problems.append(f"{path}: the tensor {theirs} is missing.")
            continue
        try:
            value = weights.read(keys[theirs])
        except UserError as error:
            problems += error.problems
            continue
        value = value.T if transpose else value
        if value.shape != shapes[ours]:
            problems.append(f"{path}: {theirs} gives {ours} the shape {list(value.shape)}; by "
                            f"config.json it is {list(shapes[ours])}.")
        tensors[ours] = np.ascontiguousarray(value)
    if problems:
        hidden = [f"... and {len(problems) - 5} more of the same."] if len(problems) > 5 else []
        raise UserError(problems[:5] + hidden)
    return tensors


def _modern(key: str) -> str:
    """A tensor's name as today's transformers writes it for a bare BertModel."""
    key = key.removeprefix("bert.")
    for old, new in ((".gamma", ".weight"), (".beta", ".bias")):
        if key.endswith("LayerNorm" + old):
            key = key.removesuffix(old) + new
    return key


def has_head(config: Mapping[str, Any], weights: Weights) -> bool:
    """Whether a model has the head of the original: a dense layer on the pooled [CLS].

    Heads of other kinds (a label a token, multiple choice) use the same names; `architectures`
    tells them apart.
    """
    return config.get("architectures") == [CLASSIFIER] and HEAD["output_weights"] in weights.names()


def read_head(weights: Weights, hidden_size: int, config: Mapping[str, Any]
              ) -> tuple[dict[str, np.ndarray], list[str]]:
    """Reads the head of a BertForSequenceClassification, and its labels.

    Args:
        weights: all tensors of the folder; `has_head` is true.
        hidden_size: the encoder's.
        config: the contents of config.json.

    Returns:
        output_weights float32[L, H] and output_bias float32[L]; and the labels in the order of
        their ids, [] for a regression (L = 1).

    Raises:
        UserError: a tensor is missing, has another shape, or does not agree with id2label; or the
            head answers another question than ours.
    """
    problems, head = [], {}
    many = config.get("problem_type") == "multi_label_classification"
    for ours, theirs in HEAD.items():
        if theirs in weights.names():
            head[ours] = weights.read(theirs)
        else:
            problems.append(f"{weights.path}: the tensor {theirs} is missing.")
    if problems:
        raise UserError(problems)
    rows = head["output_bias"].shape[0] if head["output_bias"].ndim == 1 else 0
    if not rows or head["output_weights"].shape != (rows, hidden_size):
        shapes = [list(value.shape) for value in head.values()]
        raise UserError(f"{weights.path}: classifier.weight and .bias have the shapes {shapes[0]} "
                        f"and {shapes[1]}; [labels, {hidden_size}] and [labels] are expected.")
    if many and rows == 1:
        raise UserError("config.json: problem_type is 'multi_label_classification', and there is "
                        "one label; here a multi-label head has two or more. Give --encoder_only "
                        "to leave the head out.")
    labels = _labels(config, rows) if rows > 1 else []
    return head, Labels(labels, TaskKind.MULTILABEL) if many else labels


def _labels(config: Mapping[str, Any], rows: int) -> list[str]:
    names = config.get("id2label") or {str(row): f"LABEL_{row}" for row in range(2)}  # the default
    where = "config.json: id2label"
    wanted = {str(row) for row in range(rows)}
    if not isinstance(names, dict) or {str(key) for key in names} != wanted:
        raise UserError(f"{where} is {config_problems.shown(names)}; the head has {rows} "
                        f"outputs, so that it has to name the ids 0 to {rows - 1}.")
    by_id = {str(key): name for key, name in names.items()}
    labels = [str(by_id[str(row)]) for row in range(rows)]
    problems = config_problems.of_labels(labels, where)
    if problems:
        raise UserError(problems)
    return labels


def config_json(config: BertConfig, labels: list[str] | None, pad_id: int) -> dict[str, Any]:
    """Returns config.json for a model of ours.

    Args:
        config: the model's bert_config.json.
        labels: in the order of their ids; one: a regression; None: an encoder without a head.
        pad_id: the id of [PAD].
    """
    result = {key: getattr(config, key) for key in CONFIG_DEFAULTS}
    result |= {"model_type": "bert", "hidden_act": _BACK[config.hidden_act],
               "layer_norm_eps": 1e-12, "pad_token_id": pad_id, "is_decoder": False}
    if labels is None:
        return result | {"architectures": ["BertModel"]}
    kind = {TaskKind.REGRESSION: "regression", TaskKind.MULTILABEL: "multi_label_classification",
            TaskKind.CLASSIFICATION: "single_label_classification"}[TaskKind.of(labels)]
    return result | {
        "architectures": [CLASSIFIER], "problem_type": kind, "classifier_dropout": _HEAD_DROPOUT,
        "id2label": {str(row): label for row, label in enumerate(labels)},
        "label2id": {label: row for row, label in enumerate(labels)}}


def own_settings(config: Mapping[str, Any]) -> dict[str, Any]:
    """Returns what `to-huggingface` has put under OWN_KEY; {} in a model of somebody else.

    Raises:
        UserError: a value that it cannot have put there.
    """
    own = config.get(OWN_KEY, {})
    if not isinstance(own, dict):
        raise UserError(f"config.json: {OWN_KEY} is {own!r}; an object is expected.")
    found = {name: own[name] for name in _OWN_LEAST if name in own}
    problems = [f"config.json: {OWN_KEY}: {name} is {value!r}; a whole number is expected, "
                f"{_OWN_LEAST[name]} or more." for name, value in found.items()
                if type(value) is not int or value < _OWN_LEAST[name]]
    reading = long_texts.among(own)
    long_texts.of_folder(reading, f"config.json: {OWN_KEY}", {},
                         found.get("max_seq_length", 2 ** 31), problems)
    if problems:
        raise UserError(problems)
    return found | reading


def to_tensors(values: Mapping[str, np.ndarray], config: BertConfig) -> dict[str, np.ndarray]:
    """Renames and transposes TF1 weights for Hugging Face.

    Args:
        values: TF1 name -> float32 array; the head's two are taken along if they are there.

    Returns:
        Hugging Face name -> float32 array, contiguous.
    """
    tensors = {}
    for ours, (theirs, transpose) in tensor_names(config).items():
        if ours in values:
            value = values[ours].T if transpose else values[ours]
            tensors["bert." + theirs] = np.ascontiguousarray(value, np.float32)
    tensors |= {theirs: np.ascontiguousarray(values[ours], np.float32)
                for ours, theirs in HEAD.items() if ours in values}
    return tensors
