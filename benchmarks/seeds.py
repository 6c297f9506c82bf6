"""The dev scores of both engines over seeds, from seeds.jsonl: is ours the original's?

    python benchmarks/seeds.py

Prints one line for a task and an engine, and for our means how far they lie from the original's
and how far two means of one engine would lie apart by chance (finetune/original/comparison.py,
Spread). `fast` is our default; `fast, buffer 100` draws rows as the original does.
"""

import json
import os
import pathlib
import statistics
import sys
from collections.abc import Iterable, Sequence

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

from finetune.original.comparison import Spread  # noqa: E402

FILE = pathlib.Path(__file__).with_name("seeds.jsonl")
METRICS = {"cola": "mcc", "mrpc": "accuracy", "rte": "accuracy", "sts-b": "pearson"}
DEV_ROWS = {"cola": 1043, "mrpc": 408, "rte": 277, "sts-b": 1500}


def scores(runs: Sequence[dict], task: str, engine: str, buffer: int) -> list[float]:
    """Returns the task's metric of every run of an engine with that shuffle buffer, by seed."""
    chosen = [run for run in runs if run["task"] == task and run["engine"] == engine
              and run.get("shuffle_buffer_size", 0) == buffer]
    return [run[METRICS[task]] for run in sorted(chosen, key=lambda run: run["seed"] or 0)]


def table(runs: Iterable[dict]) -> list[str]:
    """Returns the rows of a Markdown table."""
    runs = list(runs)
    rows = ["| task, metric | engine | by seed | mean | deviation | from the original's mean |",
            "|---|---|---|---|---|---|"]
    for task, metric in METRICS.items():
        original = scores(runs, task, "original", 0)
        for name, engine, buffer in (("original", "original", 0), ("fast", "fast", 0),
                                     ("fast, buffer 100", "fast", 100)):
            values = scores(runs, task, engine, buffer)
            if len(values) < 2 or len(original) < 2:
                continue
            spread = Spread.of(original, values, DEV_ROWS[task])
            told = "" if engine == "original" else (
                f"{spread.difference:+.3f}, by chance up to {spread.allowed:.3f}: "
                f"{'within' if spread.within else 'OUTSIDE'}")
            by_seed = " ".join(f"{value:.3f}" for value in values)
            rows.append(f"| {task}, {metric} | {name} | {by_seed} | {statistics.fmean(values):.3f} "
                        f"| {statistics.stdev(values):.3f} | {told} |")
    return rows


if __name__ == "__main__":
    print("\n".join(table([json.loads(line) for line in FILE.read_text().splitlines()])))
