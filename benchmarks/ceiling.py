"""A training step against TensorFlow's bare matrix products of the same shapes.

    python -m benchmarks.ceiling --data_dir=glue_data --models=checkpoints/minilm,bert-base

One process makes steps and, between them, the products of the same batches (benchmarks/
products.py): the dense layers' alone, and with those of attention. 100 % would be a step that
does nothing else.
"""

import sys

from benchmarks import measure, workloads
from finetune import command

COLUMNS = (("step_ms", "step, ms"), ("dense_ms", "dense products, ms"),
           ("dense_gflops", "GFLOP/s"), ("attention_ms", "attention's, ms"),
           ("attention_gflops", "GFLOP/s"), ("share_of_dense", "of the dense ceiling, %"),
           ("share_of_all", "with attention's, %"))


def main(arguments: list[str]) -> None:
    """Measures and prints the table."""
    parser = workloads.parser("ceiling", __doc__, "mrpc,cola,sst-2",
                              "checkpoints/minilm,bert-base")
    parser.add_argument("--batch_size", type=int, default=32, help="rows in a step")
    parser.add_argument("--steps", type=int, default=20, help="steps of which time is taken")
    options = parser.parse_args(arguments)
    setting = workloads.Setting(options)
    rows = setting.measured("ceiling", lambda workload, model: setting.contestants(
        "ceiling", workload, model, [("ours", "ours", ())],
        [f"--batch_size={options.batch_size}", f"--steps={options.steps}"]), arguments)
    measure.report(rows, [measure.columns(rows, "ours", COLUMNS)])


if __name__ == "__main__":
    sys.exit(command.run(lambda: main(sys.argv[1:])))
