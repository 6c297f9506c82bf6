"""The weights of a folder in the Hugging Face layout: one file or several, of either format.

    from finetune.sources import tensor_files
    weights = tensor_files.open_weights("downloaded/bert")
    weights.read("bert.pooler.dense.weight")                       # float32[out, in]

safetensors holds plain numbers; pytorch_model.bin is read by torch_file.py, which runs nothing
of it.
"""

import json
import os
from collections.abc import Mapping

import ml_dtypes  # noqa: F401  (numpy knows bfloat16 by name once it is imported)
import numpy as np

from finetune.errors import UserError
from finetune.sources.torch_file import TorchFile

INDEX = ".index.json"
# In the order in which transformers looks for them.
NAMES = ("model.safetensors", "model.safetensors" + INDEX,
         "pytorch_model.bin", "pytorch_model.bin" + INDEX)
_TYPES = {"F64": "float64", "F32": "float32", "F16": "float16", "BF16": "bfloat16"}
FLOATS = tuple(_TYPES.values())


class SafetensorsFile:
    """One model.safetensors; the same methods as TorchFile.

    Raises:
        UserError: it is damaged.
    """

    def __init__(self, path: str):
        import safetensors

        try:
            self._file = safetensors.safe_open(path, framework="np")
        except (OSError, safetensors.SafetensorError) as error:
            raise UserError(f"{path}: cannot be read as safetensors: {error}.") from error

    def names(self) -> list[str]:
        """Returns the names of all tensors in it."""
        return list(self._file.keys())

    def dtype(self, name: str) -> str:
        """Returns the type of a tensor's numbers, as numpy calls it."""
        kind = self._file.get_slice(name).get_dtype()
        return _TYPES.get(kind, kind.replace("I", "int").replace("U", "uint"))

    def read(self, name: str) -> np.ndarray:
        """Returns a tensor in its own type."""
        return self._file.get_tensor(name)


class Weights:
    """All tensors of a folder.

    Args:
        path: the file that was found, for messages.
        files: tensor name -> the file that holds it.
    """

    def __init__(self, path: str, files: Mapping[str, SafetensorsFile | TorchFile]):
        self.path, self._files = path, files
        self._converted: dict[str, int] = {}

    def names(self) -> list[str]:
        """Returns the names of all tensors."""
        return list(self._files)

    def read(self, name: str) -> np.ndarray:
        """Returns a tensor as float32.

        Raises:
            UserError: it holds other numbers than floating-point ones, or is damaged.
        """
        dtype = self._files[name].dtype(name)
        if dtype not in FLOATS:
            raise UserError(f"{self.path}: {name} holds {dtype}; floating-point numbers are "
                            "expected, not a quantised model.")
        if dtype != "float32":
            self._converted[dtype] = self._converted.get(dtype, 0) + 1
        return self._files[name].read(name).astype(np.float32)

    def notices(self) -> list[str]:
        """Returns what was done to numbers of another width than float32."""
        return [f"{count} tensors hold {dtype} numbers and were "
                + ("rounded to float32" if dtype == "float64" else
                   "widened to float32, which changes none of them")
                for dtype, count in self._converted.items()]


def find(folder: str) -> str | None:
    """Returns the path of the file or index that holds a folder's weights, or None."""
    paths = (os.path.join(folder, name) for name in NAMES)
    return next((path for path in paths if os.path.isfile(path)), None)


def open_weights(folder: str) -> Weights:
    """Opens the weights of a folder; the numbers are read when they are asked for.

    Raises:
        UserError: there are none, or a file is missing or damaged.
    """
    path = find(folder)
    if path is None:
        raise UserError(f"{folder}: holds no weights; one of {', '.join(NAMES)} is needed.")
    if not path.endswith(INDEX):
        file = _open(path)
        return Weights(path, dict.fromkeys(file.names(), file))
    return _open_shards(path, folder)


def _open(path: str) -> SafetensorsFile | TorchFile:
    return SafetensorsFile(path) if path.endswith(".safetensors") else TorchFile(path)


def _open_shards(path: str, folder: str) -> Weights:
    try:
        with open(path, encoding="utf-8") as file:
            places = json.load(file)["weight_map"]
        shards = sorted(set(places.values()))
        problems = [f"{path}: names the file {name!r}, which does not lie beside it."
                    for name in shards
                    if name != os.path.basename(name) or not os.path.isfile(
                        os.path.join(folder, name))]
    except (ValueError, RecursionError, KeyError, TypeError, AttributeError) as error:
        raise UserError(f"{path}: is no index of weights (weight_map: tensor -> file).") from error
    opened = {}
    for name in [] if problems else shards:
        try:
            opened[name] = _open(os.path.join(folder, name))
        except UserError as error:
            problems += error.problems
    for name, shard in [] if problems else places.items():
        if name not in opened[shard].names():
            problems.append(f"{os.path.join(folder, shard)}: lacks {name}, which "
                            f"{os.path.basename(path)} says is in it.")
    if problems:
        raise UserError(problems[:5])
    return Weights(path, {name: opened[shard] for name, shard in places.items()})
