"""--engine=original: the unmodified flow of google-research/bert, in an environment of its own.

    python run_classifier_custom.py --engine=original --data_dir=data --do_train ...

TPUEstimator left TensorFlow in 2.16, so the flow runs in a second environment, made by
scripts/setup_original.sh. Handed over to flow.py, which runs there, are our processor's
examples and labels, our features as padded TFRecords, the original's flags and the seed; model,
training loop, evaluation and output files are the original's. What our runs write besides is
added afterwards.
"""

import dataclasses
import json
import os
import re
import subprocess
import sys
import tempfile
from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from finetune import outputs, summary
from finetune.checkpoints import checkpoint
from finetune.config import RunConfig
from finetune.errors import UserError
from finetune.log import LOGGER, Progress
from finetune.preflight import Prepared
from finetune.task_kind import TaskKind, number

HERE = os.path.dirname(os.path.abspath(__file__))
FLOW = os.path.join(HERE, "flow.py")
ROOT = os.path.dirname(os.path.dirname(HERE))
VARIABLE, FOLDER = "VENV_ORIGINAL", os.path.join(ROOT, ".venv-original")
SETUP = "scripts/setup_original.sh"
# Ours, yet done before the original starts or without a meaning to it.
_OURS = ("overwrite_output_dir", "config", "engine", "seed", "sweep", "bert_hub_module_handle",
         "do_check", "baseline")
_FLAGS_OF_DATA = ("data_dir", "task_name")  # the flow's processor has the examples at hand
# Runs in the second environment, from Python 3.7 on.
_PROBE = """
import importlib.util, json, platform
try:
    from importlib.metadata import PackageNotFoundError, version
except ImportError:
    from importlib_metadata import PackageNotFoundError, version
found = {"python": platform.python_version()}
for name in ("tensorflow", "tensorflow-cpu", "tensorflow-estimator", "bert-tensorflow"):
    try:
        found[name] = version(name)
    except PackageNotFoundError:
        pass
lacking = [name for name in ("tensorflow", "tensorflow_estimator", "bert", "six")
           if importlib.util.find_spec(name) is None]
print(json.dumps({"versions": found, "lacking": lacking}))
"""
_PREFIX = re.compile(r"^(INFO|WARNING|ERROR):tensorflow:")
# What tells how far it is. The rest, hundreds of lines, lists variables and deprecations.
_STEP = re.compile(r"global_step/sec: ")  # after each step, but for the first of a session
_TOLD = re.compile(r"\*{5} |  (Num|Batch size|eval_|loss|global_step)|loss = |Loss for final|"
                   r"(Saving|Restoring|Skipping|Could not find)|"
                   r"(Starting|Finished) evaluation|Evaluation \[|Writing example|"
                   r"Initialize system|.*\bTPU\b")


@dataclasses.dataclass(frozen=True)
class Environment:
    """An environment that can run the original.

    Attributes:
        python: path of its interpreter.
        versions: of python and of the packages that decide the numbers.
    """

    python: str
    versions: dict[str, str]

    def describe(self) -> str:
        """Returns what runs, for people who read the log."""
        named = [f"{package} {self.versions[package]}" for package in (
            "tensorflow", "tensorflow-cpu", "bert-tensorflow") if package in self.versions]
        return f"the original flow: {', '.join(named)}, Python {self.versions['python']}"


def environment() -> Environment:
    """Returns the environment in which the original runs.

    That of the variable VENV_ORIGINAL; else this program's own, if its TensorFlow has Estimator;
    else .venv-original in the project's folder.

    Raises:
        UserError: there is none that can, and what makes one.
    """
    named = os.environ.get(VARIABLE)
    if not named and tuple(map(int, tf.__version__.split(".")[:2])) < (2, 16):
        return _probed(sys.executable, sys.prefix)
    folder = named or FOLDER
    python = os.path.join(folder, "bin", "python")
    if not os.path.exists(python):
        raise _unusable(f"{VARIABLE}={folder} is no environment" if named else
                        f"there is no {FOLDER}")
    return _probed(python, folder)


def _probed(python: str, folder: str) -> Environment:
    try:
        done = subprocess.run([python, "-I", "-c", _PROBE], capture_output=True, text=True)
        found = json.loads(done.stdout)
    except (OSError, ValueError) as error:
        said = " ".join(done.stderr.split())[-200:] if not isinstance(error, OSError) else error
        raise _unusable(f"{python} does not run ({said})") from error
    if found["lacking"]:
        raise _unusable(f"{folder} lacks {', '.join(found['lacking'])}")
    return Environment(python, found["versions"])


def _unusable(reason: str) -> UserError:
    return UserError(
        f"--engine=original: {reason}. The original needs an environment of its own with "
        f"TensorFlow 2.15, the last that has Estimator: {SETUP} makes it (with Python 3.9, 3.10 or "
        f"3.11), and {VARIABLE}=/path/to/environment names one that lies elsewhere")


def problems(config: RunConfig) -> list[str]:
    """Returns why the original cannot do what the flags ask for; empty if it can."""
    refused = [f"--{one.name}={getattr(config, one.name)}" for one in dataclasses.fields(config)
               if not one.metadata["original"] and one.metadata["group"] != "Data"
               and one.name not in _OURS and getattr(config, one.name) != one.default]
    found = []
    if refused:
        found.append(f"--engine=original: the original flow has no {', '.join(refused)}; leave "
                     f"{'it' if len(refused) == 1 else 'them'} out, or use --engine=fast")
    try:
        environment()
    except UserError as error:
        found += error.problems
    return found


def label_list(prepared: Prepared) -> list[str]:
    """Returns the labels in the order of their ids; of a regression the different scores.

    The original's records hold ids; `scores` of the plan says what each stands for.
    """
    if TaskKind.of(prepared.labels) is TaskKind.CLASSIFICATION:
        return prepared.labels
    labels = {str(row.label) for rows in prepared.examples.values() for row in rows}
    labels = {label for label in labels if number(label) is not None}
    # At least two, so that they are never taken for the head of a regression.
    return sorted(labels | ({"0", "1"} if len(labels) < 2 else set()),
                  key=lambda label: (float(label), label))


def plan(prepared: Prepared, folder: str, records: Mapping[str, str] | None,
         **flags: Any) -> dict[str, Any]:
    """Returns the plan that flow.py runs, described there.

    Args:
        folder: where the examples will lie: train.jsonl, dev.jsonl, test.jsonl.
        records: split -> TFRecord file; None: the original writes its features itself.
        flags: the original's flags that differ from prepared.config.
    """
    given = {field.name: getattr(prepared.config, field.name)
             for field in dataclasses.fields(RunConfig) if field.metadata["original"]}
    if given["use_tpu"] and not given["tpu_name"]:
        given["tpu_name"] = "local"  # as the fast engine takes it
    given = {name: value for name, value in {**given, **flags}.items()
             if value is not None and name not in _FLAGS_OF_DATA}
    labels = label_list(prepared)
    regression = TaskKind.of(prepared.labels) is TaskKind.REGRESSION
    return {"flags": given, "labels": labels, "seed": prepared.config.seed,
            "examples": {split: os.path.join(folder, f"{split}.jsonl")
                         for split in prepared.examples},
            "records": None if records is None else dict(records),
            "scores": [float(label) for label in labels] if regression else None}


def write_plan(path: str, planned: Mapping[str, Any], prepared: Prepared) -> None:
    """Writes a plan and the examples that it names."""
    for split, file in planned["examples"].items():
        with open(file, "w", encoding="utf-8") as lines:
            for row in prepared.examples[split]:
                lines.write(json.dumps(example_fields(row)) + "\n")
    outputs.write_json(path, planned)


def example_fields(row: Any) -> dict[str, str | None]:
    """Returns an example as JSON values."""
    values = {name: getattr(row, name) for name in ("guid", "text_a", "text_b", "label")}
    return {name: value.decode("utf-8", "ignore") if isinstance(value, bytes) else
            None if value is None else str(value) for name, value in values.items()}


def run(prepared: Prepared, where: Environment) -> None:
    """Runs the original on features that lie in output_dir, and adds what our runs write.

    Raises:
        UserError: it failed.
    """
    config = prepared.config
    best, newest = checkpoint.best(config.output_dir), checkpoint.latest(config.output_dir)
    if best and newest and best["checkpoint"] != os.path.basename(newest):
        LOGGER.info("note: the original uses the newest checkpoint, %s, not the best one, %s",
                    os.path.basename(newest), best["checkpoint"])
    records = {split: os.path.join(config.output_dir, outputs.RECORDS[split])
               for split in prepared.examples}
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "plan.json")
        write_plan(path, plan(prepared, folder, records), prepared)
        _log(execute(where, path), prepared)
    _complete(prepared)


def command(where: Environment, path: str) -> list[str]:
    """Returns the command that runs a plan.

    It is isolated from this environment: no PYTHONPATH, no module of our folder shadows another.
    """
    return [where.python, "-I", "-u", "-X", "utf8", "-W", "ignore", FLOW, path]


def execute(where: Environment, path: str) -> Iterator[str]:
    """Runs a plan and yields every line that the original says, as it says it.

    Raises:
        UserError: it failed; with its last words.
    """
    last: deque[str] = deque(maxlen=40)
    process = subprocess.Popen(
        command(where, path), env={"TF_CPP_MIN_LOG_LEVEL": "1", **os.environ},
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, encoding="utf-8", errors="replace")
    try:
        for line in process.stdout:
            last.append(line.rstrip())
            yield last[-1]
    finally:
        if process.poll() is None and sys.exc_info()[0] is not None:
            process.terminate()
        status = process.wait()
    if status:
        for line in last:
            LOGGER.info("original: %s", line)
        said = next((line for line in reversed(last) if line), "nothing")
        raise UserError(f"--engine=original: the original flow failed (exit status {status}), its "
                        f"last words: {said}")


def _log(lines: Iterable[str], prepared: Prepared) -> None:
    config, progress = prepared.config, None
    if prepared.plan and not config.use_tpu:  # there a line stands for many steps
        step = (checkpoint.latest(config.output_dir) or "").rpartition("-")[2]
        done = int(step) if step.isdigit() else 0  # others name checkpoints without it
        progress = Progress("original: train", prepared.plan.steps, done + 1, log_every=20)
    for line in lines:
        text = _PREFIX.sub("", line)
        if progress and _STEP.match(text):
            progress.advance(config.train_batch_size)
        elif _STEP.match(text) or _TOLD.match(text):
            LOGGER.info("original: %s", text)


def read_answers(path: str) -> np.ndarray:
    """Returns float32[N, L] of a test_results.tsv."""
    text = outputs.read_text(path) or ""
    return np.array([line.split("\t") for line in text.splitlines()], np.float32)


def _complete(prepared: Prepared) -> None:
    """Writes and tells what the original does not."""
    config, folder, labels = prepared.config, prepared.config.output_dir, prepared.labels
    if config.do_eval:
        matrix = os.path.join(folder, outputs.CONFUSION)
        if tf.io.gfile.exists(matrix):  # of an earlier evaluation
            tf.io.gfile.remove(matrix)
            LOGGER.info("note: %s of an earlier run is deleted, the original writes none", matrix)
        scores = outputs.read_text(os.path.join(folder, outputs.EVAL_RESULTS)) or ""
        LOGGER.info("dev: %s", ", ".join(scores.splitlines()))
    if config.do_predict:
        rows = prepared.examples["test"]
        answers = read_answers(os.path.join(folder, outputs.TEST_RESULTS))
        if answers.shape != (len(rows), len(labels)):
            raise UserError(f"{folder}/{outputs.TEST_RESULTS}: has {answers.shape} numbers, not "
                            f"{len(rows)} lines of {len(labels)}")
        write_predictions(folder, rows, answers, labels)


def write_predictions(folder: str, rows: Sequence[Any], answers: np.ndarray,
                      labels: Sequence[str]) -> None:
    """Writes predictions.tsv beside the original's test_results.tsv, and logs what is in it."""
    ids = [str(getattr(row, "row_id", None) or row.guid) for row in rows]
    if TaskKind.of(labels) is TaskKind.REGRESSION:
        outputs.write_scores(folder, ids, answers[:, 0])
        summary.predicted_scores(answers[:, 0])
    else:
        outputs.write_predictions(folder, ids, answers, labels)
        summary.predicted(answers, labels)
