"""What a run is: one frozen RunConfig, joined from the declarations in options/.

The entry point makes its flags from them (name, type, default, help, group), so there is no second
list of flags. `RunConfig.problems()` checks all that can be known without opening a file and
reports every problem together, each quoting its flag.
"""

import collections
import dataclasses
import typing
from collections.abc import Iterable
from typing import Any

from finetune import config_problems, long_texts
from finetune.confidence import settings as confidence
from finetune.errors import Problem
from finetune.export import formats
from finetune.members import problems as members_problems
from finetune.options.answers import Answers
from finetune.options.data import Data
from finetune.options.devices import Devices
from finetune.options.long_texts import LongTexts
from finetune.options.model import Model
from finetune.options.training import Training
from finetune.options.what_to_do import WhatToDo
from finetune.training import problems as training_problems

# How a text is read: what a trained model has to be asked with as it was trained.
READING = ("max_seq_length", "do_lower_case", "text_column", "text_b_column", *long_texts.NAMES)


@dataclasses.dataclass(frozen=True)
class RunConfig(Devices, Answers, Training, LongTexts, Model, Data, WhatToDo):
    """All settings of a run. Read the fields as the manual: `--help` prints the same text.

    Its headings come in the order of the bases, the last one first.
    """

    @property
    def kind_of_distribution(self) -> str:
        """The --distribution that is meant: its own value, that of --use_tpu, or the default."""
        return self.distribution or ("tpu" if self.use_tpu else "one_device")

    @property
    def only_checks(self) -> bool:
        """Whether the run looks at the data, or for a learning rate, and ends there."""
        return (self.do_check or self.find_lr) and not (
            self.do_train or self.do_eval or self.do_predict or self.do_explain or self.do_export)

    def looked_at(self) -> "RunConfig":
        """Returns the settings of the run that is checked: a check alone is that of a training."""
        return dataclasses.replace(self, do_train=True) if self.only_checks else self

    def missing(self) -> list[str]:
        """Returns what has to be given, or left out, before anything else can be checked."""
        found = training_problems.of_finding(self)
        reads_data = (self.do_train or self.do_eval or self.do_predict or self.do_explain
                      or self.do_check or self.find_lr)
        if not (reads_data or self.do_export or self.baseline):
            found.append("nothing to do: give at least one of --do_train, --do_eval, --do_predict, "
                         "--do_explain, --do_export, --do_check, --find_lr")
        if not self.output_dir:
            found.append("--output_dir is required: the folder for everything the run writes")
        files = self.data_dir or self.train_file or self.dev_file or self.test_file
        if not files and (reads_data or not self.do_export):
            found.append("--data_dir is required: the folder of the data files")
        return found

    def problems(self) -> list[str]:
        """Returns all that is wrong with the settings themselves, a message each."""
        return [*config_problems.of_numbers(self), *self.label_problems(),
                *config_problems.of_modes(self), *config_problems.of_explanation(self),
                *config_problems.of_devices(self), *training_problems.of(self),
                *formats.problems(self),
                *long_texts.problems_of_flags(self, self.max_seq_length, self.do_explain),
                *members_problems.of_members(self), *members_problems.of_averaging(self),
                *confidence.problems(self)]

    def sure_problems(self, misread: Iterable[str]) -> list[str]:
        """Returns what is lacking or wrong whatever some flags say.

        Args:
            misread: names of flags that could not be read. What goes when one of them, or all,
                have another value may be so for that reason alone.
        """
        changes = [{field.name: value} for field in dataclasses.fields(self)
                   if field.name in misread for value in _other_values(field)]
        found = [*self.missing(), *self.problems()]
        for change in [*changes, dict(collections.ChainMap(*changes))]:
            other = dataclasses.replace(self, **change)
            kept = {*other.missing(), *other.problems()}
            found = [problem for problem in found if problem in kept]
        return found

    def label_problems(self) -> list[str]:
        """Returns what is wrong with --labels."""
        if self.labels is not None and self.labels_file:
            return ["--labels and --labels_file exclude each other: give one of them"]
        return config_problems.of_labels(self.labels, "--labels") if self.labels is not None else []

    def as_dict(self) -> dict[str, Any]:
        """Returns the settings as JSON-ready values; `--config` reads them back.

        What would delete something or name another file of settings is left out.
        """
        return {key: list(value) if isinstance(value, tuple) else value
                for key, value in dataclasses.asdict(self).items()
                if key not in ("config", "overwrite_output_dir", "sweep")}


def flag_type(field: dataclasses.Field) -> type:
    """Returns bool, int, float, str or tuple (a comma-separated list) for a field of RunConfig."""
    if field.type == tuple[str, ...] | None:
        return tuple
    return next(iter(typing.get_args(field.type)), field.type)


def _other_values(field: dataclasses.Field) -> Iterable[Any]:
    """Returns values that a flag could have in place of its default."""
    kind, default = flag_type(field), field.default
    if field.metadata["choices"]:
        return field.metadata["choices"]
    others = {bool: not default, str: "other", tuple: ("one", "other")}
    return [others[kind] if kind in others else (default or 0) + 1]


def refusal(name: str, value: str, told: str) -> Problem:
    """Says why a flag does not take a value: what it takes, or what is told where that is text."""
    field = next((one for one in dataclasses.fields(RunConfig) if one.name == name), None)
    must = field and config_problems.must_be(value, flag_type(field), field.metadata["choices"])
    message = f"--{name}={value}: {must}" if must else told
    return Problem(" ".join(message.split()), [name])
