"""Settings that lie in files: --config and --labels_file."""

import csv
import io
import json
from typing import Any

from finetune.config import label_list_problems
from finetune.errors import UserError


def read_settings(path: str) -> dict[str, str]:
    """Reads a --config file.

    Returns:
        Flag name -> value as text, as it would stand on the command line; lists as a line of CSV,
        settings without a value left out.

    Raises:
        UserError: the file is missing, not YAML or JSON, or no mapping of single values and lists.
    """
    import yaml

    try:
        with open(path, encoding="utf-8-sig") as file:
            text = file.read()
        try:  # not all JSON is YAML: tabs, characters written as two \\u escapes
            settings = json.loads(text)
        except ValueError:
            settings = yaml.safe_load(text)
    except (OSError, ValueError, yaml.YAMLError) as error:
        reason = " ".join(str(error).split())
        raise UserError(f"--config={path}: cannot be read: {reason}") from error
    if not isinstance(settings, dict):
        raise UserError(f"--config={path}: must hold flags as 'name: value'")
    problems = [f"--config={path}: {name}: {problem}" for name, value in settings.items()
                if (problem := _problem(value))]
    if problems:
        raise UserError(problems)
    return {str(name): _as_text(value) for name, value in settings.items() if value is not None}


def _problem(value: Any) -> str | None:
    if isinstance(value, dict):
        return "holds a mapping; a flag takes one value"
    if isinstance(value, list):
        for one in value:
            if isinstance(one, (dict, list)):
                return "holds a mapping or a list within a list; a flag takes one value"
            if isinstance(one, bool) or one is None:  # YAML reads yes, no, on, off as these
                return f"{one} in a list is no text; put quotes around it"
    return None


def _as_text(value: Any) -> str:
    if isinstance(value, list):  # absl reads a list as a line of CSV
        line = io.StringIO()
        csv.writer(line, lineterminator="").writerow(map(_as_text, value))
        return line.getvalue()
    return str(value).lower() if isinstance(value, bool) else str(value)


def read_labels_file(path: str) -> tuple[str, ...]:
    """Reads --labels_file: one label a line, UTF-8.

    Raises:
        UserError: the file cannot be read, or its labels cannot serve.
    """
    try:
        with open(path, encoding="utf-8-sig") as file:
            labels = tuple(file.read().removesuffix("\n").split("\n"))
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"--labels_file={path}: cannot be read: {error}") from error
    problems = label_list_problems(labels, f"--labels_file={path}")
    if problems:
        raise UserError(problems)
    return labels
