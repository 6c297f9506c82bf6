"""A checkpoint write: for how long training stalls, in steps.

    python -m benchmarks.checkpoint --models=checkpoints/minilm,bert-base

A run of run_classifier_custom.py on generated rows of one length, so that all steps cost the same,
writes a checkpoint every --every steps and a line in run.log every step. From the times of those
lines: a step, the step with the write behind it, and what a write costs in all, with the steps
that it slows down.
"""

import datetime
import os
import re
import statistics
import sys

from benchmarks import measure, workloads
from finetune import command

BATCH, WORDS = 32, 30
LINE = re.compile(r"^(\S+ \S+) INFO train (\d+)/", re.M)
COLUMNS = (("step_ms", "step, ms"), ("saving_step_ms", "step with a write, ms"),
           ("stall_steps", "stall, steps"), ("cost_steps", "a write in all, steps"))


def main(arguments: list[str]) -> None:
    """Measures and prints the table."""
    parser = workloads.parser("checkpoint", __doc__, "", "checkpoints/minilm,bert-base", runs=3)
    parser.add_argument("--every", type=int, default=10, help="steps between checkpoints")
    parser.add_argument("--writes", type=int, default=4, help="checkpoints with steps behind them")
    options = parser.parse_args(arguments)
    setting, rows = workloads.Setting(options), []
    workload = workloads.generated(BATCH * 4, WORDS)
    steps = options.every * (options.writes + 1)
    for model in options.models.split(","):
        [ours] = setting.command_line("ours", workload, model, [
            "--do_train", f"--num_train_epochs={steps / 4}", "--log_every_steps=1",
            f"--save_checkpoints_steps={options.every}", "--keep_checkpoint_max=1"])
        [output] = [flag.split("=", 1)[1] for flag in ours.command if "--output_dir=" in flag]
        runs = []
        for _ in range(options.runs):
            one = measure.run(ours)
            with open(os.path.join(output, "run.log"), encoding="utf-8") as file:
                runs.append({**one, **stall(file.read(), options.every)})
        rows.append(measure.Row(os.path.basename(os.path.abspath(model)), {"ours": runs}))
        measure.save("checkpoint", rows, arguments, options.results_dir)
    measure.report(rows, [measure.columns(rows, "ours", COLUMNS)])


def stall(log: str, every: int) -> dict[str, float]:
    """Returns what run.log tells of the writes after each `every` steps.

    The line of step N is written before the checkpoint of step N, so that the write lies between
    it and the line of step N + 1.
    """
    times = {int(step): datetime.datetime.strptime(when, "%Y-%m-%d %H:%M:%S,%f").timestamp()
             for when, step in LINE.findall(log)}
    spans = {step: times[step] - times[step - 1] for step in times
             if step - 1 in times and step > every}  # the first ones trace the graph
    saving = [span for step, span in spans.items() if step % every == 1]
    plain = statistics.median(span for step, span in spans.items() if step % every != 1)
    middle = statistics.median(saving)
    return {"step_ms": plain * 1e3, "saving_step_ms": middle * 1e3,
            "stall_steps": middle / plain - 1,
            "cost_steps": (statistics.fmean(spans.values()) / plain - 1) * every}


if __name__ == "__main__":
    sys.exit(command.run(lambda: main(sys.argv[1:])))
