"""Growth: time of a training step by tokens, memory of a whole run by rows.

    python -m benchmarks.growth
    python -m benchmarks.growth --rows=10000,100000,1000000

All rows are generated: of --words words each for the first table, of 12 for the second. There
run_classifier_custom.py reads them, writes their features and makes --steps steps.
"""

import sys

from benchmarks import measure, workloads
from finetune import command

BATCH, WORDS = 32, 12
STEPS = (("tokens_per_step", "tokens in a step"), ("step_seconds", "s"),
         ("ms_per_1000_tokens", "ms for 1,000 tokens"))
ROWS = (("seconds", "s"), ("peak_mb", "peak memory, MB"))


def main(arguments: list[str]) -> None:
    """Measures and prints the tables."""
    parser = workloads.parser("growth", __doc__, "", runs=3)
    parser.add_argument("--words", default="6,14,30,62,126", help="of a row; two tokens more")
    parser.add_argument("--rows", default="10000,100000,1000000", help="to train on")
    parser.add_argument("--steps", type=int, default=10, help="training steps in each run")
    options = parser.parse_args(arguments)
    setting, by_tokens, by_rows = workloads.Setting(options), [], []
    model = options.models.split(",")[0]
    for words in map(int, options.words.split(",")):
        workload = workloads.generated(BATCH * 4, words)
        runs = measure.alternate(setting.contestants(
            "train", workload, model, [("ours", "ours", ())], [f"--steps={options.steps}"]),
            options.runs)
        for one in runs["ours"]:
            one["ms_per_1000_tokens"] = one["step_seconds"] / one["tokens_per_step"] * 1e6
        by_tokens.append(measure.Row(f"rows of {words + 2} tokens", runs))
        measure.save("growth", by_tokens, arguments, options.results_dir)
    for count in map(int, options.rows.split(",")):
        workload = workloads.generated(count, WORDS)
        ours = setting.command_line("ours", workload, model, [
            "--do_train", f"--num_train_epochs={(options.steps + 0.01) * BATCH / count}"])
        by_rows.append(measure.Row(f"{count:,} rows", measure.alternate(ours, options.runs)))
        measure.save("growth", by_tokens + by_rows, arguments, options.results_dir)
    measure.report(by_tokens + by_rows, [measure.columns(by_tokens, "ours", STEPS),
                                         measure.columns(by_rows, "ours", ROWS)])


if __name__ == "__main__":
    sys.exit(command.run(lambda: main(sys.argv[1:])))
