"""Imports TensorFlow for the first time in a process, without what it has no need of.

    from finetune import tensorflow_import
    tensorflow_import.load()

TensorFlow 2.16 and later import Keras, and Keras, for functions that draw pictures, imports
matplotlib.pyplot wherever it is installed, as it is here for the plot of a sweep. That takes 0.5 s
of a CPU, of 4.6 s for TensorFlow in all, at every start. Keras does without it where it is not
installed, and that is what it is told here.
"""

import sys


def load() -> None:
    """Imports TensorFlow; has no effect if that, or matplotlib, is imported already.

    None in sys.modules is Python's own way to say that a module is not there; afterwards
    matplotlib can be imported as ever.
    """
    if "tensorflow" in sys.modules or "matplotlib" in sys.modules:
        return
    sys.modules["matplotlib"] = None
    try:
        import tensorflow  # noqa: F401
    finally:
        del sys.modules["matplotlib"]
