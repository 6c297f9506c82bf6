"""Small classifiers with random weights, to be exported."""

import numpy as np
import pytest

from finetune import model
from finetune.bert_config import BertConfig
from finetune.export import facts
from finetune.export.classifier import Classifier
from finetune.task_kind import SCORE
from tests.conftest import TINY, vocabulary

WORDS = vocabulary(cased=False)


@pytest.fixture(scope="session")
def make_classifier():
    """Makes a Classifier; its weights are so large that its answers differ from row to row."""
    def make(labels=("bug", "feature", "question"), **sizes):
        config = BertConfig.from_dict({**TINY, "vocab_size": len(WORDS), **sizes}, "tiny")
        random = np.random.default_rng(4)
        weights = {
            name: (random.standard_normal(shape) * 0.4 + name.endswith("gamma")).astype(np.float32)
            for name, shape in model.variable_shapes(config, len(labels)).items()}
        return Classifier(weights, config, list(labels), ("\n".join(WORDS) + "\n").encode(), True,
                          24, 7)
    return make


CLASSIFIERS = {"gelu": {}, "gelu_erf": {"hidden_act": "gelu_erf", "num_hidden_layers": 1},
               "regression": {"labels": (SCORE,), "num_hidden_layers": 1}}


@pytest.fixture(scope="session", params=CLASSIFIERS)
def exported(request, make_classifier, tmp_path_factory):
    """(classifier, folder of its export in all formats)."""
    pytest.importorskip("onnxruntime", reason="onnxruntime is not installed: scripts/setup.sh "
                        "--export")
    from finetune.export import exporter, formats

    classifier = make_classifier(**CLASSIFIERS[request.param])
    folder = tmp_path_factory.mktemp("exported") / "export"
    exporter.export(str(folder), classifier, tuple(formats.FORMATS), nothing_known(folder))
    return classifier, folder


def nothing_known(folder):
    """Facts of a folder in which no run has written."""
    return facts.Facts("a name", None, {}, None, False, {}, dict.fromkeys(
        ("train", "dev"), facts.Split()), None, None, None, None)
