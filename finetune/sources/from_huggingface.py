"""A model in the Hugging Face layout becomes a TF1 checkpoint, its head and labels included.

    from finetune.sources import from_huggingface
    from_huggingface.convert("downloaded/bert", "checkpoints/mine")

scripts/convert_checkpoint.sh from-huggingface is the command.
"""

import json
import os
import shutil
from typing import Any

import numpy as np

from finetune import long_texts, outputs
from finetune.bert_config import SOURCE_FILE, BertConfig, variable_shapes
from finetune.checkpoints import checkpoint, checksums
from finetune.errors import UserError
from finetune.model import GLOBAL_STEP
from finetune.sources import huggingface, huggingface_tokenizer, tensor_files
from finetune.sources.model_folder import Converted, collected, new_folder, out_problems
from finetune.task_kind import TaskKind


def convert(folder: str, out_folder: str, activation: str = huggingface.KEEP,
            encoder_only: bool = False) -> Converted:
    """Writes the TF1 checkpoint of a model in the Hugging Face layout.

    Args:
        folder: holds config.json, the weights (tensor_files.NAMES), vocab.txt or tokenizer.json.
        out_folder: gets bert_config.json, vocab.txt, bert_model.ckpt.*, source.json, and labels.txt
            if there is a head.
        activation: "keep" or "original", see huggingface.tf1_config.
        encoder_only: leave a head out.

    Raises:
        UserError: a file is missing or damaged, or the model is not what the original computes.
    """
    if why := _why_no_need(folder):
        raise UserError(why)
    problems = out_problems(out_folder)
    theirs = _config_json(folder, problems)
    own, config = _settings(folder, theirs, activation, problems)
    tensors, labels, tokens, casing, notices, weights = {}, None, [], None, [], None
    with collected(problems):
        weights = tensor_files.open_weights(folder)
    if config:
        with collected(problems):
            tokens, casing, notices = huggingface_tokenizer.read(folder, config.vocab_size)
    if config and weights:
        with collected(problems):
            tensors = huggingface.read_encoder(weights, config)
        if huggingface.has_head(theirs, weights) and not encoder_only:
            with collected(problems):
                head, labels = huggingface.read_head(weights, config.hidden_size, theirs)
                tensors |= head
    if problems:
        raise UserError(problems)
    trained = huggingface.trained_with(theirs)
    notices = [*weights.notices(), *_notices(theirs, config, weights, tensors, labels), *notices]
    if GLOBAL_STEP in own and not encoder_only:
        tensors[GLOBAL_STEP] = np.array(own[GLOBAL_STEP], np.int64)
    done = Converted(labels, casing, trained, notices, *_reading(own))
    with new_folder(out_folder, sum(value.nbytes for value in tensors.values())) as made:
        checkpoint.save(os.path.join(made, checkpoint.PRETRAINED), tensors)
        _write_tokens(folder, tokens, os.path.join(made, outputs.VOCABULARY))
        outputs.write_text(os.path.join(made, outputs.BERT_CONFIG), config.to_json())
        _write_notes(made, folder, done)
    return done


def _why_no_need(folder: str) -> str | None:
    """Returns why there is nothing to convert: what is given is a TF1 checkpoint. Else None."""
    if os.path.exists(os.path.join(folder, "config.json")) or tensor_files.find(folder):
        return None
    try:
        prefix = checkpoint.resolve(folder)
    except UserError:
        return None
    return (f"{folder}: is a TF1 checkpoint ({prefix}) and no Hugging Face model, so that there is "
            f"nothing to convert: --init_checkpoint={folder} takes it as it is. The other way "
            "round is to-huggingface")


def _settings(folder: str, theirs: dict[str, Any] | None, activation: str,
              problems: list[str]) -> tuple[dict[str, Any], BertConfig | None]:
    """Returns what a config.json keeps of a run of ours, and the original's configuration."""
    own, config = {}, None
    if theirs is not None:
        with collected(problems):
            own = huggingface.own_settings(theirs)
        with collected(problems):
            config = BertConfig.from_dict(huggingface.tf1_config(theirs, activation),
                                          os.path.join(folder, "config.json"))
    return own, config


def _config_json(folder: str, problems: list[str]) -> dict[str, Any] | None:
    path = os.path.join(folder, "config.json")
    try:
        with open(path, encoding="utf-8") as file:
            config = json.load(file)
    except OSError as error:
        problems.append(f"{path}: {'no such file' if not os.path.exists(path) else error.strerror}"
                        ".")
        return None
    except (ValueError, RecursionError) as error:
        problems.append(f"{path}: is not valid JSON: {error}.")
        return None
    if not isinstance(config, dict):
        problems.append(f"{path}: must be a JSON object.")
        return None
    return config


def _notices(theirs: dict[str, Any], config: BertConfig, weights: tensor_files.Weights,
             tensors: dict[str, Any], labels: list[str] | None) -> list[str]:
    notices = []
    trained = huggingface.trained_with(theirs)
    named = theirs.get("hidden_act", huggingface.CONFIG_DEFAULTS["hidden_act"])
    if trained != config.hidden_act:
        notices.append(
            f"hidden_act is {named!r} there, the erf form; bert_config.json says 'gelu', the "
            "original's tanh form; the two differ by less than 5e-4")
    elif trained == "gelu_erf":
        notices.append(
            f"hidden_act is {named!r} there, the erf form, and 'gelu_erf' in bert_config.json; "
            "google-research/bert cannot compute it (--activation=original writes its tanh form)")
    missing = [name for name in variable_shapes(config) if name not in tensors]
    if missing:
        notices.append(f"the model has no pooler ({', '.join(missing)}); fine-tuning starts it at "
                       "random")
    if labels is None and any(name.startswith("classifier.") for name in weights.names()):
        kind = ", ".join(theirs.get("architectures") or ["unknown"])
        notices.append(f"the head was left out (architectures: {kind})")
    if labels == []:
        notices.append("the head has one output: a regression (problem_type: "
                       f"{theirs.get('problem_type')})")
    if labels and labels[0] == "LABEL_0":
        notices.append("the labels have no names there: put yours into labels.txt, in this order")
    return notices


def _reading(own: dict[str, Any]) -> tuple[int | None, dict[str, Any]]:
    return own.get("max_seq_length"), long_texts.among(own)


def _write_notes(made: str, source: str, done: Converted) -> None:
    if done.labels:
        outputs.write_text(os.path.join(made, outputs.LABELS),
                           "".join(f"{label}\n" for label in done.labels))
    length = done.max_seq_length
    outputs.write_json(os.path.join(made, SOURCE_FILE), {
        "source": source, "activation": done.activation, "do_lower_case": done.do_lower_case,
        "notices": done.notices, **({"max_seq_length": length} if length else {}),
        **({"task_type": TaskKind.MULTILABEL.value}
           if TaskKind.of(done.labels or ()) is TaskKind.MULTILABEL else {}),
        **done.long_texts})
    checksums.write(made, (outputs.VOCABULARY, outputs.BERT_CONFIG))


def _write_tokens(folder: str, tokens: list[str], path: str) -> None:
    given = os.path.join(folder, huggingface_tokenizer.VOCABULARY)
    if os.path.isfile(given):
        shutil.copyfile(given, path)
    else:
        with open(path, "w", encoding="utf-8", newline="\n") as file:
            file.writelines(f"{token}\n" for token in tokens)
