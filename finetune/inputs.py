"""A small file that a flag names, here or on gs:// and whatever else TensorFlow reads."""


def read_bytes(path: str) -> bytes:
    """Returns a file's bytes; TensorFlow is imported only where the path has a scheme.

    Raises:
        OSError: it cannot be read.
    """
    if "://" not in path:
        with open(path, "rb") as file:
            return file.read()
    import tensorflow as tf

    try:
        with tf.io.gfile.GFile(path, "rb") as file:
            return file.read()
    except tf.errors.OpError as error:
        raise OSError(error.message) from error
