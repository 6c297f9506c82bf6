"""What TensorFlow keeps for ever of functions that were traced, dropped.

    with traces.forgotten():
        forward(batch)                  # traced here

tf.custom_gradient in a graph registers a gradient under a new name for every place where it
stands, and with it the graph, and with that the memory of all variables that it has captured. The
gradients of a function are part of its graph once it is traced, and nobody asks for them again.
A process that makes one model after the other would keep the weights of all of them.
"""

import contextlib
import threading
from collections.abc import Iterator

from tensorflow.python.framework import ops  # the registry has no public name

_NAMES = "CustomGradient-"
_lock = threading.Lock()
_within: list[frozenset[str]] = []  # for each block at work, what was registered when it began


@contextlib.contextmanager
def forgotten() -> Iterator[None]:
    """Drops what was registered within the block, when it ends.

    Of several threads the last one drops it: the others may still be at their gradients.
    """
    registered = getattr(getattr(ops, "gradient_registry", None), "_registry", {})
    with _lock:
        before = _within[0] if _within else frozenset(registered)
        _within.append(before)
    try:
        yield
    finally:
        with _lock:
            _within.pop()
            made = [] if _within else [name for name in list(registered)
                                       if name not in before and name.startswith(_NAMES)]
            for name in made:
                registered.pop(name, None)
