"""A classifier whose temperature is known, calibrated once by the command."""

import contextlib
import io

import numpy as np
import pytest

import run_classifier_custom
from tests.conftest import WORDS
from tests.use.conftest import LABELS, make_trained

TEMPERATURE, ROWS = 3.0, 400
FLAGS = ["--max_seq_length=16", "--do_eval", "--do_predict", "--calibrate", "--min_precision=0.8"]


@pytest.fixture(scope="session")
def rows(tiny, tmp_path_factory):
    """(data_dir, texts, folder): dev's labels are drawn from the folder's softmax(logits / 3)."""
    from finetune import Predictor

    folder = make_trained(tmp_path_factory.mktemp("confidence") / "model", tiny, LABELS)
    random = np.random.default_rng(8)
    texts = [" ".join(random.choice(WORDS, random.integers(1, 12))) for _ in range(ROWS)]
    likely = Predictor(str(folder)).answers(texts).astype(float) ** (1 / TEMPERATURE)
    likely /= likely.sum(1, keepdims=True)
    truth = (likely.cumsum(1) < random.random((ROWS, 1))).sum(1)
    data = tmp_path_factory.mktemp("rows")
    for name in ("dev", "test"):
        (data / f"{name}.tsv").write_text("id\ttext\tlabel\n" + "".join(
            f"r{place}\t{text}\t{LABELS[label]}\n"
            for place, (text, label) in enumerate(zip(texts, truth, strict=True))))
    return data, texts, folder


@pytest.fixture(scope="session")
def calibrated(rows):
    """(folder, what was said) after --calibrate --min_precision=0.8 and a prediction in it."""
    data, _, folder = rows
    said = io.StringIO()
    with contextlib.redirect_stderr(said):
        assert run_classifier_custom.main([
            *FLAGS, f"--data_dir={data}", f"--output_dir={folder}"]) == 0, said.getvalue()
    return folder, said.getvalue()
