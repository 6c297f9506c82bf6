"""The runs of scripts/compare_with_original.sh, and the table made of them.

    output_dir/original-1/   plan.json, train.jsonl, dev.jsonl, test.jsonl: what was asked for
                             output/: what the run wrote; its test split are the dev rows
                             log, measure.json: what it said, how long it took, its peak memory
    output_dir/fast-1/       the same
    output_dir/original-reads-fast/   the original's answers with the fast engine's checkpoint

A folder that holds output/test_results.tsv is a finished run and is not made again.
"""

import dataclasses
import hashlib
import json
import os
import shutil
import statistics
import subprocess
import sys
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from finetune import metrics, outputs, records
from finetune.checkpoints import checkpoint
from finetune.config import RunConfig
from finetune.errors import UserError
from finetune.features import convert
from finetune.log import LOGGER, duration
from finetune.original import comparison
from finetune.original import engine as original
from finetune.preflight import Prepared
from finetune.task_kind import TaskKind

ENGINES = ("original", "fast")
# Flags that decide what a run comes to.
_DECISIVE = ("train_batch_size", "learning_rate", "num_train_epochs", "warmup_proportion",
             "max_seq_length", "do_lower_case", "init_checkpoint")
# Runs a command from a process of little memory: a process starts with its parent's as its peak.
# What ends it by an exception, as a signal here, makes subprocess.call end the command first.
_MEASURE = """
import json, resource, signal, subprocess, sys, time
signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
began = time.monotonic()
status = subprocess.call(sys.argv[2:])
with open(sys.argv[1], "w") as file:
    peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
    json.dump([time.monotonic() - began, peak], file)
sys.exit(status if status >= 0 else 128 - status)
"""
_DEFAULTS = {field.name: field.default for field in dataclasses.fields(RunConfig)}


class Runs:
    """The runs of both engines in one folder.

    Args:
        prepared: the task, with train and dev split; its output_dir is the folder.
        where: the original's environment.
        environ: environment variables of the runs.
        fast: the command of a fast run, without seed and output_dir.
    """

    def __init__(self, prepared: Prepared, where: original.Environment,
                 environ: Mapping[str, str], fast: Sequence[str]):
        dev = prepared.examples["dev"]
        self._prepared = dataclasses.replace(prepared, examples={**prepared.examples, "test": dev})
        self._where, self._environ, self._fast = where, dict(environ), list(fast)
        self._root = os.path.abspath(prepared.config.output_dir)
        self._regression = TaskKind.of(prepared.labels) is TaskKind.REGRESSION

    def folder(self, engine: str, seed: int) -> str:
        """Returns the folder of a run."""
        return os.path.join(self._root, f"{engine}-{seed}")

    def make(self, engine: str, seed: int) -> None:
        """Makes a run, unless it is there.

        Raises:
            UserError: the folder holds a run of other settings, or the run failed.
        """
        folder = self.folder(engine, seed)
        os.makedirs(folder, exist_ok=True)
        kept, output = os.path.join(folder, "plan.json"), os.path.join(folder, "output")
        plan = self._plan(folder, seed)
        if os.path.exists(os.path.join(output, outputs.TEST_RESULTS)):
            if not os.path.exists(kept):
                raise UserError(f"{folder}: has output/ and no plan.json, so nobody knows what was "
                                "run; name another --output_dir")
            self._check_same(folder, outputs.read_json(kept), plan)
            LOGGER.info("%s-%d: kept from before", engine, seed)
            return
        if os.path.exists(kept) and os.path.exists(output):
            shutil.rmtree(output)  # of a run that was cut off
        original.write_plan(kept, plan, self._prepared)
        LOGGER.info("%s-%d: running, see %s", engine, seed, os.path.join(folder, "log"))
        command = (original.command(self._where, kept) if engine == "original" else
                   [*self._fast, f"--seed={seed}", f"--output_dir={output}"])
        seconds, peak = measured(command, os.path.join(folder, "log"), self._environ)
        outputs.write_json(os.path.join(folder, "measure.json"),
                           {"seconds": seconds, "peak_mb": peak})
        LOGGER.info("%s-%d: done in %s", engine, seed, duration(seconds))

    def _plan(self, folder: str, seed: int, **flags: Any) -> dict[str, Any]:
        config = dataclasses.replace(self._prepared.config, seed=seed)
        flags = {"do_train": True, "do_eval": True, "do_predict": True,
                 "output_dir": os.path.join(folder, "output"), **flags}
        return original.plan(dataclasses.replace(self._prepared, config=config), folder, None,
                             **flags)

    def _check_same(self, folder: str, kept: Mapping[str, Any], wanted: Mapping[str, Any]) -> None:
        """Compares a finished run with what would be run now."""
        one = _identity(kept, {split: _lines(kept["examples"][split])
                               for split in ("train", "dev")})
        other = _identity(wanted, {split: map(original.example_fields,
                                              self._prepared.examples[split])
                                   for split in ("train", "dev")})
        different = [f"{name} {str(one[name])[:60]} there, {str(other[name])[:60]} now"
                     for name in one if one[name] != other[name]]
        if different:
            raise UserError(f"{folder}: holds a run of other settings ({'; '.join(different)}); "
                            "name another --output_dir")

    def report(self, seeds: Sequence[int], names: Sequence[str]) -> tuple[str, bool]:
        """Returns the table of all comparisons, and whether the engines are alike.

        Args:
            seeds: the runs, made before.
            names: the metrics to show; the first one decides.
        """
        sizes = {split: len(rows) for split, rows in self._prepared.examples.items()}
        lines = [f"{sizes['train']:,} rows to train, {sizes['dev']:,} dev rows, {len(seeds)} seeds;"
                 f" {self._where.describe()}", "", _line("", "original", "fast", "difference", "")]
        found = [*self._features(seeds), *self._probabilities(seeds), *self._scores(seeds, names)]
        lines += [line for line, _ in found] + self._costs(seeds)
        alike = all(good is not False for _, good in found)
        return "\n".join([*lines, "", "alike" if alike else "NOT alike"]), alike

    def _features(self, seeds: Sequence[int]) -> list[tuple[str, bool | None]]:
        found = []
        for split, rows in (("train", "train"), ("dev", "dev")):
            what, name = f"features of {rows}: rows that differ", outputs.RECORDS[split]
            paths = {engine: self._first(engine, seeds, name) for engine in ENGINES}
            if None in paths.values():
                found.append((_line(what, "", "", "none kept", "not compared"), None))
                continue
            theirs = records.read(paths["original"])
            ours = records.read(paths["fast"], np.float32 if self._regression else np.int32)
            if self._regression:
                plan = self._plan(self._root, seeds[0])
                theirs = comparison.with_scores(theirs, plan["scores"])
            count = comparison.differing(ours, theirs)
            found.append((_line(what, "", "", f"{count} of {len(ours)}", _verdict(not count)),
                          not count))
        return found

    def _first(self, engine: str, seeds: Sequence[int], name: str) -> str | None:
        """Returns the first run's file of that name that is there."""
        paths = (os.path.join(self.folder(engine, seed), "output", name) for seed in seeds)
        return next((path for path in paths if os.path.exists(path)), None)

    def _probabilities(self, seeds: Sequence[int]) -> list[tuple[str, bool | None]]:
        answers = "scores" if self._regression else "probabilities"
        found = []
        for engine, read in (("original", self._fast_answers), ("fast", self._original_answers)):
            what = f"{answers}, checkpoint of {engine}"
            folder = next((path for seed in seeds if checkpoint.latest(
                path := os.path.join(self.folder(engine, seed), "output"))), None)
            if folder is None:
                found.append((_line(what, "", "", "none kept", "not compared"), None))
                continue
            own = original.read_answers(os.path.join(folder, outputs.TEST_RESULTS))
            largest = float(np.abs(own - read(checkpoint.latest(folder))).max())
            good = largest <= comparison.TOLERANCE
            found.append((_line(what, "", "", f"{largest:.1e}", _verdict(good)), good))
        return found

    def _fast_answers(self, prefix: str) -> np.ndarray:
        prepared = self._prepared
        table = records.FeatureTable.from_features(convert(
            prepared.examples["dev"], prepared.labels, prepared.config.max_seq_length,
            prepared.tokenizer), np.float32 if self._regression else np.int32)
        return comparison.answers(prefix, prepared.bert_config, len(prepared.labels), table,
                                  prepared.config.predict_batch_size)

    def _original_answers(self, prefix: str) -> np.ndarray:
        folder = os.path.join(self._root, "original-reads-fast")
        shutil.rmtree(folder, ignore_errors=True)  # a name of ours, and quickly made again
        os.makedirs(folder)
        plan = self._plan(folder, 1, do_train=False, do_eval=False, init_checkpoint=prefix)
        path = os.path.join(folder, "plan.json")
        original.write_plan(path, plan, self._prepared)
        measured(original.command(self._where, path), os.path.join(folder, "log"), self._environ)
        return original.read_answers(os.path.join(folder, "output", outputs.TEST_RESULTS))

    def _scores(self, seeds: Sequence[int],
                names: Sequence[str]) -> list[tuple[str, bool | None]]:
        rows, labels = self._prepared.examples["dev"], self._prepared.labels
        position = {label: index for index, label in enumerate(labels)}
        truth = np.array([float(row.label) if self._regression else position[str(row.label)]
                          for row in rows])
        given = {engine: [comparison.scores(original.read_answers(os.path.join(
            self.folder(engine, seed), "output", outputs.TEST_RESULTS)), truth, labels)
            for seed in seeds] for engine in ENGINES}
        found = []
        for name in names:
            values = [[run[name] for run in given[engine]] for engine in ENGINES]
            spread = comparison.Spread.of(*values, len(rows))
            verdict = "within" if spread.within else "OUTSIDE"
            found.append((_line(f"{name}: mean", *(f"{statistics.fmean(each):.4f}"
                                                   for each in values),
                                f"{round(spread.difference, 4) + 0:+.4f}",
                                f"{verdict} +-{spread.allowed:.4f}"),
                          spread.within if name == names[0] else None))
            for what, function in (("deviation", metrics.deviation), ("lowest", min),
                                   ("highest", max)):
                found.append((_line(f"{' ' * len(name)}  {what}", *(
                    f"{function(each):.4f}" for each in values), "", ""), None))
        return found

    def _costs(self, seeds: Sequence[int]) -> list[str]:
        lines = []
        for what, key in (("time of a run, s", "seconds"), ("peak memory, MB", "peak_mb")):
            notes = [[outputs.read_json(os.path.join(self.folder(engine, seed), "measure.json"))
                      for seed in seeds] for engine in ENGINES]
            means = [statistics.fmean(kept) if (kept := [note[key] for note in each if note])
                     else None for each in notes]
            ratio = f"{means[0] / means[1]:.1f} times" if None not in means else ""
            lines.append(_line(what, *("" if mean is None else f"{mean:,.0f}" for mean in means),
                               ratio, ""))
        return lines


def measured(command: Sequence[str], said: str, environ: Mapping[str, str]) -> tuple[float, float]:
    """Runs a command.

    Args:
        said: file for what it says.

    Returns:
        Seconds, and the largest memory of the process in MB.

    Raises:
        UserError: it failed.
    """
    note = f"{said}.measure"
    with open(said, "wb") as file:
        process = subprocess.Popen([sys.executable, "-I", "-c", _MEASURE, note, *command],
                                   stdout=file, stderr=file, env=environ)
        try:
            process.wait()
        except BaseException:
            process.terminate()
            process.wait()
            raise
    if process.returncode:
        with open(said, encoding="utf-8", errors="replace") as file:
            last = [line.strip() for line in file if line.strip()][-1:]
        raise UserError(f"a run failed (exit status {process.returncode}): "
                        f"{' '.join(last) or 'it said nothing'}; see {said}")
    with open(note, encoding="utf-8") as file:
        seconds, peak = json.load(file)
    os.remove(note)
    unit = 1 << 20 if sys.platform == "darwin" else 1 << 10  # bytes there, kilobytes elsewhere
    return seconds, peak / unit


def _identity(plan: Mapping[str, Any], rows: Mapping[str, Iterable[Any]]) -> dict[str, Any]:
    """Returns what decides a run's results; scores count by their first three decimals."""
    def value(label: str) -> float | str:
        return round(float(label), 3) if plan["scores"] else label

    flags = {name: plan["flags"].get(name, _DEFAULTS[name]) for name in _DECISIVE}
    flags["init_checkpoint"] = os.path.realpath(flags["init_checkpoint"] or "none")
    digests = {}
    for split, examples in rows.items():
        text = json.dumps([[one["text_a"], one["text_b"] or None, value(one["label"])]
                           for one in examples])
        digests[f"rows of {split}"] = hashlib.sha256(text.encode()).hexdigest()[:12]
    return {**flags, "seed": plan["seed"], **digests,
            "labels": sorted({*map(value, plan["labels"])}) if plan["scores"] else plan["labels"]}


def _lines(path: str) -> list[Any]:
    with open(path, encoding="utf-8") as file:
        return [json.loads(line) for line in file]


def _verdict(good: bool) -> str:
    return "same" if good else "DIFFERENT"


def _line(what: str, *cells: str) -> str:
    one, other, difference, verdict = cells
    return f"{what:<38}{one:>10}{other:>10}  {difference:>15}  {verdict}".rstrip()
