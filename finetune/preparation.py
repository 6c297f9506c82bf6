"""Devices and checks, in the order in which mistakes are told soonest; rows for a first look."""

from collections.abc import Sequence
from typing import Any

import tensorflow as tf

from finetune import distribution, log, preflight, workers
from finetune.config import RunConfig
from finetune.errors import UserError
from finetune.export import comparison
from finetune.feature_table import FeatureTable
from finetune.features import blocks
from finetune.original import engine as original
from finetune.preflight import Prepared
from finetune.task_kind import label_type


def prepare(config: RunConfig, processor: Any,
            problems: Sequence[str]) -> tuple[tf.distribute.Strategy, Prepared]:
    """Looks for devices and checks everything.

    A worker checks first and waits for the others then: a mistake would else be told only when
    the last of them has come.

    Args:
        processor: an object with the original's four methods; None if making it is what failed.
        problems: mistakes known already, to be told with all others.

    Raises:
        UserError: with every problem found.
    """
    known, prepared = list(problems), None
    if config.engine == "original":
        known += original.problems(config)
    if config.kind_of_distribution == "multi_worker":
        known += workers.cluster_problems()
        prepared = preflight.check(config, processor, known, workers.will_be_chief())
        workers.announce()
    with log.quiet():  # TensorFlow looks for devices here
        strategy = distribution.make_strategy(config)
    of_devices = distribution.problems(strategy, config)
    if prepared and of_devices:
        raise UserError(of_devices)
    return strategy, prepared or preflight.check(config, processor, [*known, *of_devices])


def first_rows(prepared: Prepared) -> FeatureTable:
    """Returns a batch of the data; where the run reads none, made-up rows."""
    config, of_labels = prepared.config, label_type(prepared.labels)
    if not prepared.examples:
        return comparison.made_up(prepared.bert_config, config.max_seq_length, of_labels)
    examples = next(iter(prepared.examples.values()))[:config.eval_batch_size]
    return FeatureTable.from_blocks(blocks(
        examples, prepared.labels, config.max_seq_length, prepared.tokenizer,
        require_labels=False, long_texts=config), of_labels)
