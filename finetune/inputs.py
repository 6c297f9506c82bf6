"""A small file that a flag names, here or on gs:// and whatever else TensorFlow reads."""

import contextlib
import difflib
import errno
import os
import stat

_LIKE = 0.75  # of 1: dev.tsv is not test.tsv (0.67), trian.tsv is train.tsv (0.89)


def read_bytes(path: str, once: bool = False) -> bytes:
    """Returns a file's bytes; TensorFlow is imported only where the path has a scheme.

    Args:
        once: whether it is read but this once, so that a pipe will do: --config=<(...). One that
            nobody writes into is empty; nobody waits for it.

    Raises:
        OSError: it cannot be read, or is a device or (not `once`) a pipe; FileNotFoundError: it is
            not there.
    """
    if "://" not in path:
        with open(path, "rb", opener=lambda name, flags: os.open(name, flags | os.O_NONBLOCK)
                  ) as file:
            kind = os.fstat(file.fileno()).st_mode
            if not (stat.S_ISREG(kind) or once and stat.S_ISFIFO(kind)):
                raise OSError(errno.EINVAL, "is a pipe or a device, and no file", path)
            os.set_blocking(file.fileno(), True)
            return file.read()
    import tensorflow as tf

    try:
        with tf.io.gfile.GFile(path, "rb") as file:
            return file.read()
    except tf.errors.NotFoundError as error:
        raise FileNotFoundError(errno.ENOENT, error.message, path) from error
    except tf.errors.OpError as error:
        raise OSError(error.message) from error


def why_unreadable(path: str, error: OSError | UnicodeDecodeError) -> str:
    """Says why a file cannot be read as UTF-8; of one that is not there, which has a like name."""
    if isinstance(error, UnicodeDecodeError):
        line = error.object.count(b"\n", 0, error.start) + 1
        reason = f"line {line} holds the byte 0x{error.object[error.start]:02x} and is not UTF-8"
    elif isinstance(error, FileNotFoundError) and os.path.islink(path):
        reason = "it is a link to a file that does not exist"
    elif isinstance(error, FileNotFoundError) and "://" not in path:
        reason = f"there is no such file{did_you_mean(path)}"
    else:
        reason = " ".join(str(error.strerror or error).split())
    return f"cannot be read: {reason}"


def why_no_folder(path: str) -> str | None:
    """Says what a path is where it is no folder; None: it is one, or nobody looks, as on gs://."""
    if "://" in path or os.path.isdir(path):
        return None
    if os.path.exists(path):
        return f"is a file; give its folder, {os.path.dirname(path) or '.'}"
    return f"there is no such folder{did_you_mean(path)}"


def did_you_mean(path: str) -> str:
    """Returns "; did you mean checkpoints/minilm?" of what has a like name, or ""."""
    near = closest(path)
    return f"; did you mean {near}?" if near else ""


def closest(path: str) -> str | None:
    """Returns the path that is there and most like another one, or None.

    Only local ones are looked for: to list what is on gs:// may take long.
    """
    folder, name = os.path.split(path.rstrip("/"))
    if "://" not in path and folder and not os.path.exists(folder):
        folder = closest(folder)
    if "://" in path or folder is None:
        return None
    names: list[str] = []
    with contextlib.suppress(OSError):  # of a file, or a folder that nobody may look into
        names = [one for one in os.listdir(folder or ".") if one != name]
    near = difflib.get_close_matches(name, names, 1, _LIKE)
    return os.path.join(folder, near[0]) if near else None


def is_file(path: str) -> bool:
    """Whether there is a file of this path; a folder, a pipe or a device is none."""
    if "://" not in path:
        return os.path.isfile(path)
    import tensorflow as tf

    return tf.io.gfile.exists(path) and not tf.io.gfile.isdir(path)
