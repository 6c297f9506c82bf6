"""The vocabulary and casing of a Hugging Face folder, and those of ours for one.

    from finetune.sources import huggingface_tokenizer
    tokens, casing, notices = huggingface_tokenizer.read("downloaded/bert", vocab_size=30522)

vocab.txt has a token a line, as the original's; tokenizer.json holds the same vocabulary among
other things. Imports no TensorFlow.
"""

import collections
import json
import os
from typing import Any

from finetune.errors import UserError
from finetune.tokenization import vocabulary_casing

VOCABULARY, TOKENIZER, SETTINGS = "vocab.txt", "tokenizer.json", "tokenizer_config.json"


def read(folder: str, vocab_size: int) -> tuple[list[str], bool | None, list[str]]:
    """Reads what decides a model's token ids.

    Args:
        folder: holds vocab.txt or tokenizer.json, perhaps tokenizer_config.json.
        vocab_size: of config.json.

    Returns:
        The tokens by id; --do_lower_case for them, None where nothing tells; and what is worth
        telling.

    Raises:
        UserError: a file is missing or damaged, or the tokenizer is no WordPiece of the original.
    """
    try:
        return _read(folder, vocab_size)
    except (AttributeError, KeyError, TypeError) as error:  # another type, or a key less
        raise UserError(f"{os.path.join(folder, TOKENIZER)}: is not what transformers writes "
                        f"there: {type(error).__name__}: {error}.") from error


def _read(folder: str, vocab_size: int) -> tuple[list[str], bool | None, list[str]]:
    content, settings = (_json(os.path.join(folder, name)) for name in (TOKENIZER, SETTINGS))
    path = os.path.join(folder, VOCABULARY)
    tokens = lines = _lines(path) if os.path.isfile(path) else None
    if content is not None:
        path = os.path.join(folder, TOKENIZER)
        tokens = _tokens(path, content)
        if lines is not None and lines != tokens:
            raise UserError(f"{path}: holds another vocabulary ({len(tokens):,} tokens) than "
                            f"{VOCABULARY} beside it ({len(lines):,}); delete the wrong one.")
    if tokens is None:
        raise UserError(f"{folder}: has neither {VOCABULARY} nor {TOKENIZER}.")
    problems = vocabulary_problems(path, tokens, vocab_size)
    if problems:
        raise UserError(problems)
    return tokens, *_casing(content or {}, settings or {}, tokens)


def vocabulary_problems(path: str, tokens: list[str], vocab_size: int) -> list[str]:
    """Returns why a vocabulary does not suit a model of so many word embeddings."""
    problems = []
    if len(tokens) != vocab_size:
        problems.append(f"{path}: has {len(tokens):,} tokens; by the configuration the model has "
                        f"{vocab_size:,}.")
    twice = [token for token, count in collections.Counter(tokens).items() if count > 1]
    if twice:
        problems.append(f"{path}: holds {len(twice)} tokens twice, first {twice[0]!r}; the ids "
                        "that follow would not be the same on both sides.")
    return problems


def settings_json(do_lower_case: bool, model_max_length: int,
                  truncation: str = "head") -> dict[str, Any]:
    """Returns tokenizer_config.json.

    Args:
        model_max_length: where transformers truncates, in tokens with [CLS] and [SEP].
        truncation: which part of a text is kept; transformers knows the first and the last.
    """
    side = {"truncation_side": "left"} if truncation == "tail" else {}
    return {"tokenizer_class": "BertTokenizer", "do_lower_case": do_lower_case,
            "strip_accents": None, "tokenize_chinese_chars": True,
            "model_max_length": model_max_length, **side,
            "unk_token": "[UNK]", "sep_token": "[SEP]",
            "pad_token": "[PAD]", "cls_token": "[CLS]", "mask_token": "[MASK]"}


def _json(path: str) -> Any:
    if not os.path.isfile(path):
        return None
    try:
        with open(path, encoding="utf-8") as file:
            content = json.load(file)
    except (ValueError, RecursionError) as error:
        raise UserError(f"{path}: is not valid JSON: {error}.") from error
    if not isinstance(content, dict):
        raise UserError(f"{path}: must be a JSON object.")
    return content


def _lines(path: str) -> list[str]:
    try:
        with open(path, encoding="utf-8", newline="\n") as file:
            return [line.strip() for line in file]
    except UnicodeDecodeError as error:
        raise UserError(f"{path}: is not UTF-8: {error.reason} at byte {error.start}.") from error


def _tokens(path: str, content: dict[str, Any]) -> list[str]:
    model = content.get("model") or {}
    kind = (model.get("type"), model.get("continuing_subword_prefix", "##"),
            model.get("unk_token", "[UNK]"))
    if kind != ("WordPiece", "##", "[UNK]") or not isinstance(model.get("vocab"), dict):
        raise UserError(f"{path}: model, prefix and unknown token are {', '.join(map(str, kind))}; "
                        "google-research/bert knows WordPiece, ##, [UNK] only.")
    by_token = dict(model["vocab"])
    for added in content.get("added_tokens") or ():
        by_token.setdefault(added["content"], added["id"])
    tokens = sorted(by_token, key=by_token.get)
    if [by_token[token] for token in tokens] != list(range(len(tokens))):
        raise UserError(f"{path}: the ids of its {len(tokens):,} tokens are not 0 to "
                        f"{len(tokens) - 1:,}, each once.")
    unfit = [token for token in tokens if token != token.strip() or not token
             or len(token.splitlines()) > 1]
    if unfit:
        raise UserError(f"{path}: the tokens {unfit[:3]} cannot stand on a line of a vocab.txt.")
    return tokens


def _casing(content: dict[str, Any], settings: dict[str, Any],
            tokens: list[str]) -> tuple[bool | None, list[str]]:
    normalizer = content.get("normalizer") or {}
    is_bert = normalizer.get("type") == "BertNormalizer"
    lower = normalizer.get("lowercase") if is_bert else settings.get("do_lower_case")
    both = {**settings, **({"strip_accents": normalizer.get("strip_accents"),
                            "tokenize_chinese_chars": normalizer.get("handle_chinese_chars", True)}
                           if is_bert else {})}
    notices = []
    if content and not is_bert:
        notices.append(f"{TOKENIZER}: its normalizer is {normalizer.get('type')!r} and not "
                       "BertNormalizer; texts may be read otherwise than here")
    if lower is None:
        casing = vocabulary_casing({token: row for row, token in enumerate(tokens)})
        lower = {"cased": False, "uncased": True}.get(casing)
        notices.append("neither tokenizer.json nor tokenizer_config.json tells the casing"
                       + (f"; the vocabulary looks {casing}" if casing else ""))
    accents = both.get("strip_accents")
    if accents is not None and accents != lower:
        notices.append(f"strip_accents is {accents} and do_lower_case {lower} there; here accents "
                       "are dropped if and only if texts are lower-cased, so that texts with "
                       "accents are read otherwise")
    if not both.get("tokenize_chinese_chars", True):
        notices.append("tokenize_chinese_chars is False there; here each Chinese character is a "
                       "word of its own, so that such texts are read otherwise")
    return lower, notices
