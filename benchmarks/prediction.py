"""Prediction, rows/s, text to probabilities: ours, original, Hugging Face, onnxruntime.

    python -m benchmarks.prediction --data_dir=glue_data --work=sst-2

The rows are those of the training split. The model is loaded and warm; features count. Each takes
whichever of --batch_sizes is fastest on a sample, but the original, to which that means little.
"""

import sys

from benchmarks import measure, workloads
from finetune import command

ENTRIES = (("ours", "ours", ()), ("original", "peers.original", ("--steps=10",)),
           ("Hugging Face", "peers.huggingface", ()), ("onnxruntime", "peers.onnx_runtime", ()))


def main(arguments: list[str]) -> None:
    """Measures and prints the table."""
    parser = workloads.parser("prediction", __doc__, "sst-2,mrpc",
                              "checkpoints/minilm,bert-base")
    parser.add_argument("--batch_sizes", default="8,32,64,128", help="of which each tries all")
    options = parser.parse_args(arguments)
    setting = workloads.Setting(options)
    rows = setting.measured("prediction", lambda workload, model: setting.contestants(
        "predict", workload, model, ENTRIES, [f"--batch_sizes={options.batch_sizes}"]), arguments)
    measure.report(rows, [measure.comparison(rows, "rows_per_second", "rows/s"),
                          measure.memory(rows)])


if __name__ == "__main__":
    sys.exit(command.run(lambda: main(sys.argv[1:])))
