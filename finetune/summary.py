"""What a run tells its user: before it starts, when it ends, and when something looks wrong."""

import importlib.metadata
import math
import os
import statistics
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import tensorflow as tf

from finetune import log, outputs
from finetune.confidence import settings as confidence
from finetune.config import RunConfig
from finetune.config_problems import as_given, named
from finetune.feature_table import FeatureTable, LengthSummary
from finetune.log import LOGGER, duration
from finetune.multilabel.names import names_of
from finetune.task_kind import TaskKind, number
from finetune.texts import TEXTS

if TYPE_CHECKING:
    from finetune.preflight import Prepared
    from finetune.training.schedules import Plan

PACKAGES = ("tensorflow", "bert-tensorflow", "numpy", "scikit-learn")
_MOST_LABELS = 20
# Of the data, or (the thresholds) written anew by every training.
_NOT_OF_WEIGHTS = (outputs.DATA_CHECK, outputs.DATA_CHECK_JSON, outputs.BASELINE,
                   outputs.LR_FINDER, outputs.LR_FINDER_PLOT, outputs.THRESHOLDS)
_STAGES = ("start", "features", "compile", "check", "baseline", "find_lr", "train", "checkpoint",
           "eval", "predict", "explain", "export", "original")


def versions() -> dict[str, str]:
    """Returns the versions of the packages that decide the numbers."""
    found = {}
    for package in PACKAGES:
        try:
            found[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:  # tensorflow-tpu in place of tensorflow
            continue
    return found


def changes(folder: str, config: RunConfig, train_hash: str | None) -> list[str]:
    """Returns what a training run changes against the run it goes on from.

    Args:
        train_hash: sha256 of the training file, where it is known.
    """
    earlier = outputs.read_object(os.path.join(folder, outputs.RUN_CONFIG))
    if earlier is None or not config.do_train:
        return []
    now = config.as_dict()
    aside = ("do_check", "baseline", "find_lr", "do_eval", "report", "do_predict", "do_explain",
             "explain_rows", "explain_label", "do_export", "export_formats", "output_dir",
             "show_stage_times", "label_threshold", "calibrate", "min_precision", "use_calibration")
    found = [f"--{name} was {as_given(earlier[name])} in the earlier run in this folder and is "
             f"{as_given(value)} now" for name, value in now.items()
             if name not in aside and name in earlier and earlier[name] != value]
    data = [run["data"] for run in outputs.read_runs(folder)
            if TEXTS in run and isinstance(run.get("data"), dict)]  # the trainings, no look at data
    hashes = [one["train"].get("sha256") for one in data if isinstance(one.get("train"), dict)]
    if train_hash and hashes and hashes[-1] != train_hash:
        found.append("the training file is not the one of the earlier run in this folder")
    return found


def before(prepared: "Prepared", tables: Mapping[str, FeatureTable], device: str) -> None:
    """Logs what is about to run."""
    config, bert, start = prepared.config, prepared.bert_config, prepared.start
    origin = "random weights" if start.prefix is None else (
        f"{'goes on from' if start.resumed else 'from'} {start.prefix}")
    _row("device", device)
    _row("model", f"{bert.num_hidden_layers} layers, {bert.hidden_size} wide, "
         f"{bert.num_attention_heads} heads, vocabulary {bert.vocab_size}; {origin}")
    if TaskKind.of(prepared.labels) is TaskKind.REGRESSION:
        _row("task", "regression: the answer is a score")
    else:
        many = TaskKind.of(prepared.labels) is TaskKind.MULTILABEL
        _row("labels", named(prepared.labels) + "; any number a row" * many)
    for split, table in tables.items():
        _row(split, _rows(prepared.examples[split], prepared.labels, split))
        _row("", _lengths(table, config))
    if prepared.plan:
        rows = "windows" if config.window_stride else "rows"
        _row("training", f"{prepared.plan.steps} steps of {config.train_batch_size} {rows} "
             f"({config.num_train_epochs:g} epoch{'' if config.num_train_epochs == 1 else 's'}), "
             f"learning rate {config.learning_rate:g}, {_schedule(config, prepared.plan)}, "
             f"seed {config.seed}" + (f", rows from a buffer of {config.shuffle_buffer_size}"
                                      if config.shuffle_buffer_size else ""))
    _row("output", config.output_dir)
    for notice in prepared.notices:
        log.notice(notice)


def _schedule(config: RunConfig, plan: "Plan") -> str:
    if config.lr_schedule in ("triangular", "one_cycle"):
        return config.lr_schedule
    warmup = f"warm-up {plan.warmup} steps"
    return warmup if config.lr_schedule == "linear" else f"{warmup}, then {config.lr_schedule}"


def _row(name: str, text: str) -> None:
    LOGGER.info("%-10s %s", name, text)


def _rows(examples: Sequence[Any], labels: Sequence[str], split: str) -> str:
    text = f"{len(examples)} rows"
    if split == "test":
        return text
    if TaskKind.of(labels) is TaskKind.REGRESSION:
        scores = np.fromiter((number(example.label) for example in examples), float)
        return f"{text}: {_scores(scores)}"
    counts = Counter(name for example in examples for name in names_of(example.label, labels))
    shares = [f"{label} {counts[label]}" for label in labels[:_MOST_LABELS]]
    return f"{text}: {', '.join(shares)}{', ...' if len(labels) > _MOST_LABELS else ''}"


def _scores(values: Sequence[float]) -> str:
    return f"scores from {min(values):.4g} to {max(values):.4g}, mean {np.mean(values):.4g}"


def _lengths(table: FeatureTable, config: RunConfig) -> str:
    lengths = table.summary
    cut = f"{lengths.truncated} of {lengths.count} rows ({lengths.truncated / lengths.count:.1%}) "
    if config.window_stride:
        cut = (f"{cut}longer than {config.max_windows} windows, cut ({config.truncation})"
               if lengths.truncated else "none longer than its windows") + (
               f"; {len(table)} windows, a new one every {config.window_stride} tokens")
        return f"{_tokens_told(lengths)}; {cut}"
    kind = "" if config.truncation == "head" else f" ({config.truncation})"
    told = f"{cut}cut to {config.max_seq_length}{kind}" if lengths.truncated else "none cut"
    return f"{_tokens_told(lengths)}; {told}"


def _tokens_told(lengths: LengthSummary) -> str:
    return (f"tokens a row: half up to {lengths.p50}, 90 % up to {lengths.p90}, 99 % up to "
            f"{lengths.p99}, longest {lengths.max}")


def loss_warnings(losses: Sequence[float], config: RunConfig, started_at: int) -> Iterator[str]:
    """Yields a warning if the loss went up over a whole training run.

    Compared are its last fifth and its warm-up, while the learning rate does the least harm.

    Args:
        losses: of every step of this process.
        started_at: the step it began with; a resumed run has no beginning to compare with.
    """
    window = len(losses) // 5
    if started_at or window < 2:
        return
    early = min(window, max(2, int(len(losses) * config.warmup_proportion)))
    first, last = statistics.fmean(losses[:early]), statistics.fmean(losses[-window:])
    if last > first * 1.02:
        yield (f"the loss climbed from {first:.3f} to {last:.3f}: --learning_rate="
               f"{config.learning_rate:g} is too high for this model and destroys what it knew; "
               "try 5e-5, 3e-5 or 2e-5")


def collapse_warnings(label_ids: np.ndarray, predicted: np.ndarray, labels: Sequence[str],
                      config: RunConfig, step: int) -> Iterator[str]:
    """Yields a warning if a model gives every row of a varied dev split the same label."""
    if len(set(predicted.tolist())) > 1 or len(set(label_ids.tolist())) == 1:
        return
    yield (f"all {len(predicted)} dev rows were predicted {labels[predicted[0]]!r}: the model "
           f"tells nothing apart after {step} steps. Try more --num_train_epochs if these are few, "
           f"else a lower --learning_rate (now {config.learning_rate:g}; the paper uses 5e-5 to "
           "2e-5) or another --seed")


def constant_warnings(truth: np.ndarray, predicted: np.ndarray, config: RunConfig,
                      step: int) -> Iterator[str]:
    """Yields a warning if there is no correlation, since one of the two does not vary."""
    if np.ptp(truth) == 0:
        yield (f"all {len(truth)} dev rows have the score {truth[0]:g}: nothing correlates with "
               "it, so the correlations are given as 0")
    elif np.ptp(predicted) == 0:
        yield (f"all {len(predicted)} dev rows were given the score {predicted[0]:g}: the "
               "correlations are given as 0. The model tells nothing apart after "
               f"{step} steps; try more --num_train_epochs if these are few, else a lower "
               f"--learning_rate (now {config.learning_rate:g}) or another --seed")


def total(original: Mapping[str, Any], ours: Mapping[str, float], step: int) -> None:
    """Logs the scores of the dev split as a whole."""
    text = " ".join(f"{key} {value:.4f}" for key, value in {**original, **ours}.items())
    LOGGER.info("dev at step %d: %s", step, text)


def scores(original: Mapping[str, Any], ours: Mapping[str, float],
           classes: Sequence[Mapping[str, float]], matrix: np.ndarray, labels: Sequence[str],
           step: int) -> None:
    """Logs the scores of the dev split: in all, by label, and the confusion matrix."""
    total(original, ours, step)
    if len(labels) > _MOST_LABELS:
        LOGGER.info("by label: see %s and %s", outputs.EVAL_RESULTS, outputs.CONFUSION)
        return
    width = max(map(len, [*labels, "predicted:"]))
    cells = max(7, width + 1)
    LOGGER.info("%-*s precision  recall      f1    rows   predicted:%s", width, "label",
                "".join(f"{label:>{cells}}" for label in labels))
    for label, one, row in zip(labels, classes, matrix.tolist(), strict=True):
        LOGGER.info("%-*s %9.4f %7.4f %7.4f %7d             %s", width, label, one["precision"],
                    one["recall"], one["f1"], one["support"],
                    "".join(f"{count:>{cells}}" for count in row))


def predicted(probabilities: np.ndarray, labels: Sequence[str],
              answered: np.ndarray | None = None) -> None:
    """Logs how often each label was predicted, and of how many rows the model is sure enough."""
    counts = np.bincount(probabilities.argmax(1), minlength=len(labels))
    LOGGER.info("test: %d rows predicted: %s; mean confidence %.3f", len(probabilities),
                named([f"{label} {count}" for label, count in zip(labels, counts, strict=True)]),
                math.fsum(probabilities.max(1)) / len(probabilities))
    if answered is not None:
        LOGGER.info("test: %d of %d rows reach the threshold; the others are marked as not "
                    "answered", answered.sum(), len(answered))


def predicted_scores(values: np.ndarray) -> None:
    """Logs which scores were predicted, float32[N]."""
    LOGGER.info("test: %d rows predicted: %s", len(values), _scores(values))


def after(config: RunConfig, seconds: float, kind: TaskKind = TaskKind.CLASSIFICATION,
          trained: bool = False) -> None:
    """Logs where everything is, and after a training which files there the weights have outlived.

    Nothing is deleted, as google-research/bert deletes nothing: they may be what somebody needs.
    """
    made = _made(config, kind)
    older = [name for name, wanted in made.items()
             if trained and not wanted and name not in _NOT_OF_WEIGHTS
             and tf.io.gfile.exists(os.path.join(config.output_dir, name))]
    if older:
        LOGGER.info("note: %s in %s: of the weights before this training, which did not write "
                    "them anew; the flags that wrote them do", ", ".join(older), config.output_dir)
    files = [name for name, wanted in made.items() if wanted]
    LOGGER.info("done in %s; %s holds %s", duration(seconds), config.output_dir,
                ", ".join([*files, "checkpoints" if config.do_train else outputs.RUNS]))


def _made(config: RunConfig, kind: TaskKind) -> dict[str, bool]:
    """Returns whether a run writes them, by the names of the files for people."""
    matrix = (config.do_eval and kind is TaskKind.CLASSIFICATION
              and config.engine == "fast")  # the original writes none
    return {
        outputs.DATA_CHECK: config.do_check, outputs.DATA_CHECK_JSON: config.do_check,
        outputs.BASELINE: config.baseline,
        outputs.LR_FINDER: config.find_lr, outputs.LR_FINDER_PLOT: config.find_lr,
        outputs.EVAL_RESULTS: config.do_eval, outputs.CONFUSION: matrix,
        outputs.REPORT: config.do_eval and config.report and config.engine == "fast",
        outputs.THRESHOLDS: config.do_eval and kind is TaskKind.MULTILABEL,
        outputs.CALIBRATION: confidence.asked(config),
        outputs.PREDICTIONS: config.do_predict, outputs.TEST_RESULTS: config.do_predict,
        outputs.EXPLANATIONS: config.do_explain, outputs.EXPLANATIONS_PAGE: config.do_explain,
        f"{outputs.EXPORT}/": config.do_export}


def stage_times(folder: str, seconds: Mapping[str, float]) -> None:
    """Logs how long each stage took and writes it into stage_times.json.

    Args:
        seconds: by stage, all that the run took.
    """
    rounded = {name: round(seconds[name], 3) for name in _STAGES if name in seconds}
    total = round(math.fsum(rounded.values()), 3)
    for name, value in rounded.items():
        LOGGER.info("%-10s %9.1f s %6.1f %%", name, value, 100 * value / max(total, 1e-3))
    LOGGER.info("%-10s %9.1f s", "total", total)
    outputs.write_json(os.path.join(folder, outputs.STAGE_TIMES), {**rounded, "total": total})
