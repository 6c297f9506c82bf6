"""A trained model in a program of your own: read once, asked as often as you like.

    from finetune import Predictor

    model = Predictor("output/mine")
    model.predict("It crashes when I save")           # "bug"; of a multi-label model ["bug", "ui"]
    model.predict_proba(["It crashes", "Please add a dark mode"])        # float32[2, 3]
    model.explain("It crashes when I save")                              # what each word adds

A text is a string, a pair of texts a tuple of two; a list of them is many rows. predictor.py, which
does the work, knows batches and no texts.
"""

import os
import threading
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from finetune import (
    arguments,
    distribution,
    log,
    long_texts,
    model,
    outputs,
    predictor,
    traces,
    trained_folder,
)
from finetune.checkpoints import checkpoint, checksums
from finetune.confidence import record
from finetune.confidence.calibration import RAW
from finetune.config import RunConfig
from finetune.config_problems import shown
from finetune.errors import ArgumentError, UserError
from finetune.feature_table import FeatureTable
from finetune.features import blocks
from finetune.members import folder as members
from finetune.multilabel.scores import chosen, names_given
from finetune.sources import model_folder
from finetune.task_kind import TaskKind, label_type
from finetune.texts import Text, as_rows, is_one


@arguments.checked
class Predictor:
    """A model that a run trained. Any number of threads may use one; each waits for its turn.

    Labels, vocabulary, casing and the longest input are those of the training, by the files in the
    folder. What is given here takes their place, and has to be given where no file tells.

    Args:
        folder: a run's output_dir (its best checkpoint, else its newest), another folder of a
            checkpoint, or a checkpoint's prefix; on gs:// too. The output_dir of --ensemble or
            --kfold: all its models, whose mean is the answer.
        labels: in the order of their ids; a regression has none.
        max_seq_length: longest input in tokens.
        do_lower_case: True for an uncased model.
        batch_size: what --predict_batch_size is.
        truncation, window_stride, window_pooling, max_windows: what becomes of longer texts, see
            docs/long_texts.md.
        calibrated: use the calibration.json that belongs to the checkpoint, if there is one;
            of several models none is used.

    Attributes:
        checkpoint: the prefix of the checkpoint that was read; of several models the first.
        calibration: what is made of its probabilities; `temperature` 1, `threshold` None without
            such a file.
        labels: their position is their id; ["score"] of a regression.
        kind: classification, multi-label classification or regression.
        thresholds: of a multi-label model, from which probability on each label is given: those
            in the folder's thresholds.json; of others 0.5, of no account. May be set.
        max_seq_length: longest input in tokens.
        long_texts: what becomes of longer ones.
        trained_on: "single", "pairs" or "both" (texts); None if the folder does not tell.

    Raises:
        UserError: the folder cannot serve, with every reason, or an argument is wrong; so do all
            methods, for a text that is none and for one of the other kind than the training's.
    """

    def __init__(self, folder: str | os.PathLike[str], *, labels: Sequence[str] | None = None,
                 max_seq_length: int | None = None, do_lower_case: bool | None = None,
                 batch_size: int = 8, truncation: str | None = None,
                 window_stride: int | None = None, window_pooling: str | None = None,
                 max_windows: int | None = None, calibrated: bool = True):
        problems = arguments.type_problems(batch_size, max_seq_length, labels,
                                           do_lower_case=do_lower_case, calibrated=calibrated)
        path = arguments.path(folder)
        if problems:
            raise ArgumentError(problems)
        path, *others = members.of(path) or [path]
        given = model_folder.open_model(path, None, None, problems)
        if given is None:
            raise UserError(problems)
        beside = os.path.dirname(given.prefix)
        problems += checksums.problems(beside)
        self.checkpoint = given.prefix
        self.labels = trained_folder.names(given, labels, problems)
        if "output_weights" not in given.held:  # no run trained it: what else lacks is of no use
            raise UserError(problems)
        self.kind = TaskKind.of(self.labels)
        self.max_seq_length = trained_folder.max_seq_length(given, max_seq_length, problems)
        self.thresholds = trained_folder.thresholds_of(given, self.labels, problems)
        asked = {"truncation": truncation, "window_stride": window_stride,
                 "window_pooling": window_pooling, "max_windows": max_windows}
        self.long_texts = long_texts.of_folder(given.run, given.path(outputs.RUN_CONFIG), asked,
                                               self.max_seq_length, problems)
        self._tokenizer = trained_folder.tokenizer(given, do_lower_case, problems)
        with model_folder.collected(problems):
            used = calibrated and not others and not problems
            self.calibration = record.in_use([beside], given.prefix, record.reading(
                self.max_seq_length, self._tokenizer.do_lower_case, self.long_texts)
                ) if used else RAW
            self.trained_on = trained_folder.trained_on(beside)
        if problems:
            raise UserError(problems)
        self._bert_config, self._batch_size = given.config, batch_size
        self._lock = threading.Lock()  # the tokenizer keeps words, and the cores are shared anyway
        self._others: list[Predictor] = []
        self._read_weights(given)
        self._others = [Predictor(
            other, labels=labels, max_seq_length=max_seq_length, do_lower_case=do_lower_case,
            batch_size=batch_size, **asked) for other in others]

    def __getstate__(self) -> Any:
        """Refuses to pickle or copy: it holds TensorFlow's variables."""
        raise ArgumentError("a Predictor cannot be pickled or copied: make one of its folder "
                            "in each process, Predictor(folder)")

    def _read_weights(self, given: model_folder.Model) -> None:
        names = list(model.variable_shapes(given.config, len(self.labels)))
        with log.quiet():  # TensorFlow looks for devices here
            strategy = distribution.make_strategy(RunConfig())
        with strategy.scope():
            self._state = model.create(given.config, len(self.labels), 0,
                                       checkpoint.read(given.prefix, names), training=False,
                                       kind=self.kind)
        self._predictor = predictor.Predictor(self._state, given.config, strategy=strategy,
                                              pooling=self.long_texts.window_pooling)
        with traces.forgotten():
            answers = self.answers_of(as_rows(".", None))
        if not np.isfinite(answers).all():
            raise UserError(f"{given.prefix}: the model's first answer is not a number (NaN); the "
                            "checkpoint is damaged")

    @property
    def temperature(self) -> float:
        """By what the logits are divided for `predict_proba`."""
        return self.calibration.temperature

    @property
    def threshold(self) -> float | None:
        """The least confidence of a text that counts as answered, or None."""
        return self.calibration.threshold

    def predict(self, texts: Text | Iterable[Text], abstain: bool = False) -> Any:
        """Returns the label of each text, of a regression its score; of a single text just that.

        Of a multi-label model the list of its labels, those whose threshold is reached.

        Args:
            abstain: answer None where the confidence lies below the threshold.

        Raises:
            UserError: there is no threshold to abstain by.
        """
        self._check_abstain(abstain)
        answers = self.answers(texts)
        if self.kind is TaskKind.REGRESSION:
            found = [float(score) for score in answers[:, 0]]
        elif self.kind is TaskKind.MULTILABEL:
            found = [names_given(row, self.labels) for row in chosen(answers, self.thresholds)]
        else:
            found = [self.labels[top] for top in answers.argmax(1).tolist()]
        if abstain:
            found = [label if sure else None for label, sure in
                     zip(found, self.calibration.answered(answers), strict=True)]
        return found[0] if is_one(texts) else found

    def _check_abstain(self, abstain: Any) -> None:
        if not isinstance(abstain, (bool, np.bool_)):
            raise ArgumentError(f"abstain={shown(abstain)}: must be True or False; a threshold of "
                                f"your own stands in {outputs.CALIBRATION} (docs/confidence.md)")
        if not abstain or self.threshold is not None:
            return
        remedy = (f"it is a {self.kind.value} model, and those have none"
                  if self.kind is not TaskKind.CLASSIFICATION else
                  "--do_eval --min_precision=0.95 in its folder finds one")
        raise UserError(f"{self.checkpoint}: has no threshold to abstain by; {remedy}")

    def predict_proba(self, texts: Text | Iterable[Text]) -> np.ndarray:
        """Returns float32[N, L], the labels' probabilities; of a single text float32[L].

        They are calibrated where the checkpoint has a calibration.json, as in predictions.tsv.

        Raises:
            UserError: a regression has none.
        """
        if self.kind is TaskKind.REGRESSION:
            raise UserError(f"{self.checkpoint}: is a regression, which has scores (predict) and "
                            "no probabilities")
        answers = self.calibration.probabilities(self.answers(texts)).astype(np.float32)
        return answers[0] if is_one(texts) else answers

    def answers(self, texts: Text | Iterable[Text]) -> np.ndarray:
        """Returns float32[N, L], what --do_predict writes of these rows into test_results.tsv.

        The same rows in one call have the same bits as there. How many rows are computed at a time
        decides the last digit, as everywhere in floating point.

        Args:
            texts: N strings or pairs; a second text that is empty or None is none.
        """
        return self.answers_of(as_rows(texts, self.trained_on))

    def answers_of(self, rows: Sequence[Any]) -> np.ndarray:
        """Returns the same of examples, objects with text_a and text_b."""
        if not rows:
            return np.zeros((0, len(self.labels)), np.float32)
        own = self._own_answers(rows)
        return predictor.mean([own, *(one.answers_of(rows) for one in self._others)]
                              ) if self._others else own

    def _own_answers(self, rows: Sequence[Any]) -> np.ndarray:
        with self._lock:
            table = FeatureTable.from_blocks(blocks(
                rows, self.labels, self.max_seq_length, self._tokenizer, require_labels=False,
                long_texts=self.long_texts), label_type(self.labels))
            return self._predictor.predict(table, self._batch_size).probabilities

    def explain(self, texts: Text | Iterable[Text], label: str | None = None) -> Any:
        """Returns what each word of a text adds to its answer: see `explanation.Explanation`.

        Args:
            texts: as for `predict`.
            label: whose logit is explained; None: that of the label predicted.

        Raises:
            UserError: there is no such label; a text is read in several windows; several models
                answer.
        """
        if self._others:
            raise UserError("several models answer together; explain one of them: Predictor("
                            f"{os.path.dirname(self.checkpoint)!r}), for instance")
        from finetune.explanation import Explainer  # here: few callers explain

        if label is not None and label not in self.labels:
            raise UserError(arguments.no_such_label(label, self.labels))
        rows = as_rows(texts, self.trained_on)
        with self._lock, traces.forgotten():
            explainer = Explainer(self._state, self._bert_config, self._tokenizer, self.labels,
                                  self.max_seq_length, self.long_texts)
            found = list(explainer.explain([(row.text_a, row.text_b) for row in rows], label))
        return found[0] if is_one(texts) else found
