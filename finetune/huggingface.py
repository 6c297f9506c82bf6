"""Encoders in the Hugging Face layout, turned into TF1 checkpoints.

    from finetune import huggingface
    huggingface.to_tf1("downloaded/bert", "checkpoints/mine")

A Hugging Face folder holds model.safetensors, config.json and vocab.txt; a folder of
google-research/bert holds bert_model.ckpt.*, bert_config.json and vocab.txt. The numbers are the
same; the names differ, and PyTorch keeps the matrix of a dense layer as [out, in] where
TensorFlow keeps [in, out]. safetensors is read as plain numbers: no code of the model runs.
"""

import json
import os
import shutil
from collections.abc import Mapping
from typing import Any

import numpy as np

from finetune import log
from finetune.bert_config import BertConfig, variable_shapes
from finetune.errors import UserError

# The keys of bert_config.json that modeling.BertConfig reads, with its defaults (None: required).
CONFIG_DEFAULTS: dict[str, Any] = {
    "attention_probs_dropout_prob": 0.1, "hidden_act": "gelu", "hidden_dropout_prob": 0.1,
    "hidden_size": None, "initializer_range": 0.02, "intermediate_size": None,
    "max_position_embeddings": None, "num_attention_heads": None, "num_hidden_layers": None,
    "type_vocab_size": None, "vocab_size": None}

# What Hugging Face calls an activation -> what modeling.get_activation calls it. Its "gelu" is the
# erf form, the original's the tanh form; they differ by less than 5e-4.
ACTIVATIONS = {"gelu": "gelu", "gelu_new": "gelu", "gelu_pytorch_tanh": "gelu", "relu": "relu",
               "tanh": "tanh", "linear": "linear"}

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


def tf1_config(config: Mapping[str, Any]) -> dict[str, Any]:
    """bert_config.json for a config.json: the original's keys and no others.

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
    if result["hidden_act"] not in ACTIVATIONS:
        problems.append(f"config.json: hidden_act is {result['hidden_act']!r}; allowed: "
                        f"{', '.join(ACTIVATIONS)}.")
    if problems:
        raise UserError(problems)
    return result | {"hidden_act": ACTIVATIONS[result["hidden_act"]]}


def read_encoder(path: str, config: BertConfig) -> dict[str, np.ndarray]:
    """Reads the encoder from a safetensors file, under TF1 names and in TF1 layout.

    A prefix "bert." (as models with a head have) and the old names LayerNorm.gamma and
    LayerNorm.beta are understood; heads and other tensors are left alone. A model without a
    pooler is taken as it is: fine-tuning then starts with a fresh one, as the original does.

    Args:
        path: model.safetensors.
        config: the model's.

    Returns:
        TF1 name -> float32 array; kernels are [in, out].

    Raises:
        UserError: a damaged file, a missing tensor or one of another shape.
    """
    import safetensors

    problems, tensors = [], {}
    shapes = variable_shapes(config)
    try:
        with safetensors.safe_open(path, framework="np") as file:
            stored = file.keys()
            keys = {_modern(key): key for key in stored}
            for ours, (theirs, transpose) in tensor_names(config).items():
                if theirs not in keys:
                    if not theirs.startswith("pooler."):
                        problems.append(f"{path}: the tensor {theirs} is missing.")
                    continue
                value = file.get_tensor(keys[theirs])
                if value.dtype.kind in "biu":
                    problems.append(f"{path}: {theirs} holds {value.dtype}; floating-point "
                                    "numbers are expected, not a quantised model.")
                value = value.T if transpose else value
                if value.shape != shapes[ours]:
                    problems.append(
                        f"{path}: {theirs} gives {ours} the shape {list(value.shape)}; by "
                        f"config.json it is {list(shapes[ours])}.")
                tensors[ours] = np.ascontiguousarray(value, dtype=np.float32)
    except (OSError, safetensors.SafetensorError) as error:
        raise UserError(f"{path}: cannot be read as safetensors: {error}.") from error
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


def to_tf1(folder: str, out_folder: str) -> list[str]:
    """Writes the TF1 checkpoint of a model in the Hugging Face layout.

    Args:
        folder: holds model.safetensors, config.json and vocab.txt.
        out_folder: gets bert_config.json, vocab.txt and bert_model.ckpt.*; made if need be.

    Returns:
        The variables that it lacks: [], or those of the pooler.

    Raises:
        UserError: a file is missing or damaged, or the model is not what the original computes.
    """
    with log.quiet():  # here, since names and shapes need none
        from finetune import checkpoint

    paths = {name: os.path.join(folder, name)
             for name in ("model.safetensors", "config.json", "vocab.txt")}
    missing = [f"{path}: no such file." for path in paths.values() if not os.path.isfile(path)]
    if missing:
        raise UserError(missing)
    try:
        with open(paths["config.json"], encoding="utf-8") as file:
            config = BertConfig.from_dict(tf1_config(json.load(file)), paths["config.json"])
    except ValueError as error:
        raise UserError(f"{paths['config.json']}: is not valid JSON: {error}.") from error
    tensors = read_encoder(paths["model.safetensors"], config)
    os.makedirs(out_folder, exist_ok=True)
    checkpoint.save(os.path.join(out_folder, "bert_model.ckpt"), tensors)
    shutil.copyfile(paths["vocab.txt"], os.path.join(out_folder, "vocab.txt"))
    with open(os.path.join(out_folder, "bert_config.json"), "w", encoding="utf-8") as file:
        file.write(config.to_json())
    return [name for name in variable_shapes(config) if name not in tensors]
