"""The whole command: start, features, three epochs, evaluation, prediction.

    python -m benchmarks.command --data_dir=glue_data --work=mrpc,cola

Wall time and peak memory of processes from their start to their end. Ours is
run_classifier_custom.py, the original bert.run_classifier.main, Hugging Face a script around its
Trainer (benchmarks/peers/huggingface.py), grouped by length. All read the same JSON lines.
"""

import sys

from benchmarks import measure, workloads
from finetune import command

PEERS = (("original", "peers.original", ()),
         ("Hugging Face grouped", "peers.huggingface", ("--order=grouped",)))


def main(arguments: list[str]) -> None:
    """Measures and prints the table."""
    parser = workloads.parser("command", __doc__, "mrpc,cola")
    parser.add_argument("--epochs", type=float, default=3.0, help="passes over the training rows")
    options = parser.parse_args(arguments)
    setting = workloads.Setting(options)

    def contestants(workload: workloads.Workload, model: str) -> list[measure.Contestant]:
        ours = setting.command_line("ours", workload, model, [
            "--do_train", "--do_eval", "--do_predict", f"--num_train_epochs={options.epochs}"])
        return [*ours, *setting.contestants("whole", workload, model, PEERS,
                                            [f"--epochs={options.epochs}"])]

    rows = setting.measured("command", contestants, arguments)
    measure.report(rows, [
        measure.comparison(rows, measure.SECONDS, "seconds", more_is_better=False),
        measure.memory(rows)])


if __name__ == "__main__":
    sys.exit(command.run(lambda: main(sys.argv[1:])))
