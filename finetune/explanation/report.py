"""--do_explain: the first rows of the test split explained, into explanations.tsv and .html."""

import difflib
import os
import time
from collections.abc import Sequence
from itertools import islice
from typing import TYPE_CHECKING, Any

from finetune import model, outputs
from finetune.config import RunConfig
from finetune.config_problems import named
from finetune.explanation.explainer import Explainer
from finetune.explanation.page import write as write_page
from finetune.explanation.table import write as write_table
from finetune.log import LOGGER, Progress, duration
from finetune.task_kind import TaskKind

if TYPE_CHECKING:
    from finetune.preflight import Prepared


def problems(config: RunConfig, labels: Sequence[str]) -> list[str]:
    """Returns what is wrong with --explain_label."""
    label = config.explain_label
    if label is None:
        return []
    if TaskKind.of(labels) is TaskKind.REGRESSION:
        return [f"--explain_label={label}: a regression has no labels, its score is explained"]
    if label in labels:
        return []
    near = difflib.get_close_matches(label, labels, 3)
    return [f"--explain_label={label}: is not one of the labels, "
            + named(labels)
            + (f"; did you mean {' or '.join(near)}?" if near else "")]


def write(prepared: "Prepared", state: model.State) -> None:
    """Explains the first --explain_rows rows of the test split and writes both files."""
    config, examples, began = prepared.config, prepared.examples["test"], time.monotonic()
    rows = min(config.explain_rows or len(examples), len(examples))
    explainer = Explainer(state, prepared.bert_config, prepared.tokenizer, prepared.labels,
                          config.max_seq_length, config)
    progress, ids, found = Progress("explain", rows), [], []
    for example in islice(iter(examples), rows):
        ids.append(str(getattr(example, "row_id", None) or example.guid))
        texts = (_decoded(example.text_a), _decoded(example.text_b or ""))
        found += explainer.explain([texts], config.explain_label)
        progress.advance(1)
    write_table(os.path.join(config.output_dir, outputs.EXPLANATIONS), ids, found)
    write_page(os.path.join(config.output_dir, outputs.EXPLANATIONS_PAGE),
               f"What the words add: {config.output_dir}", ids, found, len(examples))
    lacking = sum(not one.complete for one in found)
    LOGGER.info("explain: %s in %s (--explain_rows); the words add up to the difference in %s",
                f"{rows:,} of {len(examples):,} rows", duration(time.monotonic() - began),
                "all of them" if not lacking else f"all but {lacking:,} (see the column gap)")


def _decoded(text: Any) -> str:
    """Returns a text that a processor of the original may give as bytes, as its tokenizer does."""
    return text.decode("utf-8", "ignore") if isinstance(text, bytes) else text
