"""GLUE's and XNLI's files by task: fetched, checked, put where the processors look for them.

    from finetune.glue import files as glue
    files = glue.load("scripts/glue.json")
    for folder in files.find(["mrpc", "rte"]):
        glue.install(folder, "glue_data", files.base_url)

A task's folder appears under its final name only when everything in it has been checked, and then
holds source.json, which says where it came from. Imports no TensorFlow.
"""

import dataclasses
import json
import os
import shutil
import sys
import tempfile
from collections.abc import Sequence

from finetune.bert_config import SOURCE_FILE
from finetune.errors import UserError
from finetune.glue import mrpc
from finetune.sources import archive, download, installed

# What a zip of text may unpack to: so many times its own bytes, and a little for small ones.
_MOST_UNPACKED, _LITTLE = 20, 64 * download.MEGABYTE


@dataclasses.dataclass(frozen=True)
class Folder:
    """The folder of one task, or of two that share their files.

    Attributes:
        name: the folder below glue_data.
        tasks: the values of --task_name that read it.
        files: what it holds when it is complete.
        downloads: address, relative to the base address -> (bytes, sha256).
        on_request: no part of GLUE: fetched only when it is named.
    """

    name: str
    tasks: tuple[str, ...]
    files: tuple[str, ...]
    downloads: dict[str, tuple[int, str]]
    on_request: bool = False

    @property
    def size(self) -> int:
        """Bytes to fetch."""
        return sum(size for size, _ in self.downloads.values())


@dataclasses.dataclass(frozen=True)
class Files:
    """All folders known, and the address that theirs are relative to."""

    base_url: str
    folders: tuple[Folder, ...]

    def find(self, tasks: Sequence[str]) -> list[Folder]:
        """Returns the folders of the named tasks, each once; without names those of GLUE.

        Raises:
            UserError: tasks that do not exist, each with the closest names.
        """
        if not tasks:
            return [folder for folder in self.folders if not folder.on_request]
        known = {name.lower(): folder for folder in self.folders
                 for name in (*folder.tasks, folder.name)}
        problems = [installed.no_such("task", task, known) for task in tasks
                    if task.lower() not in known]
        if problems:
            raise UserError(problems)
        wanted = {known[task.lower()].name for task in tasks}
        return [folder for folder in self.folders if folder.name in wanted]


def load(path: str) -> Files:
    """Reads scripts/glue.json, or a file like it.

    Raises:
        UserError: there is none, or it is none.
    """
    try:
        with open(path, encoding="utf-8") as file:
            content = json.load(file)
        return Files(content["base_url"], tuple(
            Folder(name, tuple(each["tasks"]), tuple(each["files"]),
                   {address: (size, sha256)
                    for address, (size, sha256) in each["downloads"].items()},
                   each.get("on_request", False))
            for name, each in content["folders"].items()))
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise UserError(f"{path}: cannot be read as a list of files like scripts/glue.json: "
                        f"{error!r}.") from error


def is_complete(folder: Folder, parent: str, mrpc_dir: str | None = None) -> bool:
    """Whether the folder is there with all its files, by their sizes.

    A folder without source.json, filled by other means, counts if no file is missing or empty.

    Args:
        mrpc_dir: what MRPC is to be made of, as for `install`.

    Raises:
        UserError: it is there and damaged, or MRPC is made of something else.
    """
    target = os.path.join(parent, folder.name)
    if installed.is_absent(target):
        return False
    if installed.require_whole(target, folder.files) and mrpc_dir and folder.name == "MRPC":
        with open(os.path.join(target, SOURCE_FILE), encoding="utf-8") as file:
            source = json.load(file).get("source")
        if source != os.path.abspath(mrpc_dir):
            raise UserError(f"{target}: is there already, made of {source} and not of "
                            f"--mrpc_dir={mrpc_dir}. Delete it or move it away, then run this "
                            "again.")
    return True


def install(folder: Folder, parent: str, base_url: str, mrpc_dir: str | None = None) -> str:
    """Puts a folder in place, unless it is there.

    Args:
        folder: which one.
        parent: the folder of all tasks; it is made if need be.
        base_url: what the addresses are relative to.
        mrpc_dir: for MRPC, a folder with Microsoft's own files; nothing but the list of dev rows
            is then fetched, and that only if it is not in there either.

    Returns:
        The folder's path.

    Raises:
        UserError: something went wrong; no folder of that name has been left behind.
    """
    target = os.path.join(parent, folder.name)
    if is_complete(folder, parent, mrpc_dir):
        return target
    os.makedirs(parent, exist_ok=True)
    given = mrpc.find(mrpc_dir) if mrpc_dir and folder.name == "MRPC" else {}
    fetched = []
    with tempfile.TemporaryDirectory(prefix=".unpacking-", dir=parent) as work:
        for address, expected in folder.downloads.items():
            name = os.path.basename(address)
            if name in given:
                continue
            # Beside the folder, so that a broken transfer can go on the next time.
            path = os.path.join(parent, f"{folder.name}.{name}")
            url = download.address(base_url, address)
            fetched.append(path)
            _fetch(url, path, *expected)
            given[name] = path
        made = os.path.join(work, folder.name)
        os.mkdir(made)
        try:
            _assemble(folder, given, made)
            _record(folder, made, base_url, mrpc_dir)
        except download.WrongFile:
            for path in fetched:  # the next try would go wrong in the same way
                os.remove(path)
            raise
        os.rename(made, target)
    for path in fetched:
        os.remove(path)
    return target


def _fetch(url: str, path: str, size: int, sha256: str) -> None:
    if os.path.exists(path) and (os.path.getsize(path) != size
                                 or download.sha256_of(path) != sha256):
        os.remove(path)  # left by an earlier try; not what was released
    print(f"Downloading {url}", file=sys.stderr)
    download.fetch(url, path, size, sha256, unpacked=4.0 if path.endswith(".zip") else 1.0)


def _assemble(folder: Folder, given: dict[str, str], made: str) -> None:
    """Fills the folder `made` from the files fetched or given, by their names in `given`."""
    if folder.name == "MRPC":
        return mrpc.assemble(given["mrpc_dev_ids.tsv"], given["msr_paraphrase_train.txt"],
                             given["msr_paraphrase_test.txt"], made)
    for name, path in given.items():
        if name.endswith(".zip"):
            _unpack(path, folder, made)
        else:
            shutil.copyfile(path, os.path.join(made, folder.files[0]))
    missing = [file for file in folder.files
               if not os.path.isfile(os.path.join(made, file))]
    if missing:
        raise download.WrongFile(f"{', '.join(given)}: lacks {', '.join(missing)}.")
    return None


def _unpack(path: str, folder: Folder, made: str) -> None:
    """Unpacks a zip and moves the contents of its folder with the task's files to `made`."""
    most = _MOST_UNPACKED * os.path.getsize(path) + _LITTLE
    with tempfile.TemporaryDirectory(prefix="zip-", dir=os.path.dirname(made)) as unpacked:
        archive.unpack(path, unpacked, most)
        found = [root for root, _, _ in os.walk(unpacked)
                 if any(os.path.isfile(os.path.join(root, file)) for file in folder.files)]
        if not found:
            raise download.WrongFile(f"{path}: holds none of {', '.join(folder.files)}.")
        top = min(found, key=lambda root: root.count(os.sep))
        for name in sorted(os.listdir(top)):
            if not os.path.lexists(os.path.join(made, name)):  # both zips of XNLI have a readme
                os.rename(os.path.join(top, name), os.path.join(made, name))


def _record(folder: Folder, made: str, base_url: str, mrpc_dir: str | None) -> None:
    sizes = {file: os.path.getsize(os.path.join(made, file)) for file in folder.files}
    empty = [file for file, size in sizes.items() if not size]
    if empty:
        raise download.WrongFile(f"{folder.name}: {', '.join(empty)} would be empty.")
    source = {"source": base_url, "downloads": {
        address: {"bytes": size, "sha256": sha256}
        for address, (size, sha256) in folder.downloads.items()}}
    if mrpc_dir and folder.name == "MRPC":
        source = {"source": os.path.abspath(mrpc_dir)}
    with open(os.path.join(made, SOURCE_FILE), "w", encoding="utf-8") as file:
        file.write(json.dumps({**source, "files": sizes}, indent=2) + "\n")
