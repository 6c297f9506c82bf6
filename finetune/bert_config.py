"""bert_config.json, and the variables that a configuration implies. Imports no TensorFlow."""

import dataclasses
import json
from collections.abc import Mapping
from typing import Any

from finetune import inputs
from finetune.config_problems import shown
from finetune.errors import UserError

# modeling.get_activation's, where gelu is the tanh form; and ours, which the original refuses.
ACTIVATIONS = ("gelu", "relu", "tanh", "linear", "gelu_erf")
_MOST = {"num_hidden_layers": 1000}  # each has 16 variables, which are listed before any is made
SOURCE_FILE = "source.json"  # beside a checkpoint: where it came from, what it was trained with


@dataclasses.dataclass(frozen=True)
class BertConfig:
    """The fields of bert_config.json (modeling.py's BertConfig), with its defaults."""

    vocab_size: int
    hidden_size: int = 768
    num_hidden_layers: int = 12
    num_attention_heads: int = 12
    intermediate_size: int = 3072
    hidden_act: str = "gelu"
    hidden_dropout_prob: float = 0.1
    attention_probs_dropout_prob: float = 0.1
    max_position_embeddings: int = 512
    type_vocab_size: int = 16
    initializer_range: float = 0.02

    @classmethod
    def from_json_file(cls, path: str) -> "BertConfig":
        """Reads bert_config.json from any file system that TensorFlow knows.

        Raises:
            UserError: the file is missing, not JSON, or not the configuration of a BERT.
        """
        flag = f"--bert_config_file={path}"
        try:
            fields = json.loads(inputs.read_bytes(path))
        except OSError as error:
            raise UserError(f"{flag}: {inputs.why_unreadable(path, error)}") from error
        except RecursionError as error:
            raise UserError(f"{flag}: is not JSON: nested too deeply") from error
        except ValueError as error:
            raise UserError(f"{flag}: is not JSON: {error}") from error
        return cls.from_dict(fields, flag)

    @classmethod
    def from_dict(cls, fields: Mapping[str, Any], origin: str) -> "BertConfig":
        """Checks the contents of a bert_config.json; keys unknown to the original are left aside.

        Args:
            origin: the flag or file that messages name.

        Raises:
            UserError: vocab_size is missing, or there is a value that no BERT can have.
        """
        if not isinstance(fields, dict) or "vocab_size" not in fields:
            raise UserError(f"{origin}: is no BERT configuration: it has no vocab_size")
        known = {field.name: field.type for field in dataclasses.fields(cls)}
        config = {key: value for key, value in fields.items() if key in known}
        problems = [f"{origin}: {problem}" for problem in _problems(config, known)]
        if problems:
            raise UserError(problems)
        return cls(**config)

    def to_json(self) -> str:
        """Returns the text of a bert_config.json."""
        return json.dumps(dataclasses.asdict(self), indent=2, sort_keys=True) + "\n"


def _problems(config: dict, kinds: dict) -> list[str]:
    found = []
    for key, value in config.items():
        if kinds[key] is int and (type(value) is not int or value < 1):
            found.append(f"{key} is {shown(value)}: must be a whole number above 0")
        elif kinds[key] is int and value > _MOST.get(key, 2 ** 31 - 1):
            found.append(f"{key} is {shown(value)}: must be {_MOST.get(key, 2 ** 31 - 1)} or less")
        elif kinds[key] is float and not (type(value) in (int, float) and 0 <= value < 1):
            found.append(f"{key} is {shown(value)}: must be a number from 0 to below 1")
    if config.get("hidden_act", "gelu") not in ACTIVATIONS:
        found.append(f"hidden_act is {shown(config['hidden_act'])}: must be one of "
                     + ", ".join(ACTIVATIONS))
    if not found and config.get("hidden_size", 768) % config.get("num_attention_heads", 12):
        found.append(f"hidden_size {config.get('hidden_size', 768)} is no multiple of "
                     f"num_attention_heads {config.get('num_attention_heads', 12)}")
    return found


def variable_shapes(config: BertConfig) -> dict[str, tuple[int, ...]]:
    """Returns the shape of every variable of the encoder and pooler under its TF1 name."""
    width, inner = config.hidden_size, config.intermediate_size
    shapes = {"bert/embeddings/word_embeddings": (config.vocab_size, width),
              "bert/embeddings/token_type_embeddings": (config.type_vocab_size, width),
              "bert/embeddings/position_embeddings": (config.max_position_embeddings, width)}

    def layer_norm(scope: str) -> None:
        shapes[f"{scope}/LayerNorm/beta"] = shapes[f"{scope}/LayerNorm/gamma"] = (width,)

    def dense(scope: str, rows: int, columns: int) -> None:
        shapes[f"{scope}/kernel"], shapes[f"{scope}/bias"] = (rows, columns), (columns,)

    layer_norm("bert/embeddings")
    for index in range(config.num_hidden_layers):
        scope = f"bert/encoder/layer_{index}"
        for part in ("query", "key", "value"):
            dense(f"{scope}/attention/self/{part}", width, width)
        dense(f"{scope}/attention/output/dense", width, width)
        layer_norm(f"{scope}/attention/output")
        dense(f"{scope}/intermediate/dense", width, inner)
        dense(f"{scope}/output/dense", inner, width)
        layer_norm(f"{scope}/output")
    dense("bert/pooler/dense", width, width)
    return shapes
