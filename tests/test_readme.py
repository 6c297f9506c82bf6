"""The documents are true: their commands run, their files and links exist, their flags are ours.

Every fenced block of README.md and docs/*.md is of a kind known here, or the test fails:
    bash            each command is run, or, if it needs a network, checked as far as one can
    python PATH     a module of the reader's: written to PATH, and used by a command that follows,
                    or imported by such a module
    tsv, csv, jsonl, json, yaml PATH    a file of the reader's: written to PATH and read
    text PATH       what a run wrote to PATH: has the same columns or keys as here
    text            something shown: a drawing, output of a script
Commands run in a folder laid out as the reader's, with a tiny checkpoint in place of a real one.
"""

import dataclasses
import fnmatch
import importlib
import json
import os
import pathlib
import re
import shlex
import shutil
import subprocess
import sys
import typing

import pytest

import processors
import run_classifier_custom
from finetune import outputs
from finetune.config import RunConfig
from finetune.glue import files as glue
from finetune.glue import submission
from finetune.serving.limits import Limits
from finetune.sources import catalogue
from processors import registry
from scripts import reproduce_glue, serve
from tests.parity import everything

ROOT = pathlib.Path(__file__).parents[1]
DOCUMENTS = [ROOT / "README.md", *sorted(ROOT.glob("docs/*.md"))]
PAGES = [*DOCUMENTS, ROOT / "CHANGELOG.md"]
SHORTER = ["--max_seq_length=24", "--num_train_epochs=0.4"]  # the last one given counts
FIELDS = {field.name: field for field in dataclasses.fields(RunConfig)}
# Flags that the documents name and that are not ours.
FOREIGN = {
    "list", "help", "name", "out", "partial", "do_lower", "model_name_or_path", "validation_file",
    "warmup_ratio", "dir", "mrpc_dir", "base_url", "files", "checkpoint", "glue_dir", "seeds",
    "smoke", "activation", "encoder_only", "with", "text_column_names", "label_column_name",
    "per_device_train_batch_size", "weight_decay", "per_device_eval_batch_size", "max_grad_norm",
    "eval_strategy", "eval_steps", "save_steps", "load_best_model_at_end", "metric_for_best_model",
    "save_total_limit", "logging_steps", "resume_from_checkpoint", "vocab", "lr_scheduler_type",
    "models", "work", "steps", "warmup_steps", "runs",  # of benchmarks, tested below
    "gpu", "tpu", "gpus", "hosts", "port", "zone", "type", "spot", "keep", "max_restarts",
    "dry_run", "ntasks", "requeue",  # of scripts/run_*.sh, tested below, and of SLURM
    "json", "host", "headless", "screenshot", "window", "virtual",  # predict.sh, serve.sh, chromium
    "export", "short", "check", "require", "only", "",  # of test_faults.sh, sha256sum and pip
    "proto",  # of curl
    *(field.name for field in dataclasses.fields(Limits))}


class Block(typing.NamedTuple):
    """A fenced block."""

    where: str  # "README.md:12"
    kind: str
    path: str
    text: str


def blocks(document):
    text = document.read_text(encoding="utf-8")
    assert text.count("```") % 2 == 0, f"{document.name}: a block is not closed"
    return [Block(f"{document.name}:{text.count(chr(10), 0, found.start()) + 1}", *found.groups())
            for found in re.finditer(r"^```(\S*) ?(.*)\n((?:.*\n)*?)```$", text, re.M)]


def table(document, heading):
    """The cells of the rows below a heading, up to the next one."""
    section = document.read_text(encoding="utf-8").split(f"\n## {heading}\n")[1].split("\n## ")[0]
    rows = [line.strip("|").split(" | ") for line in section.splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in row] for row in rows
            if not set("".join(row)) <= set("-| ")][1:]


def quickstart_arguments():
    script = (ROOT / "scripts" / "quickstart.sh").read_text(encoding="utf-8")
    command = script.split('"$python" run_classifier_custom.py')[1].split("\n\n")[0]
    for name in ("data", "output"):
        command = command.replace(f'"${name}"', re.search(rf"^{name}=(.*)$", script, re.M)[1])
    return shlex.split(command.replace("\\\n", " "))


# ---- the commands of a document, in their order


@pytest.fixture
def reader(tmp_path, tiny, tiny_cased, monkeypatch):
    """A folder laid out as that of somebody who follows the documents; the current one."""
    (tmp_path / "checkpoints").mkdir()
    shutil.copytree(tiny, tmp_path / "checkpoints" / "minilm")
    (tmp_path / "checkpoints" / "minilm" / "source.json").write_text('{"activation": "gelu_erf"}')
    (tmp_path / "checkpoints" / "cased_L-12_H-768_A-12").symlink_to(tiny_cased)
    (tmp_path / "examples").symlink_to(ROOT / "examples")
    (tmp_path / "data").mkdir()
    rows = [f"{number}\t{number % 3}\ta\tSave the file {number}\n" for number in range(41)]
    for name in ("train", "dev"):
        (tmp_path / "data" / f"{name}.tsv").write_text("".join(rows))
    (tmp_path / "data" / "test.tsv").write_text("0\tSave it\n1\tOpen the page\n")
    write_glue(tmp_path / "glue_data")
    questions = "DESC:manner How did it open ?\nENTY:food What is a caf\xe9 ?\n" * 90
    for name in ("train_5500.label", "TREC_10.label"):
        (tmp_path / name).write_bytes(questions.encode("latin1"))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    before = set(sys.modules)
    yield tmp_path
    for name in set(sys.modules) - before:
        if (tmp_path / f"{name}.py").exists():
            del sys.modules[name]


def write_glue(folder):
    """Small files in the layout of the tasks that docs/tasks.md trains and predicts."""
    front = {"MNLI": "a\tb\tc\td\te\tf\tg", "STS-B": "a\tb\tc\td\te\tf", "diagnostic": None}
    labels = {"MNLI": ("neutral", "entailment", "contradiction"), "STS-B": ("0.5", "5.000", "3")}
    for name, split in (*((name, split) for name in ("MNLI", "STS-B") for split in
                          ("train", "dev", "test", "dev_matched", "dev_mismatched", "test_matched",
                           "test_mismatched")), ("diagnostic", "diagnostic")):
        more = f"{front[name]}\t" if front[name] else ""
        answers = labels.get(name) if "test" not in split else None
        lines = [f"index\t{more}sentence1\tsentence2" + ("\tlabel" if answers else "")]
        lines += [f"{i}\t{more}Save it\tOpen the file {i}"
                  + (f"\t{answers[i % 3]}" if answers else "") for i in range(90)]
        (folder / name).mkdir(parents=True, exist_ok=True)
        (folder / name / f"{split}.tsv").write_text("\n".join(lines) + "\n")


@pytest.mark.slow
@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_blocks(document, reader, main):
    for block in blocks(document):
        if block.kind in ("bash", "sh", "console"):
            for command in commands(block.text):
                run_command(command, block.where, main)
        elif block.kind in ("python", "tsv", "csv", "jsonl", "json", "yaml"):
            assert block.path, f"{block.where}: say behind ```{block.kind} where it is saved"
            path = reader / block.path
            path.parent.mkdir(exist_ok=True)
            path.write_text(shorter(block) if block.kind == "python" else block.text,
                            encoding="utf-8")
            later = document.read_text(encoding="utf-8").split(block.text)[1]
            assert block.kind != "python" or (
                f"={path.stem}:" in later or f"python {block.path}\n" in later
                or f"from {path.stem} import" in later), block.where
        elif block.kind == "text":
            if block.path:
                check_shown(reader / block.path, block)
        else:
            pytest.fail(f"{block.where}: nothing here knows a block of kind {block.kind!r}")


def shorter(block):
    """A module that trains, with what SHORTER is for a command."""
    text = re.sub(r"max_seq_length=\d+", "max_seq_length=24", block.text)
    return re.sub(r"num_train_epochs=\d+", "num_train_epochs=0.4", text)


def commands(text):
    lines = re.sub(r"\\\n\s*", "", text).splitlines()
    return [line for line in lines if line.strip() and not line.startswith("#")]


def run_command(command, where, main):
    words = shlex.split(command, comments=True)
    if words[:2] == ["python", "run_classifier_custom.py"]:
        run_ours(words[2:], where, main)
    elif words == ["scripts/quickstart.sh"]:
        check_script(words, where)
        run_ours(quickstart_arguments(), where, main)
    elif words[0] == "scripts/convert_checkpoint.sh":
        done = subprocess.run([ROOT / words[0], *words[1:]], capture_output=True, text=True,
                              env={**os.environ, "PYTHON": sys.executable})
        assert done.returncode == 0, f"{where}: {done.stderr}"
    elif re.fullmatch(r"scripts/\w+\.sh", words[0]):
        check_script(words, where)
    elif words[0] == "python" and words[1].startswith("benchmarks/"):
        done = subprocess.run([sys.executable, ROOT / words[1], *words[2:]], capture_output=True,
                              text=True)
        assert done.returncode == 0, f"{where}: {done.stderr}"
    elif words[0] == "python" and len(words) == 2 and os.path.isfile(words[1]):  # the reader's
        done = subprocess.run([sys.executable, *words[1:]], capture_output=True, text=True,
                              env={**os.environ, "PYTHONPATH": str(ROOT)})  # the reader is there
        assert done.returncode == 0, f"{where}: {done.stderr}"
    elif words[0] == "printf" and "| scripts/predict.sh " in command:
        done = subprocess.run(["bash", "-c", command.replace("scripts/", f"{ROOT}/scripts/")],
                              capture_output=True, text=True,
                              env={**os.environ, "PYTHON": sys.executable})
        assert done.returncode == 0 and done.stdout, f"{where}: {done.stderr}"
    elif words[0] == "iconv":
        subprocess.run(["bash", "-euo", "pipefail", "-c", command], check=True)
    elif words == ["source", ".venv/bin/activate"]:
        assert "variable=VENV folder=.venv " in (ROOT / "scripts" / "setup.sh").read_text(), where
    else:
        pytest.fail(f"{where}: nothing here knows how to check {command!r}")


def run_ours(arguments, where, main):
    # Modules of TensorFlow Hub need a network; test_hub.py has runs with some made there.
    arguments = ["--init_checkpoint=checkpoints/minilm" if
                 one.startswith("--bert_hub_module_handle=") else one for one in arguments]
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("VENV_ORIGINAL", "nowhere")
        status, error = main(*arguments, *([] if arguments == ["--help"] else SHORTER))
    if "--engine=original" in arguments:  # all but its environment is right
        assert error.startswith("error: --engine=original: VENV_ORIGINAL=nowhere is no env"), where
        assert (status, error.count("error: ")) == (2, 1), f"{where}: {error}"
    else:
        assert status == 0, f"{where}: {error}"


def check_script(words, where):
    """A script that needs a network: it is there, it answers, it knows what it is told."""
    script = ROOT / words[0]
    assert os.access(script, os.X_OK), where
    if words[1:] in ([], ["--list"]):
        done = subprocess.run([script, *(words[1:] or ["--help"])], capture_output=True, text=True,
                              env={**os.environ, "PYTHON": sys.executable})
        assert done.returncode == 0, f"{where}: {done.stderr}"
        assert script.name in done.stdout or re.search("minilm|mnli", done.stdout), where
    elif script.name == "make_submission.sh":  # the rows of GLUE's test files are not at hand
        runs = [word.split("=") for word in words if not word.startswith("--")][1:]
        assert {task for task, _ in runs} <= set(submission.TASKS), where
        for _, folder in runs:
            assert os.path.isfile(os.path.join(folder, outputs.PREDICTIONS)), where
    elif script.name == "reproduce_glue.sh":
        options = reproduce_glue._options(words[1:])
        assert set(options.tasks) <= set(reproduce_glue.FOLDERS) and not options.flags, where
    elif script.name == "download_glue.sh":
        tasks = [word for word in words[1:] if not word.startswith("--")]
        assert glue.load(str(ROOT / "scripts" / "glue.json")).find(tasks), where
    elif script.name == "setup.sh":
        known = subprocess.run([script, "--help"], capture_output=True, text=True).stdout
        assert all(f"setup.sh {word} " in known for word in words[1:]), where
    elif script.name == "test.sh":
        assert all((ROOT / word).exists() for word in words[1:] if not word.startswith("-")), where
    elif script.name == "check_parity.sh":  # takes minutes
        os.makedirs("data", exist_ok=True)
        everything.parse(words[1:])
    elif script.name == "compare_with_original.sh":  # takes hours
        assert words[1] in [*processors.names(), "own"], where
        arguments = [word for word in words[2:] if not word.startswith("--seeds=")]
        run_classifier_custom.make_config([*arguments, "--do_train", "--output_dir=x"])
    elif script.name == "serve.sh":  # does not end
        assert os.path.isfile(os.path.join(words[1], outputs.BERT_CONFIG)), where
        serve._parser().parse_args(words[1:])
    elif script.name.startswith("run_"):
        own = set(re.findall(r"^#   --(\w+)", script.read_text(encoding="utf-8"), re.M))
        flags = [word for word in words[1:] if word[2:].split("=")[0] not in own]
        run_classifier_custom.make_config(flags)
    else:
        assert script.name == "download_checkpoint.sh", where
        catalogue.load(str(ROOT / "checkpoints" / "catalogue.json")).find(words[1])


def check_shown(path, block):
    assert path.is_file(), f"{block.where}: no run has written {block.path}"
    shown, real = (shape(path, text) for text in (block.text, path.read_text(encoding="utf-8")))
    assert shown <= real if path.name == "run.log" else shown == real, block.where


def shape(path, text):
    """What two files of the same kind have in common, whatever the numbers in them."""
    lines = text.splitlines()
    if path.suffix == ".json":
        return keys(json.loads(text))
    if path.name == "run.log":
        return {re.sub(r"^\d+-\d+-\d+ \S+ INFO +", "", line).split()[0] for line in lines}
    if path.name in ("eval_results.txt", "baseline_results.txt"):
        return [line.split(" = ")[0] for line in lines]
    if path.name == "data_check.txt":  # which findings there are depends on lengths and speed
        return set(re.findall(r"^(\w+) {1,3}[\d,]+ rows", text, re.M)) | {lines[-1].split()[-1]}
    return re.sub(r"\d[\d.]*(e-\d+)?", "#", lines[0])


def keys(value):
    if isinstance(value, list):
        return [keys(each) for each in value[:1]]
    return {key: keys(each) for key, each in value.items()} if isinstance(value, dict) else None


# ---- what the documents say of files and flags


def test_the_readme_begins_with_what_a_reader_does():
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    assert re.findall("^## (.*)", text, re.M)[:5] == [
        "Quickstart", "Your own data", "Ask the model", "What it scores", "How fast"]
    [shown] = [one for one in blocks(ROOT / "README.md") if one.path.endswith("train.tsv")]
    assert (ROOT / shown.path).read_text(encoding="utf-8").startswith(shown.text)


def test_the_quickstart_of_the_outputs_page_is_the_script_s():
    [command] = commands(blocks(ROOT / "docs" / "outputs.md")[0].text)
    assert shlex.split(command)[2:] == quickstart_arguments()


def test_the_same_rows_in_each_format(reader):
    found = []
    for block in blocks(ROOT / "docs" / "data.md"):
        if block.kind in ("tsv", "csv", "jsonl", "json"):
            path = reader / block.path
            path.parent.mkdir()
            path.write_text(block.text)
            examples = processors.get("delimited")().get_train_examples(str(path.parent))
            found.append([(each.text_a, each.label, each.row_id) for each in examples])
    assert len(found) == 4
    assert all(len(each) == 3 and each == found[0] for each in found)


def test_the_processor_of_the_readme_can_be_registered(monkeypatch):
    monkeypatch.setattr(registry, "_by_name", dict(registry._by_name))
    [code] = [block.text for block in blocks(ROOT / "README.md") if block.path == "my_tasks.py"]
    assert len(code.split("\n\n\n")[1].splitlines()) <= 10
    exec(code.replace("Split, ", "register, Split, ").replace("\nclass", "\n@register\nclass"), {})
    assert processors.get("issue-pairs").__name__ == "IssuePairs"


@pytest.mark.parametrize("document", PAGES, ids=lambda path: path.name)
def test_links_lead_somewhere_and_flags_exist(document):
    text = re.sub(r"--[\w, ]+-->", "", document.read_text(encoding="utf-8"))  # no arrows
    for link in re.findall(r"\]\(([^)\s]+)\)", text):
        assert link.startswith("https://") or (document.parent / link).exists(), link
    named = {name.removeprefix("no") for name in re.findall(r"(?<![\w-])--(\w+)", text)}
    assert not named - set(FIELDS) - FOREIGN


@pytest.mark.parametrize("document", PAGES, ids=lambda path: path.name)
def test_benchmarks_take_the_flags_they_are_shown_with(document, capsys):
    shown = re.findall(r"python -m benchmarks\.(\w+)([^`]*)`", document.read_text(encoding="utf-8"))
    for name, flags in shown:
        with pytest.raises(SystemExit):
            importlib.import_module(f"benchmarks.{name}").main(["--help"])
        known = set(re.findall(r"--\w+", capsys.readouterr().out))
        assert set(re.findall(r"--\w+", flags)) <= known, name
    assert shown or document.name not in ("README.md", "performance.md")


def test_the_flags_page_is_the_program_s():
    page, groups = ROOT / "docs" / "flags.md", {}
    for field in FIELDS.values():
        groups.setdefault(field.metadata["group"], []).append(flag_row(field))
    for group, rows in groups.items():
        written = [f"| {' | '.join(row)} |" for row in table(page, group)]
        assert written == rows, "docs/flags.md has to say:\n" + "\n".join(rows)
    readme = table(ROOT / "README.md", "Flags")
    assert [group for group, _ in readme] == list(groups)
    for group, flags in readme:
        assert {FIELDS[name].metadata["group"] for name in re.findall(r"--(\w+)", flags)} == {group}


def flag_row(field):
    data = field.metadata
    default = "" if field.default is None else f"`{str(field.default).lower()}`"
    choices = f" One of: {', '.join(data['choices'])}." if data["choices"] else ""
    mark = " *" if data["original"] else ""
    return f"| `--{field.name}`{mark} | {default} | {data['help']}{choices} |"


def test_every_file_of_a_run_is_in_the_readme(tmp_path, tiny, issues, main):
    listed = {name for row in table(ROOT / "README.md", "What a run writes")
              for name in re.findall("`([^`]+)`", row[0])}
    # No run of ours ends with these; a killed one or the original may have left them.
    assert listed == set(outputs.RUN_FILES) - {"*.writing", ".writing-*", "graph.pbtxt"}
    folder = tmp_path / "out"
    usual = [f"--data_dir={issues}", f"--init_checkpoint={tiny}", f"--output_dir={folder}",
             *SHORTER]
    assert main(*usual, "--find_lr", "--train_batch_size=4")[0] == 0  # on its own
    status, error = main(
        *usual, "--do_train", "--do_eval", "--do_predict", "--do_explain", "--train_batch_size=1",
        "--eval_every_steps=2", "--show_stage_times", "--do_check", "--baseline", "--calibrate",
        "--do_export", "--export_formats=saved_model")
    assert status == 0, error
    many = tmp_path / "many"  # thresholds.json is of a task with several labels a row
    status, error = main(*usual, "--task_type=multilabel", "--do_train", "--train_batch_size=4",
                         f"--output_dir={many}")
    assert status == 0, error
    written = {str(path.relative_to(one)) for one in (folder, many) for path in one.rglob("*")
               if path.is_file()}
    for name in written:
        assert any(fnmatch.fnmatch(name, pattern) for pattern in listed), name
    for pattern in listed:
        assert fnmatch.filter(written, pattern), f"no run writes {pattern}"


# ---- the messages of the troubleshooting table

MESSAGES = {
    "is not one of": ["--labels=bug,feature", "--do_train"],
    "is not laid out as train.tsv of the task": ["--task_name=rte", "--do_train"],
    "nothing tells whether the first line is a header":
        ["--text_column=1", "--label_column=2", "--do_train"],
    "--do_lower_case=True does not suit": ["--init_checkpoint={cased}", "--do_train"],
    "holds a classifier of":
        ["--output_dir={trained}", "--labels=bug,feature,question,crash", "--do_train"],
    "is that of a classifier": ["--output_dir={trained}", "--task_type=regression", "--do_eval"],
    "has no trained head (output_weights)": ["--labels=bug,feature,question", "--do_eval"],
    "not utf-8: byte 0x": ["--train_file=latin1.tsv", "--do_train"],
    "has been altered or damaged since it was written": ["--output_dir={altered}", "--do_eval"],
    "training is complete": ["--output_dir={trained}", "--do_train"],
    "dev rows were predicted": ["--output_dir={trained}", "--do_eval"],
}


def test_messages_of_the_readme_are_the_program_s(tmp_path, tiny, tiny_cased, issues, main):
    rows = table(ROOT / "README.md", "When something is refused or looks wrong")
    assert len(rows) == len(MESSAGES)
    shutil.copy(issues / "train.tsv", issues / "latin1.tsv")
    with open(issues / "latin1.tsv", "ab") as file:
        file.write("t\tcaf\xe9\tbug\n".encode("latin1"))
    paths = {"cased": tiny_cased, "trained": tmp_path / "trained", "altered": tmp_path / "altered"}
    usual = [f"--data_dir={issues}", f"--init_checkpoint={tiny}", f"--output_dir={tmp_path / 'o'}",
             "--train_batch_size=4", *SHORTER]
    assert main(*usual, "--do_train", f"--output_dir={paths['trained']}")[0] == 0
    shutil.copytree(paths["trained"], paths["altered"])
    (paths["altered"] / "labels.txt").write_text("bug\n")
    for (shown, _), (message, arguments) in zip(rows, MESSAGES.items(), strict=True):
        assert message in shown
        assert message in main(*usual, *(each.format(**paths) for each in arguments))[1]
