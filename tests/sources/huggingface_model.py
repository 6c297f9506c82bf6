"""A tiny random BERT in the Hugging Face layout, made without transformers."""

import json
import pathlib

import numpy as np
import safetensors.numpy

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
VOCABULARY = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "the", "app", "é", "##s", "Save", "."]
LABELS = ["bug", "feature", "a question"]
WITH_HEAD = {**CONFIG, "architectures": ["BertForSequenceClassification"],
             "id2label": {"2": "a question", "0": "bug", "1": "feature"},
             "label2id": {"bug": 0, "feature": 1, "a question": 2}}


def make_tensors(labels: int = 0) -> dict[str, np.ndarray]:
    """The tensors of a BertModel, or with labels of a BertForSequenceClassification."""
    random = np.random.default_rng(0)
    tensors = {name: random.normal(size=shape).astype(np.float32)
               for name, (_, shape) in NAMES.items()}
    if labels:
        tensors = {f"bert.{name}": value for name, value in tensors.items()}
        tensors["classifier.weight"] = random.normal(size=(labels, 8)).astype(np.float32)
        tensors["classifier.bias"] = random.normal(size=labels).astype(np.float32)
    return tensors


def write_folder(folder: pathlib.Path, tensors: dict[str, np.ndarray], config: dict) -> str:
    """Writes model.safetensors, config.json and vocab.txt."""
    folder.mkdir(parents=True)
    safetensors.numpy.save_file(tensors, folder / "model.safetensors")
    (folder / "config.json").write_text(json.dumps(config), encoding="utf-8")
    (folder / "vocab.txt").write_text("\n".join(VOCABULARY) + "\n", encoding="utf-8")
    return str(folder)
