"""A TF1 checkpoint becomes a folder that transformers loads, with head and label names.

    from finetune.sources import to_huggingface
    to_huggingface.convert("output/run", "to_share")

scripts/convert_checkpoint.sh to-huggingface is the command.
"""

import os
import shutil
from collections.abc import Mapping
from typing import Any

import numpy as np

from finetune import bound_labels, long_texts, outputs
from finetune.bert_config import BertConfig, variable_shapes
from finetune.checkpoints import checkpoint
from finetune.errors import UserError
from finetune.model import GLOBAL_STEP
from finetune.sources import huggingface, huggingface_tokenizer
from finetune.sources.model_folder import (
    Converted,
    Model,
    collected,
    new_folder,
    open_model,
    out_problems,
)
from finetune.tokenization import vocabulary_casing


def convert(source: str, out_folder: str, bert_config_file: str | None = None,
            vocab_file: str | None = None, do_lower_case: bool | None = None) -> Converted:
    """Writes a TF1 checkpoint as a folder that transformers loads.

    Args:
        source: a run's folder (its best checkpoint, else its newest), another folder of a
            checkpoint, or a prefix.
        out_folder: gets config.json, model.safetensors, vocab.txt, tokenizer_config.json.
        bert_config_file: where it does not lie beside the checkpoint.
        vocab_file: the same.
        do_lower_case: of an uncased model; None: as the run's, else by the vocabulary.

    Raises:
        UserError: a file is missing or damaged, or does not fit the others.
    """
    problems = out_problems(out_folder)
    given = open_model(source, bert_config_file, vocab_file, problems)
    if given is None:
        raise UserError(problems)
    labels, notices = _labels(given, problems)
    content = outputs.read_bytes(given.vocab_path)
    with collected(problems):
        tokens = _decoded(given.vocab_path, content)
        problems += _vocabulary_problems(given.vocab_path, tokens, given.config)
        casing = {"cased": False, "uncased": True}.get(
            vocabulary_casing({token: row for row, token in enumerate(tokens)}))
        known = given.run.get("do_lower_case")
        casing = next((one for one in (do_lower_case, known, casing) if one is not None), None)
        if casing is None:
            problems.append(f"{given.vocab_path}: does not tell whether the model is uncased; give "
                            "--do_lower_case=true or --do_lower_case=false.")
        own = _own(given, problems)
    if problems:
        raise UserError(problems)
    values = _values(given)
    with new_folder(out_folder, sum(value.nbytes for value in values.values())) as made:
        theirs = write(made, values, given.config, labels, content, casing, own)
    if given.config.hidden_act != theirs["hidden_act"]:
        notices.append(f"hidden_act {given.config.hidden_act!r} is called "
                       f"{theirs['hidden_act']!r} there: the same function")
    return Converted(labels, casing, given.config.hidden_act, notices, own.get("max_seq_length"))


def write(folder: str, values: Mapping[str, np.ndarray], config: BertConfig,
          labels: list[str] | None, vocabulary: bytes, do_lower_case: bool,
          own: Mapping[str, int | str]) -> dict[str, Any]:
    """Writes the files that transformers loads.

    Args:
        folder: is there.
        values: by TF1 name; those that `to_tensors` does not know are left out.
        labels: of the head; None: there is none.
        vocabulary: bytes of a vocab.txt.
        own: global_step, max_seq_length and what becomes of long texts, where they are known.

    Returns:
        The contents of config.json.

    Raises:
        UserError: the vocabulary is none that transformers can use.
    """
    tokens = _decoded(outputs.VOCABULARY, vocabulary)
    problems = _vocabulary_problems(outputs.VOCABULARY, tokens, config)
    if problems:
        raise UserError(problems)
    length = min(own.get("max_seq_length") or config.max_position_embeddings,
                 config.max_position_embeddings)
    theirs = {**huggingface.config_json(config, labels, tokens.index("[PAD]")),
              **({huggingface.OWN_KEY: dict(own)} if own else {})}
    _write_huggingface(folder, huggingface.to_tensors(values, config), theirs, vocabulary,
                       huggingface_tokenizer.settings_json(
                           do_lower_case, length, own.get("truncation", "head")))
    return theirs


def _vocabulary_problems(path: str, tokens: list[str], config: BertConfig) -> list[str]:
    found = huggingface_tokenizer.vocabulary_problems(path, tokens, config.vocab_size)
    if "[PAD]" not in tokens:
        found.append(f"{path}: has no [PAD], which transformers pads with.")
    return found


def _values(given: Model) -> dict[str, np.ndarray]:
    names = [name for name in (*variable_shapes(given.config), *huggingface.HEAD)
             if name in given.held]
    return checkpoint.read(given.prefix, names)


def _own(given: Model, problems: list[str]) -> dict[str, int | str]:
    """What the way back needs and transformers has no name for."""
    own = {}
    if given.held.get(GLOBAL_STEP) == ():
        own[GLOBAL_STEP] = int(checkpoint.read(given.prefix, [GLOBAL_STEP])[GLOBAL_STEP])
    if given.run.get("max_seq_length"):
        own["max_seq_length"] = given.run["max_seq_length"]
        own |= long_texts.described(long_texts.of_folder(
            given.run, given.path(outputs.RUN_CONFIG), {}, own["max_seq_length"], problems))
    return own


def _write_huggingface(folder: str, tensors: dict[str, Any], config: dict[str, Any],
                       vocabulary: bytes, settings: dict[str, Any]) -> None:
    import safetensors.numpy

    weights = os.path.join(folder, "model.safetensors")
    safetensors.numpy.save_file(tensors, weights, metadata={"format": "pt"})
    outputs.write_json(os.path.join(folder, "config.json"), config)
    outputs.write_json(os.path.join(folder, huggingface_tokenizer.SETTINGS), settings)
    vocabulary_file = os.path.join(folder, huggingface_tokenizer.VOCABULARY)
    with open(vocabulary_file, "wb") as file:
        file.write(vocabulary)
    shutil.copymode(vocabulary_file, weights)  # safetensors lets nobody else read its files


def _decoded(path: str, content: bytes) -> list[str]:
    try:
        return [line.strip() for line in content.decode("utf-8").removesuffix("\n").split("\n")]
    except UnicodeDecodeError as error:
        raise UserError(f"{path}: is not UTF-8: {error.reason} at byte {error.start}.") from error


def _labels(given: Model, problems: list[str]) -> tuple[list[str] | None, list[str]]:
    """The labels of the head, as many as it has rows; None without a head."""
    if "output_weights" not in given.held:
        return None, ["the checkpoint has no head: an encoder alone is written (BertModel)"]
    rows = given.held["output_weights"][0]
    shape = given.held["output_weights"], given.held.get("output_bias")
    if shape != ((rows, given.config.hidden_size), (rows,)):
        problems.append(f"{given.prefix}: output_weights and output_bias have the shapes "
                        f"{shape[0]} and {shape[1]}.")
    if "bert/pooler/dense/kernel" not in given.held:
        problems.append(f"{given.prefix}: has a head, but no pooler for it.")
    labels = bound_labels.read(os.path.dirname(given.prefix))
    if rows == 1:  # a regression: its one output is a number and has no label
        return (labels if labels and len(labels) == 1 and labels[0] else ["LABEL_0"]), []
    if labels is None:
        return [f"LABEL_{row}" for row in range(rows)], [
            f"there is no {outputs.LABELS} beside the checkpoint: its {rows} labels are called "
            "LABEL_0, LABEL_1, ..."]
    if len(labels) != rows:
        problems.append(f"{given.path(outputs.LABELS)}: has {len(labels)} labels; the head has "
                        f"{rows}.")
    return labels, []
