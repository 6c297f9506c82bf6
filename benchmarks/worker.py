"""What every contestant takes and answers, so that a table can swap one for another.

A contestant is a script: `python -m benchmarks.ours train --task=FOLDER --model=FOLDER ...`. Its
last line on standard output is one JSON object, made by `answer`. It runs in its own interpreter,
from Python 3.7 on, so that this file is written for that and needs the standard library alone.

A task folder, made by benchmarks/prepare.py:
    train.jsonl dev.jsonl test.jsonl    guid, text_a, text_b, label of each row
    labels.json                         the labels, in the order of their ids
"""

import argparse
import io
import json
import os
import platform
import random
import time
from typing import Any, Callable, Dict, List, Sequence

EPOCHS = 3.0  # over which features are paid for, as in the paper


def parse(works: Dict[str, Callable], arguments: Sequence[str] = None) -> argparse.Namespace:
    """Returns the arguments of a contestant that does these works; paths become absolute."""
    parser = argparse.ArgumentParser(allow_abbrev=False)
    parser.add_argument("work", choices=sorted(works))
    parser.add_argument("--task", required=True, help="a task folder")
    parser.add_argument("--model", required=True, help="a folder with a checkpoint")
    parser.add_argument("--huggingface_model", help="the same model as transformers reads it")
    parser.add_argument("--output_dir", required=True, help="for whatever has to be written")
    parser.add_argument("--max_seq_length", type=int, default=128)
    parser.add_argument("--batch_size", type=int, default=32)
    parser.add_argument("--batch_sizes", type=_numbers, default=[8, 32, 64],
                        help="of prediction: the fastest on a sample of the rows is taken")
    parser.add_argument("--order", choices=("random", "grouped"), default="random",
                        help="of training rows; grouped: by length, where the contestant can")
    parser.add_argument("--warmup_steps", type=int, default=3, help="steps before time is taken")
    parser.add_argument("--steps", type=int, default=20, help="steps of which time is taken")
    parser.add_argument("--epochs", type=float, default=EPOCHS, help="of the whole command")
    options = parser.parse_args(arguments)
    for name in ("task", "model", "huggingface_model", "output_dir"):
        if getattr(options, name):
            setattr(options, name, os.path.abspath(getattr(options, name)))
    return options


def _numbers(text: str) -> List[int]:
    return [int(part) for part in text.split(",")]


def main(works: Dict[str, Callable], versions: Callable[[], Dict[str, str]],
         arguments: Sequence[str] = None) -> None:
    """Does the work that the command line names and prints its answer.

    Args:
        works: name -> function of the arguments; returns what it measured, as JSON values.
        versions: returns the packages that decide the speed, asked for after the work.
    """
    options = parse(works, arguments)
    measured = works[options.work](options)
    answer(measured, versions())


def answer(measured: Dict[str, Any], versions: Dict[str, str]) -> None:
    """Prints the line that benchmarks/measure.py reads."""
    found = {"python": platform.python_version()}
    found.update(versions)
    print("\n" + json.dumps(dict(measured, versions=found)), flush=True)


def calls(ask: Callable[[Any], Any], texts: Sequence[Any]) -> Dict[str, float]:
    """Returns the times of a call for one text, each timed by itself, when all is warm."""
    for text in texts[:20]:
        ask(text)
    times = []
    for text in texts:
        began = time.perf_counter()
        ask(text)
        times.append((time.perf_counter() - began) * 1e3)
    times.sort()
    return {"median_ms": times[len(times) // 2], "p99_ms": times[len(times) * 99 // 100]}


def some_texts(folder: str, count: int = 200) -> List[Any]:
    """Returns texts, or pairs of them, of the training split, spread over its lengths."""
    rows = read_rows(folder, "train")
    chosen = representative([len(row["text_a"]) + len(row["text_b"] or "") for row in rows],
                            min(count, len(rows)))
    return [(rows[place]["text_a"], rows[place]["text_b"]) for place in chosen]


def read_rows(folder: str, split: str) -> List[Dict[str, Any]]:
    """Returns the rows of a split: guid, text_a, text_b, label."""
    with io.open(os.path.join(folder, split + ".jsonl"), encoding="utf-8") as lines:
        return [json.loads(line) for line in lines]


def read_labels(folder: str) -> List[str]:
    """Returns the labels of a task."""
    with io.open(os.path.join(folder, "labels.json"), encoding="utf-8") as file:
        return json.load(file)


def representative(costs: Sequence[float], count: int) -> List[int]:
    """Returns `count` places whose costs are spread as all costs are, in an order by chance.

    All are sorted by cost and the middle of each of `count` equal parts is taken, so that a few
    steps cost on average what the steps of a whole epoch do. Always the same for the same costs.
    """
    by_cost = sorted(range(len(costs)), key=lambda place: costs[place])
    chosen = [by_cost[int((part + 0.5) * len(by_cost) / count)] for part in range(count)]
    random.Random(0).shuffle(chosen)
    return chosen


def with_features(rate: float, rows: int, seconds: float, epochs: float = EPOCHS) -> float:
    """Returns examples/s of `epochs` epochs at `rate`, the time of making features included."""
    return rows * epochs / (seconds + rows * epochs / rate)
