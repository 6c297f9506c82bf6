"""Settings that lie in files: --config and --labels_file; the reader of --sweep's file."""

import csv
import io
import json
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any

from finetune import config_problems, inputs
from finetune.errors import Problem, UserError

MOST_BYTES = 1_000_000  # of a file of settings; PyYAML takes some seconds for so many
_LONGEST_NAME = 100  # of a flag
_EXAMPLE = "'name: value', for example 'learning_rate: 3e-5'"
MOST_ALIASES = 30  # of aliases within aliases a short file makes more than a memory holds


def load(path: str, flag: str) -> Any:
    """Reads a YAML or JSON file.

    Args:
        flag: the flag that named it, for the message.

    Raises:
        UserError: the file is missing, too long, neither YAML nor JSON, or gives a name twice.
    """
    try:
        content = inputs.read_bytes(path, once=True)
        if len(content) > MOST_BYTES:
            raise ValueError(f"has {len(content):,} bytes; {MOST_BYTES:,} are the most")
        text = content.decode("utf-8-sig")
        try:  # not all JSON is YAML: tabs, characters written as two \\u escapes
            json.loads(text)
        except ValueError:
            return _yaml(text)
        return json.loads(text, object_pairs_hook=_object)
    except RecursionError as error:
        raise UserError(f"--{flag}={path}: cannot be read: nested too deeply") from error
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"--{flag}={path}: {inputs.why_unreadable(path, error)}") from error
    except ValueError as error:
        reason = " ".join(str(error).split())
        raise UserError(f"--{flag}={path}: cannot be read: {reason}") from error


def _yaml(text: str) -> Any:
    import yaml

    class Loader(yaml.SafeLoader):
        """Safe, and refuses what YAML itself forbids and PyYAML lets pass: a name given twice."""

        aliases = 0

        def compose_node(self, parent: Any, index: Any) -> Any:
            """Returns the next node."""
            self.aliases += self.check_event(yaml.AliasEvent)
            if self.aliases > MOST_ALIASES:
                raise ValueError(f"has more than {MOST_ALIASES} aliases (*name)")
            return super().compose_node(parent, index)

        def construct_mapping(self, node: Any, deep: bool = False) -> dict:
            """Returns the mapping of a node."""
            if isinstance(node, yaml.MappingNode):
                _refuse_twice(key.value for key, _ in node.value if isinstance(key.value, str))
            return super().construct_mapping(node, deep)

    try:
        return yaml.load(text, Loader)
    except (yaml.constructor.ConstructorError, LookupError, TypeError, AttributeError,
            OverflowError) as error:
        raise ValueError("a tag (!!name) does not fit its value") from error
    except yaml.YAMLError as error:  # which tells it in the words of its scanner
        mark = getattr(error, "problem_mark", None)
        line = mark.line + 1 if mark else text.count("\n", 0, getattr(error, "position", 0)) + 1
        raise ValueError(f"line {line} is neither YAML nor JSON; it has to be "
                         f"{_EXAMPLE}") from error


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    _refuse_twice(name for name, _ in pairs)
    return dict(pairs)


def _refuse_twice(names: Iterable[str]) -> None:
    for name, count in Counter(names).items():
        if count > 1:
            raise ValueError(f"{config_problems.shown(name)} is given more than once")


def argument_problems(arguments: Sequence[str]) -> list[str]:
    """Returns what is wrong with the arguments of a command line before they are taken apart.

    What is no UTF-8 cannot be written down in run_config.json; absl fails at names that are long.
    """
    shown = config_problems.shown
    return [*(f"{shown(one)} is not UTF-8" for one in arguments
              if not config_problems.is_utf8(one)),
            *(f"unknown flag {shown(one)}: see --help" for one in arguments
              if one.startswith("-") and len(one.partition("=")[0]) > _LONGEST_NAME)]


def flag_name(argument: str) -> str:
    """Returns the name of the flag that an argument begins with, "" where it begins with none."""
    return argument.lstrip("-").partition("=")[0] if argument.startswith("-") else ""


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
        raise UserError(f"--config={path}: must hold flags as {_EXAMPLE}")
    problems = [f"--config={path}: {problem}"
                for problem in argument_problems([f"--{name}" for name in settings])]
    problems += [f"--config={path}: {name}: {problem}" for name, value in settings.items()
                 if (problem := value_problem(value))]
    if problems:
        raise UserError(problems)
    return {str(name): as_text(value) for name, value in settings.items() if value is not None}


def value_problem(value: Any) -> str | None:
    """Returns why a value of YAML or JSON is none that a flag takes, or None."""
    if isinstance(value, (dict, set)):
        return "holds a mapping; a flag takes one value"
    for one in value if isinstance(value, list) else (value,):
        if isinstance(one, (dict, list, set)):
            return "holds a mapping or a list within a list; a flag takes one value"
        if isinstance(value, list) and (isinstance(one, bool) or one is None):
            return f"{one} in a list is no text; put quotes around it"  # YAML reads yes, on, off so
        if isinstance(one, int) and one.bit_length() > 64:
            return "holds a number larger than any flag takes"
        if isinstance(one, str) and ("\0" in one or not config_problems.is_utf8(one)):
            return f"{config_problems.shown(one)} holds a NUL or half a surrogate pair"
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
        UserError: the file cannot be read, or its labels cannot serve; its problems know the flag.
    """
    flag = f"--labels_file={path}"
    try:
        text = inputs.read_bytes(path, once=True).decode("utf-8-sig")
        labels = tuple(text.replace("\r\n", "\n").removesuffix("\n").split("\n"))
    except (OSError, UnicodeDecodeError) as error:
        reason = inputs.why_unreadable(path, error)
        raise UserError(Problem(f"{flag}: {reason}", ["labels_file"])) from error
    problems = config_problems.of_labels(labels, flag)
    if problems:
        raise UserError(Problem(problem, ["labels_file"]) for problem in problems)
    return labels
