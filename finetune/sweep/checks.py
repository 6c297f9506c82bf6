"""Everything about a sweep that can be known before its first run starts.

Runs that differ only in how they train read the same rows with the same model: they are checked
once, together. Nothing is written here.
"""

import dataclasses
import os
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from finetune import metrics, preflight, records
from finetune.config import RunConfig
from finetune.errors import UserError
from finetune.features import blocks, count_sequences, decided_by
from finetune.output_folder import checkpoint_room, free_bytes
from finetune.preflight import Prepared
from finetune.records import FeatureTable
from finetune.sweep import folders, speed
from finetune.sweep.results import Outcome
from finetune.sweep.spec import SweepFile, SweepRun
from finetune.sweep.speed import Job
from finetune.task_kind import label_type
from finetune.training.schedules import Plan

_TRAINING = {field.name: field.default for field in dataclasses.fields(RunConfig)
             if field.metadata["group"] == "Training" or field.name in ("seed", "output_dir")}


@dataclasses.dataclass(frozen=True)
class Facts:
    """What the runs that read the same rows with the same model have in common.

    Attributes:
        rows: of each split; of texts that are read in windows, those.
        features: by split, what decides its features.
        metric: the task's first, or --metric_for_best.
        job: to measure the speed with.
        notices: worth telling.
    """

    rows: dict[str, int]
    features: dict[str, dict[str, Any]]
    metric: str
    job: Job
    notices: list[str]


def kind(config: RunConfig) -> RunConfig:
    """Returns what the runs that can be checked together have in common."""
    return dataclasses.replace(config, **_TRAINING)


def check(file: SweepFile, base: RunConfig, run_folders: Sequence[str],
          make_processor: Callable[[RunConfig], Any]) -> dict[RunConfig, Facts]:
    """Checks all runs of a sweep.

    Args:
        run_folders: of the runs.
        make_processor: settings -> an object with the original's four DataProcessor methods.

    Returns:
        Facts by kind of run.

    Raises:
        UserError: every problem found.
    """
    facts: dict[RunConfig, Facts] = {}
    problems: list[str] = []
    for key in dict.fromkeys(kind(run.config) for run in file.runs):
        alike = [run.config for run in file.runs if kind(run.config) == key]
        try:
            facts[key] = _facts(alike[0], make_processor,
                                [config.train_batch_size for config in alike])
        except UserError as error:
            problems += error.problems
    for run, folder in zip(file.runs, run_folders, strict=True):
        if kind(run.config) in facts:
            problems += _run_problems(run, folder, facts[kind(run.config)])
    for one in list(facts.values())[:1]:
        known = metrics.names(one.job.labels)
        if file.choose_by is not None and file.choose_by not in known:
            problems.append(f"--sweep={base.sweep}: choose_by: {file.choose_by!r} must be one of "
                            + ", ".join(known))
    if problems:
        raise UserError(dict.fromkeys(problems))
    return facts


def _facts(config: RunConfig, make_processor: Callable[[RunConfig], Any],
           batch_sizes: Sequence[int]) -> Facts:
    # As a run that begins: what lies in its folder is for the run itself to judge.
    config = dataclasses.replace(config, output_dir=os.path.join(config.output_dir, "new"))
    processor, known = None, ()
    try:
        processor = make_processor(config)
    except ValueError as error:  # a DataError, which finetune does not know
        if not hasattr(error, "problems"):
            raise
        known = error.problems
    try:
        prepared = preflight.check(config, processor, known)
    except UserError as error:
        raise UserError(problem.replace(f"--output_dir={config.output_dir}:", "--output_dir="
                                        f"{os.path.dirname(config.output_dir)}:")
                        for problem in error.problems) from error
    features = {split: {"examples": records.examples_digest(examples),
                        **decided_by(prepared.labels, config.max_seq_length, prepared.tokenizer,
                                     config)}
                for split, examples in prepared.examples.items()}
    job = Job(prepared.config, prepared.bert_config, prepared.labels, prepared.start,
              *(_sample(prepared, split) for split in ("train", "dev", "test")),
              tuple(sorted({min(batch_sizes), max(batch_sizes)})))
    rows = {split: count_sequences(some, config.max_seq_length, prepared.tokenizer, config)
            for split, some in prepared.examples.items()}
    return Facts(rows, features,
                 prepared.best_metric, job, prepared.notices)


def _sample(prepared: Prepared, split: str) -> FeatureTable | None:
    """Returns some rows of a split, drawn at random, so that their lengths are those of all.

    None: no run reads the split.
    """
    examples = prepared.examples.get(split)
    if examples is None:
        return None
    chosen = np.random.default_rng(0).permutation(len(examples))[:speed.SAMPLE_ROWS[split]]
    rows = {index: examples[index] for index in sorted(chosen.tolist())}  # one reading of the file
    return FeatureTable.from_blocks(blocks(
        [rows[index] for index in chosen.tolist()], prepared.labels, prepared.config.max_seq_length,
        prepared.tokenizer, None, split != "test", prepared.config),
        label_type(prepared.labels))


def _run_problems(run: SweepRun, folder: str, facts: Facts) -> list[str]:
    problems = folders.data_problems(folder, facts.features)
    problem = Plan.problem(run.config, facts.rows["train"])
    return [*problems, f"{run.label}: {problem}"] if problem else problems


def room_problems(file: SweepFile, base: RunConfig, outcomes: Sequence[Outcome],
                  facts: Mapping[RunConfig, Facts],
                  free: Callable[[str], int] = free_bytes) -> list[str]:
    """Compares what the checkpoints of all runs take with the free disk.

    With keep: best there are at most those of the best run and those of the one at work. Linked
    features take their room once and are not counted.

    Args:
        outcomes: of the runs so far; what lies in their folders is there already.
    """
    needs, last = [], 0
    for outcome in outcomes:
        config, one = outcome.run.config, facts[kind(outcome.run.config)]
        if outcome.scores and not file.keep_all:
            continue
        count, size = checkpoint_room(config, one.job.bert_config, len(one.job.labels),
                                      Plan.of(config, one.rows["train"]))
        needs.append((count - 1) * size)  # the one more is written before an old one goes
        last = max(last, size)
    needs = needs if file.keep_all else sorted(needs)[-1:] * 2
    there = sum(folders.checkpoint_bytes(outcome.folder) for outcome in outcomes)
    needed, room = sum(needs) + last - there, free(base.output_dir)
    if needed <= room:
        return []
    how = ("of all runs (keep: all)" if file.keep_all else
           "of the best run and of the one at work (keep: best)")
    return [f"--output_dir={base.output_dir}: the checkpoints {how} need {needed / 1e6:.0f} MB, "
            f"the disk has {room / 1e6:.0f} MB free; make room or lower --keep_checkpoint_max"
            + (" or say keep: best" if file.keep_all else "")]
