"""Tensors out of pytorch_model.bin, without PyTorch and without running what the file says.

    from finetune.sources.torch_file import TorchFile
    file = TorchFile("downloaded/bert/pytorch_model.bin")
    file.read("bert.pooler.dense.weight")                          # numpy, [out, in]

torch.save (1.6 and later) writes a zip: data.pkl, a pickle that describes the tensors, and data/0,
data/1, ..., their numbers. A pickle is a program: it may call whatever can be imported. This reader
knows the few names that a dictionary of tensors is made of, stands in for them with functions of
its own that do nothing but note a description, and refuses a file that asks for anything else.
Nothing named in a file is ever imported.
"""

import collections
import io
import math
import pickle
import pickletools
import zipfile
from typing import Any, NamedTuple

import ml_dtypes
import numpy as np

from finetune.errors import UserError

# torch.<name> -> the numbers that such a storage holds.
STORAGES = {"FloatStorage": "float32", "DoubleStorage": "float64", "HalfStorage": "float16",
            "BFloat16Storage": "bfloat16", "LongStorage": "int64", "IntStorage": "int32",
            "ShortStorage": "int16", "CharStorage": "int8", "ByteStorage": "uint8",
            "BoolStorage": "bool"}
_MAX_PICKLE = 1 << 24  # bytes; that of BERT-Large has 60,000
_OLD_FORMAT = bytes.fromhex("80028a0a6cfc9c46f9206aa850192e")  # the magic number, pickled
# What unpickling raises for bytes that are no pickle, or one that calls things the wrong way.
_BROKEN = (pickle.UnpicklingError, EOFError, AttributeError, IndexError, KeyError, TypeError,
           ValueError, OverflowError, MemoryError, RecursionError)


# Named tuples, since a pickle can reset the fields of anything that has __dict__ or __setstate__,
# which dataclasses have: these have been checked and must stay as they are.
class _Storage(NamedTuple):
    """data/<key> in the zip: `count` numbers of a type."""

    dtype: str
    key: str
    count: int


class _Tensor(NamedTuple):
    """A view of a storage; offset and strides count numbers, not bytes."""

    storage: _Storage
    offset: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]


class _StandIn:
    """Takes the place of something of PyTorch's; has no attributes that a pickle could set."""

    __slots__ = ("_make",)

    def __init__(self, make: Any):
        object.__setattr__(self, "_make", make)

    def __setattr__(self, name: str, value: Any) -> None:
        raise pickle.UnpicklingError("it changes what it was given")

    def __call__(self, *arguments: Any) -> Any:
        return self._make(*arguments)


def _tensor(storage: Any, offset: Any, shape: Any, strides: Any, *_: Any) -> _Tensor:
    numbers = [offset, *shape, *strides]
    if not isinstance(storage, _Storage) or len(shape) != len(strides) or not all(
            type(number) is int and number >= 0 for number in numbers):
        raise pickle.UnpicklingError("a tensor is described in no known way")
    return _Tensor(storage, offset, tuple(shape), tuple(strides))


def _storage_type(dtype: str) -> _StandIn:
    def refuse(*_: Any) -> None:
        raise pickle.UnpicklingError("a storage stands where none belongs")

    refuse.dtype = dtype
    return _StandIn(refuse)


_KNOWN = {("collections", "OrderedDict"): collections.OrderedDict,
          ("torch._utils", "_rebuild_tensor_v2"): _StandIn(_tensor),
          ("torch._utils", "_rebuild_parameter"): _StandIn(lambda tensor, *_: tensor),
          **{("torch", name): _storage_type(dtype) for name, dtype in STORAGES.items()}}


class _Unpickler(pickle.Unpickler):
    def __init__(self, data: bytes, path: str):
        # The memo is an array that grows to the highest number used: ten bytes can ask for 30 GB.
        for opcode, argument, _ in pickletools.genops(data):
            if "PUT" in opcode.name and argument > len(data):
                raise pickle.UnpicklingError("it numbers more objects than it can hold")
        super().__init__(io.BytesIO(data))
        self._path = path

    def find_class(self, module: str, name: str) -> Any:
        """Returns the stand-in for a name that the pickle asks for; no module is imported."""
        if (module, name) in _KNOWN:
            return _KNOWN[module, name]
        raise UserError(
            f"{self._path}: asks for {module}.{name}, which tensors do not need: refused, and "
            "nothing of it was run. A file of weights alone, best a model.safetensors, is needed.")

    def persistent_load(self, pid: Any) -> _Storage:
        """Returns the storage that a tensor is a view of."""
        kind, storage, key, _, count = pid
        dtype = getattr(getattr(storage, "_make", None), "dtype", None)
        if kind != "storage" or dtype is None or type(key) is not str or (
                type(count) is not int or count < 0):
            raise pickle.UnpicklingError("a storage is described in no known way")
        return _Storage(dtype, key, count)


class TorchFile:
    """One pytorch_model.bin.

    Args:
        path: a file that torch.save of PyTorch 1.6 or later wrote from a dictionary of tensors.

    Raises:
        UserError: the file is damaged, of the older format, or asks for more than tensors.
    """

    def __init__(self, path: str):
        self._path = path
        try:
            self._archive = zipfile.ZipFile(path)
            self._entries = self._by_name()
            content = self._unpickle()
        except (zipfile.BadZipFile, RuntimeError) as error:  # RuntimeError: it is encrypted
            raise UserError(_no_zip(path, error)) from error
        except OSError as error:
            raise UserError(f"{path}: cannot be read: {error.strerror or error}.") from error
        pairs = dict.items(content) if isinstance(content, dict) else ()
        self._tensors = {name: value for name, value in pairs
                         if isinstance(name, str) and isinstance(value, _Tensor)}
        if not self._tensors:
            raise UserError(f"{path}: holds no dictionary of tensors (what "
                            "torch.save(model.state_dict(), ...) writes).")

    def names(self) -> list[str]:
        """Returns the names of all tensors in it."""
        return list(self._tensors)

    def dtype(self, name: str) -> str:
        """Returns the type of a tensor's numbers, as numpy calls it ("bfloat16" too)."""
        return self._tensors[name].storage.dtype

    def read(self, name: str) -> np.ndarray:
        """Returns a tensor in its own type; transposed and cut ones come out as they are meant.

        Raises:
            UserError: its numbers are not there, too few, or damaged.
        """
        tensor = self._tensors[name]
        storage = tensor.storage
        dtype = np.dtype(ml_dtypes.bfloat16 if storage.dtype == "bfloat16" else storage.dtype)
        where = f"{self._path}: {name}"
        entry = self._entries.get(f"data/{storage.key}")
        if entry is None:
            raise UserError(f"{where}: its numbers (data/{storage.key}) are missing.")
        if entry.file_size != storage.count * dtype.itemsize:
            raise UserError(f"{where}: data/{storage.key} has {entry.file_size} bytes; "
                            f"{storage.count} numbers of {dtype} were announced.")
        last = tensor.offset + sum((size - 1) * stride for size, stride
                                   in zip(tensor.shape, tensor.strides, strict=True))
        size = math.prod(tensor.shape)
        if size and (last >= storage.count or size > storage.count):
            raise UserError(f"{where}: reaches beyond its {storage.count} numbers.")
        try:
            content = self._archive.read(entry)
            if len(content) != entry.file_size:  # as_strided would read on, beyond its memory
                raise ValueError(f"data/{storage.key} ends after {len(content)} bytes")
            numbers = np.frombuffer(content, dtype)
            return np.lib.stride_tricks.as_strided(
                numbers[tensor.offset:], tensor.shape,
                [stride * dtype.itemsize * (size > 1) for size, stride
                 in zip(tensor.shape, tensor.strides, strict=True)]).copy()
        except (zipfile.BadZipFile, EOFError, OSError, RuntimeError, ValueError,
                OverflowError) as error:
            raise UserError(f"{where}: is damaged: {error}.") from error

    def _by_name(self) -> dict[str, zipfile.ZipInfo]:
        """The entries without the folder that they all lie in, named as the file once was."""
        entries = {entry.filename.partition("/")[2]: entry for entry in self._archive.infolist()}
        if "data.pkl" not in entries:
            raise zipfile.BadZipFile("there is no data.pkl in it")
        if "constants.pkl" in entries or any(name.startswith("code/") for name in entries):
            raise UserError(f"{self._path}: is a TorchScript program, not a file of weights.")
        if any(entry.compress_type != zipfile.ZIP_STORED for entry in entries.values()):
            raise zipfile.BadZipFile("its entries are compressed, which PyTorch never does")
        if "byteorder" in entries and self._archive.read(entries["byteorder"]) != b"little":
            raise UserError(f"{self._path}: was written on a big-endian machine; only "
                            "little-endian numbers are read.")
        return entries

    def _unpickle(self) -> Any:
        entry = self._entries["data.pkl"]
        if entry.file_size > _MAX_PICKLE:
            raise UserError(f"{self._path}: its data.pkl has {entry.file_size:,} bytes; a "
                            "description of tensors has far fewer.")
        try:
            return _Unpickler(self._archive.read(entry), self._path).load()
        except UserError:
            raise
        except _BROKEN as error:
            raise UserError(f"{self._path}: its data.pkl is no description of tensors: {error}."
                            ) from error


def _no_zip(path: str, error: Exception) -> str:
    with open(path, "rb") as file:
        begins = file.read(20)
    if begins.startswith(_OLD_FORMAT):
        return (f"{path}: is in PyTorch's format from before version 1.6, which is not read here. "
                "With PyTorch at hand this writes it anew: python -c \"import torch; "
                "torch.save(torch.load('old.bin', weights_only=True), 'pytorch_model.bin')\"")
    if begins.startswith(b"version https://"):
        return f"{path}: is a Git LFS pointer, not the file itself: run git lfs pull."
    return f"{path}: is no whole file of torch.save ({error}); it begins with {begins!r}."
