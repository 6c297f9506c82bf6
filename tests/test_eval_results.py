"""What is read of eval_results.txt is what was written there."""

import numpy as np
import pytest

from finetune import eval_results
from finetune.errors import UserError


def test_what_is_written_is_read(tmp_path):
    path = str(tmp_path / "eval_results.txt")
    assert eval_results.read(path) is None and eval_results.numbers(path) == {}
    eval_results.write(str(tmp_path), {"eval_loss": np.float32(0.1)}, 7, {"mcc": float("nan")},
                       [{"f1": 0.25}, {"f1": 1 / 3}], ["a = b", "x[y] ="])
    eval_results.add(str(tmp_path), {"temperature": 3e-05})
    assert eval_results.read(path) == {
        "eval_loss": "0.1", "global_step": "7", "mcc": "nan", "f1[a = b]": "0.25",
        "f1[x[y] =]": "0.3333333", "temperature": "3e-05"}
    told = eval_results.numbers(path)
    assert list(told) == ["eval_loss", "global_step", "mcc", "temperature"]  # of the whole split
    assert (told["eval_loss"], told["temperature"]) == (0.1, 3e-05) and np.isnan(told["mcc"])
    assert eval_results.numbers(path, by_label=True)["f1[a = b]"] == 0.25


def test_what_is_no_number_any_more(tmp_path):
    path = tmp_path / "eval_results.txt"
    path.write_text("loss = 0.5\nmcc = good\n")
    with pytest.raises(UserError, match="mcc is 'good' and no number any more"):
        eval_results.numbers(str(path))
