"""finetune/sources/tensor_files.py: which files hold the weights, and what their numbers become."""

import json

import ml_dtypes
import numpy as np
import pytest
import safetensors.numpy

from finetune.errors import UserError
from finetune.sources import tensor_files

ONE = {"a": np.arange(6, dtype=np.float32).reshape(2, 3)}
TWO = {"b": np.ones(2, np.float16), "c": np.ones(2, ml_dtypes.bfloat16)}
INDEX = "model.safetensors.index.json"


@pytest.fixture
def shards(tmp_path):
    """Writes two shards and their index: changes to the index's weight_map -> folder."""
    def write(**changes):
        safetensors.numpy.save_file(ONE, tmp_path / "model-1.safetensors")
        safetensors.numpy.save_file(TWO, tmp_path / "model-2.safetensors")
        places = {"a": "model-1.safetensors", "b": "model-2.safetensors",
                  "c": "model-2.safetensors", **changes}
        (tmp_path / INDEX).write_text(json.dumps({"weight_map": places}))
        return str(tmp_path)
    return write


def problems(folder):
    with pytest.raises(UserError) as caught:
        tensor_files.open_weights(folder)
    return caught.value.problems


def test_shards_are_read_as_one(shards):
    weights = tensor_files.open_weights(shards())
    assert set(weights.names()) == {"a", "b", "c"}
    for name, value in {**ONE, **TWO}.items():
        assert weights.read(name).dtype == np.float32
        np.testing.assert_array_equal(weights.read(name), value.astype(np.float32))


def test_widened_numbers_are_told_once_read(shards):
    weights = tensor_files.open_weights(shards())
    weights.read("a")
    assert weights.notices() == []
    weights.read("b"), weights.read("c")
    assert weights.notices() == [f"1 tensors hold {dtype} numbers and were widened to float32, "
                                 "which changes none of them" for dtype in ("float16", "bfloat16")]


@pytest.mark.parametrize(("changes", "expected"), [
    ({"c": "model-3.safetensors"}, "names the file 'model-3.safetensors', which does not lie"),
    ({"c": "./model-2.safetensors"}, "names the file './model-2.safetensors'"),
    ({"c": "model-1.safetensors"}, "model-1.safetensors: lacks c, which model.safetensors.index"),
    ({"c": 3}, "is no index of weights")])
def test_an_index_that_does_not_suit(shards, changes, expected):
    problem, = problems(shards(**changes))
    assert expected in problem


def test_a_damaged_shard_and_an_index_that_is_none(shards, tmp_path):
    folder = shards()
    (tmp_path / "model-2.safetensors").write_bytes(b"x")
    assert "model-2.safetensors: cannot be read as safetensors" in problems(folder)[0]
    for text in ("{", "[]", "{}", '{"weight_map": []}'):
        (tmp_path / INDEX).write_text(text)
        assert "is no index of weights" in problems(folder)[0]


def test_one_file_comes_before_shards_and_safetensors_before_pytorch(shards, tmp_path):
    folder = shards()
    (tmp_path / "pytorch_model.bin").write_bytes(b"")
    assert tensor_files.find(folder).endswith(INDEX)
    safetensors.numpy.save_file(ONE, tmp_path / "model.safetensors")
    assert tensor_files.open_weights(folder).names() == ["a"]


def test_no_weights(tmp_path):
    assert tensor_files.find(str(tmp_path)) is None
    assert problems(str(tmp_path))[0].startswith(f"{tmp_path}: holds no weights; one of model.")


@pytest.mark.parametrize("dtype", [np.int8, np.uint8, np.int64, np.bool_])
def test_numbers_of_another_kind_are_refused(dtype, tmp_path):
    safetensors.numpy.save_file({"a": np.zeros(2, dtype)}, tmp_path / "model.safetensors")
    with pytest.raises(UserError, match="a holds .*; floating-point numbers are expected"):
        tensor_files.open_weights(str(tmp_path)).read("a")
