"""What does not go with --kfold, --ensemble and --average_checkpoints, by the flags alone."""

from typing import TYPE_CHECKING

from finetune.confidence import settings as confidence

if TYPE_CHECKING:
    from finetune.config import RunConfig

_MOST_FOLDS, _MOST_MEMBERS = 20, 100


def of_members(config: "RunConfig") -> list[str]:
    """Returns what is wrong with the settings of several trainings, a message each."""
    if not (config.kfold or config.ensemble):
        return []
    found = []
    if config.kfold and not 2 <= config.kfold <= _MOST_FOLDS:
        found.append(f"--kfold={config.kfold}: must be 2 to {_MOST_FOLDS}; 0: no folds")
    if config.ensemble and not 2 <= config.ensemble <= _MOST_MEMBERS:
        found.append(f"--ensemble={config.ensemble}: must be 2 to {_MOST_MEMBERS}; 0: a single "
                     "training")
    flag = f"--kfold={config.kfold}" if config.kfold else f"--ensemble={config.ensemble}"
    if config.kfold and config.ensemble:
        found.append(f"--kfold={config.kfold} and --ensemble={config.ensemble} exclude each other: "
                     "give one of them")
    elif config.kfold:
        found += _of_kfold(config, flag)
    elif config.ensemble > 0 and config.seed + config.ensemble > 2 ** 31:
        found.append(f"{flag}: the last of its seeds, --seed={config.seed} and those after it, is "
                     "above 2147483647")
    if config.ensemble and not (config.do_train or config.do_eval or config.do_predict):
        found.append(f"{flag}: give --do_train, --do_eval or --do_predict")
    if config.sweep:
        found.append(f"{flag} does not go with --sweep={config.sweep}: choose by the sweep, then "
                     f"give {flag} with the settings it has chosen")
    if config.engine == "original":
        found.append(f"{flag}: --engine=original cannot; use --engine=fast")
    if config.kind_of_distribution in ("multi_worker", "tpu"):
        found.append(f"{flag}: works on one machine without a TPU")
    found += [f"--{name} does not go with {flag}: {instead}" for name, instead in (
        ("do_check", "run it before, on its own"), ("baseline", "run it before, on its own"),
        ("find_lr", "run it before, on its own"),
        ("do_explain", "explain one of its models, with --init_checkpoint=that model's folder"),
        ("do_export", "export one of its models, with its folder as --output_dir"))
        if getattr(config, name)]
    found += [f"{one} does not go with {flag}: calibrate one of its models, with its folder as "
              "--output_dir" for one in confidence.asked(config)]
    return found


def _of_kfold(config: "RunConfig", flag: str) -> list[str]:
    found = []
    if not config.do_train:
        found.append(f"{flag} trains on all folds but one, in turn: give --do_train")
    if config.eval_every_steps:
        found.append(f"--eval_every_steps={config.eval_every_steps} does not go with {flag}: each "
                     "model's checkpoint would be chosen by the rows that it is then scored on")
    return found


def of_averaging(config: "RunConfig") -> list[str]:
    """Returns what is wrong with --average_checkpoints, a message each."""
    count = config.average_checkpoints
    if not count:
        return []
    flag, found = f"--average_checkpoints={count}", []
    if count < 2:
        found.append(f"{flag}: must be 2 or more; 0: no mean")
    if config.keep_checkpoint_max and config.keep_checkpoint_max < count:
        found.append(f"{flag}: --keep_checkpoint_max={config.keep_checkpoint_max} keeps fewer "
                     f"checkpoints; give {count} or more, or 0 to keep all")
    if config.eval_every_steps:
        found.append(f"{flag} and --eval_every_steps={config.eval_every_steps} exclude each other: "
                     "either the mean answers or the checkpoint that is best on dev")
    if config.engine == "original":
        found.append(f"{flag}: --engine=original cannot; use --engine=fast")
    return found
