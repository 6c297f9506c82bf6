"""--do_check in the story of a run: read all splits, look, tell, write.

    others = other_splits(prepared, processor)             # those that the run has no need of
    run(prepared, others, alone=False, measure=None)
"""

import dataclasses
import os
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from finetune import baseline, outputs
from finetune.check import (
    duplicates,
    label_sets,
    labels,
    lengths,
    rendering,
    scores,
    survey,
    texts,
    vocabulary,
)
from finetune.check.catalogue import ABOUT
from finetune.check.findings import Finding, Severity, label_of, resolved
from finetune.errors import UserError
from finetune.features import label_problems
from finetune.log import LOGGER, Progress
from finetune.preflight import Prepared
from finetune.reading import NEEDED, needed_splits, read_examples
from finetune.stages import Stopwatch
from finetune.task_kind import TaskKind

SPLITS = ("train", "dev", "test")
_MOST_REFUSED = 5  # messages that are repeated


@dataclasses.dataclass(frozen=True)
class Others:
    """The splits that a run does not need, read for the sake of looking at them.

    Attributes:
        examples: by split.
        refused: by split, why it cannot be used.
        missing: by split, why there is none.
    """

    examples: Mapping[str, Sequence[Any]]
    refused: Mapping[str, list[str]]
    missing: Mapping[str, list[str]]


def stages(prepared: Prepared, others: Others, alone: bool, watch: Stopwatch,
           measure: Callable[..., Any] | None = None) -> baseline.Scored | None:
    """Checks the data and scores the baseline, as far as the flags ask for it.

    Args:
        others: splits that are looked at besides.
        alone: nothing follows.
        watch: counts check and baseline.
        measure: see `run`.
    """
    if prepared.config.do_check:
        with watch.stage("check"):
            run(prepared, others, alone, measure)
    if not prepared.config.baseline:
        return None
    with watch.stage("baseline"):
        return baseline.run(prepared, others.examples)



def other_splits(prepared: Prepared, processor: Any) -> Others:
    """Reads the splits that --do_check and --baseline look at and the run has not read.

    What is wrong with one is a finding, and ends nothing.

    Raises:
        UserError: why a split cannot be used that --baseline needs.
    """
    config, found = prepared.config, Others({}, {}, {})
    wanted = SPLITS if config.do_check else ("train", "dev") if config.baseline else ()
    for split in wanted:
        if split in prepared.examples:
            continue
        problems: list[str] = []
        rows = read_examples(processor, [split], config.data_dir or "", problems).get(split)
        if rows is None:
            missing = all(getattr(one, "is_missing", False) for one in problems)
            (found.missing if missing else found.refused)[split] = [
                one.removesuffix(NEEDED) for one in problems]
            continue
        found.examples[split] = rows
        problems = label_problems(rows, prepared.labels, require_labels=split != "test")
        if problems:
            found.refused[split] = problems
    unusable = {**found.missing, **found.refused}
    lacking = [f"--baseline: {problem}" for split in ("train", "dev")
               for problem in unusable.get(split, ())]
    if config.baseline and lacking:
        raise UserError(lacking)
    return found


def run(prepared: Prepared, others: Others, alone: bool,
        measure: Callable[[dict[str, int]], list[Finding]] | None) -> None:
    """Looks at the data, tells what was found and writes it down.

    Args:
        alone: whether nothing comes after it; what all splits would cost is then told.
        measure: by split, the tokens that would be answered -> what the run will take; None: it
            cannot be measured.
    """
    result = look(prepared, others)
    if measure:
        dev = "dev" in needed_splits(prepared.config)  # evaluations during training, too
        answered = [split for split, wanted in (("dev", dev), ("test", prepared.config.do_predict))
                    if (wanted or alone) and split in result.surveys]
        result = result.adding(measure({split: result.tokens(split) for split in answered}))
    outputs.write_text(os.path.join(prepared.config.output_dir, outputs.DATA_CHECK),
                       result.as_text())
    outputs.write_json(os.path.join(prepared.config.output_dir, outputs.DATA_CHECK_JSON),
                       result.as_dict())
    _tell(result)


def look(prepared: Prepared, others: Others) -> rendering.Result:
    """Goes through all splits once and runs every check."""
    began = time.monotonic()
    kind = TaskKind.of(prepared.labels)
    regression = kind is TaskKind.REGRESSION
    sets = label_sets.LabelSets(prepared.labels) if kind is TaskKind.MULTILABEL else None
    examples = {split: rows for split in SPLITS
                if (rows := prepared.examples.get(split, others.examples.get(split)))}
    codes = None if regression else {} if sets else {
        label: code for code, label in enumerate(prepared.labels)}
    surveys = {}
    for split, rows in examples.items():
        progress = Progress(f"looking at {split}", len(rows))
        surveys[split] = survey.survey(split, rows, prepared.tokenizer, codes, progress.reach,
                                       sets.name if sets else label_of)
    found = [*_of_splits(others), *_checks(prepared, surveys, regression, sets)]
    found = resolved([*found, *_fine(found, surveys, kind)], examples)
    return rendering.Result(
        rendering.sorted_findings(found), surveys, prepared.tokenizer,
        prepared.config.max_seq_length, prepared.bert_config.max_position_embeddings, regression,
        time.monotonic() - began, prepared.config)


def _of_splits(others: Others) -> list[Finding]:
    missing = [Finding("splits", Severity.LOOK if split == "dev" else Severity.FINE, split,
                       f"not there ({'; '.join(problems)})")
               for split, problems in others.missing.items()]
    refused = []
    for split, problems in others.refused.items():
        more = len(problems) - _MOST_REFUSED
        told = "; ".join(problems[:_MOST_REFUSED]) + (f"; and {more:,} more" if more > 0 else "")
        refused.append(Finding("refused", Severity.PROBLEM, split, told, len(problems),
                               details={"problems": list(problems)}))
    return missing + refused


def _checks(prepared: Prepared, surveys: Mapping[str, survey.Survey], regression: bool,
            sets: label_sets.LabelSets | None) -> list[Finding]:
    config, found = prepared.config, []
    for one in surveys.values():
        found += texts.findings(one)
    found += duplicates.findings(surveys, regression)
    buffered = config.shuffle_buffer_size > 0 or config.engine == "original"
    found += (scores.findings(surveys) if regression else
              label_sets.findings(surveys, sets) if sets else
              labels.findings(surveys, prepared.labels, buffered))
    found += vocabulary.findings(surveys, prepared.tokenizer)
    found += lengths.findings(surveys, config.max_seq_length,
                              prepared.bert_config.max_position_embeddings, config)
    return found


def _fine(found: Sequence[Finding], surveys: Mapping[str, survey.Survey], kind: TaskKind
          ) -> list[Finding]:
    """Returns what was looked for and not found."""
    told = {one.check for one in found}
    return [Finding(check, Severity.FINE, None, about.fine) for check, about in ABOUT.items()
            if check not in told and about.fine and kind in about.kinds
            and about.needs in (None, *surveys)]


def _tell(result: rendering.Result) -> None:
    """Logs what is not fine, and what the run will take."""
    for found in result.findings:
        if found.severity is not Severity.FINE or found.check in ("time", "memory"):
            level = LOGGER.warning if found.severity is Severity.PROBLEM else LOGGER.info
            level("check: %s", rendering.headline(found))
            for example in found.examples[:1]:
                LOGGER.info("       %s", rendering.shown(example))
    LOGGER.info("check: %s, in %.1f s; see %s", result.summary(), result.seconds,
                outputs.DATA_CHECK)
