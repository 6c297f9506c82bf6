"""The zip that GLUE's leaderboard takes, made of the predictions of several runs.

    scripts/make_submission.sh --out=submission.zip cola=output/cola sst-2=output/sst-2 ...

Every file of it has the header `index<tab>prediction` and a line for each row of GLUE's test file,
in its order. Imports no TensorFlow.
"""

import dataclasses
import difflib
import math
import os
import sys
import zipfile
from collections import Counter
from collections.abc import Sequence

from finetune import command
from finetune.errors import UserError

PREDICTIONS = "predictions.tsv"
HEADER = ["id", "prediction"]
LOWEST, HIGHEST = 0.0, 5.0  # STS-B's scores
_EPOCH = (1980, 1, 1, 0, 0, 0)  # the oldest time a zip can hold: same predictions, same bytes
_MOST_SHOWN = 5  # wrong predictions worded
_NLI = ("contradiction", "entailment", "neutral")
_RTE = ("entailment", "not_entailment")


@dataclasses.dataclass(frozen=True)
class Task:
    """One file of a submission.

    Attributes:
        file: its name in the zip.
        rows: how many rows GLUE's test file has.
        labels: what may be predicted; None: a score from 0 to 5.
    """

    file: str
    rows: int
    labels: tuple[str, ...] | None = ("0", "1")


# Rows and names as gluebenchmark.com asks for them.
TASKS = {
    "cola": Task("CoLA.tsv", 1063),
    "sst-2": Task("SST-2.tsv", 1821),
    "mrpc": Task("MRPC.tsv", 1725),
    "sts-b": Task("STS-B.tsv", 1379, None),
    "qqp": Task("QQP.tsv", 390965),
    "mnli": Task("MNLI-m.tsv", 9796, _NLI),
    "mnli-mm": Task("MNLI-mm.tsv", 9847, _NLI),
    "qnli": Task("QNLI.tsv", 5463, _RTE),
    "rte": Task("RTE.tsv", 3000, _RTE),
    "wnli": Task("WNLI.tsv", 146),
    "ax": Task("AX.tsv", 1104, _NLI),
}


def make(out: str, given: Sequence[str], partial: bool = False) -> list[str]:
    """Writes the zip, whole or not at all.

    Args:
        out: path of the zip; a file that is there is replaced.
        given: "TASK=FOLDER", each a name of TASKS and the output_dir of a run that predicted it.
        partial: accept that tasks are missing.

    Returns:
        What was written, a line a task.

    Raises:
        UserError: everything that is wrong with the arguments and the predictions.
    """
    problems: list[str] = []
    folders = _folders(given, problems)
    missing = [name for name in TASKS if name not in folders]
    if missing and not partial:
        problems.append(f"no predictions of {', '.join(missing)}; the leaderboard takes all "
                        f"{len(TASKS)} files; --partial makes a zip without them")
    if not os.path.isdir(os.path.dirname(out) or "."):
        problems.append(f"--out={out}: there is no folder {os.path.dirname(out)}")
    elif os.path.isdir(out):
        problems.append(f"--out={out}: is a folder; name the zip")
    files, told = {}, []
    for name, task in TASKS.items():
        if name in folders:
            predictions, clipped = _read(os.path.join(folders[name], PREDICTIONS), task, problems)
            files[task.file] = _text(predictions)
            told.append(f"{task.file}: {len(predictions)} rows"
                        + (f", {clipped} of them clipped to {LOWEST:g} or {HIGHEST:g}"
                           if clipped else ""))
    if problems:
        raise UserError(problems)
    try:
        _write(out, files)
    except OSError as error:
        raise UserError(f"--out={out}: cannot be written: {error.strerror}") from error
    return told


def _folders(given: Sequence[str], problems: list[str]) -> dict[str, str]:
    """Returns task -> folder."""
    folders: dict[str, str] = {}
    if not given:
        problems.append("nothing to put into the zip: give TASK=FOLDER, for example "
                        "cola=output/cola")
    for argument in given:
        name, equals, folder = argument.partition("=")
        name = name.lower()
        if not equals or not folder:
            problems.append(f"{argument}: write TASK=FOLDER, for example cola=output/cola")
        elif name not in TASKS:
            near = difflib.get_close_matches(name, TASKS, 1)
            problems.append(f"{argument}: there is no such task"
                            + (f", closest is {near[0]}" if near else "")
                            + f"; tasks: {', '.join(TASKS)}")
        elif name in folders:
            problems.append(f"{argument}: {name} is given twice, also as {folders[name]}")
        else:
            folders[name] = folder
    return folders


def _read(path: str, task: Task, problems: list[str]) -> tuple[list[str], int]:
    """Returns what a run predicted as GLUE wants it, and how many scores were clipped."""
    try:
        with open(path, encoding="utf-8", newline="") as file:
            rows = [line.split("\t") for line in file.read().removesuffix("\n").split("\n")]
    except FileNotFoundError:
        problems.append(f"{path}: no such file; a run with --do_predict writes it")
        return [], 0
    except (OSError, UnicodeDecodeError) as error:
        problems.append(f"{path}: cannot be read: {error}")
        return [], 0
    if rows[0][:2] != HEADER:
        problems.append(f"{path}:1: must begin with the columns id and prediction, which a run "
                        "with --do_predict writes")
        return [], 0
    rows = rows[1:]
    if len(rows) != task.rows:
        problems.append(f"{path}: {len(rows)} rows, but GLUE's test file of {task.file} has "
                        f"{task.rows}")
    for index, row in enumerate(rows):
        if row[0] != str(index):
            problems.append(f"{path}:{index + 2}: the id is {row[0]!r}, must be {index}: GLUE's "
                            "test file numbers its rows from 0, and its first column is that "
                            "number")
            break
    answers = [row[1] if len(row) > 1 else "" for row in rows]
    if task.labels is None:
        return _scores(path, answers, problems)
    wrong = Counter(answer for answer in answers if answer not in task.labels)
    for label, count in wrong.most_common(_MOST_SHOWN):
        problems.append(f"{path}:{answers.index(label) + 2}: the prediction {label!r} ({count} "
                        f"such rows) is not one of {', '.join(task.labels)}")
    if len(wrong) > _MOST_SHOWN:
        problems.append(f"{path}: ... and {len(wrong) - _MOST_SHOWN} more that are none of them")
    return answers, 0


def _scores(path: str, answers: Sequence[str], problems: list[str]) -> tuple[list[str], int]:
    """Returns the scores clipped to the range that STS-B's have, and how many lay outside."""
    kept, clipped = [], 0
    for index, answer in enumerate(answers):
        try:
            score = float(answer)
        except ValueError:
            score = math.nan
        if not math.isfinite(score):
            problems.append(f"{path}:{index + 2}: the prediction {answer!r} is no number; STS-B "
                            "is a regression")
            return [], 0
        inside = min(max(score, LOWEST), HIGHEST)
        clipped += inside != score
        kept.append(f"{inside:.6f}")
    return kept, clipped


def _text(predictions: Sequence[str]) -> str:
    lines = (f"{index}\t{prediction}\n" for index, prediction in enumerate(predictions))
    return "index\tprediction\n" + "".join(lines)


def _write(out: str, files: dict[str, str]) -> None:
    temporary = out + ".writing"
    try:
        with zipfile.ZipFile(temporary, "w") as archive:
            for name, text in files.items():
                entry = zipfile.ZipInfo(name, _EPOCH)
                entry.create_system, entry.external_attr = 3, 0o644 << 16
                entry.compress_type = zipfile.ZIP_DEFLATED
                archive.writestr(entry, text)
        os.replace(temporary, out)
    finally:
        if os.path.exists(temporary):
            os.remove(temporary)


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the command; returns the exit status: 0 done, 2 a mistake, 130 stopped."""
    parser = command.Parser(
        prog="make_submission.sh", description="Makes the zip that GLUE's leaderboard takes of "
        f"the {PREDICTIONS} of several runs.", epilog=f"Tasks: {', '.join(TASKS)}.")
    parser.add_argument("--out", required=True, help="the zip to write")
    parser.add_argument("--partial", action="store_true", help="accept that tasks are missing")
    parser.add_argument("runs", metavar="TASK=FOLDER", nargs="*",
                        help="a task and the output_dir of a run that predicted its test file")
    options = parser.parse_args(arguments)
    return command.run(
        lambda: print(f"{options.out} holds", *make(options.out, options.runs, options.partial),
                      sep="\n    "),
        after_stop=f"{options.out} was not written")


if __name__ == "__main__":
    sys.exit(main())
