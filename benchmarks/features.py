"""Text to TFRecord, rows/s: ours and the original, and a second run on the same data.

    python -m benchmarks.features --data_dir=glue_data

From examples in memory to the finished file: the original's
file_based_convert_examples_to_features, and what a run of ours does in its place.
"""

import sys

from benchmarks import measure, workloads
from finetune import command

ENTRIES = (("ours", "ours", ()), ("original", "peers.original", ()))


def main(arguments: list[str]) -> None:
    """Measures and prints the table."""
    options = workloads.parser("features", __doc__, "mrpc,cola,sst-2,issues-128").parse_args(
        arguments)
    setting = workloads.Setting(options)
    rows = setting.measured("features", lambda workload, model: setting.contestants(
        "features", workload, model, ENTRIES), arguments)
    measure.report(rows, [
        measure.comparison(rows, "rows_per_second", "rows/s", digits=0),
        measure.comparison(rows, "second_rows_per_second", "second run, rows/s", digits=0),
        measure.comparison(rows, "second_seconds", "second run, s", more_is_better=False,
                           digits=3)])


if __name__ == "__main__":
    sys.exit(command.run(lambda: main(sys.argv[1:])))
