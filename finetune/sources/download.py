"""Files from the network: by https alone, resumed when broken off, and checked.

    from finetune.sources import download
    download.fetch("https://example.org/data.zip", "data.zip")

Imports no TensorFlow.
"""

import errno
import hashlib
import http.client
import ipaddress
import os
import shutil
import ssl
import sys
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable
from typing import Any, BinaryIO

from finetune.errors import UserError

MEGABYTE = 10**6
_CHUNK = 1 << 18
_SPARE = 50 * MEGABYTE  # of the disk, left to everybody else
_PASSING = {408, 425, 429, 500, 502, 503, 504}  # HTTP statuses that may be gone in a moment


class WrongFile(UserError):
    """What arrived is not what was asked for; keeping it for the next try would be no use."""


class _Broken(Exception):
    """A transfer ended early, or did not begin; the next try may go better."""


def require_safe(url: str) -> None:
    """Refuses an address that is neither https nor on this machine.

    Raises:
        UserError: anybody on the way could change the file.
    """
    try:
        parts = urllib.parse.urlsplit(url)
        if parts.scheme == "https" and parts.hostname:
            return
        if parts.scheme == "http" and is_loopback(url):
            return
    except ValueError:  # a bracket that nothing closes
        pass
    raise UserError(f"{url}: this address is not used; allowed are https://..., and http://... "
                    "for this machine itself (localhost).")


def address(base_url: str, relative: str) -> str:
    """Returns where a file lies below a base address, or on its own; `fetch` judges it."""
    base = base_url.rstrip("/") + "/"
    try:
        return urllib.parse.urljoin(base, relative)
    except ValueError:  # see require_safe
        return base + relative


def is_loopback(url: str) -> bool:
    """Whether an address leads to this machine itself."""
    host = urllib.parse.urlsplit(url).hostname
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host or "").is_loopback
    except ValueError:
        return False


def require_room(folder: str, needed: int) -> None:
    """Refuses to begin what the disk cannot hold.

    Args:
        folder: an existing folder on the disk in question.
        needed: bytes about to be written there.
    """
    free = shutil.disk_usage(folder).free
    if free < needed + _SPARE:
        raise UserError(
            f"{folder}: the disk has {free / MEGABYTE:,.0f} MB free; "
            f"{(needed + _SPARE) / MEGABYTE:,.0f} MB are needed. Make room, or name a folder on "
            "another disk.")


def fetch(url: str, path: str, size: int | None = None, sha256: str | None = None,
          unpacked: float = 0.0, tries: int = 4, pause: float = 1.0,
          most: int | None = None) -> None:
    """Downloads one file; a broken transfer goes on where it stopped.

    The bytes gather in `path`.part, which becomes `path` once all are there and right. It stays
    when the network fails for good, so that the next call, or the next process, goes on from it.

    Args:
        url: https (or http on this machine; see `require_safe`), redirections included.
        path: where the file goes; its folder must exist. A file already there is the answer.
        size: its bytes, where known.
        sha256: its hash, where known.
        unpacked: room for that many times the file must be free on top, to unpack it.
        tries: tries in a row that get no further before it gives up.
        pause: seconds before the second try, doubled for each one that follows.
        most: bytes it may have, where its size is not known; a server can send without end.

    Raises:
        UserError: no network, no such file, no room. WrongFile: not the file expected.
    """
    require_safe(url)
    if os.path.exists(path):
        return
    part = path + ".part"
    furthest = failures = 0
    while True:
        try:
            _transfer(url, part, size, most if size is None else size, unpacked)
            break
        except _Broken as error:
            reached = os.path.getsize(part) if os.path.exists(part) else 0
            failures = 1 if reached > furthest else failures + 1
            furthest = max(reached, furthest)
            if failures >= tries:
                advice = (
                    f"run it again to go on from {reached / MEGABYTE:,.1f} MB" if reached else
                    "is this machine connected, and allowed to reach that address (HTTPS_PROXY)?")
                raise UserError(f"{url}: {error}; given up after {tries} tries: {advice}"
                                ) from error
            wait = pause * 2 ** (failures - 1)
            print(f"{error}; trying again in {wait:g} s", file=sys.stderr)
            time.sleep(wait)
    _require_expected(url, part, size, sha256)
    os.replace(part, path)


def _require_expected(url: str, part: str, size: int | None, sha256: str | None) -> None:
    """Deletes what arrived and refuses it, if it is not the file that was asked for."""
    if size not in (None, arrived := os.path.getsize(part)):
        os.remove(part)
        raise WrongFile(f"{url}: {arrived:,} bytes arrived; {size:,} were expected.")
    if sha256 is not None and sha256_of(part) != sha256:
        os.remove(part)
        raise WrongFile(f"{url}: the file that arrived has another sha256 than {sha256}. It was "
                        "thrown away; run it again, and if it stays so, do not trust the address.")


def sha256_of(path: str) -> str:
    """The SHA-256 of a file, in hexadecimal."""
    digest = hashlib.sha256()
    with open(path, "rb") as file:
        while chunk := file.read(1 << 20):
            digest.update(chunk)
    return digest.hexdigest()


class _SafeRedirects(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, req: Any, fp: Any, code: int, msg: str, headers: Any,
                         newurl: str) -> Any:
        require_safe(newurl)
        if is_loopback(newurl) and not is_loopback(req.full_url):
            raise UserError(f"{req.full_url}: leads to {newurl}, to what only this machine can "
                            "reach; it is not followed.")
        return super().redirect_request(req, fp, code, msg, headers, newurl)


def opener(url: str) -> urllib.request.OpenerDirector:
    """Returns what opens an address: certificates are checked, redirections held to https."""
    handlers = [urllib.request.ProxyHandler({})] if is_loopback(url) else []
    return urllib.request.build_opener(_SafeRedirects(), *handlers)


def _transfer(url: str, part: str, size: int | None, most: int | None, unpacked: float) -> None:
    """One try: the bytes that `part` still lacks."""
    have = os.path.getsize(part) if os.path.exists(part) else 0
    response = _open(url, part, have)
    if response is None:
        return
    with response:
        resumed = have and response.status == 206
        if resumed and not response.headers.get("Content-Range", "").startswith(f"bytes {have}-"):
            os.remove(part)
            raise _Broken("the server sent another part of the file than it was asked for")
        have = have if resumed else 0
        length = response.length  # None too where what the server says is no number
        total = None if length is None else have + length
        if None not in (size, total) and size != total:
            raise WrongFile(f"{url}: the file there has {total:,} bytes; {size:,} were expected.")
        _require_few(url, total or 0, most)
        if total is not None:
            require_room(os.path.dirname(os.path.abspath(part)),
                         int(total * (1 + unpacked)) - have)
        with open(part, "ab" if resumed else "wb") as file:
            try:
                _receive(response, file, have, total, lambda now: _require_few(url, now, most))
            except WrongFile:
                os.remove(part)
                raise


def _require_few(url: str, size: int, most: int | None) -> None:
    if most is not None and size > most:
        raise WrongFile(f"{url}: has {size:,} bytes or more; at most {most:,} were expected.")


def _open(url: str, part: str, have: int) -> Any:
    """The response to a request for all bytes from `have` on; None if there are no more."""
    headers = {"User-Agent": "bert-classifier-finetuning", "Accept-Encoding": "identity"}
    if have:
        headers["Range"] = f"bytes={have}-"
    try:
        return opener(url).open(urllib.request.Request(url, headers=headers), timeout=60)
    except urllib.error.HTTPError as error:
        error.close()
        if error.code == 416 and error.headers.get("Content-Range") == f"bytes */{have}":
            return None
        if error.code == 416:
            os.remove(part)
            raise _Broken("what an earlier try left is of no use") from error
        if error.code in _PASSING:
            raise _Broken(f"the server answers HTTP {error.code} {error.reason}") from error
        raise UserError(f"{url}: the server answers HTTP {error.code} {error.reason}.") from error
    except UnicodeError as error:
        raise UserError(f"{url}: cannot be asked for: {error}. Write what is no ASCII in it as "
                        "%XX.") from error
    except (OSError, http.client.HTTPException) as error:
        reason = getattr(error, "reason", error)
        if isinstance(reason, ssl.SSLCertVerificationError):
            raise UserError(f"{url}: {reason}. If a proxy of your network signs its own "
                            "certificates, name their file in SSL_CERT_FILE.") from error
        raise _Broken(f"no connection ({reason})") from error


def _receive(response: Any, file: BinaryIO, have: int, total: int | None,
             check: Callable[[int], None]) -> None:
    progress = _Progress(have, total)
    try:
        while True:
            try:
                chunk = response.read(_CHUNK)
            except (OSError, http.client.HTTPException) as error:
                raise _Broken(f"the connection broke ({error})") from error
            if not chunk:
                break
            _write(file, chunk)
            have += len(chunk)
            check(have)
            progress.show(have)
    finally:
        progress.close(have)
    if total is not None and have != total:
        raise _Broken(f"the connection ended after {have:,} of {total:,} bytes")


def _write(file: BinaryIO, chunk: bytes) -> None:
    try:
        file.write(chunk)
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT):
            raise
        raise UserError(f"{file.name}: the disk is full. Make room and run it again: it goes on "
                        "from there.") from error


class _Progress:
    """How far a download is: a line that is redrawn on a terminal, now and then a line else."""

    def __init__(self, have: int, total: int | None):
        self._first, self._total, self._began = have, total, time.monotonic()
        self._terminal = sys.stderr.isatty()
        self._every = 0.2 if self._terminal else 10.0
        self._next = self._began + self._every

    def show(self, have: int) -> None:
        """Says it, if the last time was long enough ago."""
        if time.monotonic() >= self._next:
            self._next = time.monotonic() + self._every
            self._print(have, "" if self._terminal else "\n")

    def close(self, have: int) -> None:
        """Says it a last time."""
        self._print(have, "\n")

    def _print(self, have: int, end: str) -> None:
        rate = (have - self._first) / max(time.monotonic() - self._began, 1e-3)
        of_all = f" of {self._total / MEGABYTE:,.1f}" if self._total else ""
        text = f"{have / MEGABYTE:,.1f}{of_all} MB, {rate / MEGABYTE:,.1f} MB/s"
        left = (self._total - have) / rate if self._total and rate else 0
        if left >= 1:
            text += f", {left:,.0f} s left"
        start = "\r\033[K" if self._terminal else ""
        print(f"{start}  {text}", end=end, file=sys.stderr, flush=True)
