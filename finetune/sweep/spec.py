r"""The file of --sweep: which values to try, checked flag by flag before anything starts.

    echo '{"grid": {"learning_rate": [5e-5, 3e-5]}, "seeds": 3}' > sweep.json
    python run_classifier_custom.py --sweep=sweep.json --do_train --do_eval --data_dir=data \
        --init_checkpoint=checkpoints/minilm --output_dir=output/sweep

Every value goes through the parser of the command line, so that it meets exactly its checks.
"""

import dataclasses
import difflib
import itertools
import math
import os
import re
from collections.abc import Callable
from typing import Any

from finetune import settings
from finetune.config import RunConfig
from finetune.config_problems import shown
from finetune.errors import UserError

KEYS = ("grid", "list", "seeds", "restarts", "choose_by", "keep")
MOST_RUNS = 1000
_LONGEST_LABEL = 150  # characters of a folder's name, without number and seed; a disk allows 255
_OTHER_SCORE = "its runs would be scored on other rows or labels, and could not be compared"
# Flags that a sweep cannot vary -> why.
REFUSED = {
    "output_dir": "every run gets a folder of its own",
    "overwrite_output_dir": "a sweep never deletes the folder of a run",
    "config": "name the flags themselves", "sweep": "a sweep holds no sweep",
    "seed": "write seeds: [1, 2, 3] beside grid and list",
    **dict.fromkeys(("do_check", "baseline", "do_train", "do_eval", "do_predict", "do_explain",
                     "do_export", "find_lr", "kfold", "ensemble"),
                    "it holds for the sweep as a whole"),
    **dict.fromkeys(("task_name", "processor", "data_dir", "dev_file", "labels", "labels_file",
                     "label_column", "task_type", "language"), _OTHER_SCORE)}
SHORT = {"train_batch_size": "bs", "learning_rate": "lr", "num_train_epochs": "ep",
         "max_seq_length": "len", "warmup_proportion": "warmup", "init_checkpoint": ""}


@dataclasses.dataclass(frozen=True)
class SweepRun:
    """One run of a sweep.

    Attributes:
        config: its settings; output_dir is still the sweep's.
        label: what it is called, without its number: bs32_lr5e-05_seed1; of very many flags the
            first.
        setting: the same without the seed, never cut: what its seeds have in common.
        varied: the values of the flags that the file varies, the seed among them if it does.
    """

    config: RunConfig
    label: str
    setting: str
    varied: dict[str, Any]


@dataclasses.dataclass(frozen=True)
class SweepFile:
    """What the file says.

    Attributes:
        runs: in the order they are made: grid, then list, each with all seeds.
        choose_by: name of the metric that decides; None: the task's first.
        keep_all: whether the checkpoints of all runs stay.
    """

    runs: list[SweepRun]
    choose_by: str | None
    keep_all: bool


def read(base: RunConfig, parse_flag: Callable[[str], RunConfig]) -> SweepFile:
    """Reads the file that base.sweep names.

    Args:
        base: the settings of the command line, which all runs share.
        parse_flag: "--name=value" -> the settings with that flag on top of the command line's.

    Raises:
        UserError: everything that is wrong in the file.
    """
    content, origin = settings.load(base.sweep, "sweep"), f"--sweep={base.sweep}"
    if not isinstance(content, dict) or not content:
        raise UserError(f"{origin}: must hold at least one of {', '.join(KEYS[:4])}, as "
                        "'grid: {learning_rate: [5e-5, 3e-5]}'")
    problems = [f"{origin}: {key}: {_unknown(str(key), KEYS)}" for key in content
                if key not in KEYS]
    reader = _Reader(parse_flag, problems, origin)
    combinations = reader.grid(content["grid"]) if "grid" in content else []
    combinations += reader.entries(content["list"]) if "list" in content else []
    seeds = reader.seeds(content, base.seed)
    keep = content.get("keep", "best")
    if keep not in ("best", "all"):
        problems.append(f"{origin}: keep: {shown(keep)} is not one of best, all")
    choose_by = content.get("choose_by")
    if choose_by is not None and not isinstance(choose_by, str):
        problems.append(f"{origin}: choose_by: {shown(choose_by)} is no name of a metric")
    if problems:
        raise UserError(problems)
    many = len(combinations or [{}]) * len(seeds or [0])
    if many > MOST_RUNS:
        raise UserError(f"{origin}: asks for {many} runs; {MOST_RUNS} are the most")
    return SweepFile(_runs(base, combinations or [{}], seeds, origin), choose_by, keep == "all")


class _Reader:
    """Turns the file's values into those of RunConfig; problems are collected."""

    def __init__(self, parse_flag: Callable[[str], RunConfig], problems: list[str], origin: str):
        self._parse_flag, self._problems, self._origin = parse_flag, problems, origin
        self._fields = [field.name for field in dataclasses.fields(RunConfig)]

    def grid(self, grid: Any) -> list[dict[str, Any]]:
        """Returns all combinations of a mapping of lists."""
        if not isinstance(grid, dict) or not grid:
            self._problems.append(f"{self._origin}: grid: must hold lists of values, as "
                                  "'learning_rate: [5e-5, 3e-5]'")
            return []
        count = math.prod(max(1, len(values)) for values in grid.values()
                          if isinstance(values, list))
        if count > MOST_RUNS:
            self._problems.append(f"{self._origin}: grid: has {count} combinations; {MOST_RUNS} "
                                  "runs are the most")
            return []
        columns = {}
        for name, values in grid.items():
            where = f"grid: {name}"
            if not self._may_vary(name, where):
                continue
            if not isinstance(values, list) or not values:
                example = "[5e-5, 3e-5]" if values in ([], None, "") else shown([values])
                self._problems.append(f"{self._origin}: {where}: must be a list of values, as "
                                      + example.replace("'", ""))
                continue
            columns[name] = [self._value(name, value, where) for value in values]
        return [dict(zip(columns, chosen, strict=True))
                for chosen in itertools.product(*columns.values())]

    def entries(self, entries: Any) -> list[dict[str, Any]]:
        """Returns the single settings of a list of mappings."""
        if not isinstance(entries, list) or not entries:
            self._problems.append(f"{self._origin}: list: must hold settings, as "
                                  "'- {learning_rate: 1e-4, num_train_epochs: 1}'")
            return []
        if len(entries) > MOST_RUNS:
            self._problems.append(f"{self._origin}: list: has {len(entries)} entries; {MOST_RUNS} "
                                  "runs are the most")
            return []
        found = []
        for number, entry in enumerate(entries, 1):
            where = f"list: entry {number}"
            if not isinstance(entry, dict) or not entry:
                self._problems.append(f"{self._origin}: {where}: {shown(entry)} is no setting; "
                                      "write {learning_rate: 1e-4, num_train_epochs: 1}")
                continue
            found.append({name: self._value(name, value, f"{where}: {name}")
                          for name, value in entry.items()
                          if self._may_vary(name, f"{where}: {name}")})
        return found

    def seeds(self, content: dict[str, Any], first: int) -> list[int]:
        """Returns the seeds; a count means so many from --seed on; [] if the file has none."""
        given = [key for key in ("seeds", "restarts") if key in content]
        if not given:
            return []
        if len(given) == 2:
            self._problems.append(f"{self._origin}: seeds and restarts mean the same: give one")
            return []
        value, where = content[given[0]], f"{self._origin}: {given[0]}"
        if isinstance(value, int) and not isinstance(value, bool) and value > 0:
            if value > MOST_RUNS:
                self._problems.append(f"{where}: {shown(value)}: {MOST_RUNS} runs are the most")
            return [first + number for number in range(min(value, MOST_RUNS))]
        whole = isinstance(value, list) and value and all(
            isinstance(one, int) and not isinstance(one, bool) for one in value)
        if not whole:
            self._problems.append(f"{where}: {shown(value)} is neither a list of whole numbers nor "
                                  "how many, 1 or more")
            return []
        return value

    def _may_vary(self, name: Any, where: str) -> bool:
        if name not in self._fields:
            self._problems.append(f"{self._origin}: {where}: there is no such flag: "
                                  f"{_unknown(str(name), self._fields)}")
        elif name in REFUSED:
            self._problems.append(f"{self._origin}: {where}: cannot be varied: {REFUSED[name]}")
        return name in self._fields and name not in REFUSED

    def _value(self, name: str, value: Any, where: str) -> Any:
        wrong = "has no value" if value is None else settings.value_problem(value)
        if wrong:
            self._problems.append(f"{self._origin}: {where}: {wrong}")
            return None
        try:
            return getattr(self._parse_flag(f"--{name}={settings.as_text(value)}"), name)
        except UserError as error:
            self._problems += [f"{self._origin}: {where}: {problem}" for problem in error.problems]
            return None


def _unknown(name: str, known: Any) -> str:
    near = difflib.get_close_matches(name, known, 3, 0.5)
    return f"did you mean {' or '.join(near)}?" if near else (
        "see --help" if len(known) > len(KEYS) else f"known are {', '.join(known)}"
        + "; a flag goes into grid or list" * (name in RunConfig.__dataclass_fields__))


def _runs(base: RunConfig, combinations: list[dict[str, Any]], seeds: list[int],
          origin: str) -> list[SweepRun]:
    """Names every run; refuses values that do not fit together, and the same run twice."""
    names = list(dict.fromkeys(name for one in combinations for name in one))
    runs, seen = [], {}
    problems: list[str] = []
    for combination in combinations:
        for seed in seeds or [None]:
            config = dataclasses.replace(
                base, sweep=None, **combination, **({} if seed is None else {"seed": seed}))
            # All of them in the order of the flags' first mention, so that names can be compared.
            varied = {name: getattr(config, name) for name in names}
            setting = "_".join(_short(name, value) for name, value in varied.items())
            parts = [setting[:_LONGEST_LABEL]] if setting else []
            if seed is not None:
                varied["seed"] = seed
                parts.append(f"seed{seed}")
            label = "_".join(parts) or "run"
            problems += [f"{origin}: {label}: {problem}" for problem in config.problems()
                         if problem not in base.problems()]
            if config in seen:
                problems.append(f"{origin}: {label}: is asked for more than once")
            seen[config] = label
            runs.append(SweepRun(config, label, setting or "as on the command line", varied))
    if problems:
        raise UserError(dict.fromkeys(problems))
    return runs


def _short(name: str, value: Any) -> str:
    if name == "init_checkpoint" and value:
        folder, last = os.path.split(value.rstrip("/"))
        value = os.path.basename(folder) if last.endswith(".ckpt") else last
    if isinstance(value, float):
        value = f"{value:g}"
    text = "+".join(value) if isinstance(value, tuple) else str(value)
    return SHORT.get(name, name) + re.sub(r"[^A-Za-z0-9.+-]", "-", text)[:40]
