"""The page at the end of an evaluation; what goes wrong with it is told and ends nothing."""

import dataclasses
import os
from collections.abc import Mapping
from typing import TYPE_CHECKING

from finetune import outputs
from finetune.log import LOGGER
from finetune.predictor import Predictions
from finetune.records import FeatureTable
from finetune.report.facts import Facts, of_folder
from finetune.report.page import KINDS, page
from finetune.report.rows import fetched
from finetune.task_kind import TaskKind

if TYPE_CHECKING:
    from finetune.preflight import Prepared


def write(prepared: "Prepared", kind: TaskKind, table: FeatureTable, predictions: Predictions,
          scores: Mapping[str, float], step: int, verdict: str | None = None) -> None:
    """Writes report.html whole or not at all; a failure is a warning, as the scores are written.

    Args:
        kind: of the task; one that has no page gets none.
        table: the dev split.
        predictions: of its rows.
        scores: of the split as a whole.
        step: of the checkpoint that was scored.
        verdict: of the sign test of --baseline, where this run made one.
    """
    if kind not in KINDS:
        return
    path = os.path.join(prepared.config.output_dir, outputs.REPORT)
    try:
        facts = _facts(prepared, kind, table, predictions, scores, step)
        outputs.write_text(path, page(dataclasses.replace(facts, verdict=verdict), kind))
    except Exception as error:  # of whatever kind: a run of hours must not end for its page
        LOGGER.warning("warning: %s was not written, and is of an earlier run if it is there: "
                       "%s: %s", path, type(error).__name__, error)


def _facts(prepared: "Prepared", kind: TaskKind, table: FeatureTable, predictions: Predictions,
           scores: Mapping[str, float], step: int) -> Facts:
    config, summary = prepared.config, table.summary
    facts = Facts(config, prepared.labels, table.example_labels(), predictions.probabilities,
                  predictions.losses, table.lengths()[table.first_windows()],
                  summary.truncated if summary else None, scores, prepared.best_metric, step,
                  of_folder(config.output_dir, prepared.start.prefix))
    facts.rows.update(fetched(prepared.examples["dev"], KINDS[kind].rows(facts)))
    return facts
