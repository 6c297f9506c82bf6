"""What several models say together: of the folds each row's own answer, else the mean.

    output_dir/out_of_fold.tsv                          --kfold: every training row, once
    output_dir/kfold_results.txt .tsv, confusion_matrix.tsv
    output_dir/eval_results.txt, confusion_matrix.tsv   --ensemble: of the mean
    output_dir/ensemble_results.tsv                     each model's scores beside those of the mean
    output_dir/predictions.tsv, test_results.tsv        the mean, with --do_predict
"""

import os
import statistics
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from finetune import eval_results, evaluation, metrics, model, outputs
from finetune.checkpoints import checkpoint
from finetune.config import RunConfig
from finetune.log import LOGGER
from finetune.predictor import Predictions, mean
from finetune.preflight import Prepared
from finetune.task_kind import TaskKind, number
from finetune.trained import Predictor

OUT_OF_FOLD = "out_of_fold.tsv"
KFOLD_RESULTS, KFOLD_TABLE = "kfold_results.txt", "kfold_results.tsv"
ENSEMBLE_TABLE = "ensemble_results.tsv"
FILES = (OUT_OF_FOLD, KFOLD_RESULTS, KFOLD_TABLE, ENSEMBLE_TABLE, outputs.EVAL_RESULTS,
         outputs.CONFUSION, outputs.PREDICTIONS, outputs.TEST_RESULTS)
Scores = Mapping[str, float]


def files(config: RunConfig) -> list[str]:
    """Returns the names of the files that the settings ask for."""
    found = [OUT_OF_FOLD, KFOLD_RESULTS, KFOLD_TABLE] if config.kfold else []
    if config.ensemble and config.do_eval:
        found = [outputs.EVAL_RESULTS, ENSEMBLE_TABLE]
    return found + [outputs.PREDICTIONS, outputs.TEST_RESULTS] * config.do_predict


def out_of_fold(config: RunConfig, prepared: Prepared, folds: np.ndarray,
                folders: Sequence[str]) -> None:
    """Answers every training row by the model that has not seen it, and scores them.

    Args:
        prepared: with the whole training split.
        folds: int64[N], the fold of each row.
        folders: of the models, by fold.
    """
    rows, labels, report = (prepared.examples["train"], prepared.labels,
                            evaluation.of(prepared.labels))
    truth, answers = _truth(rows, labels), np.zeros((len(rows), len(labels)), np.float32)
    table: dict[str, Scores] = {}
    for fold, folder in enumerate(folders):
        own = folds == fold
        held_out = [row for row, wanted in zip(rows, own.tolist(), strict=True) if wanted]
        answers[own] = Predictor(folder, batch_size=config.predict_batch_size).answers_of(held_out)
        table[os.path.basename(folder)] = {
            "rows": len(held_out), **report.scores(truth[own], _predictions(answers[own],
                                                                            truth[own]))}
    total = report.scores(truth, _predictions(answers, truth))
    outputs.write_text(os.path.join(config.output_dir, OUT_OF_FOLD),
                       "".join(_lines(rows, labels, folds, answers)))
    spread = _write_table(config, KFOLD_TABLE, table,
                          {"out_of_fold": {"rows": len(rows), **total}})
    classes, names = [], labels
    if TaskKind.of(labels) is TaskKind.CLASSIFICATION:
        predicted = answers.argmax(1)
        classes = metrics.per_class(truth, predicted, labels)
        outputs.write_confusion_matrix(
            config.output_dir, metrics.confusion_matrix(truth, predicted, len(labels)), labels)
    eval_results.write(config.output_dir, {}, None, {**total, **spread}, classes,
                       names if classes else [], KFOLD_RESULTS)


def evaluate(config: RunConfig, prepared: Prepared, folders: Sequence[str]) -> None:
    """Scores the mean of the models' answers on dev, and each of them beside it."""
    rows, report = prepared.examples["dev"], evaluation.of(prepared.labels)
    truth = _truth(rows, prepared.labels)
    answers, table, step = [], {}, 0
    for folder in folders:
        one = Predictor(folder, batch_size=config.eval_batch_size)
        answers.append(one.answers_of(rows))
        table[os.path.basename(folder)] = report.scores(truth, _predictions(answers[-1], truth))
        held = checkpoint.read(one.checkpoint, [model.GLOBAL_STEP])
        step = max(step, int(held[model.GLOBAL_STEP]))
    together = _predictions(mean(answers), truth)
    scores = report.scores(truth, together)
    report.write_evaluation(config, truth, together, scores, step)
    _write_table(config, ENSEMBLE_TABLE, table, {"ensemble": scores})


def predict(config: RunConfig, prepared: Prepared, folders: Sequence[str]) -> None:
    """Writes the mean of what the models have predicted of the test split."""
    answers = [_read(os.path.join(folder, outputs.TEST_RESULTS)) for folder in folders]
    ids = map(_id, prepared.examples["test"])
    evaluation.of(prepared.labels).write_predictions(config.output_dir, ids, mean(answers))


def _read(path: str) -> np.ndarray:
    with tf.io.gfile.GFile(path) as file:
        return np.loadtxt(file, np.float32, delimiter="\t", ndmin=2)


def _id(row: Any) -> str:
    return str(getattr(row, "row_id", None) or row.guid)


def _truth(rows: Sequence[Any], labels: Sequence[str]) -> np.ndarray:
    """Returns int32[N], the rows' label ids, or float32[N], their scores."""
    kind = TaskKind.of(labels)
    if kind is TaskKind.REGRESSION:
        return np.array([number(row.label) for row in rows], kind.label_type)
    ids = {str(label): place for place, label in enumerate(labels)}
    return np.array([ids[str(row.label)] for row in rows], kind.label_type)


def _predictions(answers: np.ndarray, truth: np.ndarray) -> Predictions:
    """Adds the losses to answers: of a mean of probabilities there are no logits."""
    if answers.shape[1] == 1:
        return Predictions(answers, (answers[:, 0] - truth) ** 2)
    own = np.take_along_axis(answers, truth[:, None].astype(np.int64), axis=1)[:, 0]
    return Predictions(answers, -np.log(np.maximum(own, np.finfo(np.float32).tiny)))


def _lines(rows: Sequence[Any], labels: Sequence[str], folds: np.ndarray,
           answers: np.ndarray) -> Iterator[str]:
    """Yields the lines of out_of_fold.tsv."""
    regression = TaskKind.of(labels) is TaskKind.REGRESSION
    yield "\t".join(["id", "label", "fold", "prediction",
                     *([] if regression else ["confidence", *labels])]) + "\n"
    for row, fold, answer in zip(rows, folds.tolist(), answers, strict=True):
        cells = [outputs.escaped(_id(row)), outputs.escaped(str(row.label)), str(fold + 1)]
        if regression:
            cells.append(f"{answer[0]:.6f}")
        else:
            top = int(answer.argmax())
            cells += [labels[top], *(f"{value:.6f}" for value in (answer[top], *answer))]
        yield "\t".join(cells) + "\n"


def _write_table(config: RunConfig, name: str, table: Mapping[str, Scores],
                 together: Mapping[str, Scores]) -> dict[str, float]:
    """Writes a line for each model, for their mean and deviation, and for all together.

    Returns:
        Mean and standard deviation (n - 1) of each score, by <score>_mean and <score>_deviation.
    """
    columns = list(next(iter(table.values())))
    by_column = {column: [one[column] for one in table.values()] for column in columns}
    lines = {**table,
             "mean": {column: statistics.fmean(all_) for column, all_ in by_column.items()},
             "deviation": {column: metrics.deviation(all_) for column, all_ in by_column.items()},
             **together}
    text = ["\t".join(["model", *columns])]
    text += ["\t".join([model_, *(f"{scores[column]:.7g}" for column in columns)])
             for model_, scores in lines.items()]
    outputs.write_text(os.path.join(config.output_dir, name), "\n".join(text) + "\n")
    first = next(column for column in columns if column != "rows")
    told = ", ".join(f"{model_} {scores[first]:.4f}" for model_, scores in lines.items())
    LOGGER.info("%s: %s", first, told)
    return {f"{column}_{kind}": lines[kind][column] for kind in ("mean", "deviation")
            for column in columns if column != "rows"}
