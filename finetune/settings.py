"""Settings that lie in files: --config and --labels_file; the reader of --sweep's file."""

import csv
import io
import json
from typing import Any

from finetune import config_problems, inputs
from finetune.errors import UserError

_MOST = 1_000_000  # characters of YAML's values, as often as its anchors repeat them


def load(path: str, flag: str) -> Any:
    """Reads a YAML or JSON file.

    Args:
        flag: the flag that named it, for the message.

    Raises:
        UserError: the file is missing, neither YAML nor JSON, gives a name twice, or repeats a
            value of its own without end.
    """
    import yaml

    try:
        text = inputs.read_bytes(path).decode("utf-8-sig")
        try:  # not all JSON is YAML: tabs, characters written as two \\u escapes
            json.loads(text)
        except ValueError:
            return yaml.load(text, _loader())
        return json.loads(text, object_pairs_hook=_once)
    except (OSError, ValueError, RecursionError, yaml.YAMLError) as error:
        reason = " ".join(str(error).split())
        raise UserError(f"--{flag}={path}: cannot be read: {reason}") from error


def _loader() -> type:
    """Returns a reader of YAML for one file."""
    import yaml

    sizes: dict[yaml.Node, int] = {}

    class Loader(yaml.SafeLoader):
        """Safe, and refuses what YAML itself forbids and PyYAML lets pass: a name given twice.

        And a file of a few lines that anchors, each repeating the one before, make of any size.
        """

        def compose_node(self, parent: Any, index: Any) -> Any:
            """Returns the next node; counts the characters in it."""
            node = super().compose_node(parent, index)
            inside = node.value
            if isinstance(node, yaml.MappingNode):
                inside = [each for pair in inside for each in pair]
            sizes[node] = 1 + (len(inside) if isinstance(node, yaml.ScalarNode) else
                               sum(sizes.get(each, 0) for each in inside))
            if sizes[node] > _MOST:
                raise ValueError(f"holds more than {_MOST:,} characters, as often as its anchors "
                                 "repeat them")
            return node

        def construct_mapping(self, node: Any, deep: bool = False) -> dict:
            """Returns the mapping of a node."""
            names = [key.value for key, _ in node.value if isinstance(key.value, str)]
            for name in names:
                if names.count(name) > 1:
                    raise ValueError(f"{name!r} is given more than once")
            return super().construct_mapping(node, deep)

    return Loader


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    names = [name for name, _ in pairs]
    for name in names:
        if names.count(name) > 1:
            raise ValueError(f"{name!r} is given more than once")
    return dict(pairs)


def read_settings(path: str) -> dict[str, str]:
    """Reads a --config file.

    Returns:
        Flag name -> value as text, as it would stand on the command line; lists as a line of CSV,
        settings without a value left out.

    Raises:
        UserError: the file is missing, not YAML or JSON, or no mapping of single values and lists.
    """
    settings = load(path, "config")
    if not isinstance(settings, dict):
        raise UserError(f"--config={path}: must hold flags as 'name: value'")
    problems = [f"--config={path}: {name}: {problem}" for name, value in settings.items()
                if (problem := value_problem(value))]
    if problems:
        raise UserError(problems)
    return {str(name): as_text(value) for name, value in settings.items() if value is not None}


def value_problem(value: Any) -> str | None:
    """Returns why a value of YAML or JSON is none that a flag takes, or None."""
    if isinstance(value, dict):
        return "holds a mapping; a flag takes one value"
    if isinstance(value, list):
        for one in value:
            if isinstance(one, (dict, list)):
                return "holds a mapping or a list within a list; a flag takes one value"
            if isinstance(one, bool) or one is None:  # YAML reads yes, no, on, off as these
                return f"{one} in a list is no text; put quotes around it"
    return None


def as_text(value: Any) -> str:
    """Returns a value of YAML or JSON as it would stand on the command line."""
    if isinstance(value, list):  # absl reads a list as a line of CSV
        line = io.StringIO()
        csv.writer(line, lineterminator="").writerow(map(as_text, value))
        return line.getvalue()
    return str(value).lower() if isinstance(value, bool) else str(value)


def read_labels_file(path: str) -> tuple[str, ...]:
    """Reads --labels_file: one label a line, UTF-8.

    Raises:
        UserError: the file cannot be read, or its labels cannot serve.
    """
    try:
        text = inputs.read_bytes(path).decode("utf-8-sig")
        labels = tuple(text.replace("\r\n", "\n").removesuffix("\n").split("\n"))
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"--labels_file={path}: cannot be read: {error}") from error
    problems = config_problems.of_labels(labels, f"--labels_file={path}")
    if problems:
        raise UserError(problems)
    return labels
