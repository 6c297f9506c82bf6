"""What --help prints: every flag of RunConfig under its heading, with its default and meaning."""

import dataclasses
import textwrap
from collections.abc import Sequence

from finetune.config import RunConfig


def text(head: str, tasks: Sequence[str]) -> str:
    """Returns the manual.

    Args:
        head: what stands in front: what the command is for.
        tasks: the values of --task_name.
    """
    lines = [head + "Flags marked * are google-research/bert's."]
    for field in dataclasses.fields(RunConfig):
        if (heading := f"{field.metadata['group']}:") not in lines:
            lines += ["", heading]
        default = "" if field.default is None else f"={str(field.default).lower()}"
        choices = tasks if field.name == "task_name" else field.metadata["choices"]
        about = field.metadata["help"] + (f" One of: {', '.join(choices)}." if choices else "")
        lines.append(f"  --{field.name}{default}{' *' if field.metadata['original'] else ''}")
        lines += textwrap.wrap(about, 96, initial_indent=" " * 6, subsequent_indent=" " * 6)
    return "\n".join(lines)
