"""huggingface/: a folder that transformers loads, by what converts whole checkpoints.

    AutoModelForSequenceClassification.from_pretrained("output/run/export/huggingface")
"""

import dataclasses
import os
from collections.abc import Iterator, Sequence

import numpy as np

from finetune import outputs
from finetune.bert_config import BertConfig
from finetune.export.classifier import INPUTS, Classifier
from finetune.export.formats import FORMATS
from finetune.export.serving import Serving
from finetune.long_texts import described
from finetune.sources import huggingface, tensor_files, to_huggingface


def write(classifier: Classifier, folder: str) -> None:
    """Writes huggingface/ into a folder.

    Raises:
        UserError: transformers could not use the vocabulary.
    """
    made = os.path.join(folder, FORMATS["huggingface"])
    os.mkdir(made)
    labels = None if classifier.is_regression else classifier.labels
    to_huggingface.write(made, classifier.weights, classifier.bert_config, labels or ["LABEL_0"],
                         classifier.vocabulary, classifier.do_lower_case,
                         {"global_step": classifier.step,
                          "max_seq_length": classifier.max_seq_length,
                          **described(classifier.long_texts)})


def answers(classifier: Classifier, folder: str,
            batches: Sequence[dict[str, np.ndarray]]) -> Iterator[np.ndarray]:
    """Yields what our encoder makes of the files' tensors and config.json, for each batch."""
    made = os.path.join(folder, FORMATS["huggingface"])
    theirs = outputs.read_json(os.path.join(made, "config.json"))
    config = BertConfig.from_dict(huggingface.tf1_config(theirs), "config.json")
    held = tensor_files.open_weights(made)
    head, _ = huggingface.read_head(held, config.hidden_size, theirs)
    serving = Serving(dataclasses.replace(
        classifier, bert_config=config, weights={**huggingface.read_encoder(held, config), **head}))
    for batch in batches:
        yield serving.serve(*(batch[name] for name in INPUTS))[classifier.answer].numpy()
