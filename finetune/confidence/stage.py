"""Confidence within a run: fitted after evaluation, used in prediction."""

import os
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from finetune import eval_results, outputs
from finetune.confidence import record, settings
from finetune.confidence.calibration import RAW, Calibration
from finetune.confidence.fitting import FOLDS, Fitted, fit
from finetune.confidence.threshold import wilson
from finetune.log import LOGGER
from finetune.task_kind import TaskKind

if TYPE_CHECKING:
    from finetune.config import RunConfig


def problems(config: "RunConfig", labels: Sequence[str], examples: Mapping[str, Sequence[Any]],
             prefix: str | None) -> list[str]:
    """Returns why dev cannot be fitted on, or a calibration that is there cannot be used.

    Args:
        prefix: of the checkpoint that the run begins with, if it has one.
    """
    found, kind, rows = [], TaskKind.of(labels), len(examples.get("dev", ()))
    for flag in settings.asked(config):
        if kind is not TaskKind.CLASSIFICATION:
            found.append(settings.refusal(flag, kind.value))
        if 0 < rows < FOLDS:
            found.append(f"{flag}: dev has {rows} rows; {FOLDS} are needed at least, and hundreds "
                         "for figures that mean something")
    if config.do_predict and config.use_calibration and not (
            config.overwrite_output_dir or settings.asked(config)):  # else what is there goes
        known = record.look(_folders(config, prefix), prefix, _reading(config))
        if config.engine == "original" and known.path and not config.do_train:
            found.append(f"{known.path}: --engine=original predicts without calibration; give "
                         "--nouse_calibration, or --engine=fast")
    return found


def _folders(config: "RunConfig", prefix: str | None) -> list[str]:
    return [config.output_dir] + ([os.path.dirname(prefix)] if prefix else [])


def _reading(config: "RunConfig") -> dict[str, Any]:
    return record.reading(config.max_seq_length, config.do_lower_case, config)


def fit_on_dev(config: "RunConfig", prefix: str, step: int, label_ids: np.ndarray,
               probabilities: np.ndarray) -> None:
    """Fits what the flags ask for, writes calibration.json, adds to eval_results.txt, and tells.

    Args:
        prefix: of the checkpoint that answered.
        step: its global_step.
        label_ids: int[N], the truth.
        probabilities: float32[N, L].
    """
    if not settings.asked(config):
        return
    fitted = fit(probabilities, label_ids, config.calibrate, config.min_precision, config.seed)
    path = os.path.join(config.output_dir, outputs.CALIBRATION)
    if outputs.read_bytes(path) is not None:
        LOGGER.info("note: %s, of an earlier run, is replaced", path)
    record.write(config.output_dir, prefix, step, len(label_ids), fitted, config.min_precision,
                 _reading(config))
    eval_results.add(config.output_dir, dict(_lines(fitted)))
    _tell_temperature(config, fitted, len(label_ids))
    _tell_threshold(config, fitted)


def _lines(fitted: Fitted) -> Iterator[tuple[str, float]]:
    """Yields what eval_results.txt says of it."""
    if fitted.temperature_figures:
        yield "temperature", fitted.calibration.temperature
        for when, figures in fitted.temperature_figures.items():
            for name, value in figures.items():
                yield f"{name}_{when}", value
    if fitted.threshold:
        if fitted.reached:
            yield "threshold", fitted.threshold.value
        yield "answered_precision", fitted.threshold.precision
        yield "answered_coverage", fitted.threshold.coverage


def _tell_temperature(config: "RunConfig", fitted: Fitted, rows: int) -> None:
    told = fitted.temperature_figures
    if not told:
        return
    if not fitted.has_minimum:
        LOGGER.warning("warning: --calibrate: no temperature is best on these %d rows of dev, as "
                       "the model is right in all of them or no better than chance; the "
                       "probabilities stay as they are (temperature 1)", rows)
    LOGGER.info("calibration: temperature %.4f from %d rows of dev; before -> after (cross-"
                "fitted): %s; %s", fitted.calibration.temperature, rows, ", ".join(
                    f"{name} {told['before'][name]:.4f} -> {told['after'][name]:.4f} "
                    f"({told['cross_fitted'][name]:.4f})" for name in ("ece", "nll", "brier")),
                os.path.join(config.output_dir, outputs.CALIBRATION))
    if told["cross_fitted"]["nll"] > told["before"]["nll"] and fitted.has_minimum:
        LOGGER.warning("warning: on rows that it was not fitted on the temperature makes the "
                       "probabilities worse (nll %.4f -> %.4f): dev is too small, or nothing was "
                       "wrong with them. Without it: --nouse_calibration, or delete "
                       "calibration.json", told["before"]["nll"], told["cross_fitted"]["nll"])


def _tell_threshold(config: "RunConfig", fitted: Fitted) -> None:
    one = fitted.threshold
    if one is None:
        return
    low, high = wilson(one.right, one.answered)
    counts = (f"{one.answered} of {one.rows} rows of dev ({one.coverage:.1%}), {one.right} of them "
              f"right: {one.precision:.4f} (Wilson 95 %: {low:.4f} to {high:.4f})")
    if not fitted.reached:
        LOGGER.warning("warning: --min_precision=%g is reached by no threshold on dev; the nearest,"
                       " %.4f, answers %s. There is no threshold then: every row is answered",
                       config.min_precision, one.value, counts)
        return
    later = "in a part of it there is none"
    if fitted.held_out:
        answered, right = fitted.held_out
        share = f", {right / answered:.4f} of them right" if answered else ""
        later = f"{answered} answered ({answered / one.rows:.1%}){share}"
    LOGGER.info("threshold: a confidence of %.4f or more answers %s; cross-fitted: %s", one.value,
                counts, later)


def for_prediction(config: "RunConfig", prefix: str) -> Calibration:
    """Returns the calibration of the checkpoint that answers, and tells of it.

    Raises:
        UserError: a calibration.json is damaged.
    """
    return RAW if not config.use_calibration else record.in_use(
        _folders(config, prefix), prefix, _reading(config))
