"""fit is the command: the same bits of weights and answers on the same rows, flags and seed."""

import json

import numpy as np
import pytest

from finetune import Classifier, Regressor
from tests.end_to_end.conftest import tensors
from tests.estimators.conftest import SMALL, X, Y

PAIRS = [(text, other) for text, other in zip(X, X[3:] + X[:3], strict=True)]
FLAGS = [f"--{name}={value}" for name, value in SMALL.items()]


def write(path, texts, labels):
    rows = [{"text": text if isinstance(text, str) else text[0], "label": label,
             **({} if isinstance(text, str) else {"b": text[1]})}
            for text, label in zip(texts, labels, strict=True)]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))


@pytest.mark.parametrize(("texts", "labels", "made", "flags"), [
    (X, [len(label) * 10 for label in Y], Classifier, {"seed": 7, "warmup_proportion": 0.5}),
    (PAIRS, Y, Classifier, {"eval_every_steps": 2, "gradient_accumulation_steps": 2}),
    (X, np.linspace(-1, 3, 15), Regressor, {"eval_every_steps": 3})],
    ids=["numbers as labels", "pairs, best of dev", "regression"])
def test_the_bits_of_the_command(texts, labels, made, flags, tiny, main, tmp_path):
    listed = np.asarray(labels).tolist()
    for name in ("train", "dev", "test"):
        write(tmp_path / f"{name}.jsonl", texts, listed)
    status, said = main(
        f"--data_dir={tmp_path}", f"--init_checkpoint={tiny}", *FLAGS, "--do_train", "--do_eval",
        "--do_predict", f"--output_dir={tmp_path / 'out'}", "--text_column=text",
        *(["--text_b_column=b"] if texts is PAIRS else []),
        *(["--task_type=regression"] if made is Regressor else []),
        *(f"--{name}={value}" for name, value in flags.items()))
    assert status == 0, said
    model = made(tiny, output_dir=tmp_path / "fit", **SMALL, **flags)
    model.fit(texts, labels, dev=(texts, labels))
    assert tensors(tmp_path / "fit") == tensors(tmp_path / "out")
    written = [[np.float32(cell) for cell in line.split("\t")] for line in
               (tmp_path / "out" / "test_results.tsv").read_text().splitlines()]
    answers = model.predict_proba(texts) if made is Classifier else model.predict(texts)[:, None]
    np.testing.assert_array_equal(answers, np.array(written, np.float32))
    assert (tmp_path / "fit" / "eval_results.txt").read_text() == (
        tmp_path / "out" / "eval_results.txt").read_text()
    assert float(f"{model.dev_scores_['eval_loss']:.6f}") > 0
