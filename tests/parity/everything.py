r"""Compares tokens, features and examples with the original's on everything there is.

    scripts/check_parity.sh --vocab=checkpoints/minilm/vocab.txt --data_dir=data/glue

For each vocabulary, with and without lower-casing: every code point of Unicode alone, within a
word and at its end; random strings; the features of random examples; every row of every .tsv file
below --data_dir, as text and as a pair. Then the examples of the tasks that the original has too
(CoLA, MNLI, MRPC, XNLI), where --data_dir holds their folder. Prints what was compared, how much
of it, and how often the two sides differed, with the first differences; the exit status is then 1.
"""

import argparse
import collections
import functools
import itertools
import multiprocessing
import os
import pathlib
import sys
import time
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from tests.parity import texts
from tests.parity.texts import Difference

CODES_A_JOB, ROWS_A_JOB, RANDOM_A_JOB = 8192, 2000, 1000
LENGTHS = (3, 5, 16, 64, 128, 512)
TASKS = {"cola": "CoLA", "mnli": "MNLI", "mrpc": "MRPC", "xnli": "XNLI"}
SHOWN = 5


class Job(NamedTuple):
    """A piece of work: `kind` names the function below that does it."""

    kind: str
    vocab: str
    lower: bool
    first: int
    count: int
    path: str = ""


@functools.cache
def pair(vocab: str, lower: bool) -> texts.Pair:
    """Returns the two tokenizers, made once a process."""
    return texts.Pair(vocab, lower)


@functools.lru_cache(maxsize=1)
def rows(path: str) -> list[str]:
    """Returns the lines of a file, undecodable bytes dropped as the original's tokenizer does."""
    content = pathlib.Path(path).read_bytes().decode("utf-8", "ignore")
    return [line.removesuffix("\r") for line in content.removesuffix("\n").split("\n")]


def code_points(job: Job) -> tuple[int, list[Difference]]:
    """Compares the tokens of characters; counted are the texts, three a character."""
    some = [text for code in range(job.first, job.first + job.count)
            for text in texts.around(code)]
    return len(some), texts.token_differences(pair(job.vocab, job.lower), some)


def random_strings(job: Job) -> tuple[int, list[Difference]]:
    """Compares the tokens of random strings and of those known to be difficult."""
    some = [each.text_a for each in texts.random_examples(job.count, job.first)] + texts.known()
    found = texts.token_differences(pair(job.vocab, job.lower), some)
    return job.count, found


def random_features(job: Job) -> tuple[int, list[Difference]]:
    """Compares the features of random examples, at lengths from 3 to 512."""
    length = LENGTHS[job.first // job.count % len(LENGTHS)]
    some = list(texts.random_examples(job.count, job.first + 1))
    return job.count, texts.feature_differences(pair(job.vocab, job.lower), some, "xyz", length)


def rows_as_features(job: Job) -> tuple[int, list[Difference]]:
    """Compares features of rows: all of the row, and its two longest cells as a pair."""
    from finetune import upstream

    both, example, some = pair(job.vocab, job.lower), upstream.run_classifier().InputExample, []
    for number, row in enumerate(rows(job.path)[job.first:job.first + job.count], job.first + 1):
        cells = sorted(row.split("\t"), key=len)[-2:]
        some += [example(f"{job.path}:{number}", row, None, "x"),
                 example(f"{job.path}:{number}", cells[0], cells[-1], "x")]
    return len(some) // 2, texts.feature_differences(both, some, "xy", 128)


def shared_tasks(job: Job) -> tuple[int, list[Difference]]:
    """Compares the examples of our processor and the original's on real files."""
    import processors
    from finetune import upstream

    task = job.kind.split()[-1]
    theirs = getattr(upstream.run_classifier(), f"{task.capitalize()}Processor")
    count, found = 0, []
    for split in ("train", "dev") if task == "xnli" else ("train", "dev", "test"):
        some, different = texts.example_differences(processors.get(task)(), theirs(), split,
                                                    job.path)
        count, found = count + some, found + different
    return count, found


KINDS = {"code points": code_points, "random strings": random_strings,
         "random examples": random_features, "rows of the data": rows_as_features}


def work(job: Job) -> tuple[Job, int, list[Difference]]:
    """Does a job; returns it with how much was compared and the first differences."""
    count, found = KINDS.get(job.kind, shared_tasks)(job)
    return job, count, found


def jobs(vocabularies: list[str], data_dir: str | None, strings: int) -> Iterator[Job]:
    """Yields all there is to do."""
    files = sorted(map(str, pathlib.Path(data_dir).rglob("*.tsv"))) if data_dir else []
    for vocab, lower in itertools.product(vocabularies, (True, False)):
        for first in range(0, texts.CODE_POINTS, CODES_A_JOB):
            yield Job("code points", vocab, lower, first, CODES_A_JOB)
        for first in range(0, strings, RANDOM_A_JOB):
            yield Job("random strings", vocab, lower, first, RANDOM_A_JOB)
        for first in range(0, strings // 10, RANDOM_A_JOB):
            yield Job("random examples", vocab, lower, first, RANDOM_A_JOB)
        for path in files:
            for first in range(0, len(rows(path)), ROWS_A_JOB):
                yield Job("rows of the data", vocab, lower, first, ROWS_A_JOB, path)
    for task, folder in TASKS.items():
        if data_dir and os.path.isdir(os.path.join(data_dir, folder)):
            yield Job(f"examples of {task}", "", True, 0, 0, os.path.join(data_dir, folder))


def collect(done: Iterable[tuple[Job, int, list[Difference]]], jobs: int) -> tuple[dict, dict]:
    """Adds up what `work` returned: how many were compared, and the differences, by table row."""
    counts, differences = collections.Counter(), collections.defaultdict(list)
    began = time.monotonic()
    for number, (job, count, found) in enumerate(done, 1):
        row = (job.kind, job.vocab, job.lower)
        counts[row] += count
        differences[row] += found
        if number % 50 == 0 or number == jobs:
            seconds = time.monotonic() - began
            print(f"{number}/{jobs} {seconds:.0f} s, about "
                  f"{seconds / number * (jobs - number):.0f} s left, "
                  f"{sum(map(len, differences.values()))} differences",
                  file=sys.stderr, flush=True)
    return counts, differences


def report(counts: dict, differences: dict) -> int:
    """Prints the table and the first differences; returns the exit status."""
    print(f"{'compared':18} {'vocabulary':40} {'lower case':10} {'how many':>10} differences")
    for (kind, vocab, lower), count in counts.items():
        found = differences[kind, vocab, lower]
        casing = ("yes" if lower else "no") if vocab else ""
        print(f"{kind:18} {vocab[-40:]:40} {casing:10} {count:10,} {len(found):11,}")
        for one in found[:SHOWN]:
            print(f"    {one.what}\n        ours     {ascii(one.ours)}\n"
                  f"        original {ascii(one.theirs)}")
    total = sum(map(len, differences.values()))
    print("no difference" if not total else f"{total:,} differences")
    return int(total > 0)


def parse(arguments: list[str]) -> argparse.Namespace:
    """Returns what the command line asks for; ends the program where it is wrong."""
    parser = argparse.ArgumentParser(prog="check_parity.sh", description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--vocab", action="append", required=True,
                        help="a vocab.txt; may be given several times")
    parser.add_argument("--data_dir", help="a folder with .tsv files below it, for instance GLUE's")
    parser.add_argument("--strings", type=int, default=100_000,
                        help="random strings for each vocabulary and casing, and a tenth as many "
                        "random examples")
    parser.add_argument("--processes", type=int, default=os.cpu_count())
    given = parser.parse_args(arguments)
    missing = [path for path in [*given.vocab, given.data_dir or "."] if not os.path.exists(path)]
    if missing:
        parser.error(f"there is no {', '.join(missing)}")
    return given


def main(arguments: list[str]) -> int:
    """Runs the command line; returns 0, or 1 if there is a difference."""
    given = parse(arguments)
    os.nice(5)
    os.environ["TOKENIZERS_PARALLELISM"] = "false"  # the processes share the cores out already
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    todo = list(jobs(given.vocab, given.data_dir, given.strings))
    with multiprocessing.get_context("spawn").Pool(given.processes) as pool:
        return report(*collect(pool.imap(work, todo), len(todo)))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
