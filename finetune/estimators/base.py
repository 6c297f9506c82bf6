"""What Classifier and Regressor have in common: fit, predict, explain, save and load.

`fit` is `runner.run`, with the same settings and the same story, so the weights are the command's,
bit for bit; the answers are Predictor's.
"""

import contextlib
import dataclasses
import os
import shutil
import tempfile
import weakref
from collections.abc import Iterator
from typing import Any, ClassVar, TypeVar

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.utils.validation import check_is_fitted

from finetune import arguments, log, tensorflow_import
from finetune.config import RunConfig
from finetune.errors import ArgumentError, UserError
from finetune.estimators import parameters, rows
from finetune.estimators.parameters import errors_in_python
from finetune.estimators.rows import GivenRows
from finetune.stages import Stopwatch
from finetune.task_kind import TaskKind

_Self = TypeVar("_Self", bound="Estimator")


@arguments.checked
class Estimator(BaseEstimator):
    """What scikit-learn asks of an estimator; a kind of task adds what its answers are called.

    `_named(answers)` makes predictions of float32[N, L], `_classes(values, problems)` finds the
    labels of y, None where there are none.
    """

    _KIND: ClassVar[TaskKind]

    def __init__(self, init_checkpoint: str | os.PathLike[str] | None = "checkpoints/minilm", *,
                 output_dir: str | os.PathLike[str] | None = None, num_train_epochs: float = 3.0,
                 learning_rate: float = 5e-5, train_batch_size: int = 32,
                 max_seq_length: int = 128, seed: int = 42, verbose: bool = True, **flags: Any):
        self.verbose = verbose
        self.init_checkpoint = init_checkpoint
        for name, value in parameters.completed(
                {"output_dir": output_dir, "num_train_epochs": num_train_epochs,
                 "learning_rate": learning_rate, "train_batch_size": train_batch_size,
                 "max_seq_length": max_seq_length, "seed": seed, **flags}, _SIGNATURE).items():
            setattr(self, name, value)

    def fit(self: _Self, X: Any, y: Any, dev: tuple[Any, Any] | None = None) -> _Self:
        """Fine-tunes the checkpoint, anew each time.

        With an output_dir that holds what was broken off of the same rows and settings it goes on
        there, and ends with the same bits.

        Args:
            X: a list, an array or a column of texts; pairs are tuples of two, or two columns.
            y: a label (Regressor: a number) for each.
            dev: (texts, labels), scored at the end, and during training by eval_every_steps.

        Returns:
            The estimator.

        Raises:
            InputError: with everything that is wrong; it is a ValueError.
        """
        with errors_in_python(), self._log(), self._folder() as folder:
            problems: list[str] = []
            splits = rows.splits(X, y, dev, problems, self._KIND is TaskKind.REGRESSION)
            classes = None if problems else self._classes(splits["train"][1], problems)
            config = parameters.make_config(
                {**self.get_params(deep=False), "output_dir": folder}, do_train=True,
                do_eval=dev is not None, task_type=self._KIND.value)
            if lacking := parameters.lacking(config, dev):  # in words of fit, not of the command
                problems += lacking
                config = dataclasses.replace(config, do_eval=True)
            given = None
            if not problems:
                given = GivenRows(rows.names(classes), {
                    split: (texts, rows.names(values))
                    for split, (texts, values) in splits.items()})
            self._run(config, given, problems, rows.label_type(classes))
            self._read(config, classes)
        return self

    def predict(self, X: Any) -> np.ndarray:
        """Returns the label of each text, as it was given to fit; of a Regressor float32 scores."""
        return self._named(self._answers(X))

    def explain(self, X: Any, label: Any = None) -> Any:
        """Returns what each word adds to the answers: a list that a notebook shows in colours.

        Args:
            X: as for `fit`.
            label: whose logit is explained; None: that of each text's prediction.
        """
        from finetune.explanation.fragment import Explanations
        with errors_in_python():
            found = self._texts(X)
            return Explanations(self.predictor_.explain(
                found, None if label is None else str(label)))

    def save(self, folder: str | os.PathLike[str]) -> None:
        """Writes what `load` and the command need into a new folder, whole or not at all.

        That is a run's folder without the optimizer's state, a third of the size.
        """
        check_is_fitted(self, "predictor_")
        with errors_in_python():
            from finetune.sources import strip
            target = arguments.path(folder)
            if self._several:
                raise UserError(f"{self._several}: the answers are the mean of several models, "
                                "which one folder of a checkpoint cannot hold; copy that folder")
            strip.strip(self.predictor_.checkpoint, target)

    @classmethod
    def load(cls: type[_Self], folder: str | os.PathLike[str]) -> _Self:
        """Returns the model of a folder: one that `save` wrote, or any run's output_dir.

        Parameters are those of the training; output_dir is None, so that fitting it again leaves
        the folder as it is.
        """
        with errors_in_python():
            with log.quiet():
                tensorflow_import.load()
                from finetune import outputs
            folder = arguments.path(folder)
            run = outputs.read_object(os.path.join(folder, outputs.RUN_CONFIG)) or {}
            known = {name: value for name, value in run.items()
                     if name in parameters.NAMES and not name.endswith("output_dir")}
            made = cls(**known)
            made._read(parameters.make_config(
                {**made.get_params(deep=False), "output_dir": folder}))
        return made

    def __getstate__(self) -> dict[str, Any]:
        """Refuses to pickle or copy what is fitted: it holds TensorFlow's variables."""
        if hasattr(self, "predictor_"):
            name = type(self).__name__
            raise ArgumentError(f"a fitted {name} cannot be pickled or copied: save(folder) writes "
                                f"it, {name}.load(folder) or finetune.Predictor(folder) reads it, "
                                "in each process")
        return super().__getstate__()

    def __sklearn_tags__(self) -> Any:
        """Says that X is one of texts (scikit-learn 1.6 and later)."""
        tags = super().__sklearn_tags__()
        tags.input_tags.string, tags.input_tags.two_d_array = True, False
        return tags

    def _more_tags(self) -> dict[str, Any]:  # before 1.6
        return {"X_types": ["string"], "requires_y": True}

    @contextlib.contextmanager
    def _log(self) -> Iterator[None]:
        with log.showing(self.verbose):
            log.start()
            try:
                yield
            finally:
                log.stop()

    @contextlib.contextmanager
    def _folder(self) -> Iterator[Any]:
        """Gives output_dir, or a new folder that lives as long as the model that comes of it."""
        if self.output_dir is not None:
            yield self.output_dir
            return
        made = tempfile.mkdtemp(prefix="finetune-")
        delete = weakref.finalize(self, shutil.rmtree, made, ignore_errors=True)
        try:
            yield made
        except BaseException:
            delete()
            raise
        if hasattr(self, "_delete"):  # the folder of the fit before
            self._delete()
        self._delete = delete

    def _run(self, config: RunConfig, given: GivenRows | None, problems: list[str],
             label_type: str) -> None:
        with log.quiet():
            tensorflow_import.load()
            from finetune import runner
            from finetune.estimators import going_on
        if given:
            problems += going_on.problems(config, given.examples, type(self).__name__)
        command = f"{' '.join(repr(self).split())}.fit(X, y)"
        runner.run(config, given, command, problems, Stopwatch())
        going_on.note_label_type(config.output_dir, label_type)

    def _read(self, config: RunConfig, classes: np.ndarray | None = None) -> None:
        """Takes the model of output_dir."""
        with log.quiet():
            tensorflow_import.load()
            from finetune.estimators import going_on
            from finetune.members import folder as members
            from finetune.trained import Predictor
        folder = config.output_dir
        predictor = Predictor(folder, batch_size=config.predict_batch_size,
                              calibrated=config.use_calibration)
        if predictor.kind is not self._KIND:
            reader = {TaskKind.CLASSIFICATION: "Classifier.load",
                      TaskKind.REGRESSION: "Regressor.load"}.get(predictor.kind, "Predictor")
            raise UserError(f"{folder}: holds a model for {predictor.kind.value}, which "
                            f"{reader} reads")
        if self._KIND is TaskKind.CLASSIFICATION:
            self.classes_ = (rows.typed(predictor.labels, going_on.label_type(folder))
                             if classes is None else classes)
        self.predictor_, self._several = predictor, folder if members.of(folder) else None
        self.history_, self.dev_scores_ = going_on.losses(folder), going_on.scores(folder)

    def _texts(self, X: Any) -> list[rows.Text]:
        check_is_fitted(self, "predictor_")
        problems: list[str] = []
        found = rows.texts(X, "X", problems)
        if problems:
            raise UserError(problems)
        return found

    def _answers(self, X: Any) -> np.ndarray:
        with errors_in_python():
            texts = self._texts(X)
            return self.predictor_.answers(texts)


_SIGNATURE = parameters.signature(Estimator.__init__)
Estimator.__init__.__signature__ = _SIGNATURE
