"""A small file that a flag names, here or on gs:// and whatever else TensorFlow reads."""

import errno
import os
import stat


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


def is_file(path: str) -> bool:
    """Whether there is a file of this path; a folder, a pipe or a device is none."""
    if "://" not in path:
        return os.path.isfile(path)
    import tensorflow as tf

    return tf.io.gfile.exists(path) and not tf.io.gfile.isdir(path)
