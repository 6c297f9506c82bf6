"""Answers lines of standard input with a trained model; scripts/predict.sh calls it.

    scripts/predict.sh output/mine < texts.txt
"""

import argparse
import dataclasses
import json
import os
import signal
import sys
from collections.abc import Iterator
from typing import Any

import numpy as np

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
sys.path.insert(0, ROOT)

from finetune import answers, command, log, tensorflow_import, texts  # noqa: E402
from finetune.errors import UserError  # noqa: E402
from finetune.multilabel import scores  # noqa: E402
from finetune.options.long_texts import NAMES, LongTexts  # noqa: E402
from finetune.task_kind import TaskKind  # noqa: E402

_CHUNK = 1 << 16  # bytes read at a time; a pipe gives what it has
_LONGEST = 10_000_000  # bytes of a line
_STDIN = "the texts come from standard input: scripts/predict.sh MODEL < FILE"


def main(arguments: list[str] | None = None) -> int:
    """Runs the command; returns the exit status: 0 done, 2 a mistake, 130 stopped."""
    options = _parser().parse_args(arguments)
    if hasattr(signal, "SIGPIPE"):  # `| head` ends it without a word, as it does cat
        signal.signal(signal.SIGPIPE, signal.SIG_DFL)
    if sys.stdout:
        sys.stdout.reconfigure(encoding="utf-8")  # as the texts are, whatever the locale
    return command.run(lambda: answer(options), None, "the lines answered so far stand")


def answer(options: argparse.Namespace) -> None:
    """Reads the model, then answers every line.

    Raises:
        UserError: the model cannot be read; a line is no text. Those before it are answered.
    """
    if os.path.isfile(options.MODEL):  # a prefix is none: its files have endings
        raise UserError(f"{options.MODEL}: is a file; MODEL is a run's output_dir, or a "
                        f"checkpoint's prefix, and {_STDIN}")
    if sys.stdin is None:  # closed by whoever started this
        raise UserError(f"standard input is closed; {_STDIN}")
    if sys.stdout is None:
        raise UserError("standard output is closed; the answers go there")
    with log.quiet():
        tensorflow_import.load()  # here, after the arguments are checked
        from finetune import trained
    model = trained.Predictor(options.MODEL, **{
        name: getattr(options, name) for name in ("max_seq_length", *NAMES)})
    log.stop()  # no moving line between the answers
    if options.header and not options.json:
        _say("\t".join(_head(model)) + "\n")
    for number, lines in _lines(sys.stdin.fileno()):
        found, problem = _texts(lines, number, model.trained_on)
        lines_of = _json if options.json else _tsv
        _say("".join(line + "\n" for line in lines_of(model, model.answers(found))))
        if problem:
            raise UserError(problem)


def _say(text: str) -> None:
    try:
        sys.stdout.write(text)
        sys.stdout.flush()
    except OSError as error:
        # What could not be written is tried again as Python ends, and would tell it once more.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise UserError(f"standard output: cannot be written to: {error.strerror}") from error


def _lines(descriptor: int) -> Iterator[tuple[int, list[bytes]]]:
    """Yields (number of the first line, the lines that are there), without waiting for more."""
    rest, number = b"", 1
    while chunk := os.read(descriptor, _CHUNK):
        *lines, rest = (rest + chunk).split(b"\n")
        if lines:
            yield number, lines
            number += len(lines)
        if len(rest) > _LONGEST:
            raise UserError(f"standard input, line {number}: is longer than {_LONGEST:,} bytes")
    if rest:
        yield number, [rest]


def _texts(lines: list[bytes], number: int, trained_on: str | None
           ) -> tuple[list[texts.Text], str | None]:
    """Returns the texts of the lines up to the first that is none, and what is wrong with that."""
    found: list[texts.Text] = []
    for place, line in enumerate(lines, number):
        try:
            cells = line.removesuffix(b"\r").decode("utf-8-sig" if place == 1 else "utf-8").split(
                "\t")
        except UnicodeDecodeError as error:
            return found, (f"standard input, line {place}: not utf-8: byte "
                           f"0x{error.object[error.start]:02x}; convert it, for instance by "
                           "iconv -f cp1252 -t utf-8")
        if len(cells) > 2:
            return found, (f"standard input, line {place}: has {len(cells)} columns; allowed are "
                           "one text, or two with a tab between them")
        text = tuple(cells) if len(cells) == 2 else cells[0]
        if why := texts.problem(text, trained_on, "a line is two texts with a tab between them"):
            return found, f"standard input, line {place}: {why}"
        found.append(text)
    return found, None


def _head(model: Any) -> list[str]:
    one = model.kind is TaskKind.CLASSIFICATION
    answered = ["answered"] * (one and model.threshold is not None)
    return ["prediction", *["confidence"] * one, *answered,
            *(model.labels if len(model.labels) > 1 else ())]


def _tsv(model: Any, found: np.ndarray) -> Iterator[str]:
    """Yields the lines that predictions.tsv has, without the id."""
    labels = model.labels
    if model.kind is TaskKind.REGRESSION:
        yield from (f"{row[0]:.6f}" for row in found)
        return
    if model.kind is TaskKind.MULTILABEL:
        for row, given in zip(found, scores.chosen(found, model.thresholds), strict=True):
            names = labels.separator.join(scores.names_given(given, labels))
            yield "\t".join([names, *(f"{value:.6f}" for value in row)])
        return
    answered = model.calibration.answered(found)
    for place, row in enumerate(model.calibration.probabilities(found)):
        top, told = int(row.argmax()), [] if answered is None else ["yes" if answered[place]
                                                                    else "no"]
        first, *others = (f"{value:.6f}" for value in (row[top], *row))
        yield "\t".join([labels[top], first, *told, *others])


def _json(model: Any, found: np.ndarray) -> Iterator[str]:
    return (json.dumps(record, ensure_ascii=False) for record in answers.as_records(
        model.labels, found, model.calibration, model.thresholds))


def _parser() -> argparse.ArgumentParser:
    parser = command.Parser(
        prog="predict.sh", words=_STDIN,
        description="Answers lines of standard input with a trained model, as they come. A line "
        "is a text, or two texts of a pair with a tab between them, as the model was trained.")
    parser.add_argument("MODEL", help="a run's output_dir (its best checkpoint, else its newest), "
                        "or a checkpoint's prefix")
    parser.add_argument("--json", action="store_true", help="answers as JSON, one object a line")
    parser.add_argument("--header", action="store_true", help="name the columns in a first line")
    parser.add_argument("--max_seq_length", type=int,
                        help="longest input in tokens (default: that of the training)")
    for field in dataclasses.fields(LongTexts):  # no default: that of the training
        parser.add_argument(f"--{field.name}", type=type(field.default),
                            choices=field.metadata["choices"],
                            help="of longer texts, see docs/long_texts.md (default: as in the "
                            "training)")
    return parser


if __name__ == "__main__":
    sys.exit(main())
