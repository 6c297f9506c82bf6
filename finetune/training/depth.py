"""Where a weight stands between text and answer: which weights learn, and how fast each.

    depth of embeddings 0, of layer i 1 + i, of pooler and head 1 + L         (L: layers)

--layerwise_lr_decay, --trainable_layers and --gradual_unfreezing count in depths.
"""

import re

from finetune.config import RunConfig

_LAYER = re.compile(r"bert/encoder/layer_(\d+)/")


def depth(name: str, layers: int) -> int:
    """Returns the depth of a variable in a model of so many layers."""
    if name.startswith("bert/embeddings/"):
        return 0
    layer = _LAYER.match(name)
    return 1 + int(layer[1]) if layer else 1 + layers


def factor(name: str, layers: int, decay: float) -> float:
    """Returns what the learning rate is multiplied by for a variable (--layerwise_lr_decay).

    1 for pooler and head, decay^(L - i) for layer i, decay^(L + 1) for the embeddings. ELECTRA
    (Clark et al., 2020, arXiv:2003.10555), from whose code this comes, has a power more for
    layers and embeddings: it leaves a depth to a pooler that it does not have.
    """
    return decay ** (1 + layers - depth(name, layers))


def lowest_trained(config: RunConfig, layers: int, epoch: int) -> int:
    """Returns the depth from which on weights are trained in an epoch, counted from 0.

    With --gradual_unfreezing pooler and head alone in the first, and one layer more in each that
    follows (Howard and Ruder, 2018, arXiv:1801.06146), as far as --trainable_layers goes.
    """
    top = 1 + layers
    lowest = 0 if config.trainable_layers is None else top - config.trainable_layers
    return max(lowest, top - epoch) if config.gradual_unfreezing else lowest
