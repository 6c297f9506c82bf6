"""Fetches the files of GLUE's tasks; scripts/download_glue.sh calls it.

    scripts/download_glue.sh
    scripts/download_glue.sh mrpc rte --dir=/data/glue_data
    scripts/download_glue.sh mrpc --mrpc_dir=extracted
    scripts/download_glue.sh --list
"""

import argparse
import os
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
sys.path.insert(0, ROOT)

from finetune import command  # noqa: E402
from finetune.errors import UserError  # noqa: E402
from finetune.glue import files as glue  # noqa: E402
from finetune.sources import download  # noqa: E402


def main(arguments: list[str] | None = None) -> int:
    """Runs the command; returns the exit status: 0 done, 2 a mistake or no network, 130 stopped."""
    options = _parser().parse_intermixed_args(arguments)
    return command.run(lambda: fetch(options), options.dir)


def fetch(options: argparse.Namespace) -> None:
    """Installs the folders asked for; before the first transfer all of them are looked at.

    Raises:
        UserError: unknown tasks, damaged folders, or what `glue.install` raises.
    """
    files = glue.load(options.files)
    if options.list:
        command.show(table(files))
        return
    folders = files.find(options.tasks)
    if options.mrpc_dir and "MRPC" not in [folder.name for folder in folders]:
        raise UserError("--mrpc_dir goes with the task mrpc, which is not asked for.")
    missing, damaged = [], []
    for folder in folders:
        try:
            if glue.is_complete(folder, options.dir, options.mrpc_dir):
                print(f"{os.path.join(options.dir, folder.name)}: is complete, nothing to do")
            else:
                missing.append(folder)
        except UserError as error:
            damaged += error.problems
    if damaged:
        raise UserError(damaged)
    for folder in missing:
        path = glue.install(folder, options.dir, options.base_url or files.base_url,
                            options.mrpc_dir)
        print(f"{path}: {', '.join(folder.files)}; --task_name={' or '.join(folder.tasks)}",
              flush=True)


def table(files: glue.Files) -> str:
    """All tasks, a line each folder: task names, folder, megabytes to fetch."""
    rows = [(", ".join(folder.tasks), folder.name, f"{folder.size / download.MEGABYTE:,.1f} MB"
             + (", only when named" if folder.on_request else "")) for folder in files.folders]
    return "\n".join(f"{tasks:14} {name:12} {size}" for tasks, name, size in rows)


def _parser() -> argparse.ArgumentParser:
    parser = command.Parser(
        prog="download_glue.sh", description="Fetches the files of GLUE's tasks, checks them, and "
        "puts them into glue_data/TASK.")
    parser.add_argument("tasks", metavar="TASK", nargs="*",
                        help="a task that --list shows (default: all of GLUE)")
    parser.add_argument("--dir", default="glue_data",
                        help="the folder of all tasks (default: %(default)s)")
    parser.add_argument("--mrpc_dir", metavar="FOLDER",
                        help="what was extracted from Microsoft's MSRParaphraseCorpus.msi; MRPC "
                        "is then made of it, instead of SentEval's tokenised copy")
    parser.add_argument("--list", action="store_true", help="show all tasks and stop")
    parser.add_argument("--base_url", default=os.environ.get("GLUE_URL"),
                        help="what the addresses are relative to, for a mirror (default: "
                        "$GLUE_URL, else the one in --files)")
    parser.add_argument("--files", metavar="JSON", default=os.path.join(ROOT, "scripts/glue.json"),
                        help="addresses, sizes and hashes (default: scripts/glue.json)")
    return parser


if __name__ == "__main__":
    sys.exit(main())
