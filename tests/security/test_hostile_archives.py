"""Archives made to write elsewhere, through the commands that unpack them: nothing is left there.

Zips go through catalogue.install, glue's install and archive.unpack; tars, as TensorFlow Hub
sends them, through hub.checkpoint_of. Every archive holds a good file before the evil entry.
"""

import contextlib
import functools
import hashlib
import http.server
import io
import os
import pathlib
import stat
import struct
import tarfile
import threading
import zipfile

import pytest

from finetune.errors import UserError
from finetune.glue import files as glue
from finetune.sources import archive, catalogue, hub
from finetune.sources.download import WrongFile

ENTRY = catalogue.Entry(
    name="tiny", description="", aliases=(), do_lower_case=True, layers=2, hidden=8, heads=2,
    vocab_size=5, parameters=1000, date="2020_01_01", address="tiny.zip")
# Names that lead out of the folder, on one system or another.
OUTSIDE = {
    "parent": "../canary", "far_parent": "../" * 20 + "tmp/canary", "within": "a/../../canary",
    "absolute": "/tmp/canary-of-the-tests", "two_slashes": "//tmp/canary-of-the-tests",
    "backslashes": "..\\canary", "drive": "C:\\canary", "drive_alone": "C:canary",
    "unc": "\\\\host\\share\\canary", "parent_alone": "..", "ends_in_parent": "a/b/../.."}


@pytest.fixture
def serve(tmp_path):
    """Serves a folder; returns (folder, address)."""
    class Quiet(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *_):
            pass

        def translate_path(self, path):
            return super().translate_path(path.partition("?")[0])

    folder = tmp_path / "site"
    folder.mkdir()
    handler = functools.partial(Quiet, directory=str(folder))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        yield folder, f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


def everything_in(folder):
    return {str(path.relative_to(folder)) for path in pathlib.Path(folder).rglob("*")}


@contextlib.contextmanager
def nothing_appears_but(folder, *names):
    """Fails if the block leaves more in a folder than there was, or makes a canary elsewhere."""
    before = everything_in(folder)
    yield
    assert everything_in(folder) - before <= set(names)
    for place in ("/tmp/canary", "/tmp/canary-of-the-tests"):
        assert not os.path.lexists(place)


def zip_of(path, *entries):
    with zipfile.ZipFile(path, "w") as made:
        made.writestr("vocab.txt", "good")
        for entry in entries:
            made.writestr(entry, "evil")
    return path


def of_kind(kind, system=3):
    entry = zipfile.ZipInfo("evil")
    entry.create_system, entry.external_attr = system, (kind | 0o777) << 16
    return entry


KINDS = {"symlink": of_kind(stat.S_IFLNK), "symlink_made_on_dos": of_kind(stat.S_IFLNK, 0),
         "device": of_kind(stat.S_IFCHR), "block_device": of_kind(stat.S_IFBLK),
         "pipe": of_kind(stat.S_IFIFO), "socket": of_kind(stat.S_IFSOCK)}
ZIPS = {**OUTSIDE, **KINDS}


@pytest.mark.parametrize("attack", ZIPS)
def test_attack_by_zip_of_a_checkpoint(attack, serve, tmp_path):
    site, url = serve
    zip_of(site / "tiny.zip", ZIPS[attack])
    (tmp_path / "checkpoints").mkdir()
    with nothing_appears_but(tmp_path), pytest.raises(
            WrongFile, match="leads out of the folder|is a link or a device"):
        catalogue.install(ENTRY, str(tmp_path / "checkpoints"), url)


@pytest.mark.parametrize("attack", ZIPS)
def test_attack_by_zip_of_glue(attack, serve, tmp_path):
    """The hash is that of the evil file, as if whoever made the list had been deceived too."""
    site, url = serve
    content = zip_of(site / "RTE.zip", ZIPS[attack]).read_bytes()
    folder = glue.Folder("RTE", ("rte",), ("train.tsv",), {
        "RTE.zip": (len(content), hashlib.sha256(content).hexdigest())})
    (tmp_path / "glue_data").mkdir()
    with nothing_appears_but(tmp_path), pytest.raises(
            WrongFile, match="leads out of the folder|is a link or a device"):
        glue.install(folder, str(tmp_path / "glue_data"), url)


@pytest.mark.parametrize(("method", "number"), [
    ("bzip2", zipfile.ZIP_BZIP2), ("lzma", zipfile.ZIP_LZMA), ("unknown", 99)])
def test_attack_by_a_rare_unpacker(method, number, tmp_path):
    zip_of(tmp_path / "x.zip")
    content = bytearray((tmp_path / "x.zip").read_bytes())
    content[8] = content[content.index(b"PK\x01\x02") + 10] = number
    (tmp_path / "x.zip").write_bytes(content)
    with nothing_appears_but(tmp_path), pytest.raises(WrongFile, match="not read here"):
        archive.unpack(str(tmp_path / "x.zip"), str(tmp_path / "out"), 100)


@pytest.mark.parametrize("names", [("vocab.txt/inside",), ("a/b", "a"), ("x" * 300,),
                                   ("/".join(["x" * 200] * 30),)],
                         ids=["file_as_folder", "folder_as_file", "long", "long_path"])
def test_attack_by_names_that_cannot_be(names, tmp_path):
    zip_of(tmp_path / "x.zip", *names)
    with pytest.raises(WrongFile, match="cannot lie in one folder"):
        archive.unpack(str(tmp_path / "x.zip"), str(tmp_path / "out"), 100)


@pytest.mark.parametrize("name", [".", "./.", "./", ".//"])
def test_attack_by_names_of_the_folder_itself(name, tmp_path):
    zip_of(tmp_path / "x.zip", name)
    if name.endswith("/"):
        archive.unpack(str(tmp_path / "x.zip"), str(tmp_path / "out"), 100)
        assert list((tmp_path / "out").iterdir()) == [tmp_path / "out" / "vocab.txt"]
        return
    with pytest.raises(WrongFile, match="name that no file can have"):
        archive.unpack(str(tmp_path / "x.zip"), str(tmp_path / "out"), 100)


def test_attack_by_two_names_for_an_entry(tmp_path):
    """Good in the directory at the end, evil where the entry begins."""
    path = zip_of(tmp_path / "x.zip", "good.file")
    content = path.read_bytes()
    at = content.index(b"PK\x01\x02")
    path.write_bytes(content[:at].replace(b"good.file", b"../canary") + content[at:])
    with nothing_appears_but(tmp_path, "out", "out/vocab.txt"), pytest.raises(
            WrongFile, match="damaged"):
        archive.unpack(str(path), str(tmp_path / "out"), 100)


def test_attack_by_a_size_that_lies(tmp_path):
    """A bomb that announces 10 bytes: no more than 10 are ever written."""
    path = tmp_path / "x.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as made:
        made.writestr("bomb", bytes(50_000_000))
    content = bytearray(path.read_bytes())
    struct.pack_into("<L", content, content.index(b"PK\x01\x02") + 24, 10)
    path.write_bytes(content)
    with pytest.raises(WrongFile, match="damaged"):
        archive.unpack(str(path), str(tmp_path / "out"), 100)
    assert sum(each.stat().st_size for each in (tmp_path / "out").iterdir()) <= 10


def test_attack_by_many_bombs(serve, tmp_path):
    """Small each, together 500 MB of 0.5 MB, for a checkpoint of 1,000 numbers."""
    site, url = serve
    with zipfile.ZipFile(site / "tiny.zip", "w", zipfile.ZIP_DEFLATED, compresslevel=1) as made:
        for number in range(10):
            made.writestr(f"bomb{number}", bytes(50_000_000))
    (tmp_path / "checkpoints").mkdir()
    with nothing_appears_but(tmp_path), pytest.raises(WrongFile, match="would unpack to 500,000,0"):
        catalogue.install(ENTRY, str(tmp_path / "checkpoints"), url)


def test_bits_that_make_a_program_run_as_another_user_are_dropped(tmp_path):
    zip_of(tmp_path / "x.zip", of_kind(stat.S_IFREG | stat.S_ISUID | stat.S_ISGID))
    archive.unpack(str(tmp_path / "x.zip"), str(tmp_path / "out"), 100)
    assert (tmp_path / "out" / "evil").stat().st_mode & 0o7111 == 0


# ---- tars


def member(kind, name="evil", target=""):
    entry = tarfile.TarInfo(name)
    entry.type, entry.linkname = kind, target
    return entry


TARS = {
    **{attack: member(tarfile.REGTYPE, name) for attack, name in OUTSIDE.items()
       if attack in ("parent", "far_parent", "within", "parent_alone")},
    "symlink": member(tarfile.SYMTYPE, target="/etc/passwd"),
    "symlink_to_parent": member(tarfile.SYMTYPE, target="../.."),
    "hard_link": member(tarfile.LNKTYPE, target="/etc/passwd"),
    "hard_link_to_parent": member(tarfile.LNKTYPE, target="../canary"),
    "device": member(tarfile.CHRTYPE), "block_device": member(tarfile.BLKTYPE),
    "pipe": member(tarfile.FIFOTYPE)}


def tar_of(path, *entries):
    with tarfile.open(path, "w:gz") as made:
        for entry in (tarfile.TarInfo("saved_model.pb"), *entries):
            made.addfile(entry, io.BytesIO())


@pytest.mark.parametrize("attack", TARS)
def test_attack_by_tar_of_a_hub_module(attack, serve, tmp_path, monkeypatch):
    site, url = serve
    monkeypatch.setenv("TFHUB_CACHE_DIR", str(tmp_path / "cache"))
    tar_of(site / "module", TARS[attack])
    with nothing_appears_but(tmp_path, "cache"), pytest.raises(
            UserError, match=r"cannot be fetched \((Relative path|Unexpected object type)"):
        hub.checkpoint_of(f"{url}/module")


@pytest.mark.parametrize("name", [OUTSIDE["absolute"], OUTSIDE["two_slashes"]])
def test_attack_by_an_absolute_name_in_a_tar_stays_in_the_cache(name, serve, tmp_path, monkeypatch):
    """tensorflow-hub takes the slash away, as tar does; the module is then no BERT."""
    site, url = serve
    monkeypatch.setenv("TFHUB_CACHE_DIR", str(tmp_path / "cache"))
    tar_of(site / "module", member(tarfile.REGTYPE, name))
    with pytest.raises(UserError):
        hub.checkpoint_of(f"{url}/module")
    assert not os.path.lexists("/tmp/canary-of-the-tests")
    assert {path.split("/")[0] for path in everything_in(tmp_path)} == {"site", "cache"}
