"""What is measured on what: data sets, models, contestants, and the flags that choose them."""

import argparse
import dataclasses
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence

from benchmarks import measure
from benchmarks.measure import ROOT, Contestant
from finetune.errors import UserError

BASE, COMMAND = "bert-base", "run_classifier_custom.py"


@dataclasses.dataclass(frozen=True)
class Workload:
    """A data set at a length.

    Attributes:
        task: name of the task for benchmarks/prepare.py.
        folder: its folder within --data_dir; None: --issues_dir, or the data is generated.
        length: max_seq_length.
        max_rows: training rows to take; None: all.
    """

    name: str
    task: str
    folder: str | None
    length: int = 128
    max_rows: int | None = None


KNOWN = {one.name: one for one in (
    Workload("mrpc", "mrpc", "MRPC"), Workload("cola", "cola", "CoLA"),
    Workload("sst-2", "sst-2", "SST-2", max_rows=8192),
    Workload("issues-128", "issues", None), Workload("issues-512", "issues", None, 512))}


def generated(rows: int, words: int) -> Workload:
    """Returns a workload of generated rows of so many words, each one token."""
    return Workload(f"generated-{rows}-{words}", f"generated:{rows}:{words}", None)


def parser(module: str, document: str, work: str, models: str = "checkpoints/minilm",
           runs: int = 5) -> argparse.ArgumentParser:
    """Returns the flags that all tables have.

    Args:
        module: name of the table, as `python -m benchmarks.<module>` has it.
        document: the module's docstring; its first line says what is measured.
        work, models, runs: the defaults of these flags.
    """
    made = argparse.ArgumentParser(
        prog=f"python -m benchmarks.{module}", description=document.splitlines()[0],
        allow_abbrev=False, formatter_class=argparse.ArgumentDefaultsHelpFormatter)
    add = made.add_argument
    add("--data_dir", default="glue_data", help="folder of MRPC, CoLA and SST-2")
    add("--issues_dir", help="folder of issues_train.csv and issues_test.csv (NLBSE'24)")
    add("--work", default=work, help=f"comma-separated, of {', '.join(KNOWN)}")
    add("--models", default=models, help="comma-separated: folders of checkpoints, or bert-base: "
        "that shape with random weights and the vocabulary of --vocabulary_of")
    add("--vocabulary_of", default="checkpoints/minilm", help="folder with vocab.txt")
    add("--runs", type=int, default=runs, help="of each contestant, in turns; the median counts")
    add("--contestants", help="comma-separated names to measure; all when not given")
    add("--original_python", default=os.environ.get("ORIGINAL_PYTHON"),
        help="an interpreter with google-research/bert (scripts/setup.sh --original-tf1); "
        "default: the variable ORIGINAL_PYTHON")
    add("--huggingface_python", default=os.environ.get("HUGGINGFACE_PYTHON"),
        help="an interpreter with torch, transformers, accelerate, onnx and onnxruntime; "
        "default: the variable HUGGINGFACE_PYTHON")
    add("--work_dir", default=os.path.join(ROOT, "output", "benchmarks"),
        help="for tasks, models and runs; what is prepared there is used again")
    add("--results_dir", default=os.path.join(ROOT, "benchmarks", "results"),
        help="for the JSON file of the table")
    return made


class Setting:
    """The chosen work, prepared when it is asked for.

    Args:
        options: what `parser` parsed.
    """

    def __init__(self, options: argparse.Namespace):
        self.options = options
        self.work = _chosen(options)

    def rows(self) -> Iterator[tuple[str, Workload, str]]:
        """Yields (name of the row, workload, model) in the order they were asked for."""
        for model in self.options.models.split(","):
            for workload in self.work:
                name = BASE if model == BASE else os.path.basename(os.path.abspath(model))
                yield f"{workload.name}, {name}", workload, model

    def measured(self, table: str, contestants: Callable[[Workload, str], list[Contestant]],
                 arguments: Sequence[str], runs: int | None = None) -> list[measure.Row]:
        """Measures a row for each workload and model, and keeps what there is after each.

        Args:
            table: names the file of results.
            contestants: workload, model -> who is measured on it.
            arguments: the command line.
            runs: of each; None: --runs.
        """
        rows: list[measure.Row] = []
        for name, workload, model in self.rows():
            print(name, file=sys.stderr)
            found = measure.alternate(contestants(workload, model), runs or self.options.runs)
            rows.append(measure.Row(name, found))
            measure.save(table, rows, arguments, self.options.results_dir)
        return rows

    def task(self, workload: Workload) -> str:
        """Returns the task's folder, made unless it is there."""
        name = workload.task.replace(":", "-")
        arguments = ["task", workload.task]
        if workload.max_rows:
            name += f"-{workload.max_rows}"
            arguments.append(f"--max_rows={workload.max_rows}")
        source = _source(workload, self.options)
        if source:
            arguments.append(f"--data_dir={source}")
        return self._prepared(os.path.join("tasks", name), arguments)

    def model(self, model: str) -> str:
        """Returns the folder with tf/ and huggingface/ of a model, made unless it is there."""
        name = os.path.basename(os.path.abspath(model))
        source = model if model == BASE else os.path.abspath(model)
        return self._prepared(os.path.join("models", name), [
            "model", source, f"--vocabulary_of={os.path.abspath(self.options.vocabulary_of)}"])

    def output(self, name: str) -> str:
        """Returns a folder for what a contestant writes."""
        return os.path.join(os.path.abspath(self.options.work_dir), "runs", name)

    def _prepared(self, name: str, arguments: Sequence[str]) -> str:
        folder = os.path.join(os.path.abspath(self.options.work_dir), name)
        note, made_of = os.path.join(folder, "made_of.json"), list(arguments)
        if os.path.exists(note):
            with open(note, encoding="utf-8") as file:
                if json.load(file) == made_of:
                    return folder
        shutil.rmtree(folder, ignore_errors=True)
        done = subprocess.run(
            [sys.executable, "-m", "benchmarks.prepare", *arguments, f"--output_dir={folder}"],
            cwd=ROOT, capture_output=True, text=True)
        if done.returncode:
            raise UserError(f"{name} cannot be prepared: {done.stderr.strip().splitlines()[-1]}")
        with open(note, "w", encoding="utf-8") as file:
            json.dump(made_of, file)
        return folder

    def contestants(self, work: str, workload: Workload, model: str,
                    entries: Sequence[tuple[str, str, Sequence[str]]],
                    flags: Sequence[str] = ()) -> list[Contestant]:
        """Returns contestants that do the same work.

        Args:
            work: the first argument of each, for instance "train".
            entries: (name, module, flags of its own); peers are modules of benchmarks.peers.
            flags: of all.
        """
        task, folder = self.task(workload), self.model(model)
        made = []
        wanted = self.options.contestants and self.options.contestants.split(",")
        for name, module, own in entries:
            if wanted and name not in wanted:
                continue
            python, lacking = _interpreter(module, self.options)
            output = self.output(f"{work}-{workload.name}-{os.path.basename(folder)}-"
                                 f"{name.replace(' ', '-')}")
            made.append(Contestant(name, [
                python or "", "-m", f"benchmarks.{module}", work, f"--task={task}",
                f"--model={folder}/tf", f"--huggingface_model={folder}/huggingface",
                f"--output_dir={output}", f"--max_seq_length={workload.length}", *flags, *own],
                lacking, before=lambda output=output: shutil.rmtree(output, ignore_errors=True)))
        return made

    def command_line(self, name: str, workload: Workload, model: str,
                     flags: Sequence[str]) -> list[Contestant]:
        """Returns run_classifier_custom.py on a task's JSON lines, in a new folder each run."""
        if self.options.contestants and name not in self.options.contestants.split(","):
            return []
        task, folder = self.task(workload), self.model(model)
        with open(os.path.join(task, "train.jsonl"), encoding="utf-8") as file:
            paired = bool(json.loads(file.readline())["text_b"])
        with open(os.path.join(task, "labels.json"), encoding="utf-8") as file:
            labels = json.load(file)
        output = self.output(f"command-{workload.name}-{os.path.basename(folder)}-{name}")
        return [Contestant(name, [
            sys.executable, os.path.join(ROOT, COMMAND), f"--data_dir={task}",
            "--text_column=text_a", *(["--text_b_column=text_b"] if paired else []),
            "--label_column=label", "--id_column=guid", f"--labels={','.join(labels)}",
            f"--init_checkpoint={folder}/tf", f"--max_seq_length={workload.length}",
            f"--output_dir={output}", *flags],
            before=lambda: shutil.rmtree(output, ignore_errors=True),
            after=lambda: {"versions": _versions(output)})]

    def count(self, workload: Workload) -> int:
        """Returns the number of training rows."""
        with open(os.path.join(self.task(workload), "train.jsonl"), encoding="utf-8") as file:
            return sum(1 for _ in file)


def _interpreter(module: str, options: argparse.Namespace) -> tuple[str | None, str]:
    """Returns the interpreter of a contestant, or why there is none."""
    if not module.startswith("peers."):
        return sys.executable, ""
    flag = "original_python" if module == "peers.original" else "huggingface_python"
    python = getattr(options, flag)
    if not python:
        return None, f"its interpreter is not known; give --{flag} or set {flag.upper()}"
    if not shutil.which(python):
        raise UserError(f"--{flag}={python}: there is no such program")
    return os.path.abspath(python) if os.sep in python else python, ""


def _versions(output: str) -> dict[str, str]:
    """Returns what a run of ours noted of itself."""
    with open(os.path.join(output, "runs.json"), encoding="utf-8") as file:
        noted = json.load(file)[-1]
    return {"python": noted["python"], "tensorflow": noted["versions"]["tensorflow"],
            "threads": f"all ({noted['device']})"}


def _source(workload: Workload, options: argparse.Namespace) -> str | None:
    if workload.folder:
        return os.path.abspath(os.path.join(options.data_dir, workload.folder))
    return os.path.abspath(options.issues_dir) if workload.task == "issues" else None


def _chosen(options: argparse.Namespace) -> list[Workload]:
    problems, chosen = [], []
    for name in filter(None, options.work.split(",")):
        if name not in KNOWN:
            problems.append(f"--work={name}: must be of {', '.join(KNOWN)}")
        elif not KNOWN[name].folder and not options.issues_dir:
            print(f"{name}: left out: its folder is not known; give --issues_dir",
                  file=sys.stderr)
        elif not os.path.isdir(source := _source(KNOWN[name], options)):
            flag = "data_dir" if KNOWN[name].folder else "issues_dir"
            problems.append(f"--{flag}: {source}, which {name} needs, is no folder")
        else:
            chosen.append(KNOWN[name])
    for model in options.models.split(","):
        if model != BASE and not os.path.isdir(model):
            problems.append(f"--models={model}: is no folder, and not {BASE}")
    if options.runs < 1:
        problems.append(f"--runs={options.runs}: must be 1 or more")
    if problems or (options.work and not chosen):
        raise UserError(problems or ["nothing is left to measure"])
    return chosen
