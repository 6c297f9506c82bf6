"""The BERT paper's fine-tuning on GLUE; scripts/reproduce_glue.sh calls it.

    scripts/reproduce_glue.sh mrpc rte
    scripts/reproduce_glue.sh --checkpoint=checkpoints/uncased_L-24_H-1024_A-16 --seeds=5 rte
    scripts/reproduce_glue.sh --smoke cola
"""

import argparse
import dataclasses
import difflib
import json
import os
import shlex
import sys
from typing import Any

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
sys.path.insert(0, ROOT)

import run_classifier_custom as entry  # noqa: E402
from finetune import command, log  # noqa: E402
from finetune.bert_config import BertConfig  # noqa: E402
from finetune.errors import UserError  # noqa: E402
from finetune.log import LOGGER, duration  # noqa: E402

with log.quiet():  # TensorFlow greets
    from finetune import eval_results, outputs
    from finetune.sweep import processes
    from finetune.sweep.results import COLLAPSED, Outcome, by_setting
    from finetune.sweep.runner import Sweep

PROGRAM = os.path.join(ROOT, entry.FILE)
FOLDERS = {"cola": "CoLA", "sst-2": "SST-2", "mrpc": "MRPC", "sts-b": "STS-B", "qqp": "QQP",
           "mnli": "MNLI", "qnli": "QNLI", "rte": "RTE", "wnli": "WNLI"}
TEST_FILES = {"mnli": "test_matched.tsv", "mnli-mm": "test_mismatched.tsv"}
# Section 4.1 and appendix A.3 of the paper.
GRID = {"train_batch_size": [16, 32], "learning_rate": [5e-5, 4e-5, 3e-5, 2e-5],
        "num_train_epochs": [2, 3, 4]}
SMOKE_STEPS = 8
CHECKPOINT = os.path.join("checkpoints", "uncased_L-12_H-768_A-12")  # the paper's BERT-base


@dataclasses.dataclass(frozen=True)
class Result:
    """What came out for one task.

    Attributes:
        folder: of the chosen run.
        values: of the paper's metric on dev, from 0 to 1: of all seeds of the chosen setting.
        best: of the chosen run.
        scores: all of the chosen run.
        collapsed: whether it gives one answer for all of dev, as then all runs do.
    """

    folder: str
    values: list[float]
    best: float
    scores: dict[str, float]
    collapsed: bool = False


def main(arguments: list[str] | None = None) -> int:
    """Runs the command; returns 0, 1 if a run failed, 2 for a mistake, 130 if stopped."""
    options = _options(arguments)
    return command.run(lambda: _reproduce(options), options.output_dir)


def _options(arguments: list[str] | None) -> argparse.Namespace:
    parser = command.Parser(prog="reproduce_glue.sh")
    parser.add_argument("--checkpoint", default=CHECKPOINT)
    parser.add_argument("--glue_dir", default="glue_data")
    parser.add_argument("--output_dir", default=os.path.join("output", "glue"))
    parser.add_argument("--seeds", type=int)
    parser.add_argument("--smoke", action="store_true")
    options, others = parser.parse_known_args(arguments)
    options.tasks = [one.lower() for one in others if not one.startswith("-")] or list(FOLDERS)
    options.flags = [one for one in others if one.startswith("-")]
    return options


def _reproduce(options: argparse.Namespace) -> int:
    figures = json.loads(_text(os.path.join(ROOT, "scripts", "paper_figures.json")))
    problems = _problems(options)
    if problems:
        raise UserError(problems)
    model = _model(options.checkpoint, figures)
    sweeps: dict[str, Sweep] = {}
    for task in options.tasks:
        try:
            sweeps[task] = _prepared(task, options)
        except UserError as error:
            problems += error.problems
    if problems:
        raise UserError(dict.fromkeys(problems))
    _tell_time(sweeps)
    failed, results = False, {}
    for task, sweep in sweeps.items():
        failed |= bool(sweep.execute())
        log.start()
        chosen = sweep.chosen()
        if chosen is None:
            LOGGER.error("%s: every run failed", task)
            continue
        results[task] = _result(sweep.outcomes(), chosen, figures["metrics"][task])
        if task == "mnli":
            failed |= _with_mnli(chosen, options, results, figures)
    text = report(results, figures, model)
    outputs.write_text(os.path.join(options.output_dir, "reproduce_glue.md"), text)
    print(text)
    print(submission(results, options.output_dir))
    return int(failed)


def _text(path: str) -> str:
    with open(path, encoding="utf-8") as file:
        return file.read()


def _problems(options: argparse.Namespace) -> list[str]:
    """Returns what is wrong with names and folders."""
    found = []
    if not os.path.isfile(os.path.join(options.checkpoint, "bert_config.json")):
        found.append(f"--checkpoint={options.checkpoint}: there is no bert_config.json; "
                     "scripts/download_checkpoint.sh --list shows what can be fetched")
    if options.seeds is not None and options.seeds < 1:
        found.append(f"--seeds={options.seeds}: must be 1 or more")
    for task in options.tasks:
        if task not in FOLDERS:
            near = difflib.get_close_matches(task, FOLDERS, 1, 0.4)
            found.append(f"{task}: there is no such task"
                         + (f"; did you mean {near[0]}?" if near else "")
                         + f"{'' if near else ';'} known are {', '.join(FOLDERS)}")
            continue
        folder = os.path.join(options.glue_dir, FOLDERS[task])
        if not os.path.isfile(os.path.join(folder, "train.tsv")):
            found.append(f"--glue_dir={options.glue_dir}: there is no {folder}/train.tsv; "
                         f"scripts/download_glue.sh {task} fetches it")
    twice = sorted({task for task in options.tasks if options.tasks.count(task) > 1})
    return found + [f"{task}: is named twice" for task in twice]


def _model(checkpoint: str, figures: dict[str, Any]) -> dict[str, Any] | None:
    """Returns the figures for the size of a checkpoint, None for one that nobody published."""
    config = _bert_config(checkpoint)
    size = config.num_hidden_layers, config.hidden_size
    return next((one for one in figures["models"] if (one["layers"], one["hidden"]) == size), None)


def _bert_config(checkpoint: str) -> BertConfig:
    return BertConfig.from_json_file(os.path.join(checkpoint, "bert_config.json"))


def _prepared(task: str, options: argparse.Namespace) -> Sweep:
    """Writes the sweep file of a task and checks it, the data and the model."""
    data = os.path.join(options.glue_dir, FOLDERS[task])
    large = _bert_config(options.checkpoint).num_hidden_layers >= 24
    seeds = options.seeds or (5 if large and not options.smoke else 1)
    grid = GRID
    if options.smoke:
        with open(os.path.join(data, "train.tsv"), "rb") as lines:
            rows = max(1, sum(1 for _ in lines))  # of none the check of the sweep tells
        grid = {"learning_rate": [5e-5, 2e-5],
                "num_train_epochs": [float(f"{(SMOKE_STEPS + 0.5) * 32 / rows:.6g}")]}
    file = os.path.join(options.output_dir, f"{task}.sweep.json")
    os.makedirs(options.output_dir, exist_ok=True)
    outputs.write_json(file, {"grid": grid, "seeds": list(range(1, seeds + 1))})
    test = os.path.isfile(os.path.join(data, TEST_FILES.get(task, "test.tsv")))
    return make_sweep([
        f"--task_name={task}", f"--data_dir={data}", f"--init_checkpoint={options.checkpoint}",
        "--do_train", "--do_eval", *(["--do_predict"] if test else []), "--keep_checkpoint_max=1",
        f"--max_seq_length={32 if options.smoke else 128}", *options.flags, f"--sweep={file}",
        f"--output_dir={os.path.join(options.output_dir, task)}"])


def make_sweep(arguments: list[str]) -> Sweep:
    """Returns the sweep of a command line of run_classifier_custom.py, checked."""
    sweep = Sweep(entry.make_config(arguments),
                  lambda flag: entry.make_config([*arguments, flag]), entry.make_processor, PROGRAM)
    sweep.check()
    return sweep


def _tell_time(sweeps: dict[str, Sweep]) -> None:
    LOGGER.info("measuring the speed of %s with a few steps", ", ".join(sweeps))
    times = {task: sweep.measure() for task, sweep in sweeps.items()}
    for task, seconds in times.items():
        runs = sweeps[task].outcomes()
        done = sum(bool(one.scores) for one in runs)
        LOGGER.info("%-8s %3d runs%s  about %s", task, len(runs),
                    f", {done} finished before" if done else "",
                    "an unknown time" if seconds is None else duration(seconds))
    if None not in times.values():
        LOGGER.info("%-8s           about %s", "in all", duration(sum(times.values())))


def _result(outcomes: list[Outcome], chosen: Outcome, metric: str) -> Result:
    setting = next(one for one in by_setting(outcomes, metric) if chosen in one.outcomes)
    return Result(chosen.folder, setting.values, chosen.score(metric), dict(chosen.scores),
                  chosen.status == COLLAPSED)


def _with_mnli(chosen: Outcome, options: argparse.Namespace, results: dict[str, Result],
               figures: dict[str, Any]) -> bool:
    """Scores mismatched MNLI and predicts the diagnostic set with the chosen MNLI run.

    Returns:
        Whether one of them failed.
    """
    failed, data = False, os.path.join(options.glue_dir, FOLDERS["mnli"])
    diagnostic = os.path.join(options.glue_dir, "diagnostic")
    common = [f"--init_checkpoint={chosen.folder}",
              f"--max_seq_length={chosen.run.config.max_seq_length}", *options.flags]
    test = os.path.isfile(os.path.join(data, TEST_FILES["mnli-mm"]))
    wanted = {"mnli-mm": (["--do_eval", *(["--do_predict"] if test else [])], data)}
    if os.path.isfile(os.path.join(diagnostic, "diagnostic.tsv")):
        wanted["ax"] = (["--do_predict"], diagnostic)
    for task, (modes, folder) in wanted.items():
        LOGGER.info("%s with %s", task, chosen.folder)
        target = os.path.join(options.output_dir, task)
        status, error = processes.run([
            PROGRAM, f"--task_name={task}", f"--data_dir={folder}", *common, *modes,
            f"--output_dir={target}"])
        if status:
            LOGGER.error("%s FAILED: %s", task, error)
            failed = True
            continue
        scores = eval_results.numbers(os.path.join(target, outputs.EVAL_RESULTS))
        metric = figures["metrics"].get(task)
        value = scores.get("eval_accuracy", float("nan"))
        results[task] = Result(target, [value] if metric else [], value, scores)
    return failed


def report(results: dict[str, Result], figures: dict[str, Any],
           model: dict[str, Any] | None) -> str:
    """Returns the table of what came out beside what was published, as Markdown."""
    from statistics import fmean, stdev

    name, test = (model["name"], model["test"]) if model else ("", {})
    published = model["dev"] if model else []
    lines = ["# GLUE", "", "All figures times 100. Best is ours on dev; mean and standard "
             "deviation are over the seeds of the chosen setting.", "",
             "| task | metric | best | mean | sd | n | "
             f"{f'{name} dev | {name} test' if model else 'published dev | published test'} |",
             "|---|---|---|---|---|---|---|---|"]
    for task in (one for one in figures["metrics"] if one in results):
        result, metric = results[task], figures["metrics"][task]
        values = result.values
        deviation = f"{100 * stdev(values):.1f}" if len(values) > 1 else ""
        dev = [f"{one['value']} {one['metric']} ({one['source']})"
               + _same_metric(result, one["metric"], metric)
               for one in published if one["task"] == task]
        best = f"{100 * result.best:.1f}{' (collapsed)' if result.collapsed else ''}"
        lines.append(f"| {task} | {metric} | {best} | {100 * fmean(values):.1f} | "
                     f"{deviation} | {len(values)} | {'; '.join(dev)} | {test.get(task, '')} |")
    if all(task in results for task in figures["average"]):
        mean = fmean(results[task].best for task in figures["average"])
        lines.append(f"| average, without wnli | | {100 * mean:.1f} | | | | | "
                     f"{test.get('average', '')} |")
    used = {test.get("source"), *(one["source"] for one in published)} - {None}
    lines += ["", *(f"*   {one}: {figures['sources'][one]}" for one in sorted(used))]
    if not model:
        lines.append("Nothing was published for a model of this size.")
    return "\n".join(lines) + "\n"


def _same_metric(result: Result, published: str, shown: str) -> str:
    """Adds our value where a published dev figure is of another metric than the row."""
    if published == shown:
        return ""
    value = result.scores.get({"accuracy": "eval_accuracy"}.get(published, published))
    return "" if value is None else f", ours {100 * value:.1f}"


def submission(results: dict[str, Result], output_dir: str) -> str:
    """Returns what to do next: which table to read, how to pack the predictions."""
    said = f"The table is in {output_dir}/reproduce_glue.md."
    predicted = {task: result.folder for task, result in results.items()
                 if os.path.isfile(os.path.join(result.folder, outputs.PREDICTIONS))}
    if not predicted:
        return f"{said} No task has a test file, so nothing was predicted."
    whole = {*FOLDERS, "mnli-mm", "ax"} <= set(predicted)
    parts = [f"{task}={folder}" for task, folder in predicted.items()]
    command = ["scripts/make_submission.sh", "--out=submission.zip",
               *([] if whole else ["--partial"]), *parts]
    return f"{said} The zip for the leaderboard:\n    {shlex.join(command)}"


if __name__ == "__main__":
    sys.exit(main())
