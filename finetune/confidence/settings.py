"""What is wrong with --calibrate and --min_precision by themselves: no file is opened for it."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from finetune.config import RunConfig


def asked(config: "RunConfig") -> list[str]:
    """Returns the flags that ask for a fit on dev, as they were given."""
    return ["--calibrate"] * config.calibrate + (
        [] if config.min_precision is None else [f"--min_precision={config.min_precision}"])


def problems(config: "RunConfig") -> list[str]:
    """Returns why they cannot go with the other flags, or lack from them."""
    found = []
    for flag in asked(config):
        if not config.do_eval:
            found.append(f"{flag}: is fitted on dev: give --do_eval")
        if config.engine == "original":
            found.append(f"{flag}: --engine=original cannot; train with it, then give "
                         f"--init_checkpoint={config.output_dir} --do_eval {flag} and another "
                         "--output_dir, with --engine=fast")
        if config.task_type not in (None, "classification"):
            found.append(refusal(flag, config.task_type))
    if config.min_precision is not None and not 0 < config.min_precision <= 1:
        found.append(f"--min_precision={config.min_precision}: must be above 0 and at most 1; "
                     "0.95 is 95 %")
    return found


def refusal(flag: str, kind: str) -> str:
    """Says why a task of another kind has no confidence to be calibrated."""
    return (f"{flag}: needs a task of one label a row, whose probabilities add up to 1; this is a "
            f"{kind} task")
