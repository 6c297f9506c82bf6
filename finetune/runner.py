"""The story of a run: check, prepare, train, evaluate, predict, explain, export.

    data_dir/*.tsv --processor--> examples --features, records--> *.tf_record --batches--> tokens
        --encoder, head--> logits --optimizer--> model.ckpt-N
        --metrics, outputs--> eval_results.txt, predictions.tsv, test_results.tsv
        --export--> export/saved_model, model.tflite, model.onnx, huggingface, README.md
"""

import contextlib
import dataclasses
import os
import tempfile
import time
from collections.abc import Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from finetune import (
    bound_labels,
    distribution,
    evaluation,
    log,
    model,
    output_folder,
    outputs,
    preparation,
    records,
    run_folder,
    summary,
    traces,
    trouble,
    workers,
)
from finetune.check import cost
from finetune.check import stage as check
from finetune.checkpoints import checkpoint
from finetune.confidence import stage as confidence
from finetune.config import RunConfig
from finetune.errors import UserError
from finetune.explanation import report as explanations
from finetune.export import exporter
from finetune.export.settings import as_trained
from finetune.features import blocks, decided_by
from finetune.original import engine as original
from finetune.predictor import Predictions, Predictor
from finetune.preflight import Prepared
from finetune.records import FeatureTable
from finetune.report import writer as report_page
from finetune.stages import COMPILE, Stopwatch
from finetune.task_kind import TaskKind, label_type
from finetune.training import chosen_weights, lr_finder
from finetune.training.events import EventWriter
from finetune.training.trainer import Trainer


def run(config: RunConfig, processor: Any, command: str, problems: Sequence[str] = (),
        watch: Stopwatch | None = None) -> None:
    """Does what the flags ask for.

    Args:
        config: the settings; `config.missing()` is empty.
        processor: an object with the original's four DataProcessor methods.
        command: the command line, to be written down.
        problems: mistakes known already, to be told with all others; processor may then be None.
        watch: counts from the start of the process.

    Raises:
        UserError: what the user has to change; before that nothing has been written.
    """
    prepared, given, config = None, config, config.looked_at()
    try:
        if given.only_checks:  # which is checked as a training is
            problems = [*problems, *given.problems()]
        strategy, prepared = preparation.prepare(as_trained(config), processor, problems)
        others = check.other_splits(prepared, processor)
        with contextlib.ExitStack() as opened:
            opened.enter_context(traces.forgotten())  # --kfold and fit are many runs
            if not workers.is_chief(strategy):  # the chief alone writes what is kept
                prepared = prepared.writing_into(opened.enter_context(
                    tempfile.TemporaryDirectory(prefix="worker-")))
            Run(prepared, others, strategy, given, command, watch or Stopwatch()).execute()
    except workers.LOST as error:
        if config.kind_of_distribution != "multi_worker":
            raise
        raise workers.lost(error) from error
    except ValueError as error:  # a DataError, which finetune does not know: a file has changed
        if not hasattr(error, "problems"):
            raise
        raise UserError(error.problems) from error
    except (*trouble.KINDS, UserError) as error:
        mistake = trouble.of(error, config, prepared)
        if mistake is None:
            raise
        raise mistake from error


class Run:
    """One run of a prepared configuration.

    Args:
        prepared: what preflight.check found.
        others: splits that are looked at besides.
        given: the settings as the user gave them.
    """

    def __init__(self, prepared: Prepared, others: check.Others, strategy: tf.distribute.Strategy,
                 given: RunConfig, command: str, watch: Stopwatch):
        self._others = others
        self._prepared, self._config, self._strategy = prepared, prepared.config, strategy
        # A hub module may have decided the casing, a processor the kind; run_config.json tells.
        self._given = dataclasses.replace(
            given, do_lower_case=prepared.config.do_lower_case,
            task_type=bound_labels.task_type(given, prepared.labels))
        self._command, self._watch = command, watch
        self._kind = TaskKind.of(prepared.labels)
        self._label_type = label_type(prepared.labels)
        self._report = evaluation.of(prepared.labels)
        self._original = original.environment() if self._config.engine == "original" else None
        self._device = (self._original.describe() if self._original else
                        distribution.describe(strategy))
        self._newest_before = checkpoint.latest(self._config.output_dir)
        self._began = time.monotonic()

    def execute(self) -> None:
        """Runs the stages that the flags name, in the order of the original.

        The weights are read and answer one batch before anything is written or deleted.
        """
        with contextlib.ExitStack() as self._opened:
            if self._original:
                self._execute_original()
            else:
                self._execute()

    def _execute(self) -> None:
        self._load()
        self._open_folder()
        tables = self._tables()
        self._baseline = check.stages(
            self._prepared, self._others, self._given.only_checks, self._watch,
            lambda tokens: cost.found(self._strategy, self._state, self._prepared,
                                      next(iter(tables.values())), self._predictor, tokens))
        if self._config.find_lr:
            with self._watch.stage("find_lr"):
                lr_finder.run(self._strategy, self._state, self._prepared, tables["train"])
        if self._config.do_train and not self._given.only_checks:
            self._train(tables)
        for stage, wanted, work in (
                ("eval", self._config.do_eval, lambda: self._evaluate(tables["dev"])),
                ("predict", self._config.do_predict, lambda: self._predict(tables["test"])),
                ("explain", self._config.do_explain,
                 lambda: explanations.write(self._prepared, self._state)),
                ("export", self._config.do_export, self._export)):
            if wanted:
                with self._watch.stage(stage):
                    work()
        self._tell_end()

    def _execute_original(self) -> None:
        self._open_folder()
        self._tables()
        check.stages(self._prepared, self._others, self._given.only_checks, self._watch)
        if not self._given.only_checks:
            with self._watch.stage("original"):
                original.run(self._prepared, self._original)
        self._tell_end()

    def _tables(self) -> dict[str, FeatureTable]:
        with self._watch.stage("features"):
            tables = {split: self._features(split) for split in self._prepared.examples}
        workers.check_alike(self._strategy, self._given.as_dict(), list(tables.values()))
        summary.before(self._prepared, tables, self._device)
        return tables

    def _tell_end(self) -> None:
        # A worker that is not the chief has a folder of its own.
        config = self._config
        given = dataclasses.replace(self._given, output_dir=config.output_dir)
        summary.after(given, time.monotonic() - self._began, self._kind, trained=config.do_train
                      and checkpoint.latest(config.output_dir) != self._newest_before)
        if config.show_stage_times:
            summary.stage_times(config.output_dir, self._watch.seconds())

    def _open_folder(self) -> None:
        config, folder, prepared = self._config, self._config.output_dir, self._prepared
        tf.io.gfile.makedirs(folder)
        self._opened.enter_context(output_folder.held(folder))
        if config.overwrite_output_dir:
            outputs.remove_run(folder)
        run_folder.begin(prepared, self._given, self._command, self._device,
                         self._original.versions if self._original else None)

    def _features(self, split: str) -> FeatureTable:
        prepared, config = self._prepared, self._config
        examples = prepared.examples[split]
        labels, label_type = prepared.labels, self._label_type
        if self._original:  # which knows ids only, and reads padded sequences
            labels, label_type = original.label_list(prepared), np.int32

        def make():
            progress = log.Progress(f"features of {split}", len(examples))
            return blocks(examples, labels, config.max_seq_length, prepared.tokenizer,
                          progress.reach, split != "test", config)

        return records.cached(
            os.path.join(config.output_dir, outputs.RECORDS[split]),
            {"examples": records.examples_digest(examples),
             **decided_by(labels, config.max_seq_length, prepared.tokenizer, config),
             **({} if self._kind is TaskKind.CLASSIFICATION else {"task_type": self._kind.value})},
            make, label_type, config.max_seq_length if self._original else None)

    def _load(self) -> None:
        start, config = self._prepared.start, self._config
        values = checkpoint.read(start.prefix, start.names) if start.prefix else {}
        with self._strategy.scope():
            self._state = model.create(self._prepared.bert_config, len(self._prepared.labels),
                                       config.seed, values, config.do_train,
                                       config.precision == "float16", self._kind)
        self._predictor = Predictor(
            self._state, self._prepared.bert_config, distribution.widths(self._strategy, config),
            config.precision, config.xla, self._strategy, config.window_pooling)
        few = preparation.first_rows(self._prepared)
        with self._watch.stage(COMPILE):
            answers = self._predictor.predict(few, len(few), "").probabilities
        if not np.isfinite(answers).all():
            raise UserError(f"{start.prefix}: the model's first answers are not numbers (NaN); the "
                            "checkpoint is damaged")

    def _train(self, tables: dict[str, FeatureTable]) -> None:
        config, prepared = self._config, self._prepared
        done, steps = int(self._state.step.numpy()), prepared.plan.steps
        trainer = Trainer(
            self._strategy, self._state, prepared.bert_config, config, prepared.plan,
            tables["train"],
            (lambda: self._score(tables["dev"])[1]) if config.eval_every_steps else None,
            prepared.best_metric, self._watch)
        if done >= steps and not trainer.missed_evaluation():
            log.LOGGER.info("training is complete, no step is made: %s is at step %d and this run "
                            "asks for %d. More epochs, another --output_dir or "
                            "--overwrite_output_dir train", config.output_dir, done, steps)
        else:
            events = EventWriter(config.output_dir)
            losses = trainer.run(events)
            events.close()
            for warning in summary.loss_warnings(losses, config, started_at=done):
                log.LOGGER.warning("warning: %s", warning)
        with self._watch.stage("checkpoint"):
            chosen_weights.take(config, self._state, self._strategy, (
                lambda: self._score(tables["dev"])[1]) if config.do_eval else None)

    def _score(self, table: FeatureTable) -> tuple[Predictions, dict[str, float]]:
        predictions = self._predictor.predict(table, self._config.eval_batch_size, "evaluate")
        return predictions, self._report.scores(table.example_labels(), predictions)

    def _evaluate(self, table: FeatureTable) -> None:
        config, step = self._config, int(self._state.step.numpy())
        (predictions, scores), truth = self._score(table), table.example_labels()
        told = self._report.write_evaluation(config, truth, predictions, scores, step)
        if workers.is_chief(self._strategy):  # whose checkpoints are kept
            confidence.fit_on_dev(config, self._checkpoint(), step, truth,
                                  predictions.probabilities)
        verdict = self._baseline and self._baseline.compare(
            truth, predictions.probabilities, scores)
        events = EventWriter(os.path.join(config.output_dir, outputs.EVENTS_OF_EVAL))
        events.write(step, told)
        events.close()
        if config.report and workers.is_chief(self._strategy):
            report_page.write(self._prepared, self._kind, table, predictions, scores, step, verdict)

    def _predict(self, table: FeatureTable) -> None:
        config, examples = self._config, self._prepared.examples["test"]
        probabilities = self._predictor.predict(table, config.predict_batch_size).probabilities
        ids = (str(getattr(one, "row_id", None) or one.guid) for one in examples)
        self._report.write_predictions(config.output_dir, ids, probabilities,
                                       confidence.for_prediction(config, self._checkpoint()),
                                       int(self._state.step.numpy()))

    def _checkpoint(self) -> str:
        """Returns the prefix of the checkpoint whose weights are in memory."""
        step = int(self._state.step.numpy())
        return (os.path.join(self._config.output_dir, f"model.ckpt-{step}")
                if self._config.do_train else self._prepared.start.prefix)

    def _export(self) -> None:
        """Writes the weights that are in memory: the best, else the newest."""
        if workers.is_chief(self._strategy):
            exporter.export_run(self._prepared, self._state)
        workers.from_chief(self._strategy, 0)  # the others wait: a job ends as a whole
