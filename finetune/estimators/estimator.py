"""Classifier and Regressor: a run of the command, on rows that a program holds.

    from finetune import Classifier

    model = Classifier("checkpoints/minilm", num_train_epochs=4).fit(texts, labels)
    model.predict(["It crashes when I save"])
"""

from typing import Any

import numpy as np
from sklearn.base import ClassifierMixin, RegressorMixin
from sklearn.utils.multiclass import type_of_target
from sklearn.utils.validation import check_is_fitted

from finetune import arguments
from finetune.estimators import rows
from finetune.estimators.base import Estimator
from finetune.estimators.parameters import errors_in_python
from finetune.task_kind import TaskKind


@arguments.checked
class Classifier(ClassifierMixin, Estimator):
    """A BERT classifier that scikit-learn can use.

    Args:
        init_checkpoint: the checkpoint to start from: its folder or its prefix.
        output_dir: for everything that fit writes; None: a temporary folder, deleted with the
            object.
        num_train_epochs, learning_rate, train_batch_size, max_seq_length, seed: the command's.
        verbose: False: fit shows warnings alone.
        flags: any other flag of the command by its name, but for those that say where rows come
            from and what is done with them. docs/flags.md tells what each does.

    Attributes:
        classes_: the labels of y, sorted, in y's own type.
        predictor_: the trained model, a `finetune.Predictor`.
        history_: step -> loss and learning rate, as lists.
        dev_scores_: the scores of dev by name; {} without dev.
    """

    _KIND = TaskKind.CLASSIFICATION

    def predict_proba(self, X: Any) -> np.ndarray:
        """Returns float32[N, L], the probabilities in the order of classes_."""
        with errors_in_python():
            texts = self._texts(X)
            return self.predictor_.predict_proba(texts)

    def score(self, X: Any, y: Any, sample_weight: Any = None) -> float:
        """Returns the accuracy.

        Raises:
            InputError: y has a label that the model does not know, or does not suit X.
        """
        check_is_fitted(self, "predictor_")
        with errors_in_python():
            texts, values = rows.to_score(X, y, self.classes_)
        return super().score(texts, values, sample_weight)

    def _named(self, answers: np.ndarray) -> np.ndarray:
        return self.classes_[answers.argmax(1)]

    def _classes(self, values: np.ndarray, problems: list[str]) -> np.ndarray | None:
        """Returns the labels, sorted; the command's order for strings and for whole numbers."""
        try:
            kind = type_of_target(values) if len(values) else "multiclass"
            if kind == "continuous":
                problems.append("y: holds numbers that are no classes; Regressor learns numbers")
            return np.unique(values)
        except (TypeError, ValueError):
            kinds = sorted({type(value).__name__ for value in values.tolist()})
            problems.append(f"y: labels of one type are needed, str, int or bool; here "
                            f"{', '.join(kinds)}")
        return None


@arguments.checked
class Regressor(RegressorMixin, Estimator):
    """A BERT regression that scikit-learn can use: answers are numbers, score is R2.

    Parameters and attributes are those of Classifier; there are no classes_.
    """

    _KIND = TaskKind.REGRESSION

    def score(self, X: Any, y: Any, sample_weight: Any = None) -> float:
        """Returns R2.

        Raises:
            InputError: y has what is no number, or does not suit X.
        """
        check_is_fitted(self, "predictor_")
        with errors_in_python():
            texts, values = rows.to_score(X, y, None)
        return super().score(texts, values, sample_weight)

    def _named(self, answers: np.ndarray) -> np.ndarray:
        return answers[:, 0]

    def _classes(self, values: np.ndarray, problems: list[str]) -> None:
        """Returns no classes."""
