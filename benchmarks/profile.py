"""Where the time of a training step goes, by kind of operation.

    python -m benchmarks.profile --data_dir=glue_data --models=checkpoints/minilm

The times are those of all threads that began an operation; a product that two cores share counts
once. They add up to more than a step where operations run side by side.
"""

import sys

from benchmarks import measure, workloads
from finetune import command

SHOWN = 20


def main(arguments: list[str]) -> None:
    """Measures and prints a table for each work."""
    parser = workloads.parser("profile", __doc__, "mrpc,cola", "checkpoints/minilm")
    parser.add_argument("--batch_size", type=int, default=32, help="rows in a step")
    parser.add_argument("--steps", type=int, default=20, help="steps that are looked at")
    options = parser.parse_args(arguments)
    setting, tables = workloads.Setting(options), []
    rows = setting.measured("profile", lambda workload, model: setting.contestants(
        "profile", workload, model, [("ours", "ours", ())],
        [f"--batch_size={options.batch_size}", f"--steps={options.steps}"]), arguments, runs=1)
    for row in rows:
        spent = row.runs["ours"][0]["operations"]
        total = sum(spent.values())
        tables.append("\n".join([f"| {row.name} | ms a step | share |", "|---|---|---|", *(
            f"| {kind} | {value:.1f} | {value / total:.1%} |"
            for kind, value in list(spent.items())[:SHOWN])]))
    measure.report(rows, tables)


if __name__ == "__main__":
    sys.exit(command.run(lambda: main(sys.argv[1:])))
