"""What is wrong with the settings of how to train, by themselves: no file is opened for it."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from finetune.config import RunConfig


def of(config: "RunConfig") -> list[str]:
    """Returns the numbers that lie out of bounds, and what does not go together."""
    found = []
    if not 0 < config.one_cycle_rise < 1:  # NaN is not either
        found.append(f"--one_cycle_rise={config.one_cycle_rise}: must lie between 0 and 1")
    elif config.one_cycle_rise != 0.3 and config.lr_schedule != "one_cycle":
        found.append(f"--one_cycle_rise={config.one_cycle_rise} goes with --lr_schedule=one_cycle")
    if not 0 < config.layerwise_lr_decay <= 1:
        found.append(f"--layerwise_lr_decay={config.layerwise_lr_decay}: must be above 0, and 1 at "
                     "most")
    if not 0 <= config.focal_gamma <= 100:
        found.append(f"--focal_gamma={config.focal_gamma}: must lie between 0 and 100")
    if config.trainable_layers is not None and config.trainable_layers < 0:
        found.append(f"--trainable_layers={config.trainable_layers}: must be 0 or more")
    if config.class_weights == "":
        found.append("--class_weights=: must be balanced, or a file")
    return found


def of_finding(config: "RunConfig") -> list[str]:
    """Returns what --find_lr does not go with, in the settings as they were given."""
    if not config.find_lr:
        return []
    with_it = [f"--{name}" for name in ("do_train", "do_eval", "do_predict", "do_explain",
                                        "do_export", "baseline", "sweep", "overwrite_output_dir")
               if getattr(config, name)]
    found = []
    if with_it:
        found.append(f"--find_lr does not go with {', '.join(with_it)}: look for a rate first, on "
                     "its own, then train with the one you choose")
    if config.engine == "original":
        found.append("--find_lr: --engine=original cannot; leave one of them out")
    return found
