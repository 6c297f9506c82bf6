"""finetune/sources/torch_file.py: what torch.save writes is read, and nothing in it is run.

PyTorch is not at hand here: the files are made byte by byte as torch.save makes them, and
tests/huggingface/test_with_transformers.py reads real ones.
"""

import io
import os
import pickle
import sys
import zipfile

import ml_dtypes
import numpy as np
import pytest

from finetune.errors import UserError
from finetune.sources.torch_file import TorchFile


class Storage:
    def __init__(self, kind, key, count):
        self.pid = ("storage", Global("torch", kind), key, "cpu", count)


class Global:
    """Pickled as a name to be imported, whether or not there is such a thing."""

    def __init__(self, module, name):
        self.module, self.name = module, name


class Call:
    """Pickled as a call of a name."""

    def __init__(self, module, name, *arguments, state=None):
        self.call = Global(module, name), arguments
        self.state = state

    def __reduce__(self):
        return (*self.call, self.state) if self.state is not None else self.call


class Pickler(pickle._Pickler):  # the one in Python, which can write names of what is not there
    def persistent_id(self, value):
        return value.pid if isinstance(value, Storage) else None

    def save_global_name(self, value):
        self.write(b"c" + f"{value.module}\n{value.name}\n".encode())

    dispatch = {**pickle._Pickler.dispatch, Global: save_global_name}

    def save_reduce(self, func, args, state=None, *rest, obj=None, **more):
        self.save(func)
        self.save(args)
        self.write(pickle.REDUCE)
        if state is not None:
            self.save(state)
            self.write(pickle.BUILD)


def tensor(kind, key, count, offset, shape, strides):
    return Call("torch._utils", "_rebuild_tensor_v2", Storage(kind, key, count), offset, shape,
                strides, False, Call("collections", "OrderedDict"))


def pickled(value):
    stream = io.BytesIO()
    Pickler(stream, 2).dump(value)
    return stream.getvalue()


@pytest.fixture
def write(tmp_path):
    """Writes a zip as torch.save does: a pickle, and data/<key> for each array."""
    def call(content, arrays=(), byteorder=b"little", compression=zipfile.ZIP_STORED, **more):
        path = tmp_path / "pytorch_model.bin"
        with zipfile.ZipFile(path, "w", compression) as archive:
            archive.writestr("archive/data.pkl",
                             content if isinstance(content, bytes) else pickled(content))
            archive.writestr("archive/byteorder", byteorder)
            for key, array in enumerate(arrays):
                archive.writestr(f"archive/data/{key}", array.tobytes())
            for name, data in more.items():
                archive.writestr("archive/" + name.replace("__", "."), data)
        return str(path)
    return call


@pytest.fixture
def refused():
    def call(path, read=None):
        with pytest.raises(UserError) as caught:
            file = TorchFile(path)
            file.read(read or file.names()[0])
        return str(caught.value)
    return call


NUMBERS = np.arange(12, dtype=np.float32)
ONE = tensor("FloatStorage", "0", 12, 0, (12,), (1,))


@pytest.mark.parametrize(("kind", "dtype"), [
    ("FloatStorage", np.float32), ("HalfStorage", np.float16), ("DoubleStorage", np.float64),
    ("BFloat16Storage", ml_dtypes.bfloat16), ("LongStorage", np.int64), ("BoolStorage", np.bool_)])
def test_tensors_of_each_type(kind, dtype, write):
    file = TorchFile(write({"a.weight": tensor(kind, "0", 12, 0, (3, 4), (4, 1))},
                           [NUMBERS.astype(dtype)]))
    assert file.names() == ["a.weight"]
    assert file.dtype("a.weight") == np.dtype(dtype).name
    value = file.read("a.weight")
    assert value.dtype == dtype
    np.testing.assert_array_equal(value, NUMBERS.astype(dtype).reshape(3, 4))


def test_views_come_out_as_they_are_meant(write):
    matrix = NUMBERS.reshape(3, 4)
    views = {"transposed": (0, (4, 3), (1, 4), matrix.T),
             "cut": (5, (2, 3), (4, 1), matrix[1:, 1:]),
             "every second": (1, (6,), (2,), NUMBERS[1::2]), "number": (7, (), (), NUMBERS[7]),
             "none": (12, (0, 3), (3, 1), np.zeros([0, 3])),
             "row": (4, (1, 4), (2**62, 1), matrix[1:2])}  # a stride nobody steps along
    file = TorchFile(write({name: tensor("FloatStorage", "0", 12, *view[:3])
                            for name, view in views.items()}, [NUMBERS]))
    for name, view in views.items():
        np.testing.assert_array_equal(file.read(name), view[3], err_msg=name)


def test_parameters_ordered_dictionaries_and_their_metadata(write):
    content = Call("collections", "OrderedDict", [("w", Call(
        "torch._utils", "_rebuild_parameter", ONE, True, Call("collections", "OrderedDict")))],
        state={"_metadata": Call("collections", "OrderedDict"), "items": 3})
    np.testing.assert_array_equal(TorchFile(write(content, [NUMBERS])).read("w"), NUMBERS)


def test_what_is_no_tensor_is_left_alone(write):
    assert TorchFile(write({"step": 3, "w": ONE, "list": [ONE]}, [NUMBERS])).names() == ["w"]


# ---- what would run something


@pytest.mark.parametrize(("module", "name"), [
    ("os", "system"), ("posix", "system"), ("builtins", "eval"), ("builtins", "getattr"),
    ("subprocess", "Popen"), ("torch", "load"), ("collections", "OrderedDict.fromkeys"),
    ("collections", "namedtuple"), ("torch._utils", "_rebuild_tensor"), ("numpy", "frombuffer"),
    ("finetune.errors", "UserError"), ("a_module_of_the_attacker", "anything")])
def test_any_other_name_is_refused(module, name, write, refused):
    message = refused(write({"w": ONE, "x": Call(module, name, "true")}, [NUMBERS]))
    assert f"asks for {module}.{name}, which tensors do not need: refused" in message


@pytest.mark.parametrize("protocol", [0, 1, 2, 3, 4, 5])
def test_nothing_is_executed(protocol, write, refused, tmp_path):
    class Attack:
        def __reduce__(self):
            return os.mkdir, (str(tmp_path / "executed"),)

    attack = pickle.dumps({"w": Attack()}, protocol)
    assert f"asks for {os.mkdir.__module__}.mkdir" in refused(write(attack)) or (
        "__builtin__" in refused(write(attack)))
    assert not (tmp_path / "executed").exists()
    pickle.loads(attack)  # the same bytes do it where nobody looks
    assert (tmp_path / "executed").exists()


def test_nothing_is_imported(write, refused, tmp_path, monkeypatch):
    (tmp_path / "trap_for_imports.py").write_text("raise SystemExit('imported')")
    monkeypatch.syspath_prepend(str(tmp_path))
    refused(write({"w": Call("trap_for_imports", "x")}))
    assert "trap_for_imports" not in sys.modules


@pytest.mark.parametrize("state", [{"offset": -1000}, (None, {"offset": -1000})])
def test_a_checked_tensor_cannot_be_changed_afterwards(state, write, refused):
    changed = Call("torch._utils", "_rebuild_tensor_v2", *ONE.call[1], state=state)
    assert "no description of tensors" in refused(write({"w": changed}, [NUMBERS]))


@pytest.mark.parametrize("state", [{"_make": 1}, (None, {"_make": 1}), (None, {"__call__": 1})])
@pytest.mark.parametrize("name", ["torch._utils\n_rebuild_tensor_v2", "torch\nFloatStorage",
                                  "collections\nOrderedDict"])
def test_what_stands_for_a_function_cannot_be_changed(name, state, write, refused):
    """It would stay so for the files that are read later."""
    content = b"\x80\x02c" + name.encode() + b"\n" + pickled(state)[2:-1] + b"b."
    assert "no description of tensors" in refused(write(content))
    np.testing.assert_array_equal(TorchFile(write({"w": ONE}, [NUMBERS])).read("w"), NUMBERS)


@pytest.mark.parametrize(("view", "expected"), [
    ((0, (13,), (1,)), "reaches beyond its 12 numbers"),
    ((1, (12,), (1,)), "reaches beyond its 12 numbers"),
    ((0, (2, 2), (11, 1)), "reaches beyond its 12 numbers"),
    ((0, (10**12,), (0,)), "reaches beyond its 12 numbers"),
    ((2**70, (1,), (1,)), "reaches beyond its 12 numbers"),
    ((-1, (3,), (1,)), "described in no known way"),
    ((0, (3,), (-1,)), "described in no known way"),
    ((0, (3, 4), (1,)), "described in no known way"),
    ((0, ("3",), (1,)), "described in no known way"),
    ((0, 3, 1), "no description of tensors"),
    ((0, (0, 10**30), (1, 1)), "is damaged")])
def test_views_beyond_the_numbers(view, expected, write, refused):
    assert expected in refused(write({"w": tensor("FloatStorage", "0", 12, *view)}, [NUMBERS]))


def test_storages_that_are_not_there_or_of_another_size(write, refused):
    assert "(data/7) are missing" in refused(
        write({"w": tensor("FloatStorage", "7", 12, 0, (1,), (1,))}, [NUMBERS]))
    assert "data/0 has 48 bytes; 11 numbers of float32 were announced" in refused(
        write({"w": tensor("FloatStorage", "0", 11, 0, (1,), (1,))}, [NUMBERS]))
    assert "torch.Float8_e5m2Storage" in refused(
        write({"w": tensor("Float8_e5m2Storage", "0", 12, 0, (1,), (1,))}, [NUMBERS]))
    storage = Call("collections", "OrderedDict")
    assert "described in no known way" in refused(write(
        {"w": Call("torch._utils", "_rebuild_tensor_v2", storage, 0, (1,), (1,), False)}))


# ---- what is no such file


def test_the_older_format_is_named(tmp_path, refused):
    path = tmp_path / "old.bin"
    path.write_bytes(pickle.dumps(0x1950a86a20f9469cfc6c, 2) + pickle.dumps(1001, 2))
    assert "format from before version 1.6" in refused(str(path))


def test_files_that_are_something_else(tmp_path, write, refused):
    path = tmp_path / "x.bin"
    path.write_bytes(b"version https://git-lfs.github.com/spec/v1\noid sha256:1\n")
    assert "Git LFS pointer" in refused(str(path))
    path.write_bytes(b"<html>")
    assert "begins with b'<html>'" in refused(str(path))
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("a/b", "")
    assert "there is no data.pkl in it" in refused(str(path))
    assert "No such file" in refused(str(tmp_path / "nothing.bin"))
    assert "TorchScript" in refused(write({"w": ONE}, [NUMBERS], constants__pkl=b""))
    assert "big-endian" in refused(write({"w": ONE}, [NUMBERS], byteorder=b"big"))
    assert "compressed" in refused(write({"w": ONE}, [NUMBERS], compression=zipfile.ZIP_DEFLATED))
    for content in ({}, [ONE], 3, {"w": 3}):
        assert "no dictionary of tensors" in refused(write(content, [NUMBERS]))


@pytest.mark.parametrize("content", [b"", b"\x80", b".", b"(((.", b"\x80\x02Q.", b"R.", b"\xff"])
def test_bytes_that_are_no_pickle(content, write, refused):
    assert "no description of tensors" in refused(write(content))


def test_altered_descriptions_give_numbers_or_a_user_error(write):
    good, random = pickled({"w": ONE, "v": ONE}), np.random.default_rng(0)
    for _ in range(200):
        content = bytearray(good)
        content[random.integers(len(good))] = random.integers(256)
        try:
            file = TorchFile(write(bytes(content), [NUMBERS]))
            assert all(isinstance(file.read(name), np.ndarray) for name in file.names())
        except UserError:
            pass


def test_a_file_cut_short_or_altered(write, refused):
    path = write({"w": ONE}, [NUMBERS])
    with open(path, "rb") as file:
        whole = file.read()
    for length in (10, len(whole) // 2, len(whole) - 5):
        with open(path, "wb") as file:
            file.write(whole[:length])
        refused(path)
    at = whole.index(NUMBERS.tobytes()) + 9
    with open(path, "wb") as file:
        file.write(whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1:])
    assert "w: is damaged: Bad CRC-32" in refused(path)


def test_a_description_that_is_far_too_long(write, refused):
    assert "has far fewer" in refused(write(b"x" * ((1 << 24) + 1)))
