#!/usr/bin/env python3
r"""Fine-tune a BERT classifier on your own labels: google-research/bert's run_classifier.py, today.

    python run_classifier_custom.py --data_dir=data --labels=bug,feature,question \
        --init_checkpoint=checkpoints/minilm --do_train --do_eval --do_predict --output_dir=output

This file turns flags into a RunConfig, apart from those that importing bert.run_classifier defines.
"""

import dataclasses
import shlex
import sys

from absl import flags

import processors
from finetune import command, log, manual, reading, tensorflow_import
from finetune.config import RunConfig, flag_type, refusal
from finetune.config_problems import unknown_flag
from finetune.errors import Problem, UserError, collected
from finetune.settings import argument_problems, flag_name, read_labels_file, read_settings
from finetune.stages import Stopwatch

FILE = "run_classifier_custom.py"
FIELDS = {field.name: field for field in dataclasses.fields(RunConfig)}


def define_flags() -> flags.FlagValues:
    """Returns one flag for every field of RunConfig."""
    values = flags.FlagValues()
    define = {bool: flags.DEFINE_bool, int: flags.DEFINE_integer, float: flags.DEFINE_float,
              str: flags.DEFINE_string, tuple: flags.DEFINE_list}
    for name, field in FIELDS.items():
        text, choices = field.metadata["help"], field.metadata["choices"]
        if choices:
            flags.DEFINE_enum(name, field.default, list(choices), text, flag_values=values)
        else:
            define[flag_type(field)](name, field.default, text, flag_values=values)
    return values


def help_text() -> str:
    """Returns the manual: every flag with its default and meaning, under its group."""
    return manual.text(__doc__.partition("This file")[0], processors.names())


def parse(values: flags.FlagValues, arguments: list[str]) -> list[Problem]:
    """Sets the flags from the arguments and returns every problem found."""
    problems = []
    while True:
        try:
            for extra in values([FILE, *arguments])[1:]:
                problems.append(
                    Problem(f"unexpected argument {extra!r}: write flags as --name=value", ()))
            return problems
        except flags.UnrecognizedFlagError as error:
            problems.append(unknown_flag(name := error.flagname, FIELDS))
        except flags.IllegalFlagValueError as error:
            name, _, said = str(error).removeprefix("flag --").partition("=")
            value = said.removesuffix(f": {error.__context__}")
            problems.append(refusal(name, value, str(error)))
        except (flags.Error, ValueError) as error:  # --nodo_train=true is a ValueError
            name = max((one for one in map(flag_name, arguments) if one in str(error)), key=len)
            problems.append(Problem(" ".join(str(error).split()), [name.removeprefix("no")]))
        kept = [given for given in arguments if flag_name(given) != name]
        if kept == arguments:
            return problems
        arguments = kept


def make_config(arguments: list[str], looks_at_data: bool = False) -> RunConfig:
    """Returns the configuration that the command line and its --config file ask for.

    Args:
        arguments: those of the command line.
        looks_at_data: whether what is wrong with the data is told with what is wrong with flags.

    Raises:
        UserError: flags that are unknown, malformed or lacking; all of them.
    """
    values = define_flags()
    if problems := argument_problems(arguments):
        raise UserError(problems)
    problems = parse(values, arguments)
    if not problems and values.config is not None:
        given = [f"--{name}={value}" for name, value in read_settings(values.config).items()]
        problems = [one.within(f"--config={values.config}") for one in parse(values, given)]
        parse(values, arguments)  # once more, since the command line wins
    settings = {name: tuple(value) if isinstance(value := values[name].value, list) else value
                for name in FIELDS}
    if settings["bert_hub_module_handle"] and not values["do_lower_case"].present:
        settings["do_lower_case"] = None  # the module says
    config = RunConfig(**settings)
    if config.labels_file is not None and config.labels is None:
        with collected(problems):
            labels = read_labels_file(config.labels_file)
            config = dataclasses.replace(config, labels=labels, labels_file=None)
    if problems or config.missing():
        misread = [name for problem in problems for name in problem.flags]
        raise UserError([
            *problems, *config.sure_problems(misread),
            *(reading.problems(config, make_processor, problems) if looks_at_data else [])])
    return config


def make_processor(config: RunConfig) -> object:
    """Returns the DataProcessor of --processor or --task_name, or the one for own files."""
    if config.processor:
        from finetune import upstream
        upstream.make_importable()  # it may have been written for the original
        chosen = processors.load(config.processor)
    else:
        chosen = processors.get(config.task_name or "delimited")
    given = {name: getattr(config, name) for name, field in FIELDS.items()
             if field.metadata["group"] == "Data" and getattr(config, name) != field.default}
    if config.label_problems():
        given.pop("labels", None)
    general = {"data_dir", "task_name", "processor", "labels", "task_type", "label_separator"}
    return processors.create(chosen, given, general)


def main(arguments: list[str]) -> int:
    """Runs the command line and returns its exit status: 0 done, 2 a mistake, 130 stopped."""
    if {"--help", "-h", "-help", "--helpfull"} & set(arguments):
        return command.show(help_text()) or 0
    return command.run(lambda: work(arguments))


def work(arguments: list[str]) -> int | None:
    """Does what the command line asks for and returns the exit status of a sweep, else None."""
    config, watch, processor, problems = make_config(arguments, True), Stopwatch(), None, []
    with log.quiet():
        tensorflow_import.load()  # here, when work starts
        from finetune import labels, runner
        from finetune.members import runner as many
        config = labels.as_trained(config)
        with collected(problems):
            processor = make_processor(config)
    if config.sweep:
        from finetune.sweep import runner as sweep
        return sweep.run(config, lambda flag: make_config([*arguments, flag]),
                         make_processor, __file__)
    return many.run(runner.run, config, processor, shlex.join([FILE, *arguments]), problems, watch)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
