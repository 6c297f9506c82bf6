"""What the commands that convert checkpoints share: what is read, and where the result goes.

    problems = model_folder.out_problems("to_keep")
    given = model_folder.open_model("output/run", None, None, problems)
    with model_folder.new_folder("to_keep", size=10**6) as made:
        ...                                            # write into made; it becomes to_keep

The folder that is written must be new or empty, and appears when it is complete.
"""

import contextlib
import dataclasses
import os
import tempfile
from collections.abc import Iterator
from typing import Any

from finetune import outputs
from finetune.bert_config import SOURCE_FILE, BertConfig, variable_shapes
from finetune.checkpoints import checkpoint, restore_report
from finetune.errors import UserError
from finetune.sources import download


@dataclasses.dataclass(frozen=True)
class Converted:
    """What was written, for people.

    Attributes:
        labels: of the head; [] for a regression, None without a head.
        do_lower_case: whether it is an uncased model; None where nothing tells.
        activation: the function it was trained with, as bert_config.json names it.
        notices: worth telling.
        max_seq_length: it was trained with; None where nothing tells.
        long_texts: what became of longer texts, where that is not the original's way.
    """

    labels: list[str] | None
    do_lower_case: bool | None
    activation: str
    notices: list[str]
    max_seq_length: int | None = None
    long_texts: dict[str, Any] = dataclasses.field(default_factory=dict)


@dataclasses.dataclass(frozen=True)
class Model:
    """A TF1 checkpoint and what lies beside it."""

    prefix: str
    held: dict[str, tuple[int, ...]]
    config_path: str
    config: BertConfig
    vocab_path: str
    run: dict[str, Any]  # run_config.json, or source.json of a converted checkpoint

    def path(self, name: str) -> str:
        """The path of a file beside the checkpoint."""
        return os.path.join(os.path.dirname(self.prefix), name)


def open_model(source: str, bert_config_file: str | None, vocab_file: str | None,
               problems: list[str]) -> Model | None:
    """Looks at a TF1 checkpoint; reads shapes, no weights.

    Args:
        source: a run's folder (its best checkpoint, else its newest), another folder of a
            checkpoint, or a prefix.
        bert_config_file, vocab_file: where they do not lie beside the checkpoint.
        problems: gets what is wrong.

    Returns:
        None if there are problems.
    """
    found: list[str] = []
    with collected(found):
        prefix = checkpoint.resolve(source)
        held = checkpoint.shapes(prefix)
        folder = os.path.dirname(prefix)
        config_path = bert_config_file or os.path.join(folder, outputs.BERT_CONFIG)
        vocab_path = vocab_file or os.path.join(folder, outputs.VOCABULARY)
        found += [f"{path}: no such file; name it with --{flag}"
                  for flag, path in (("bert_config_file", config_path), ("vocab_file", vocab_path))
                  if outputs.read_bytes(path) is None]
        if not found:
            config = BertConfig.from_json_file(config_path)
            found += restore_report.start_problems(prefix, held, variable_shapes(config))
            run = {**(outputs.read_object(os.path.join(folder, SOURCE_FILE)) or {}),
                   **(outputs.read_object(os.path.join(folder, outputs.RUN_CONFIG)) or {})}
    problems += [problem.replace("--init_checkpoint=", "") for problem in found]
    return None if found else Model(prefix, held, config_path, config, vocab_path, run)


@contextlib.contextmanager
def collected(problems: list[str]) -> Iterator[None]:
    """Adds the problems of a UserError to the list."""
    try:
        yield
    except UserError as error:
        problems.extend(error.problems)


def out_problems(folder: str) -> list[str]:
    """Returns why a folder cannot be the one that is written."""
    if not folder.strip():
        return [f"{folder!r} names no folder; name a new one."]
    if "://" in folder or set(folder) & checkpoint.PATTERN:
        return [f"{folder}: has to be a folder on this machine without * ? [ ] \\ in its name."]
    if checkpoint.exists(folder):
        return [f"{folder}: is the prefix of a checkpoint; name a new folder."]
    if os.path.lexists(folder) and not (os.path.isdir(folder) and not os.listdir(folder)):
        return [f"{folder}: is there already and is no empty folder; name a new one."]
    if os.path.isdir(folder) and os.path.samefile(folder, os.curdir):  # would be replaced
        return [f"{folder}: is the current folder; name a new one."]
    return []


def own_folder_problems(prefix: str, folder: str) -> list[str]:
    """Returns why the result cannot be written into the folder of the checkpoint itself.

    There a run would find two checkpoints, or the next one delete the copy with its own files.

    Args:
        prefix: of the checkpoint.
        folder: what is to be written.
    """
    own = os.path.realpath(os.path.dirname(prefix))
    if os.path.commonpath([own, os.path.realpath(folder)]) != own:
        return []
    return [f"{folder}: lies in {own}, the folder of the checkpoint itself, in which nothing is "
            "changed; name a new folder elsewhere."]


@contextlib.contextmanager
def new_folder(path: str, size: int) -> Iterator[str]:
    """Gives a folder to write into, which becomes `path` if no exception comes.

    Args:
        path: new, or an empty folder.
        size: bytes about to be written.
    """
    target = os.path.realpath(path)
    parent = os.path.dirname(target)
    os.makedirs(parent, exist_ok=True)
    download.require_room(parent, size)
    with tempfile.TemporaryDirectory(prefix=".converting-", dir=parent) as work:
        made = os.path.join(work, "made")
        os.mkdir(made)
        yield made
        os.rename(made, target)
