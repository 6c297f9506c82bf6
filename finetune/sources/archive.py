"""Zips whose contents nobody has vouched for, unpacked without surprises.

    from finetune.sources import archive
    archive.unpack("data.zip", "data", max_bytes=10**9)

Imports no TensorFlow.
"""

import errno
import os
import stat
import zipfile
import zlib

from finetune.sources.download import WrongFile, require_room

_DAMAGED = (zipfile.BadZipFile, zlib.error, EOFError, RuntimeError,
            UnicodeDecodeError)  # the last of a name that is no UTF-8
# Of a name that no file can have, or that one entry needs for a file and another for a folder.
_NO_NAME = (errno.ENOTDIR, errno.EISDIR, errno.EEXIST, errno.ENAMETOOLONG, errno.EINVAL)


def unpack(path: str, folder: str, max_bytes: int) -> None:
    """Unpacks a zip whose contents nobody has vouched for.

    Nothing is written before every entry has been looked at; every byte is checked against the
    zip's own checksums. Give it a folder you can throw away, and move it when all is well.

    Args:
        path: the zip file.
        folder: an empty or new folder; no entry gets out of it.
        max_bytes: what all entries together may unpack to.

    Raises:
        WrongFile: no zip, a truncated or damaged one, one with links or paths that lead out of
            the folder, or one that unpacks to more than max_bytes. UserError: no room.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            entries = archive.infolist()
            for entry in entries:
                _check_entry(path, entry)
            total = sum(entry.file_size for entry in entries)
            if total > max_bytes:
                raise WrongFile(f"{path}: would unpack to {total:,} bytes; at most {max_bytes:,} "
                                "were expected.")
            os.makedirs(folder, exist_ok=True)
            require_room(folder, total)
            archive.extractall(folder, [entry for entry in entries if not _is_top(entry.filename)])
    except _DAMAGED as error:
        with open(path, "rb") as file:
            begins = file.read(40)
        if begins.startswith(b"PK"):
            raise WrongFile(f"{path}: is a damaged or truncated zip file ({error}).") from error
        raise WrongFile(f"{path}: is not a zip file; it begins with {begins!r}. An error or login "
                        "page of a proxy?") from error
    except OSError as error:
        if error.errno not in _NO_NAME:
            raise
        raise WrongFile(f"{path}: its entries cannot lie in one folder ({error.strerror}: "
                        f"{str(error.filename)[-80:]!r}).") from error


def _is_top(name: str) -> bool:
    """Whether a name leads to the folder that is unpacked into, at which some Pythons stumble."""
    return set(name.split("/")) <= {"", "."}


def _check_entry(path: str, entry: zipfile.ZipInfo) -> None:
    name, kind = entry.filename, stat.S_IFMT(entry.external_attr >> 16)
    if name.startswith("/") or "\\" in name or ":" in name or ".." in name.split("/"):
        raise WrongFile(f"{path}: the entry {name!r} leads out of the folder; nothing was "
                        "unpacked.")
    if _is_top(name) and not name.endswith("/"):
        raise WrongFile(f"{path}: the entry {name!r} has a name that no file can have; nothing "
                        "was unpacked.")
    if entry.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        raise WrongFile(f"{path}: the entry {name!r} is packed in a way that is not read here; "
                        "zips are deflated or stored.")
    if kind not in (0, stat.S_IFREG, stat.S_IFDIR):
        raise WrongFile(f"{path}: the entry {name!r} is a link or a device; only plain files are "
                        "unpacked.")
