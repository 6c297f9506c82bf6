r"""--sweep: many runs, one after the other, and the best of them on dev.

    python run_classifier_custom.py --sweep=sweep.yaml --do_train --do_eval --data_dir=data \
        --init_checkpoint=checkpoints/minilm --output_dir=output/sweep

Every run is a process of its own that works in a folder of its own. Killed, the same command goes
on: finished runs are known by the results and settings in their folders, the one that was at work
goes on from its last checkpoint.
"""

import dataclasses
import os
import shlex
import time
from collections.abc import Callable
from typing import Any

from finetune import log, outputs, records, swept, trouble
from finetune.checkpoints import checkpoint
from finetune.config import RunConfig
from finetune.errors import UserError
from finetune.log import LOGGER, duration
from finetune.sweep import checks, folders, processes, reports, results, spec
from finetune.sweep.clock import Clock
from finetune.sweep.results import COLLAPSED, FAILED, Outcome

LOG = "sweep.log"


def run(config: RunConfig, parse_flag: Callable[[str], RunConfig],
        make_processor: Callable[[RunConfig], Any], program: str) -> int:
    """Makes the runs that config.sweep asks for.

    Args:
        config: the settings of the command line; `config.missing()` is empty.
        parse_flag: "--name=value" -> the settings with that flag on top of the command line's.
        make_processor: settings -> an object with the original's four DataProcessor methods.
        program: path of run_classifier_custom.py.

    Returns:
        The exit status: 0, or 1 if a run failed.

    Raises:
        UserError: what the user has to change; before that nothing has been written.
    """
    try:
        sweep = Sweep(config, parse_flag, make_processor, program)
        sweep.check()
        return sweep.execute()
    except trouble.KINDS as error:
        mistake = trouble.of(error, config)
        if mistake is None:
            raise
        raise mistake from error


class Sweep:
    """One sweep; `check`, then `measure` (or not), then `execute`.

    Args: see `run`.
    """

    def __init__(self, config: RunConfig, parse_flag: Callable[[str], RunConfig],
                 make_processor: Callable[[RunConfig], Any], program: str):
        problems = config.problems()
        if problems:
            raise UserError(problems)
        self._base, self._make_processor, self._program = config, make_processor, program
        self._folder = config.output_dir
        self._file = spec.read(config, parse_flag)
        self._runs = self._file.runs
        self._folders = folders.assign(self._folder, self._runs)
        self._notes = {name: note for name, note in (
            outputs.read_object(self._path(swept.RUNS)) or {}).items() if isinstance(note, dict)}
        self._tried: set[str] = set()  # folders of the runs made by this process

    def check(self) -> None:
        """Checks all runs, data, models, disk.

        Raises:
            UserError: every problem found; nothing has been written.
        """
        self._facts = checks.check(self._file, self._base, self._folders,
                                   self._make_processor)
        problems = checks.room_problems(self._file, self._base, self.outcomes(), self._facts)
        if problems:
            raise UserError(problems)
        first = self._facts[checks.kind(self._runs[0].config)]
        self._metric = self._file.choose_by or first.metric
        self._clock = Clock(self._facts)

    def outcomes(self) -> list[Outcome]:
        """Returns what has become of every run so far."""
        return [results.read_outcome(run, folder,
                                     self._notes.get(os.path.basename(folder), {}))
                for run, folder in zip(self._runs, self._folders, strict=True)]

    def chosen(self) -> Outcome | None:
        """Returns the best of the runs that have finished."""
        return results.choose(self.outcomes(), self._metric)

    def measure(self) -> float | None:
        """Measures the speed on this machine; returns the seconds left, None if not known."""
        chosen = self.chosen() if self._predicts() else None
        self._clock.measure(self._waiting() or ([chosen] if chosen else []))
        return self._left()

    def _left(self) -> float | None:
        return self._clock.left(self._waiting(), self._predicts())

    def _predicts(self) -> bool:
        """Whether a prediction is still to come."""
        chosen = self.chosen()
        return self._base.do_predict and (
            bool(self._waiting()) or not (chosen and self._has_predicted(chosen)))

    def _has_predicted(self, outcome: Outcome) -> bool:
        note = self._notes.get(os.path.basename(outcome.folder), {})
        return (note.get("predicted") == [self._test_rows(outcome), note.get("results")]
                and os.path.exists(os.path.join(outcome.folder, outputs.PREDICTIONS)))

    def _test_rows(self, outcome: Outcome) -> str:
        return self._facts[checks.kind(outcome.run.config)].features["test"]["examples"]

    def _waiting(self) -> list[Outcome]:
        return [one for one in self.outcomes() if not one.scores and one.folder not in self._tried]

    def execute(self) -> int:
        """Makes all runs, chooses one, predicts with it; returns the exit status.

        Raises:
            KeyboardInterrupt: after the run at work has been saved.
        """
        os.makedirs(self._folder, exist_ok=True)
        with processes.locked(self._folder) as self._lock:
            log.start(self._path(LOG))
            self._announce()
            for number, (run, folder) in enumerate(zip(self._runs, self._folders, strict=True), 1):
                self._make(number, run, folder)
            return self._finish()

    def _path(self, name: str) -> str:
        return os.path.join(self._folder, name)

    def _announce(self) -> None:
        outcomes = self.outcomes()
        waiting = [one for one in outcomes if not one.scores]
        for notice in dict.fromkeys(one for facts in self._facts.values() for one in facts.notices):
            log.notice(notice)
        done = len(outcomes) - len(waiting)
        LOGGER.info("sweep      %d runs%s, chosen by dev %s; %s rows to train", len(outcomes),
                    f", {done} of them finished before" if done else "", self._metric,
                    f"{self._clock.rows(waiting):,}")
        if not waiting:
            return
        if not self._clock.measured:
            LOGGER.info("measuring the speed with a few steps")
        left = self.measure()
        if left is not None:
            LOGGER.info("time       about %s%s (measured: %s)", duration(left),
                        f", of it {duration(self._clock.prediction())} for prediction"
                        if self._base.do_predict else "", self._clock.rates())
        else:
            LOGGER.info("time       not known; told after the first run")

    def _make(self, number: int, run: spec.SweepRun, folder: str) -> None:
        """Makes one run, unless it has finished before; writes the results so far."""
        name, of = os.path.basename(folder), f"run {number} of {len(self._runs)}"
        outcome = self.outcomes()[number - 1]
        if outcome.scores:
            LOGGER.info("%s: %s finished before: %s", of, name, self._told(outcome))
            return
        left = self._left()
        apart = self._base.do_predict and not self._clock.prediction()
        LOGGER.info("%s: %s%s", of, name, "" if left is None else f"; about {duration(left)} left "
                    + ("without prediction" if apart else "in all"))
        facts = self._facts[checks.kind(run.config)]
        wanted = {split: facts.features[split] for split in ("train", "dev")}
        shared = folders.share_features(folder, self._folders, wanted)
        if shared:
            LOGGER.info("features of an earlier run: %s", ", ".join(shared))
        resumed = checkpoint.latest(folder) is not None  # a part of a run tells nothing of others
        seconds = self._start(run, folder)
        outcome = self.outcomes()[number - 1]
        LOGGER.info("%s: %s: %s", of, name, self._told(outcome))
        self._tried.add(folder)
        if outcome.scores and not resumed:
            self._clock.ended(outcome, seconds)
        self._prune()
        self._report()

    def _told(self, outcome: Outcome) -> str:
        if outcome.status == FAILED:
            return f"FAILED: {outcome.error}"
        text = (f"dev {self._metric} {outcome.score(self._metric):.4f}, "
                f"{duration(outcome.seconds)}")
        return text + (", COLLAPSED: one answer for all of dev"
                       if outcome.status == COLLAPSED else "")

    def _arguments(self, run: spec.SweepRun, folder: str) -> list[str]:
        return processes.flags_of(
            dataclasses.replace(run.config, output_dir=folder, do_predict=False), run.varied)

    def _start(self, run: spec.SweepRun, folder: str) -> float:
        """Runs the process of a run, notes how it ended and returns the seconds it took."""
        note = self._notes.setdefault(os.path.basename(folder), {})
        began, earlier = time.monotonic(), note.get("seconds", 0.0)
        try:
            status, error = processes.run([self._program, *self._arguments(run, folder)],
                                          self._lock)
        finally:
            seconds = time.monotonic() - began
            note["seconds"] = round(earlier + seconds, 1)
            self._save_notes()
        for name in ("results", "deleted"):
            note.pop(name, None)
        results = os.path.join(folder, outputs.EVAL_RESULTS)
        if status == 0 and os.path.exists(results):
            note["results"] = records.sha256_file(results)
            note.pop("error", None)
        else:
            note["error"] = error or f"has left no {outputs.EVAL_RESULTS}"
        self._save_notes()
        return seconds

    def _save_notes(self) -> None:
        outputs.write_json(self._path(swept.RUNS), self._notes)

    def _prune(self) -> None:
        """Deletes the checkpoints of finished runs that are not the best, and says so."""
        outcomes = self.outcomes()
        best = results.choose(outcomes, self._metric)
        for outcome in outcomes if not self._file.keep_all else ():
            if outcome is best or not outcome.scores:
                continue
            freed = folders.delete_checkpoints(outcome.folder)
            if freed:
                self._notes[os.path.basename(outcome.folder)]["deleted"] = True
                self._save_notes()
                LOGGER.info("deleted the checkpoints of %s (%.0f MB): %s is better (keep: all "
                            "keeps them)", os.path.basename(outcome.folder), freed / 1e6,
                            os.path.basename(best.folder))

    def _command(self, outcome: Outcome) -> str:
        program = os.path.basename(self._program)
        return shlex.join(["python", program, *self._arguments(outcome.run, outcome.folder)])

    def _report(self) -> tuple[list[Outcome], Outcome | None]:
        outcomes = self.outcomes()
        chosen = results.choose(outcomes, self._metric)
        results.write_csv(self._path(swept.CSV), outcomes, self._metric, chosen,
                          [self._command(one) for one in outcomes])
        reports.write_table(self._path(results.TABLE), outcomes, self._metric, chosen,
                            self._command(chosen) if chosen else "")
        return outcomes, chosen

    def _finish(self) -> int:
        """Predicts with the chosen run, writes the results and tells them."""
        self._prune()
        outcomes, chosen = self._report()
        complete = chosen is None or self._complete(chosen)
        outcomes, chosen = self._report()
        if chosen:
            reports.write_plot(self._path(results.PLOT), outcomes, self._metric, chosen)
        for line in reports.table(outcomes, self._metric, chosen).splitlines():
            LOGGER.info("%s", line)
        for line in reports.verdict(outcomes, self._metric, chosen):
            LOGGER.info("%s", line)
        LOGGER.info("%s holds %s", self._folder, ", ".join(
            (swept.CSV, results.TABLE, *([results.PLOT] if chosen else ()))))
        return int(not complete or any(one.status == FAILED for one in outcomes))

    def _complete(self, chosen: Outcome) -> bool:
        """Gives the chosen run its checkpoint, if that is gone, and its predictions."""
        name = os.path.basename(chosen.folder)
        if checkpoint.chosen(chosen.folder) is None:
            LOGGER.info("the checkpoint of %s was deleted when another run was better; it is "
                        "trained again", name)
            self._start(chosen.run, chosen.folder)
        if not self._base.do_predict or "results" not in self._notes[name]:
            return True  # a failure of its training is noted
        if self._has_predicted(chosen):
            LOGGER.info("%s has predicted before", name)
            return True
        LOGGER.info("prediction with %s", name)
        config = dataclasses.replace(
            chosen.run.config, output_dir=chosen.folder, do_train=False, do_eval=False,
            calibrate=False, min_precision=None, do_predict=True, init_checkpoint=None)
        status, error = processes.run([self._program, *processes.flags_of(config)],
                                      self._lock)
        if status:
            LOGGER.error("prediction FAILED: %s", error)
            return False
        note = self._notes[name]
        note["predicted"] = [self._test_rows(chosen), note["results"]]
        self._save_notes()
        return True
