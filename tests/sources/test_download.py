"""finetune/sources/download.py against a server on this machine that breaks, forgets and lies."""

import hashlib
import http.server
import os
import random
import re
import socket
import threading

import pytest

from finetune.errors import UserError
from finetune.sources import download

CONTENT = random.Random(1).randbytes(700_000)


class Site:
    """What the server has and how it behaves; it notes the Range header of every request."""

    def __init__(self):
        self.files = {"/a.bin": CONTENT}
        self.ranges = True
        self.breaks_after: list[int] = []  # bytes of the body, for one request each
        self.statuses: list[int] = []  # errors to answer first
        self.moved: dict[str, str] = {}
        self.asked: list[str | None] = []
        self.length: str | None = None  # instead of the true Content-Length
        self.url = ""


class Handler(http.server.BaseHTTPRequestHandler):
    site: Site

    def do_GET(self):
        site = self.site
        asked = self.headers.get("Range")
        site.asked.append(asked)
        if site.statuses:
            return self.send_error(site.statuses.pop(0))
        if self.path in site.moved:
            self.send_response(302)
            self.send_header("Location", site.moved[self.path])
            return self.end_headers()
        if self.path not in site.files:
            return self.send_error(404)
        body = site.files[self.path]
        start = int(re.fullmatch(r"bytes=(\d+)-", asked)[1]) if asked and site.ranges else 0
        if start and start >= len(body):
            self.send_response(416)
            self.send_header("Content-Range", f"bytes */{len(body)}")
            return self.end_headers()
        self.send_response(206 if start else 200)
        if start:
            self.send_header("Content-Range", f"bytes {start}-{len(body) - 1}/{len(body)}")
        self.send_header("Content-Length", site.length or str(len(body) - start))
        self.end_headers()
        stop = start + site.breaks_after.pop(0) if site.breaks_after else len(body)
        self.wfile.write(body[start:stop])
        return None

    def log_message(self, *args):
        pass


@pytest.fixture
def site():
    site = Site()
    handler = type("BoundHandler", (Handler,), {"site": site})
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        site.url = f"http://127.0.0.1:{server.server_port}"
        yield site
        server.shutdown()


@pytest.fixture
def fetch(site, tmp_path):
    def call(name="a.bin", **options):
        path = str(tmp_path / "got")
        download.fetch(f"{site.url}/{name}", path, pause=0.0, **options)
        with open(path, "rb") as file:
            return file.read()
    return call


def test_fetches_a_file_once(site, fetch, tmp_path):
    sha256 = hashlib.sha256(CONTENT).hexdigest()
    assert fetch(size=len(CONTENT), sha256=sha256) == CONTENT
    assert fetch() == CONTENT
    assert site.asked == [None]
    assert os.listdir(tmp_path) == ["got"]


def test_progress_says_how_far_it_is(fetch, capsys):
    fetch()
    assert re.search(r"0\.7 of 0\.7 MB, [\d.,]+ MB/s\n", capsys.readouterr().err)


def test_goes_on_after_a_broken_transfer(site, fetch, capsys):
    site.breaks_after = [400_000]
    assert fetch() == CONTENT
    assert site.asked == [None, "bytes=400000-"]
    assert "the connection ended after 400,000 of 700,000 bytes; trying again" in (
        capsys.readouterr().err)


def test_progress_counts_tries_anew(site, fetch):
    site.breaks_after = [100_000] * 6
    assert fetch(tries=2) == CONTENT
    assert len(site.asked) == 7


def test_goes_on_with_what_an_earlier_process_left(site, fetch, tmp_path):
    (tmp_path / "got.part").write_bytes(CONTENT[:123_456])
    assert fetch() == CONTENT
    assert site.asked == ["bytes=123456-"]


def test_begins_anew_where_the_server_knows_no_ranges(site, fetch):
    site.ranges = False
    site.breaks_after = [400_000]
    assert fetch() == CONTENT
    assert site.asked == [None, "bytes=400000-"]


def test_an_earlier_try_had_everything(site, fetch, tmp_path):
    (tmp_path / "got.part").write_bytes(CONTENT)
    assert fetch() == CONTENT
    assert len(site.asked) == 1


def test_an_earlier_try_had_too_much(site, fetch, tmp_path):
    (tmp_path / "got.part").write_bytes(CONTENT + b"more")
    assert fetch() == CONTENT
    assert site.asked == ["bytes=700004-", None]


def test_a_passing_error_is_tried_again(site, fetch):
    site.statuses = [503, 429]
    assert fetch() == CONTENT


def test_gives_up_and_keeps_what_it_has(site, fetch, tmp_path):
    site.breaks_after = [1000, 0, 0, 0]
    with pytest.raises(UserError, match=r"given up after 3 tries: run it again to go on"):
        fetch(tries=3)
    assert (tmp_path / "got.part").read_bytes() == CONTENT[:1000]
    assert not (tmp_path / "got").exists()


def test_no_such_file_is_not_tried_again(site, fetch, tmp_path):
    with pytest.raises(UserError, match=r"/nowhere: the server answers HTTP 404"):
        fetch("nowhere")
    assert len(site.asked) == 1
    assert os.listdir(tmp_path) == []


def test_no_connection(tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as nobody:
        port = nobody.getsockname()[1]  # closed again: nobody listens there
    with pytest.raises(UserError, match="no connection .* is this machine connected"):
        download.fetch(f"http://127.0.0.1:{port}/a", str(tmp_path / "got"), tries=2, pause=0.0)
    assert os.listdir(tmp_path) == []


def test_a_file_of_another_hash_or_size_is_not_kept(fetch, tmp_path):
    with pytest.raises(download.WrongFile, match="another sha256 than 0000"):
        fetch(sha256="0" * 64)
    with pytest.raises(download.WrongFile, match="has 700,000 bytes; 5 were expected"):
        fetch(size=5)
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize("url", ["http://example.org/a", "ftp://example.org/a", "file:///etc/passwd",
                                 "http://localhost.example.org/a", "https:///a", "a.zip",
                                 "https://[::1/a"])
def test_unsafe_addresses_are_refused(url, tmp_path):
    with pytest.raises(UserError, match="this address is not used"):
        download.fetch(url, str(tmp_path / "got"))


@pytest.mark.parametrize(("base", "relative", "expected"), [
    ("https://a.org/b", "c/d.zip", "https://a.org/b/c/d.zip"),
    ("https://a.org/b/", "https://c.org/d.zip", "https://c.org/d.zip"),
    ("https://[::1", "c/d.zip", "https://[::1/c/d.zip")])
def test_an_address_below_another(base, relative, expected):
    assert download.address(base, relative) == expected


@pytest.mark.parametrize("address", ["/ä", "/a?ä"])
def test_an_address_that_no_request_can_hold(address, site, tmp_path):
    with pytest.raises(UserError, match=f"{re.escape(address)}: cannot be asked for: .*as %XX"):
        download.fetch(site.url + address, str(tmp_path / "got"))


def test_redirections_are_held_to_the_same(site, fetch):
    site.moved = {"/here": site.url + "/a.bin", "/there": "http://example.org/a.bin"}
    assert fetch("here") == CONTENT
    with pytest.raises(UserError, match=r"http://example.org/a.bin: this address is not used"):
        download.fetch(site.url + "/there", "unused")


def test_no_room_is_known_before_the_transfer(fetch, tmp_path, monkeypatch):
    usage = download.shutil.disk_usage(tmp_path)
    monkeypatch.setattr(download.shutil, "disk_usage", lambda _: usage._replace(free=50_800_000))
    assert fetch() == CONTENT
    os.remove(tmp_path / "got")
    with pytest.raises(UserError, match="has 51 MB free; 52 MB are needed"):
        fetch(unpacked=1.2)
    assert os.listdir(tmp_path) == []


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="needs Linux's /dev/full")
@pytest.mark.parametrize("length", ["abc", "-3", "7, 7", "9" * 5000])
def test_a_length_that_is_none(length, site, fetch):
    site.length = length
    assert fetch(size=len(CONTENT)) == CONTENT


def test_a_disk_that_fills_up():
    with open("/dev/full", "wb", buffering=0) as file, \
            pytest.raises(UserError, match="the disk is full"):
        download._write(file, b"x")
