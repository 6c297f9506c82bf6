"""saved_model/: for TensorFlow Serving, and for tf.saved_model.load without any code of ours.

    model = tf.saved_model.load("output/run/export/saved_model")
    model.signatures["serving_default"](input_ids=..., input_mask=..., segment_ids=...)
    model.vocabulary.asset_path, model.labels.asset_path
"""

import os
import tempfile
from collections.abc import Iterator, Sequence

import numpy as np
import tensorflow as tf

from finetune import outputs
from finetune.export.classifier import Classifier
from finetune.export.formats import FORMATS
from finetune.export.serving import Serving

SIGNATURE = tf.saved_model.DEFAULT_SERVING_SIGNATURE_DEF_KEY


def write(classifier: Classifier, folder: str) -> None:
    """Writes saved_model/ into a folder, with vocab.txt and labels.txt among its assets."""
    serving = Serving(classifier)
    with tempfile.TemporaryDirectory() as assets:
        serving.vocabulary = _asset(assets, outputs.VOCABULARY, classifier.vocabulary)
        if not classifier.is_regression:
            serving.labels = _asset(assets, outputs.LABELS, classifier.labels_text().encode())
        tf.saved_model.save(serving, os.path.join(folder, FORMATS["saved_model"]),
                            signatures={SIGNATURE: serving.serve})


def _asset(folder: str, name: str, content: bytes) -> tf.saved_model.Asset:
    path = os.path.join(folder, name)
    with open(path, "wb") as file:
        file.write(content)
    return tf.saved_model.Asset(path)


def answers(classifier: Classifier, folder: str,
            batches: Sequence[dict[str, np.ndarray]]) -> Iterator[np.ndarray]:
    """Yields what TensorFlow's own loader makes of the files, for each batch of inputs."""
    loaded = tf.saved_model.load(os.path.join(folder, FORMATS["saved_model"]))
    for batch in batches:
        inputs = {name: tf.constant(value) for name, value in batch.items()}
        yield loaded.signatures[SIGNATURE](**inputs)[classifier.answer].numpy()
