"""Measures contestants side by side: whole processes, in turns, medians and ratios.

    found = alternate([Contestant("ours", command), Contestant("original", other)], runs=5)
    print(comparison([Row("mrpc", found)], "examples_per_second", "examples/s"))

TensorFlow is never imported here: a child starts with its parent's memory as its peak.
"""

import collections
import dataclasses
import json
import os
import platform
import re
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from finetune.errors import UserError

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
RESULTS = os.path.join(ROOT, "benchmarks", "results")
SECONDS, PEAK, MARKED = "seconds", "peak_mb", "marked_seconds"


@dataclasses.dataclass(frozen=True)
class Contestant:
    """One of those who are compared.

    Attributes:
        name: how the tables call it.
        command: what is run; empty where it cannot be.
        lacking: why it cannot be run.
        marker: a line of its output whose time is taken too, `marked_seconds` from the start.
        before: called before each run, outside the time.
        after: called after each run; what it returns is added to what was measured.
    """

    name: str
    command: Sequence[str] = ()
    lacking: str = ""
    marker: str | None = None
    before: Callable[[], None] | None = None
    after: Callable[[], dict[str, Any]] | None = None


@dataclasses.dataclass
class Row:
    """A line of a table.

    Attributes:
        name: what was done, for instance "mrpc, minilm".
        runs: contestant -> what each of its runs measured; first ours.
    """

    name: str
    runs: dict[str, list[dict[str, Any]]]

    def median(self, contestant: str, measure: str) -> float | None:
        """Returns the median of a measure, None where the contestant has none."""
        values = [run[measure] for run in self.runs[contestant] if measure in run]
        return statistics.median(values) if values else None


def run(contestant: Contestant) -> dict[str, Any]:
    """Runs a contestant once.

    Returns:
        What the last JSON line of its output says, and `seconds` of the whole process, `peak_mb`
        (1 MB is 1,000,000 bytes) and, with a marker, `marked_seconds`.

    Raises:
        UserError: it failed, with its last words.
    """
    if contestant.before:
        contestant.before()
    last: collections.deque[str] = collections.deque(maxlen=12)
    found, began = {}, time.monotonic()
    process = subprocess.Popen(
        list(contestant.command), cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        encoding="utf-8", errors="replace")
    try:
        for line in process.stdout:
            last.append(line.rstrip())
            if line.startswith('{"'):
                found.update(json.loads(line))
            elif contestant.marker and MARKED not in found and re.search(contestant.marker, line):
                found[MARKED] = time.monotonic() - began
    except BaseException:
        process.kill()
        raise
    _, status, used = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    found[SECONDS] = time.monotonic() - began
    found[PEAK] = used.ru_maxrss * (1 if sys.platform == "darwin" else 1024) / 1e6
    if process.returncode or (contestant.marker and MARKED not in found):
        raise UserError(f"{contestant.name}: failed (exit status {process.returncode}); its last "
                        "words: " + "\n    ".join(last))
    return {**found, **contestant.after()} if contestant.after else found


def alternate(contestants: Sequence[Contestant], runs: int,
              tell: Callable[[str], None] = lambda line: print(line, file=sys.stderr, flush=True)
              ) -> dict[str, list[dict[str, Any]]]:
    """Runs each contestant `runs` times, in turns; returns what each run measured, by name.

    Those that cannot be run have an empty list, and why is told.
    """
    found: dict[str, list] = {contestant.name: [] for contestant in contestants}
    for contestant in contestants:
        if contestant.lacking:
            tell(f"{contestant.name}: left out: {contestant.lacking}")
    for turn in range(runs):
        for contestant in contestants:
            if contestant.lacking:
                continue
            one = run(contestant)
            found[contestant.name].append(one)
            numbers = " ".join(f"{name} {value:,.6g}" for name, value in one.items()
                               if isinstance(value, (int, float)))
            tell(f"  run {turn + 1} of {runs}, {contestant.name}: {numbers}")
    return found


def comparison(rows: Sequence[Row], measure: str, unit: str, more_is_better: bool = True,
               digits: int = 1) -> str:
    """Returns a Markdown table: medians, and in brackets how many times better the first is."""
    names = list(dict.fromkeys(name for row in rows for name in row.runs))
    lines = [f"| {unit} | {' | '.join(names)} |", "|---" * (len(names) + 1) + "|"]
    for row in rows:
        ours = row.median(names[0], measure) if names[0] in row.runs else None
        cells = []
        for name in names:
            value = row.median(name, measure) if name in row.runs else None
            cell = "-" if value is None else f"{value:,.{digits}f}"
            if ours and value and name != names[0]:
                better = ours / value if more_is_better else value / ours
                cell += f" ({better:.2f}x)"
            cells.append(cell)
        lines.append(f"| {row.name} | {' | '.join(cells)} |")
    return "\n".join(lines)


def columns(rows: Sequence[Row], contestant: str, measures: Sequence[tuple[str, str]]) -> str:
    """Returns a Markdown table of several medians of one contestant: (measure, heading)."""
    lines = ["|  | " + " | ".join(heading for _, heading in measures) + " |",
             "|---" * (len(measures) + 1) + "|"]
    for row in rows:
        values = [row.median(contestant, name) for name, _ in measures]
        cells = ["-" if value is None else f"{value:,.{0 if value >= 1000 else 2}f}"
                 for value in values]
        lines.append(f"| {row.name} | {' | '.join(cells)} |")
    return "\n".join(lines)


def memory(rows: Sequence[Row]) -> str:
    """Returns the table of peak memory, of whole processes."""
    return comparison(rows, PEAK, "peak memory, MB", more_is_better=False, digits=0)


def machine() -> dict[str, Any]:
    """Returns what decides speed here: processor, cores that may be used, memory, system."""
    model = platform.processor() or platform.machine()
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as file:
            names = [line.split(":", 1)[1].strip() for line in file
                     if line.startswith("model name")]
        model = names[0] if names else model
    except OSError:
        pass
    cores = (len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count())
    memory_gb = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e9
    return {"processor": model, "cores": cores, "memory_gb": round(memory_gb, 1),
            "system": f"{platform.system()} {platform.release().partition('-')[0]}"}


def without_paths(arguments: Sequence[str]) -> list[str]:
    """Returns a command line with nothing but the last part of every path in it."""
    return [re.sub(r"[^=,\s]*/(?=[^/])", "", argument.rstrip("/")) for argument in arguments]


def save(table: str, rows: Sequence[Row], arguments: Sequence[str],
         folder: str = RESULTS, **more: Any) -> str:
    """Writes every single run as <folder>/<table>.json, with machine, versions and command.

    Called after each row, so that a table that is stopped leaves what it has. Returns the path.
    """
    os.makedirs(folder, exist_ok=True)
    path = os.path.join(folder, f"{table}.json")
    versions = {name: run_["versions"] for row in rows for name, runs in row.runs.items()
                for run_ in runs if "versions" in run_}
    kept: Mapping[str, Any] = {
        "table": table, "date": time.strftime("%Y-%m-%d"),
        "command": " ".join(["python", "-m", f"benchmarks.{table}", *without_paths(arguments)]),
        "machine": machine(), "versions": versions, **more,
        "rows": [{"name": row.name, "runs": {
            name: [{key: value for key, value in run_.items() if key != "versions"}
                   for run_ in runs] for name, runs in row.runs.items()}} for row in rows]}
    with open(path + ".writing", "w", encoding="utf-8") as file:
        file.write(json.dumps(kept, indent=1) + "\n")
    os.replace(path + ".writing", path)
    return path


def report(rows: Sequence[Row], tables: Sequence[str]) -> None:
    """Prints what was measured on, and the tables."""
    print("\n\n".join([describe(rows), *tables]))


def describe(rows: Sequence[Row]) -> str:
    """Returns the lines above a table: the machine, and versions and threads of contestants."""
    here = machine()
    lines = [f"{here['processor']}, {here['cores']} cores, {here['memory_gb']} GB, "
             f"{here['system']}; {time.strftime('%Y-%m-%d')}"]
    told = {}
    for row in rows:
        for name, runs in row.runs.items():
            for one in runs:
                if "versions" in one:
                    told[name] = ", ".join(f"{key} {value}"
                                           for key, value in one["versions"].items())
    return "\n".join([*lines, *(f"{name}: {versions}" for name, versions in told.items())])
