"""What became of the runs of a sweep: their scores, which collapsed, which is chosen.

    outcome = read_outcome(run, "output/sweep/001_lr5e-05", record)
    best = choose([outcome, ...], "mcc")
"""

import csv
import dataclasses
import io
import math
import os
import statistics
from collections.abc import Mapping, Sequence
from typing import Any

from finetune import eval_results, metrics, outputs, records
from finetune.metrics import LOWER_IS_BETTER
from finetune.sweep.spec import SweepRun

TABLE, PLOT = "sweep_results.md", "sweep_results.png"
FINISHED, COLLAPSED, FAILED, WAITING = "finished", "collapsed", "failed", "not run"
_IN_FILE = {"accuracy": "eval_accuracy", "loss": "eval_loss"}  # as eval_results.txt calls them


@dataclasses.dataclass(frozen=True)
class Outcome:
    """A run and what became of it.

    Attributes:
        folder: its own, within the sweep's output_dir.
        status: FINISHED; COLLAPSED, finished with one answer for all of dev; FAILED; WAITING.
        scores: the numbers of eval_results.txt, those of single labels apart.
        seconds: that its process took, all attempts together.
        error: of a failed run.
    """

    run: SweepRun
    folder: str
    status: str
    scores: Mapping[str, float] = dataclasses.field(default_factory=dict)
    seconds: float = 0.0
    error: str = ""

    def score(self, metric: str) -> float:
        """Returns the value of a metric on dev; NaN where there is none."""
        return self.scores.get(_IN_FILE.get(metric, metric), math.nan)


def read_outcome(run: SweepRun, folder: str, record: Mapping[str, Any]) -> Outcome:
    """Returns what became of a run.

    It has finished if the sweep noted so, and the results and settings in its folder are still
    those it noted.

    Args:
        record: what swept.RUNS says of the run; empty if nothing.
    """
    seconds, results = record.get("seconds", 0.0), os.path.join(folder, outputs.EVAL_RESULTS)
    if (record.get("results") and outputs.read_bytes(results) is not None
            and records.sha256_file(results) == record["results"]
            and same_run(run, read_settings(folder) or {})):
        scores = eval_results.numbers(results)
        status = COLLAPSED if is_collapsed(folder, scores) else FINISHED
        return Outcome(run, folder, status, scores, seconds)
    if record.get("error"):
        return Outcome(run, folder, FAILED, {}, seconds, record["error"])
    return Outcome(run, folder, WAITING, {}, seconds)


# Neither changes what is trained or scored.
_ASIDE = ("output_dir", "do_predict", "test_file", "log_every_steps", "predict_batch_size",
          "show_stage_times", "do_check", "baseline")


def read_settings(folder: str) -> dict[str, Any] | None:
    """Returns run_config.json of a run's folder; None if there is none yet."""
    return outputs.read_object(os.path.join(folder, outputs.RUN_CONFIG))


def same_run(run: SweepRun, settings: Mapping[str, Any]) -> bool:
    """Whether the settings of a folder ask for this run."""
    defaults = type(run.config)().as_dict()  # for a flag that is younger than the file
    return bool(settings) and all(value == settings.get(name, defaults[name])
                                  for name, value in run.config.as_dict().items()
                                  if name not in _ASIDE)


def is_collapsed(folder: str, scores: Mapping[str, float]) -> bool:
    """Whether the model gave all rows of a varied dev split the same answer.

    A classifier's is seen from its confusion matrix; of a regression, which has none, constant
    predictions have no correlation with anything.
    """
    matrix = outputs.read_text(os.path.join(folder, outputs.CONFUSION))
    if matrix is None:
        correlation = scores.get("pearson")
        return correlation is not None and (math.isnan(correlation) or correlation == 0)
    rows = [[int(cell) for cell in line.split("\t")[1:]] for line in matrix.splitlines()[1:]]
    predicted = sum(any(column) for column in zip(*rows, strict=True))
    return predicted == 1 and sum(map(any, rows)) > 1


def choose(outcomes: Sequence[Outcome], metric: str) -> Outcome | None:
    """Returns the best finished run; one that collapsed only if all did; None without any.

    Of equal ones the one with the lower loss, then the earlier.
    """
    def worse(outcome: Outcome) -> tuple[float, float]:
        value = outcome.score(metric)
        value = value if metric in LOWER_IS_BETTER else -value
        return (math.inf if math.isnan(value) else value), outcome.score("loss")

    for status in (FINISHED, COLLAPSED):
        candidates = [one for one in outcomes if one.status == status]
        if candidates:
            return min(candidates, key=worse)
    return None


@dataclasses.dataclass(frozen=True)
class Setting:
    """The runs that differ in nothing but the seed.

    Attributes:
        name: of the setting.
        outcomes: its runs that finished, collapsed ones among them.
        values: of the metric that decides, in the same order.
        asked: how many runs there are in all.
    """

    name: str
    outcomes: list[Outcome]
    values: list[float]
    asked: int

    @property
    def mean(self) -> float:
        """Of the values; NaN without any."""
        return statistics.fmean(self.values) if self.values else math.nan

    @property
    def deviation(self) -> float:
        """Sample standard deviation (n - 1); NaN for fewer than two values, or with a NaN."""
        return metrics.deviation(self.values)

    def best(self, metric: str) -> float:
        """Returns the best value; NaN only where there is nothing else."""
        known = (value for value in self.values if not math.isnan(value))
        return (min if metric in LOWER_IS_BETTER else max)(known, default=math.nan)


def by_setting(outcomes: Sequence[Outcome], metric: str) -> list[Setting]:
    """Groups the runs that differ in the seed only, in the order of the sweep."""
    groups: dict[Any, list[Outcome]] = {}
    for outcome in outcomes:
        groups.setdefault(dataclasses.replace(outcome.run.config, seed=0), []).append(outcome)
    settings = []
    for group in groups.values():
        done = [one for one in group if one.status in (FINISHED, COLLAPSED)]
        settings.append(Setting(group[0].run.setting, done, [one.score(metric) for one in done],
                                len(group)))
    return settings


def write_csv(path: str, outcomes: Sequence[Outcome], metric: str, chosen: Outcome | None,
              commands: Sequence[str]) -> None:
    """Writes a line for every run: status, varied flags, scores, time, error, command."""
    flags = list(dict.fromkeys(name for one in outcomes for name in one.run.varied))
    scores = list(dict.fromkeys(name for one in outcomes for name in one.scores))
    first = _IN_FILE.get(metric, metric)
    scores.sort(key=lambda name: name != first)  # what decides stands first
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["run", "status", "chosen", *flags, *scores, "seconds", "error", "command"])
    for outcome, command in zip(outcomes, commands, strict=True):
        varied = outcome.run.varied
        writer.writerow([
            os.path.basename(outcome.folder), outcome.status, "yes" if outcome is chosen else "",
            *(_cell(varied.get(name)) for name in flags),
            *(f"{outcome.scores[name]:.7g}" if name in outcome.scores else "" for name in scores),
            f"{outcome.seconds:.1f}", outcome.error, command])
    outputs.write_text(path, text.getvalue())


def _cell(value: Any) -> str:
    if isinstance(value, tuple):
        return ",".join(value)
    return "" if value is None else str(value)
