"""Downloads: by https alone, whatever a server says; what is not the file expected is not kept."""

import contextlib
import hashlib
import http.server
import os
import socket
import ssl
import threading
import urllib.request

import pytest

from finetune.errors import UserError
from finetune.sources import download, hub

PLAIN = ["http://example.org/a", "HTTP://example.org/a", "http://127.0.0.1.example.org/a",
         "http://127.0.0.1@example.org/a", "http://localhost@example.org/a",
         "http://0.0.0.0/a", "http://10.0.0.1/a", "http://[::]/a", "http:/a", "http:///a"]
OTHER = ["ftp://example.org/a", "file:///etc/passwd", "FILE:///etc/passwd", "data:text/plain,x",
         "javascript:x", "jar:file:///x", "/etc/passwd", "", "//example.org/a", "https:///a",
         "https://:443/a"]


class Handler(http.server.BaseHTTPRequestHandler):
    """Answers with what `answers` holds: a code, an address or a body."""

    answers: dict

    def do_GET(self):
        answer = self.answers[self.path.partition("?")[0]]
        if isinstance(answer, tuple):
            self.send_response(answer[0])
            self.send_header("Location", answer[1])
            self.send_header("Content-Length", "0")
            return self.end_headers()
        self.send_response(200)
        self.end_headers()  # no Content-Length: nobody knows how much will come
        with contextlib.suppress(OSError):
            for part in answer:
                self.wfile.write(part)
        return None

    def log_message(self, *_):
        pass


@pytest.fixture
def site():
    """Serves what is put into its `answers`; has an `url`."""
    handler = type("Bound", (Handler,), {"answers": {}})
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        handler.url = f"http://127.0.0.1:{server.server_port}"
        yield handler
        server.shutdown()


@pytest.fixture(autouse=True)
def nothing_is_left(tmp_path, monkeypatch):
    monkeypatch.setenv("TFHUB_CACHE_DIR", str(tmp_path / "cache"))
    yield
    assert set(os.listdir(tmp_path)) <= {"cache"}
    assert not (tmp_path / "cache").exists() or not os.listdir(tmp_path / "cache")


@pytest.mark.parametrize("url", [*PLAIN, *OTHER])
def test_unsafe_address(url, tmp_path):
    with pytest.raises(UserError, match="this address is not used"):
        download.fetch(url, str(tmp_path / "got"))


@pytest.mark.parametrize("url", [url for url in PLAIN if "//" in url])
def test_unsafe_address_of_a_hub_module(url):
    with pytest.raises(UserError, match="this address is not used"):
        hub.checkpoint_of(url)


@pytest.mark.parametrize("code", [301, 302, 303, 307])
@pytest.mark.parametrize("target", PLAIN[:1] + PLAIN[3:5] + ["ftp://example.org/a"])
def test_redirection_to_an_unsafe_address(target, code, site, tmp_path):
    site.answers = {"/a": (code, target)}
    with pytest.raises(UserError, match="this address is not used"):
        download.fetch(f"{site.url}/a", str(tmp_path / "got"))


@pytest.mark.parametrize("code", [301, 302, 303, 307])
@pytest.mark.parametrize("target", PLAIN[:1] + PLAIN[3:5] + ["ftp://example.org/a"])
def test_redirection_of_a_hub_module_to_an_unsafe_address(target, code, site):
    """tensorflow-hub by itself follows it."""
    site.answers = {"/a": (code, target)}
    with pytest.raises(UserError, match=r"cannot be fetched: .*this address is not used"):
        hub.checkpoint_of(f"{site.url}/a")


@pytest.mark.parametrize("target", ["http://localhost/a", "http://127.0.0.1:8080/a",
                                    "http://[::1]/a", "https://localhost/a"])
def test_redirection_from_outside_to_what_only_this_machine_reaches(target):
    request = urllib.request.Request("https://example.org/a")
    with pytest.raises(UserError, match="is not followed"):
        download._SafeRedirects().redirect_request(request, None, 302, "", {}, target)


def test_redirection_to_another_safe_address_is_followed(site):
    request = urllib.request.Request("https://example.org/a")
    followed = download._SafeRedirects().redirect_request(
        request, None, 302, "", {}, "https://example.com/b")
    assert followed.full_url == "https://example.com/b"


def test_certificates_are_checked_whatever_the_environment_says(monkeypatch):
    seen = []

    def wrap(context, *_, **__):
        seen.append((context.verify_mode.name, context.check_hostname))
        raise OSError("far enough")

    monkeypatch.setattr(socket, "create_connection", lambda *_, **__: socket.socket())
    monkeypatch.setattr(ssl.SSLContext, "wrap_socket", wrap)
    monkeypatch.setenv("TFHUB_DISABLE_CERT_VALIDATION", "true")  # tensorflow-hub's own switch
    monkeypatch.setattr(urllib.request, "getproxies", dict)
    with pytest.raises(UserError, match="far enough"):
        hub.checkpoint_of("https://example.org/a")
    assert seen == [("CERT_REQUIRED", True)]


@pytest.mark.parametrize("wrong", ["sha256", "shorter", "longer"])
def test_wrong_file(wrong, site, tmp_path):
    content = b"x" * 1000
    site.answers = {"/a": [content]}
    sha256 = hashlib.sha256(content).hexdigest()
    expected = {"sha256": (1000, "0" * 64), "shorter": (1001, sha256),
                "longer": (999, sha256)}[wrong]
    with pytest.raises(download.WrongFile):
        download.fetch(f"{site.url}/a", str(tmp_path / "got"), *expected)


@pytest.mark.parametrize("limit", [{"size": 10**6}, {"most": 10**6}])
def test_server_that_sends_without_end(limit, site, tmp_path):
    site.answers = {"/a": (bytes(1 << 16) for _ in range(10**6))}  # 65 GB
    with pytest.raises(download.WrongFile, match="at most 1,000,000 were expected"):
        download.fetch(f"{site.url}/a", str(tmp_path / "got"), **limit)


def test_what_was_left_from_a_wrong_file_does_not_help_the_next(site, tmp_path):
    good = b"good" * 100
    site.answers = {"/a": [b"evil" * 100]}
    wanted = len(good), hashlib.sha256(good).hexdigest()
    with pytest.raises(download.WrongFile):
        download.fetch(f"{site.url}/a", str(tmp_path / "got"), *wanted)
    site.answers = {"/a": [good]}
    download.fetch(f"{site.url}/a", str(tmp_path / "got"), *wanted)
    assert (tmp_path / "got").read_bytes() == good
    (tmp_path / "got").unlink()
