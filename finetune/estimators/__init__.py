"""The command in the manner of scikit-learn: fit, predict, score; works in cross_val_score.

    from finetune import Classifier

    model = Classifier("checkpoints/minilm", num_train_epochs=4).fit(texts, labels)
    model.predict(["It crashes when I save"])

Importing this imports scikit-learn and no TensorFlow; fitting does.
"""

from finetune.estimators.estimator import Classifier, InputError, Regressor

__all__ = ["Classifier", "InputError", "Regressor"]
