"""Training, examples/s in steady state: ours, the original, Hugging Face grouped and random.

    python -m benchmarks.training --data_dir=glue_data --issues_dir=issues \
        --models=checkpoints/minilm,bert-base

Steps whose batches cost on average what those of an epoch do, after some that do not count; the
time of making features is added as spread over three epochs. Peak memory is that of the process.
"""

import sys

from benchmarks import measure, workloads
from finetune import command

ENTRIES = (("ours", "ours", ()), ("original", "peers.original", ()),
           ("Hugging Face grouped", "peers.huggingface", ("--order=grouped",)),
           ("Hugging Face random", "peers.huggingface", ("--order=random",)))


def main(arguments: list[str]) -> None:
    """Measures and prints the table."""
    parser = workloads.parser("training", __doc__, "mrpc,cola,sst-2,issues-128,issues-512",
                              "checkpoints/minilm,bert-base")
    parser.add_argument("--batch_size", type=int, default=32, help="rows in a step")
    parser.add_argument("--steps", type=int, default=20, help="steps of which time is taken")
    parser.add_argument("--warmup_steps", type=int, default=3, help="steps before that")
    options = parser.parse_args(arguments)
    setting = workloads.Setting(options)
    rows = setting.measured("training", lambda workload, model: setting.contestants(
        "train", workload, model, ENTRIES,
        [f"--{flag}={getattr(options, flag)}" for flag in ("batch_size", "steps", "warmup_steps")]),
        arguments)
    measure.report(rows, [measure.comparison(rows, "examples_per_second", "examples/s"),
                          measure.memory(rows)])


if __name__ == "__main__":
    sys.exit(command.run(lambda: main(sys.argv[1:])))
