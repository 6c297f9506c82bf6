"""Every file a run leaves in output_dir, but checkpoints and records.

    run_config.json       the flags of the training run; `--config` reads it back
    runs.json             every run in this folder: command, versions, device, seed, data hashes
    labels.txt            the labels, one a line, in the order of their ids (not of a regression)
    thresholds.json       of a multi-label task: from which probability on a row has a label
    vocab.txt bert_config.json     copies, so that the folder can be used alone
    SHA256SUMS            of these and labels.txt
    eval_results.txt      the original's four lines first, then ours
    confusion_matrix.tsv  rows: the truth, columns: what was predicted (of a classification)
    report.html           the same, curves and the rows it gets wrong to look at
    test_results.tsv      probabilities only, as the original writes it (regression: scores)
    calibration.json      with --calibrate or --min_precision: temperature, threshold
    predictions.tsv       id, predicted label, confidence, a column a label; with a header
                          (regression: id, predicted score)
    explanations.tsv      with --do_explain: what each word adds
    explanations.html     the same to look at
    events.out.tfevents.* TensorBoard: loss, rate, metrics
    run.log               what was shown
    data_check.txt data_check.json    what --do_check found, for people and for programs
    baseline_results.txt  with --baseline: what eval_results.txt is, of the simple model
    lr_finder.tsv lr_finder.svg    losses at rising rates, with --find_lr
    stage_times.json      seconds of each stage, with --show_stage_times
    export/               what --do_export wrote, see finetune/export
"""

import contextlib
import json
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import chain, islice
from typing import Any

import numpy as np
import tensorflow as tf

from finetune import inputs
from finetune.confidence.calibration import YES_NO
from finetune.errors import UserError
from finetune.task_kind import TaskKind

LABELS, VOCABULARY, BERT_CONFIG = "labels.txt", "vocab.txt", "bert_config.json"
RUN_CONFIG, RUNS, LOG = "run_config.json", "runs.json", "run.log"
STAGE_TIMES, SUMS, THRESHOLDS = "stage_times.json", "SHA256SUMS", "thresholds.json"
LR_FINDER, LR_FINDER_PLOT = "lr_finder.tsv", "lr_finder.svg"
EXPORT = "export"
EVAL_RESULTS, CONFUSION = "eval_results.txt", "confusion_matrix.tsv"
REPORT = "report.html"
TEST_RESULTS, PREDICTIONS = "test_results.tsv", "predictions.tsv"
EXPLANATIONS, EXPLANATIONS_PAGE = "explanations.tsv", "explanations.html"
DATA_CHECK, DATA_CHECK_JSON = "data_check.txt", "data_check.json"
BASELINE, CALIBRATION = "baseline_results.txt", "calibration.json"
EVENTS_OF_EVAL = "eval"
RECORDS = {"train": "train.tf_record", "dev": "eval.tf_record", "test": "predict.tf_record"}
WRITTEN = (LABELS, VOCABULARY, BERT_CONFIG, SUMS, RUN_CONFIG, RUNS, LOG, STAGE_TIMES,
           DATA_CHECK, DATA_CHECK_JSON, BASELINE, LR_FINDER, LR_FINDER_PLOT, CALIBRATION,
           THRESHOLDS, EVAL_RESULTS, CONFUSION, REPORT, TEST_RESULTS, PREDICTIONS, EXPLANATIONS,
           EXPLANATIONS_PAGE, "checkpoint", "best_checkpoint.json")
# Also what the original leaves in its output folder.
RUN_FILES = (*WRITTEN, "model.ckpt-*", "*.writing", ".writing-*",
             *(f"{name}*" for name in RECORDS.values()),
             f"{EXPORT}/*", "graph.pbtxt", "events.out.tfevents.*",
             f"{EVENTS_OF_EVAL}/events.out.tfevents.*")


def write_text(path: str, text: str) -> None:
    """Writes a file whole or not at all."""
    _write_parts(path, iter([text]))


def _write_parts(path: str, parts: Iterator[str]) -> None:
    with _replacing(path) as temporary, tf.io.gfile.GFile(temporary, "w") as file:
        for part in parts:
            file.write(part)


@contextlib.contextmanager
def _replacing(path: str) -> Iterator[str]:
    """Gives another name to write under; the file gets its own when the block has succeeded."""
    temporary = path + ".writing"
    try:
        yield temporary
        tf.io.gfile.rename(temporary, path, overwrite=True)
    except BaseException:
        if tf.io.gfile.exists(temporary):
            tf.io.gfile.remove(temporary)
        raise


def read_text(path: str) -> str | None:
    """Returns a file's text, or None if there is no such file.

    Raises:
        UserError: it is no text of ours, or cannot be read.
    """
    content = read_bytes(path)
    try:
        return None if content is None else content.decode("utf-8")
    except UnicodeDecodeError as error:
        raise UserError(f"{path}: is not UTF-8 any more ({error}); put it right or delete it"
                        ) from error


def read_bytes(path: str) -> bytes | None:
    """Returns a file's bytes, or None if there is no such file.

    Raises:
        UserError: it is a folder or a pipe, or cannot be read.
    """
    try:
        return inputs.read_bytes(path)
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        if "://" not in path and not os.path.isdir(os.path.dirname(path) or "."):
            return None  # of a folder that cannot be the user is told elsewhere
        raise UserError(f"{path}: cannot be read: {error.strerror or error}") from error


def same_lines(one: bytes, other: bytes) -> bool:
    """Whether two files say the same, whatever their line ends."""
    return one.split() == other.split()


def read_json(path: str) -> Any:
    """Returns the contents of a JSON file of ours, or None if there is no such file.

    Raises:
        UserError: it is not JSON any more.
    """
    text = read_text(path)
    try:
        return None if text is None else json.loads(text)
    except (ValueError, RecursionError) as error:
        raise UserError(f"{path}: is not JSON any more ({error}); put it right or delete it"
                        ) from error


def read_object(path: str) -> dict[str, Any] | None:
    """Returns the JSON object in a file of ours, or None if there is no such file.

    Raises:
        UserError: it is none any more.
    """
    content = read_json(path)
    if content is not None and not isinstance(content, dict):
        raise UserError(f"{path}: holds no JSON object any more; put it right or delete it")
    return content


def read_runs(folder: str) -> list[dict[str, Any]]:
    """Returns what runs.json says of the runs in a folder, the earliest first.

    Raises:
        UserError: it is no list of runs any more.
    """
    path = os.path.join(folder, RUNS)
    runs = read_json(path) or []
    if not isinstance(runs, list) or not all(isinstance(run, dict) for run in runs):
        raise UserError(f"{path}: is no list of runs any more; put it right or delete it")
    return runs


def read_labels(folder: str) -> list[str] | None:
    """Returns the labels written down in a folder, or None."""
    text = read_text(os.path.join(folder, LABELS))
    return None if text is None else text.removesuffix("\n").split("\n")


def write_labels(folder: str, labels: Sequence[str]) -> None:
    """Writes labels.txt; a regression has none, the single row of its head says so."""
    path = os.path.join(folder, LABELS)
    if TaskKind.of(labels) is not TaskKind.REGRESSION:
        write_text(path, "".join(f"{label}\n" for label in labels))
    elif tf.io.gfile.exists(path):  # of a classifier that never came to a checkpoint
        tf.io.gfile.remove(path)


def write_json(path: str, value: Any) -> None:
    """Writes a JSON file whole or not at all."""
    write_text(path, json.dumps(value, indent=2, ensure_ascii=False) + "\n")


def append_run(folder: str, record: Mapping[str, Any]) -> None:
    """Adds one run to runs.json."""
    write_json(os.path.join(folder, RUNS), [*read_runs(folder), record])


def copy(source: str, target: str) -> None:
    """Copies a file whole or not at all; nothing to do if both have the same bytes."""
    if read_bytes(source) != read_bytes(target):
        with _replacing(target) as temporary:
            tf.io.gfile.copy(source, temporary, overwrite=True)


def run_files(folder: str) -> list[str]:
    """Returns the paths in a folder that have the names of a run's; in export/ folders, too."""
    return [path for pattern in RUN_FILES
            for path in tf.io.gfile.glob(os.path.join(folder, pattern))]


def remove_run(folder: str) -> None:
    """Deletes what earlier runs wrote into a folder; other files stay."""
    for path in run_files(folder):
        (tf.io.gfile.rmtree if tf.io.gfile.isdir(path) else tf.io.gfile.remove)(path)
    for within in (os.path.join(folder, name) for name in (EVENTS_OF_EVAL, EXPORT)):
        if tf.io.gfile.isdir(within) and not tf.io.gfile.listdir(within):
            tf.io.gfile.rmtree(within)


def write_confusion_matrix(folder: str, matrix: np.ndarray, labels: Sequence[str]) -> None:
    """Writes confusion_matrix.tsv from int[L, L] (rows the truth, columns the predictions)."""
    rows = [["truth\\predicted", *labels]]
    rows += [[label, *map(str, row)] for label, row in zip(labels, matrix.tolist(), strict=True)]
    _write_parts(os.path.join(folder, CONFUSION), _tsv(rows))


def write_test_results(folder: str, probabilities: np.ndarray) -> None:
    """Writes test_results.tsv from float32[N, L], digit for digit as the original does.

    L is 1 for the scores of a regression.
    """
    _write_parts(os.path.join(folder, TEST_RESULTS),
                 _tsv([str(value) for value in row] for row in probabilities))


def write_predictions(folder: str, ids: Iterable[str], probabilities: np.ndarray,
                      labels: Sequence[str], answered: np.ndarray | None = None) -> None:
    """Writes predictions.tsv, a line a row in the order of the input.

    Args:
        ids: the rows' own ids; a tab or line break in one is written as \\t, \\n or \\r.
        probabilities: float[N, L].
        answered: bool[N], a column of its own; None: there is none.
    """
    told = [[]] * len(probabilities) if answered is None else [[YES_NO[one]] for one in answered]
    cells = ([first, *more, *rest] for (first, *rest), more in zip(
        map(digits, ((row.max(), *row) for row in probabilities)), told, strict=True))
    write_answers(folder, ids, (labels[top] for top in probabilities.argmax(1).tolist()), cells,
                  ["confidence", *["answered"] * (answered is not None), *labels])


def write_scores(folder: str, ids: Iterable[str], scores: np.ndarray) -> None:
    """Writes predictions.tsv of a regression from float32[N]; see `write_predictions`."""
    write_answers(folder, ids, digits(scores), (() for _ in scores), [])


def write_answers(folder: str, ids: Iterable[str], answers: Iterable[str],
                  cells: Iterable[Iterable[str]], names: Sequence[str]) -> None:
    """Writes predictions.tsv from the answer of each row, and the cells of its other columns."""
    rows = ([escaped(row_id), answer, *row]
            for row_id, answer, row in zip(ids, answers, cells, strict=True))
    _write_parts(os.path.join(folder, PREDICTIONS),
                 _tsv(chain([["id", "prediction", *names]], rows)))


def digits(values: Iterable[float]) -> list[str]:
    """Returns probabilities or scores as predictions.tsv has them."""
    return [f"{value:.6f}" for value in values]


def _tsv(rows: Iterable[Sequence[str]]) -> Iterator[str]:
    """Yields the lines of a table, many at a time."""
    rows = iter(rows)
    while some := list(islice(rows, 1000)):
        yield "".join("\t".join(row) + "\n" for row in some)


def escaped(text: str) -> str:
    """Returns a text as a cell of a table."""
    return text.replace("\t", "\\t").replace("\n", "\\n").replace("\r", "\\r")
