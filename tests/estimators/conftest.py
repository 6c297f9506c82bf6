"""Models that are fitted once, on a tiny checkpoint."""

import pytest

from tests.conftest import TEXTS

ROWS = [(text, label) for row in zip(*TEXTS.values(), strict=True)
        for text, label in zip(row, TEXTS, strict=True)]
X, Y = [text for text, _ in ROWS], [label for _, label in ROWS]
SMALL = {"max_seq_length": 16, "train_batch_size": 5, "learning_rate": 1e-3,
         "num_train_epochs": 2.0}


@pytest.fixture(scope="session")
def fitted(tiny):
    """A Classifier without an output_dir; tests do not fit it again."""
    from finetune import Classifier

    return Classifier(tiny, **SMALL, verbose=False).fit(X, Y, dev=(X, Y))
