"""Starts: --help, and from the start of the process to the first training step.

    python -m benchmarks.start --data_dir=glue_data

The features lie there already, for both. Ours has made its first step when it says so in its log.
"""

import dataclasses
import os
import shutil
import sys

from benchmarks import measure, workloads
from finetune import command

PEERS = [("original", "peers.original", ())]
STEP_OF_PEERS, STEP = r"^first step is made", r"train 1/"


def main(arguments: list[str]) -> None:
    """Measures and prints the table."""
    options = workloads.parser("start", __doc__, "mrpc").parse_args(arguments)
    setting = workloads.Setting(options)
    program = os.path.join(measure.ROOT, workloads.COMMAND)
    rows = [measure.Row("--help", measure.alternate(
        [measure.Contestant("ours", [sys.executable, program, "--help"], marker="--data_dir")],
        options.runs))]
    for name, workload, model in setting.rows():
        print(name, file=sys.stderr)
        epochs = 1.01 * 32 / setting.count(workload)
        ours = setting.command_line("ours", workload, model, [
            "--do_train", f"--num_train_epochs={epochs}", "--log_every_steps=1"])
        peers = setting.contestants("first_step", workload, model, PEERS)
        rows.append(measure.Row(name, measure.alternate(
            [with_features(one, setting, STEP if one.name == "ours" else STEP_OF_PEERS)
             for one in [*ours, *peers]], options.runs)))
        measure.save("start", rows, arguments, options.results_dir)
    measure.report(rows, [
        measure.comparison(rows[:1], measure.SECONDS, "seconds", more_is_better=False, digits=2),
        measure.comparison(rows[1:], measure.MARKED, "seconds to the first step",
                           more_is_better=False)])


def with_features(one: measure.Contestant, setting: workloads.Setting,
                  marker: str) -> measure.Contestant:
    """Returns the contestant with its features laid ready before each run, by a run of its own."""
    [output] = [flag.split("=", 1)[1] for flag in one.command if flag.startswith("--output_dir=")]
    kept = setting.output(f"features-of-{os.path.basename(output)}")
    shutil.rmtree(kept, ignore_errors=True)  # an earlier version may have written it

    def before() -> None:
        if not os.path.exists(kept):
            measure.run(one)
            os.makedirs(kept + ".writing", exist_ok=True)
            for file in os.listdir(output):
                if file.startswith("train.tf_record"):
                    shutil.copy(os.path.join(output, file), kept + ".writing")
            os.rename(kept + ".writing", kept)
        one.before()
        shutil.copytree(kept, output)

    return dataclasses.replace(one, marker=marker, before=before)


if __name__ == "__main__":
    sys.exit(command.run(lambda: main(sys.argv[1:])))
