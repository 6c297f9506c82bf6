r"""Runs the fast engine and the original on one task; scripts/compare_with_original.sh calls it.

    scripts/compare_with_original.sh rte --data_dir=glue_data/RTE \
        --init_checkpoint=checkpoints/minilm
    scripts/compare_with_original.sh own --data_dir=data --init_checkpoint=checkpoints/minilm \
        --text_column=title,body --seeds=5
"""

import argparse
import dataclasses
import os
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
sys.path.insert(0, ROOT)

import run_classifier_custom as entry  # noqa: E402
from finetune import command, log  # noqa: E402
from finetune.errors import UserError  # noqa: E402

# What this script decides itself.
_FIXED = ("do_train", "do_eval", "do_predict", "seed", "engine", "task_name", "sweep",
          "overwrite_output_dir", "config", "shuffle_buffer_size")
ORIGINAL_BUFFER = 100  # file_based_input_fn_builder: d.repeat(), then d.shuffle(buffer_size=100)


def main(arguments: list[str] | None = None) -> int:
    """Returns the exit status: 0 alike, 1 not alike, 2 a mistake or a failed run, 130 stopped."""
    arguments = sys.argv[1:] if arguments is None else arguments
    if arguments[:1] == ["--fast_run"]:
        return fast_run(arguments[1:])
    options, flags = _parser().parse_known_args(arguments)
    return command.run(lambda: compare(options, flags), options.output_dir,
                       "the same command goes on with the runs that are missing")


def compare(options: argparse.Namespace, flags: list[str]) -> int:
    """Makes the runs that are missing, prints the table and returns 0 or 1."""
    problems = [f"--{name}: this script sets it itself" for name in _FIXED
                if any(flag.lstrip("-").split("=")[0].removeprefix("no") == name
                       for flag in flags)]
    if options.seeds < 2:
        problems.append(f"--seeds={options.seeds}: must be 2 or more; one run tells no spread")
    if problems:
        raise UserError(problems)
    if options.task != "own":
        flags = [f"--task_name={options.task}", *flags]
    config = entry.make_config([*flags, "--do_train", "--do_eval",
                                f"--output_dir={options.output_dir}"])
    environ = dict(os.environ)  # of the runs
    command.hide_gpus()  # the runs need them; what is done here is little
    with log.quiet():  # TensorFlow is imported here
        from finetune import preflight
        from finetune.original import comparison_runs
        from finetune.original import engine as original
        processor, known = None, []
        try:
            processor = entry.make_processor(config)
        except entry.processors.DataError as error:
            known = error.problems
    prepared = preflight.check(config, processor, [*known, *original.problems(
        dataclasses.replace(config, engine="original"))])
    runs = comparison_runs.Runs(prepared, original.environment(), environ, [
        sys.executable, os.path.abspath(__file__), "--fast_run", *flags, "--do_train", "--do_eval",
        "--do_predict", f"--shuffle_buffer_size={ORIGINAL_BUFFER}"])
    for seed in range(1, options.seeds + 1):
        for engine in comparison_runs.ENGINES:
            runs.make(engine, seed)
    others = [name for name in getattr(processor, "metrics", ()) if name != prepared.best_metric]
    table, alike = runs.report(range(1, options.seeds + 1), [prepared.best_metric, *others])
    print(table)
    return 0 if alike else 1


def fast_run(arguments: list[str]) -> int:
    """Runs our command with the dev split as the test split too, as the original is run."""
    make = entry.make_processor

    def with_dev_as_test(config: object) -> object:
        processor = make(config)
        processor.get_test_examples = processor.get_dev_examples
        return processor

    entry.make_processor = with_dev_as_test
    return entry.main(arguments)


def _parser() -> argparse.ArgumentParser:
    parser = command.Parser(
        prog="compare_with_original.sh", description="Trains both engines on a task, N seeds "
        "each, and compares features, probabilities, scores, time and memory.")
    parser.add_argument("task", metavar="TASK", help="a --task_name, or own: your own files")
    parser.add_argument("--seeds", type=int, default=3, help="runs of each engine (default 3)")
    parser.add_argument("--output_dir", default="output/comparison",
                        help="keeps the runs; finished ones are not made again "
                        "(default %(default)s)")
    parser.epilog = ("All other flags are run_classifier_custom.py's: --data_dir, "
                     "--init_checkpoint, --max_seq_length, --learning_rate, ...")
    return parser


if __name__ == "__main__":
    sys.exit(main())
