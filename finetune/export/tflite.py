"""model.tflite: for TensorFlow Lite, today LiteRT, on telephones and small machines.

    runner = tf.lite.Interpreter("output/run/export/model.tflite").get_signature_runner()
    runner(input_ids=..., input_mask=..., segment_ids=...)

Batch and length are dynamic, numbers float32, and all operations TensorFlow Lite's own.
"""

import os
import warnings
from collections.abc import Iterator, Sequence

import numpy as np
import tensorflow as tf

from finetune import log
from finetune.errors import UserError
from finetune.export.classifier import Classifier
from finetune.export.formats import FORMATS
from finetune.export.serving import Serving

_LIMIT = 2 ** 31  # bytes that a flatbuffer's offsets can reach


def write(classifier: Classifier, folder: str) -> None:
    """Writes model.tflite into a folder.

    Raises:
        UserError: the model is too large for the format.
    """
    if sum(value.nbytes for value in classifier.weights.values()) >= _LIMIT:
        raise UserError("--export_formats: tflite files end at 2 GiB, and the model is larger; "
                        "leave tflite out")
    serving = Serving(classifier)
    converter = tf.lite.TFLiteConverter.from_concrete_functions(
        [serving.serve.get_concrete_function()], serving)
    with log.quiet():
        content = converter.convert()
    with open(os.path.join(folder, FORMATS["tflite"]), "wb") as file:
        file.write(content)


def answers(classifier: Classifier, folder: str,
            batches: Sequence[dict[str, np.ndarray]]) -> Iterator[np.ndarray]:
    """Yields what TensorFlow Lite's interpreter makes of the file, for each batch of inputs."""
    with log.quiet(), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the interpreter has moved to a package of its own
        interpreter = tf.lite.Interpreter(os.path.join(folder, FORMATS["tflite"]))
        runner = interpreter.get_signature_runner()
        found = [runner(**batch)[classifier.answer] for batch in batches]
    yield from found
