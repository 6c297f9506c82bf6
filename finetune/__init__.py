"""HOW any task is run: features, encoder, training, evaluation, prediction.

    from finetune import Predictor        # a trained folder in a program of your own

Never imports `processors`, never reads flags. `runner.run(config, processor)` is the way in.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from finetune.trained import Predictor

__all__ = ["Predictor"]


def __getattr__(name: str) -> Any:
    """Imports Predictor, and TensorFlow with it, when it is asked for and not before."""
    if name != "Predictor":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from finetune import log, tensorflow_import
    with log.quiet():
        tensorflow_import.load()
        from finetune.trained import Predictor
    return Predictor
