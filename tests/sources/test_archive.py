"""finetune/sources/archive.py: zips that are damaged, deceive or try to get out of their folder."""

import io
import os
import random
import stat
import zipfile

import pytest

from finetune.sources import archive
from finetune.sources.download import WrongFile

CONTENT = random.Random(1).randbytes(700_000)


def zipped(entries: dict[str, bytes], path) -> str:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as made:
        for name, content in entries.items():
            made.writestr(name, content)
    return str(path)


def test_unpacks(tmp_path):
    path = zipped({"top/a.txt": b"a", "b.txt": b"b"}, tmp_path / "x.zip")
    archive.unpack(path, str(tmp_path / "out"), max_bytes=2)
    assert (tmp_path / "out/top/a.txt").read_bytes() == b"a"
    assert (tmp_path / "out/b.txt").read_bytes() == b"b"


@pytest.mark.parametrize("name", ["../evil", "a/../../evil", "/evil", "..\\evil", "C:evil"])
def test_no_entry_leaves_the_folder(name, tmp_path):
    path = zipped({"good": b"", name: b""}, tmp_path / "x.zip")
    with pytest.raises(WrongFile, match="leads out of the folder"):
        archive.unpack(path, str(tmp_path / "out"), max_bytes=100)
    assert os.listdir(tmp_path) == ["x.zip"]


def test_links_are_refused(tmp_path):
    link = zipfile.ZipInfo("link")
    link.external_attr = (stat.S_IFLNK | 0o777) << 16
    with zipfile.ZipFile(tmp_path / "x.zip", "w") as made:
        made.writestr(link, "/etc/passwd")
    with pytest.raises(WrongFile, match="'link' is a link or a device"):
        archive.unpack(str(tmp_path / "x.zip"), str(tmp_path / "out"), max_bytes=100)


def test_a_bomb_is_refused(tmp_path):
    path = zipped({"zeros": bytes(1_000_000)}, tmp_path / "x.zip")
    with pytest.raises(WrongFile, match="to 1,000,000 bytes; at most 999,999"):
        archive.unpack(path, str(tmp_path / "out"), max_bytes=999_999)
    assert not (tmp_path / "out").exists()


def test_a_truncated_zip(tmp_path):
    path = zipped({"a": CONTENT}, tmp_path / "x.zip")
    os.truncate(path, 500_000)
    with pytest.raises(WrongFile, match="damaged or truncated zip"):
        archive.unpack(path, str(tmp_path / "out"), max_bytes=10**6)


def test_a_damaged_zip(tmp_path):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as made:
        made.writestr("a", CONTENT)
    damaged = bytearray(buffer.getvalue())
    damaged[5000] ^= 1
    (tmp_path / "x.zip").write_bytes(damaged)
    with pytest.raises(WrongFile, match="damaged .*Bad CRC-32"):
        archive.unpack(str(tmp_path / "x.zip"), str(tmp_path / "out"), max_bytes=10**6)


@pytest.mark.parametrize(("damage", "told"), [
    (b"\xff\xff", "damaged or truncated zip"),  # no UTF-8
    (b"\0\0", "the entry '' has a name that no file can have")])
def test_a_damaged_name(damage, told, tmp_path):
    path = tmp_path / "x.zip"
    zipped({"\N{LATIN SMALL LETTER E WITH ACUTE}": b"a"}, path)
    path.write_bytes(path.read_bytes().replace(b"\xc3\xa9", damage))
    with pytest.raises(WrongFile, match=told):
        archive.unpack(str(path), str(tmp_path / "out"), max_bytes=10**6)


def test_a_login_page_is_no_zip(tmp_path):
    (tmp_path / "x.zip").write_bytes(b"<!DOCTYPE html><title>Sign in</title>")
    with pytest.raises(WrongFile, match="not a zip file; it begins with b'<!DOCTYPE"):
        archive.unpack(str(tmp_path / "x.zip"), str(tmp_path / "out"), max_bytes=10**6)
