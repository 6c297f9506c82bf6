"""Converts checkpoints; scripts/convert_checkpoint.sh calls it.

    scripts/convert_checkpoint.sh from-huggingface downloaded/bert checkpoints/mine
    scripts/convert_checkpoint.sh to-huggingface output/run to_share
    scripts/convert_checkpoint.sh strip output/run to_keep
"""

import argparse
import os
import sys
from typing import Any

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
sys.path.insert(0, ROOT)

from finetune import command, log, tensorflow_import  # noqa: E402


def main(arguments: list[str] | None = None) -> int:
    """Runs the command; returns the exit status: 0 done, 2 a mistake, 130 stopped."""
    options = vars(_parser().parse_args(arguments))
    conversion, source, folder = (options.pop(name) for name in ("command", "IN", "OUT"))
    return command.run(lambda: convert(conversion, source, folder, options), folder,
                       f"{folder} was not written")


def convert(conversion: str, source: str, folder: str, options: dict[str, Any]) -> None:
    """Does it and tells what was made.

    Args:
        conversion: from-huggingface, to-huggingface or strip.
        source: what is converted.
        folder: the new folder.
        options: the other arguments of the function that does it.

    Raises:
        UserError: what that function cannot read or write.
    """
    command.hide_gpus()
    with log.quiet():
        tensorflow_import.load()  # here, after the arguments are checked
        from finetune.sources import from_huggingface, strip, to_huggingface
    done = {"from-huggingface": from_huggingface.convert, "to-huggingface": to_huggingface.convert,
            "strip": strip.strip}[conversion](source, folder, **options)
    for notice in done.notices:
        print(f"note: {notice}", file=sys.stderr)
    print(_summary(conversion, folder, done))


def _summary(conversion: str, folder: str, done: Any) -> str:
    size = sum(entry.stat().st_size for entry in os.scandir(folder)) / 1e6
    head = ("no head" if done.labels is None else
            f"labels: {', '.join(done.labels)}" if len(done.labels) > 1 else "a regression")
    casing = "unknown" if done.do_lower_case is None else str(done.do_lower_case).lower()
    length = f" --max_seq_length={done.max_seq_length}" if done.max_seq_length else ""
    length += "".join(f" --{name}={value}" for name, value in done.long_texts.items())
    read = f"; --do_lower_case={casing}{length}" if conversion != "to-huggingface" else ""
    return f"{folder}: {size:,.1f} MB; {head}{read}"


def _parser() -> argparse.ArgumentParser:
    parser = command.Parser(
        prog="convert_checkpoint.sh", description="Converts checkpoints. OUT must be new or an "
        "empty folder; it is written completely or not at all.")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    ours = {"help": "a run's output_dir (its best checkpoint, else its newest), a folder with a "
                    "checkpoint, or a checkpoint's prefix"}
    theirs = {"help": "a folder with config.json, model.safetensors or pytorch_model.bin, and "
                      "vocab.txt or tokenizer.json"}

    def add(name: str, text: str, source: dict[str, str]) -> argparse.ArgumentParser:
        asked = commands.add_parser(name, help=text, description=text[0].upper() + text[1:] + ".")
        asked.add_argument("IN", **source)
        asked.add_argument("OUT", help="the folder to write")
        return asked

    asked = add("from-huggingface", "make a TF1 checkpoint of a Hugging Face model", theirs)
    asked.add_argument(
        "--activation", choices=("keep", "original"), default="keep",
        help="keep (the default): the same function, hidden_act gelu_erf where it is the erf form "
        "of gelu; original: the tanh form in its place, which google-research/bert can compute")
    asked.add_argument("--encoder_only", action="store_true", help="leave the head out")
    for name, text in (("to-huggingface", "make a folder of a checkpoint that transformers loads"),
                       ("strip", "copy a checkpoint without the optimizer's tensors")):
        asked = add(name, text, ours)
        for flag in ("bert_config_file", "vocab_file"):
            asked.add_argument(f"--{flag}", metavar="FILE",
                               help="default: the one beside the checkpoint")
        if name == "to-huggingface":
            asked.add_argument(
                "--do_lower_case", type=_truth, metavar="true|false",
                help="default: as in the run's run_config.json, else by the vocabulary")
    return parser


def _truth(text: str) -> bool:
    if text.lower() not in ("true", "false"):
        raise argparse.ArgumentTypeError(f"{text!r} is neither true nor false")
    return text.lower() == "true"


if __name__ == "__main__":
    sys.exit(main())
