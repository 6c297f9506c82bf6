"""A loaded model asked from Python: one text at a time, and many; ours and Hugging Face's pipeline.

    python -m benchmarks.latency --data_dir=glue_data --work=sst-2

Texts are 200 of the training split, spread over its lengths. What is measured is the call that a
user makes, text to probabilities: `Predictor.predict_proba`, `pipeline("text-classification")`. For
many texts the pipeline takes whichever of --batch_sizes is fastest.
"""

import sys

from benchmarks import measure, workloads
from finetune import command

ENTRIES = (("ours", "ours", ()), ("Hugging Face pipeline", "peers.huggingface", ()))


def main(arguments: list[str]) -> None:
    """Measures and prints the tables."""
    parser = workloads.parser("latency", __doc__, "sst-2,mrpc")
    parser.add_argument("--batch_sizes", default="8,32,64", help="of which the pipeline tries all")
    options = parser.parse_args(arguments)
    setting = workloads.Setting(options)
    rows = setting.measured("latency", lambda workload, model: setting.contestants(
        "latency", workload, model, ENTRIES, [f"--batch_sizes={options.batch_sizes}"]), arguments)
    measure.report(rows, [
        measure.comparison(rows, "median_ms", "one text: ms, median", more_is_better=False),
        measure.comparison(rows, "p99_ms", "one text: ms, 99 % are faster", more_is_better=False),
        measure.comparison(rows, "rows_per_second", "many texts: rows/s")])


if __name__ == "__main__":
    sys.exit(command.run(lambda: main(sys.argv[1:])))
