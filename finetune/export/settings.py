"""How a trained folder is to be exported where the flags do not say it."""

import contextlib
import dataclasses
import os

from finetune import outputs
from finetune.checkpoints import checkpoint
from finetune.config import READING, RunConfig
from finetune.errors import UserError
from finetune.start import own_checkpoint


def as_trained(config: RunConfig) -> RunConfig:
    """Returns the settings of --do_export alone, with those of the training that decide the input.

    No text is read then, so that they only describe the model, and need not be given again. A flag
    that is not at its default stays as it is.
    """
    if not config.do_export or config.do_train or config.do_eval or (
            config.do_predict or config.do_explain):
        return config
    trained = {}
    with contextlib.suppress(UserError):  # damaged, or no checkpoint: preflight tells
        prefix = own_checkpoint(config) or (config.init_checkpoint
                                            and checkpoint.resolve(config.init_checkpoint))
        trained = outputs.read_json(os.path.join(os.path.dirname(prefix or ""),
                                                 outputs.RUN_CONFIG)) if prefix else {}
    fields = {field.name: field for field in dataclasses.fields(config)}
    return dataclasses.replace(config, **{
        name: trained[name] for name in READING
        if name in (trained or {}) and getattr(config, name) == fields[name].default})


def trained_folder(config: RunConfig, prefix: str | None) -> str:
    """Returns the folder of the run that trained what is exported.

    Args:
        prefix: the checkpoint that the run began with.
    """
    own = config.do_train or prefix is None
    return config.output_dir if own else os.path.dirname(prefix)
