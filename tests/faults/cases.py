"""The inputs of the fuzzer: case number N is the same folder and the same flags on every machine.

    family = family_of(7)
    flags = make(7, folder, models)      # writes the case's files; to be run from the folder

No path in flags or files begins at the root, so that the bytes that are mutated are the same.
"""

import dataclasses
import json
import pathlib
import random
import shutil
from collections.abc import Callable
from typing import Any

import processors
from finetune.config import RunConfig, flag_type
from processors import registry
from processors.columns import as_columns
from tests.conftest import TEXTS
from tests.faults import mutations

SHORT = ["--max_seq_length=16", "--train_batch_size=5", "--num_train_epochs=0.4"]  # one step
STAGES = ("--do_train", "--do_eval", "--do_predict")
ROWS = [(f"r{number}", text, label) for number, (text, label) in enumerate(
    (text, label) for row in zip(*TEXTS.values(), strict=True)
    for text, label in zip(row, TEXTS, strict=True))]
LABELS = tuple(TEXTS)
# Values of these reach for a network, other processes or devices that no test has.
NOT_TRIED = {"use_tpu", "engine", "bert_hub_module_handle", "distribution", "processor"}


@dataclasses.dataclass(frozen=True)
class Models:
    """What cases start from: the folder of a checkpoint, and that of a run that has ended."""

    tiny: pathlib.Path
    trained: pathlib.Path


@dataclasses.dataclass
class Case:
    """One case while it is made."""

    draw: random.Random
    folder: pathlib.Path
    models: Models

    @property
    def data(self) -> pathlib.Path:
        """The folder of the data files."""
        return self.folder / "data"

    def stages(self) -> list[str]:
        """Some of --do_train, --do_eval and --do_predict; training most often."""
        return list(self.draw.choice((STAGES, STAGES, STAGES[:1], STAGES[:2])))

    def write_data(self, data_format: str = "tsv") -> None:
        """Writes three splits of issues."""
        self.data.mkdir(exist_ok=True)
        for split in ("train", "dev", "test"):
            rows = ROWS[:6] if split == "test" else ROWS
            (self.data / f"{split}.{data_format}").write_bytes(table(rows, data_format))

    def copy_model(self) -> pathlib.Path:
        """Copies the checkpoint's folder to `model`."""
        return shutil.copytree(self.models.tiny, self.folder / "model")

    def mutate(self, *paths: pathlib.Path, share_special: float = 0.06) -> None:
        """Mutates one of the files, or puts something else in its place."""
        path = self.draw.choice(paths)
        if self.draw.random() < share_special:
            mutations.special_file(self.draw, path)
        else:
            path.write_bytes(mutations.mutated(self.draw, path.read_bytes()))

    def write_altered(self, value: Any, name: str) -> pathlib.Path:
        """Writes a value with one node changed as JSON or YAML, or something else in its place."""
        value = mutations.altered(self.draw, value)
        path = self.folder / f"{name}.{self.draw.choice(('json', 'yaml'))}"
        yaml = path.suffix == ".yaml" and isinstance(value, dict)
        make = mutations.yaml_bytes if yaml else mutations.json_bytes
        path.write_bytes(make(self.draw, value))
        if self.draw.random() < 0.05:
            mutations.special_file(self.draw, path)
        return path

    def flags(self, *more: str, model: str | None = "tiny") -> list[str]:
        """Returns the flags of a short run of own files."""
        given = ["--data_dir=data", *SHORT, "--output_dir=out", *more]
        return [*given, f"--init_checkpoint={model}"] if model else given


def table(rows: list[tuple[str, str, str]], data_format: str) -> bytes:
    """Returns rows of id, text and label in one of the four formats."""
    names = ("id", "text", "label")
    if data_format in ("tsv", "csv"):
        mark = "\t" if data_format == "tsv" else ","
        cells = [[f'"{cell}"' if mark == "," and "," in cell else cell for cell in row]
                 for row in (names, *rows)]
        return "".join(mark.join(row) + "\n" for row in cells).encode()
    objects = [dict(zip(names, row, strict=True)) for row in rows]
    if data_format == "json":
        return json.dumps(objects).encode()
    return "".join(json.dumps(one) + "\n" for one in objects).encode()


def _own_file(data_format: str) -> Callable[[Case], list[str]]:
    def make(case: Case) -> list[str]:
        case.write_data(data_format)
        paths = [case.data / f"{split}.{data_format}"
                 for split in ("train", "train", "dev", "test")]
        for _ in range(case.draw.choice((1, 1, 2))):
            path = case.draw.choice(paths)
            if data_format == "json" and case.draw.random() < 0.4 and path.is_file():
                objects = [dict(zip(("id", "text", "label"), row, strict=True)) for row in ROWS]
                objects = mutations.altered(case.draw, objects)
                path.write_bytes(mutations.json_bytes(case.draw, objects))
            elif path.is_file() and not path.is_symlink():
                case.mutate(path)
        options = ("--labels=bug,feature,question", "--task_type=regression", "--header=false",
                   f"--encoding={case.draw.choice((*mutations.ENCODINGS, *ENCODINGS))}",
                   "--text_column=text,label", "--text_b_column=id", "--label_column=id",
                   "--header=true", "--text_column=1", "--label_column=2", "--id_column=0",
                   "--text_b_column=text",
                   f"--data_format={case.draw.choice(('tsv', 'csv', 'jsonl', 'json'))}")
        some = [option for option in options if case.draw.random() < 0.06]
        return case.flags(*case.stages(), *some)
    return make


ENCODINGS = ("utf-8", "ascii", "idna", "punycode", "undefined", "unicode_escape",
             "raw_unicode_escape", "base64", "rot13", "zlib", "hex", "mbcs",
             "utf_16_le", "cp65001", "", " ", "x" * 300, "é", "a\nb")


def _task(case: Case) -> list[str]:
    """A file in the layout of a known task."""
    name = case.draw.choice([name for name in processors.names()
                             if name not in ("delimited", "ax")])
    processor = registry.get(name)()
    labels = processor.labels or ("0.5", "1", "4.75")
    paths = []
    for split_name in ("train", "dev", "test"):
        split = processor.split(split_name, str(case.data))
        if split is None:
            continue
        texts = (*as_columns(split.text_a), *as_columns(split.text_b))
        used = (*texts, split.label, split.row_id, split.guid, (split.only or (0,))[0])
        width = max(column for column in used if column is not None) + 1 + (split.label == -1)
        lines = []
        if split.header:
            lines.append([split.header if column == texts[0] else f"c{column}"
                          for column in range(width)])
        for number, (_, text, _) in enumerate(ROWS):
            cells = [text if column in texts else "x" for column in range(width)]
            if split.label is not None:
                cells[split.label] = labels[number % len(labels)]
            if split.only:
                cells[split.only[0]] = split.only[1]
            lines.append(cells)
        path = case.data / split.file
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("".join("\t".join(cells) + "\n" for cells in lines))
        paths.append(path)
    case.mutate(*paths)
    stages = case.draw.choice((("--do_train",), ("--do_train", "--do_eval")))
    return case.flags(f"--task_name={name}", *stages)


def _vocabulary(case: Case) -> list[str]:
    case.write_data()
    model = case.copy_model()
    path, config = model / "vocab.txt", model / "bert_config.json"
    data = mutations.vocabulary_bytes(case.draw, path.read_bytes())
    path.write_bytes(data)
    if case.draw.random() < 0.1:
        mutations.special_file(case.draw, path)
    if case.draw.random() < 0.6:  # as many as the configuration says, by two ways of counting
        lines = data.decode("utf-8", "replace").split("\n")[:-1]
        count = case.draw.choice((len(lines), len({line.strip() for line in lines})))
        config.write_text(json.dumps({**json.loads(config.read_text()), "vocab_size": count}))
    return _with_or_without(case)


def _bert_config(case: Case) -> list[str]:
    case.write_data()
    model = case.copy_model()
    path = model / "bert_config.json"
    how = case.draw.random()
    if how < 0.6:
        value = mutations.altered(case.draw, json.loads(path.read_text()))
        path.write_bytes(mutations.json_bytes(case.draw, value))
    else:
        case.mutate(path, share_special=0.3)
    return _with_or_without(case)


def _with_or_without(case: Case) -> list[str]:
    """Starts from the weights of a folder, or at random with its vocabulary and configuration."""
    if case.draw.random() < 0.5:
        return case.flags(*case.stages(), model="model")
    return case.flags(*case.stages(), "--vocab_file=model/vocab.txt",
                      "--bert_config_file=model/bert_config.json", model=None)


def _config(case: Case) -> list[str]:
    case.write_data()
    settings = {"do_train": True, "do_eval": True, "learning_rate": 5e-5, "labels": list(LABELS),
                "seed": 3, "num_train_epochs": 0.4, "text_column": ["text"],
                "init_checkpoint": "tiny", "data_dir": "data",
                "metric_for_best": "accuracy", "eval_every_steps": 1}
    for name in case.draw.sample(sorted(set(_flags()) - set(settings)), 3):
        settings[name] = mutations.odd_value(case.draw)
    path = case.write_altered(settings, "run")
    return [*SHORT, "--output_dir=out", f"--config={path.name}",
            *case.draw.choice(((), (), ("--do_train", "--data_dir=data")))]


def _labels_file(case: Case) -> list[str]:
    case.write_data()
    path = case.folder / "labels.txt"
    path.write_text("\n".join(LABELS) + "\n")
    case.mutate(path, share_special=0.15)
    return case.flags(*case.stages(), f"--labels_file={path.name}")


def _sweep(case: Case) -> list[str]:
    case.write_data()
    spec: dict[str, Any] = {
        "grid": {"learning_rate": [1e-4, 5e-5], "train_batch_size": [5, 3]},
        "list": [{"num_train_epochs": 0.4, "max_seq_length": 12}, {"labels": ["a"]}],
        "seeds": case.draw.choice((2, [1, 2])), "choose_by": "accuracy", "keep": "best"}
    del spec["list"][case.draw.choice((1, 1, 1, 0))]
    path = case.write_altered(spec, "sweep")
    return case.flags("--do_train", "--do_eval", f"--sweep={path.name}")


def _flags() -> dict[str, Any]:
    return {field.name: field for field in dataclasses.fields(RunConfig)
            if field.name not in NOT_TRIED}


def _special_paths(case: Case) -> list[str]:
    places = []
    for number in range(9):
        path = case.folder / f"special{number}"
        mutations.special_file(case.draw, path)
        places.append(path.name)
    return places


TEXT_VALUES = (
    "", " ", "0", "-1", "1", "2", "1.5", "1e999", "nan", "inf", "-inf", "1e308", "5e-324", "9" * 12,
    "9" * 400, "9" * 5000, "2147483648", "9223372036854775808", "true", "TRUE", "t", "yes", "None",
    "null", "é", "\u202e", "\u2028", "\udcff", "\udced\udca0\udc80", "a,b", "a,b,a", ",", '"',
    '"a', "'", "a\nb", "\r", "\t", "x" * 70_000, "x," * 30_000, "/", "/dev/null", "/dev/zero",
    "/proc/self/mem", "/dev/null/x", "..", "~", "*", "[a]", "a/" * 3000,
    "foo://bar/baz", "ram://x/y", "--do_train", "-", "=", "=1", "cola", "mnli", "text", "label",
    "id", "bug,feature", "٣", "0x10", "1_000", "+5", "5 ", "train.tsv", "data", "run.yaml",
    "\x1b[31m", "\x7f", "\ufeff1")


def _flags_case(case: Case) -> list[str]:
    case.write_data()
    given = case.flags(*case.stages())
    places = _special_paths(case) if case.draw.random() < 0.25 else []
    fields = _flags()
    for _ in range(case.draw.choice((1, 1, 2, 3))):
        name = case.draw.choice((*fields, *case.draw.sample(sorted(fields), 3)))
        field = fields[name]
        value = case.draw.choice((*TEXT_VALUES, *places * 2, *(field.metadata["choices"] or ())))
        form = case.draw.randrange(20)
        if form < 12:
            given.append(f"--{name}={value}")
        elif form == 12:
            given.append(f"--{name}")
        elif form == 13:
            given += [f"--{name}", value]
        elif form == 14:
            given.append(f"-{name}={value}")
        elif form == 15:
            given.append(f"--no{name}" + (f"={value}" if flag_type(field) is bool else ""))
        elif form == 16:
            other = case.draw.choice((name[:-1], name.upper(), name + "s", name + " ", value))
            given.append(f"--{other}={value}")
        elif form == 17:
            given.insert(case.draw.randrange(len(given)), f"--{name}={value}")
        elif form == 18:
            given.insert(case.draw.randrange(len(given)), value)
        else:
            given = [one for one in given if case.draw.random() < 0.8]
    return given


def _output_folder(case: Case) -> list[str]:
    """Goes on in the folder of an earlier run of which a file has been altered."""
    case.write_data()
    out = shutil.copytree(case.models.trained, case.folder / "out")
    names = sorted(path.name for path in out.iterdir() if path.is_file())
    small = [name for name in names
             if name.endswith((".json", ".txt", "checkpoint", ".tsv", ".log"))]
    path = out / case.draw.choice((*names, *small * 3))
    if path.suffix == ".json" and case.draw.random() < 0.6:
        value = mutations.altered(case.draw, json.loads(path.read_text()))
        path.write_bytes(mutations.json_bytes(case.draw, value))
    else:
        case.mutate(path, share_special=0.15)
    stages = case.draw.choice((STAGES, ("--do_eval",), ("--do_predict",), ("--do_train",),
                               ("--do_train", "--overwrite_output_dir")))
    if case.draw.random() < 0.3:  # the same folder, but to start from
        return case.flags(*stages, "--output_dir=next", model="out")
    return case.flags(*stages, "--num_train_epochs=1.0")


def _checkpoint(case: Case) -> list[str]:
    case.write_data()
    model = case.copy_model()
    (model / "checkpoint").write_text('model_checkpoint_path: "bert_model.ckpt"\n')
    paths = sorted(path for path in model.iterdir()
                   if path.name.startswith(("bert_model", "checkpoint")))
    case.mutate(*paths, share_special=0.2)
    return case.flags(*case.stages(), model="model")


FAMILIES: dict[str, Callable[[Case], list[str]]] = {
    "TSV": _own_file("tsv"), "CSV": _own_file("csv"), "JSON lines": _own_file("jsonl"),
    "JSON": _own_file("json"), "files of a task": _task, "vocabularies": _vocabulary,
    "bert_config.json": _bert_config, "--config files": _config, "--labels_file": _labels_file,
    "--sweep files": _sweep, "flags": _flags_case, "checkpoints": _checkpoint,
    "output folders": _output_folder}
_ORDER = (*FAMILIES, "TSV", "CSV", "JSON lines", "JSON", "flags", "flags", "--config files")


def family_of(number: int) -> str:
    """Returns the kind of input that a case mutates."""
    return _ORDER[number % len(_ORDER)]


def make(number: int, folder: pathlib.Path, models: Models) -> list[str]:
    """Writes the files of a case into an empty folder and returns its flags."""
    (folder / "tiny").symlink_to(models.tiny)
    return FAMILIES[family_of(number)](Case(random.Random(number), folder, models))
