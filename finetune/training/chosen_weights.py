"""Which weights answer after training: the last, the best on dev, or a mean of checkpoints.

    chosen_weights.take(config, state, strategy, score)

--average_checkpoints=3 writes the mean of the last three checkpoints as model.ckpt-averaged-<step>,
without Adam's averages. Neither training that goes on nor the file `checkpoint` knows of it: it
belongs to the checkpoint of its step, and counts for as long as that is the newest.
"""

import os
from collections.abc import Callable, Mapping, Sequence

import numpy as np
import tensorflow as tf

from finetune import model, workers
from finetune.checkpoints import checkpoint
from finetune.checkpoints import state as checkpoint_state
from finetune.config import RunConfig
from finetune.errors import UserError
from finetune.log import LOGGER


def problems(config: RunConfig, steps: int) -> list[str]:
    """Returns why a training of so many steps leaves too few checkpoints for their mean."""
    count, every = config.average_checkpoints, config.save_checkpoints_steps
    there = -(-steps // every)  # one more is written at the end
    if there >= count or not steps:
        return []
    return [f"--average_checkpoints={count}: {steps} steps with --save_checkpoints_steps={every} "
            f"make {there} checkpoint{'s' * (there != 1)}; give "
            + (f"--save_checkpoints_steps={steps // count}, or less" if steps >= count else
               "more --num_train_epochs")]


def take(config: RunConfig, state: model.State, strategy: tf.distribute.Strategy,
         score: Callable[[], Mapping[str, float]] | None) -> None:
    """Brings the weights in memory to those that evaluation and prediction use.

    Args:
        state: as it is after training.
        score: scores the dev split with the weights as they are; None: it is not asked for.

    Raises:
        UserError: there are too few checkpoints, or one is damaged.
    """
    if not config.average_checkpoints:
        if workers.is_chief(strategy):
            _delete_means(config.output_dir, but=None)
        _take_best(config, state, strategy)
        return
    if score:
        told = "  ".join(f"{name} {value:.4f}" for name, value in score().items())
        LOGGER.info("dev with the last checkpoint alone: %s", told)
    values = {name: variable.numpy() for name, variable in state.weights.items()}
    if workers.is_chief(strategy):
        values = _write_mean(config, list(values), int(state.step.numpy()))
    for name, variable in state.weights.items():
        variable.assign(workers.from_chief(strategy, values[name]))


def _take_best(config: RunConfig, state: model.State, strategy: tf.distribute.Strategy) -> None:
    """Brings the weights to those of the best checkpoint, if there is one."""
    chosen, step = checkpoint.best(config.output_dir), int(state.step.numpy())
    if workers.from_chief(strategy, chosen["step"] if chosen else step) == step:
        return
    variables = {**state.weights, model.GLOBAL_STEP: state.step}
    values = {name: variable.numpy() for name, variable in variables.items()}
    if chosen:
        LOGGER.info("evaluation and prediction use the best checkpoint, %s (dev %s %.4f)",
                    chosen["checkpoint"], chosen["metric"], chosen["value"])
        values = checkpoint.read(os.path.join(config.output_dir, chosen["checkpoint"]),
                                 list(variables))
    for name, variable in variables.items():
        variable.assign(workers.from_chief(strategy, values[name]))


def mean(prefixes: Sequence[str], names: list[str]) -> dict[str, np.ndarray]:
    """Returns the mean of variables over checkpoints, summed in float64.

    Args:
        prefixes: of the checkpoints.
        names: of the variables.
    """
    sums = dict.fromkeys(names, 0.0)
    for prefix in prefixes:
        for name, value in checkpoint.read(prefix, names).items():
            sums[name] = sums[name] + value.astype(np.float64)
    return {name: (value / len(prefixes)).astype(np.float32) for name, value in sums.items()}


def _write_mean(config: RunConfig, names: list[str], step: int) -> dict[str, np.ndarray]:
    """Writes the mean of the last checkpoints, up to this step, and returns its weights."""
    folder, count = config.output_dir, config.average_checkpoints
    steps = [one for one in checkpoint.steps(folder) if one <= step][-count:]
    if len(steps) < count:
        raise UserError(f"--average_checkpoints={count}: --output_dir={folder} holds "
                        f"{len(steps)} checkpoints up to step {step}; give a smaller number, or "
                        "--overwrite_output_dir and a smaller --save_checkpoints_steps")
    values = mean([os.path.join(folder, f"model.ckpt-{one}") for one in steps], names)
    name = f"{checkpoint_state.AVERAGED}{step}"
    checkpoint.save(os.path.join(folder, name), {**values, model.GLOBAL_STEP: np.int64(step)})
    _delete_means(folder, but=name)
    LOGGER.info("evaluation and prediction use %s, the mean of the checkpoints of the steps %s",
                name, ", ".join(map(str, steps)))
    return values


def _delete_means(folder: str, but: str | None) -> None:
    """Deletes the means of earlier trainings, which nothing uses any more."""
    for path in tf.io.gfile.glob(os.path.join(folder, f"{checkpoint_state.AVERAGED}*")):
        if but is None or not os.path.basename(path).startswith(f"{but}."):
            tf.io.gfile.remove(path)
