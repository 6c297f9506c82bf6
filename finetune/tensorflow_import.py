"""Imports TensorFlow for the first time in a process, without what it has no need of.

    from finetune import tensorflow_import
    tensorflow_import.load()

TensorFlow 2.16 and later import Keras, and Keras takes along, wherever they are installed,
matplotlib.pyplot for functions that draw pictures and scikit-learn, with scipy.stats, for wrappers
that have its interface. Both are installed here, for the plot of a sweep and for the scores of dev,
and both together take 1.5 s of a CPU at every start. Keras does without them where they are not
installed, and that is what it is told here.
"""

import sys

_HIDDEN = ("matplotlib", "sklearn")


def load() -> None:
    """Imports TensorFlow, if that has not been done; hides what is not imported already.

    None in sys.modules is Python's own way to say that a module is not there; afterwards both
    can be imported as ever.
    """
    if "tensorflow" in sys.modules:
        return
    hidden = [name for name in _HIDDEN if name not in sys.modules]
    sys.modules.update(dict.fromkeys(hidden))
    try:
        import tensorflow  # noqa: F401
    finally:
        for name in hidden:
            del sys.modules[name]
