"""Fetches a pre-trained checkpoint by name; scripts/download_checkpoint.sh calls it.

    scripts/download_checkpoint.sh minilm
    scripts/download_checkpoint.sh bert-base-uncased /data/checkpoints
    scripts/download_checkpoint.sh --list
"""

import argparse
import os
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
sys.path.insert(0, ROOT)

from finetune import command  # noqa: E402
from finetune.sources import catalogue  # noqa: E402


def main(arguments: list[str] | None = None) -> int:
    """Runs the command; returns the exit status: 0 done, 2 a mistake or no network, 130 stopped."""
    names = catalogue.load(os.path.join(ROOT, "checkpoints", "catalogue.json"))
    parser = _parser(names.base_url)
    options = parser.parse_args(arguments)
    if options.list:
        command.show(table(names))
        return 0
    if not options.name:
        parser.error("which one? Give a NAME, or --list to see them all")
    return command.run(lambda: install(names, options), options.folder)


def install(names: catalogue.Catalogue, options: argparse.Namespace) -> None:
    """Puts the checkpoint asked for in place and tells what it is.

    Raises:
        UserError: there is none of that name, or what `catalogue.install` raises.
    """
    command.hide_gpus()
    entry = names.find(options.name)
    folder = catalogue.install(entry, options.folder, options.base_url)
    near = os.path.relpath(folder)
    print(f"{folder if near.startswith('..') else near}: {entry.description}; --do_lower_case="
          f"{str(entry.do_lower_case).lower()}")


def table(names: catalogue.Catalogue) -> str:
    """All names, a line each: name, other names, parameters in millions, description."""
    rows = [(entry.name, ", ".join(entry.aliases), f"{entry.parameters / 1e6:.1f}M",
             entry.description) for entry in names.entries]
    widths = [max(len(row[column]) for row in rows) for column in range(3)]
    return "\n".join(f"{name:{widths[0]}}  {aliases:{widths[1]}}  {size:>{widths[2]}}  {text}"
                     for name, aliases, size, text in rows)


def _parser(base_url: str) -> argparse.ArgumentParser:
    parser = command.Parser(
        prog="download_checkpoint.sh", description="Fetches a pre-trained checkpoint by name, "
        "checks it, and puts it into FOLDER/NAME.")
    parser.add_argument("name", metavar="NAME", nargs="?", help="a name that --list shows")
    parser.add_argument("folder", metavar="FOLDER", nargs="?",
                        default=os.path.join(ROOT, "checkpoints"),
                        help="the folder of checkpoints (default: the project's checkpoints/)")
    parser.add_argument("--list", action="store_true", help="show all names and stop")
    parser.add_argument("--base_url", default=os.environ.get("BERT_CHECKPOINTS_URL", base_url),
                        help="where the released zips lie, for a mirror (default: "
                        "$BERT_CHECKPOINTS_URL, else %(default)s)")
    return parser


if __name__ == "__main__":
    sys.exit(main())
