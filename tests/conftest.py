"""A tiny BERT with an uncased and a cased vocabulary, and small data sets, made here."""

import json
import os
import pathlib
import signal
import string
import subprocess
import sys
import tempfile

import numpy as np
import pytest

from tests.faults import tally

# Started by a shell's & or nohup, tests and their children would ignore what tests send them.
signal.signal(signal.SIGINT, signal.default_int_handler)
signal.signal(signal.SIGHUP, signal.SIG_DFL)

# What hypothesis keeps (tables of characters) is not to lie in the project.
os.environ.setdefault("HYPOTHESIS_STORAGE_DIRECTORY",
                      os.path.join(tempfile.gettempdir(), "hypothesis"))

ROOT = pathlib.Path(__file__).parents[1]
WORDS = [
    "the", "a", "app", "page", "button", "crash", "crashes", "error", "fails", "broken", "add",
    "support", "please", "option", "new", "how", "why", "can", "do", "i", "use", "it", "is",
    "when", "open", "save", "file", "not", "to", "for", "with", "mode", "?"]
SPECIAL = ["[PAD]", "[unused1]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
TINY = {"attention_probs_dropout_prob": 0.1, "hidden_act": "gelu", "hidden_dropout_prob": 0.1,
        "hidden_size": 16, "initializer_range": 0.02, "intermediate_size": 24,
        "max_position_embeddings": 40, "num_attention_heads": 2, "num_hidden_layers": 2,
        "type_vocab_size": 2}
TEXTS = {"bug": ["the app crashes when i open a file", "save button is broken",
                 "error ! page fails", "it crashes", "the page is not new , it is broken"],
         "feature": ["please add a new mode", "add support for the file option", "add option",
                     "please support save with a new button", "new page please"],
         "question": ["how can i use it ?", "why is the file not new ?", "how do i open the page ?",
                      "can i save it ?", "why do i add a mode ?"]}


def vocabulary(cased: bool) -> list[str]:
    """Words, letters and their continuations; the cased one holds capitals too."""
    letters = string.ascii_lowercase + string.digits + string.punctuation
    words = [*WORDS, *letters, *("##" + letter for letter in string.ascii_lowercase)]
    if cased:
        words += [word.capitalize() for word in WORDS] + list(string.ascii_uppercase)
    return SPECIAL + list(dict.fromkeys(words))


def make_checkpoint(folder: pathlib.Path, cased: bool = False, **sizes: int) -> pathlib.Path:
    """Writes bert_config.json, vocab.txt and bert_model.ckpt with random weights.

    Args:
        sizes: of the model where they differ from TINY's.
    """
    from finetune.bert_config import BertConfig, variable_shapes
    from finetune.checkpoints import checkpoint

    folder.mkdir(parents=True)
    words = vocabulary(cased)
    config = {**TINY, **sizes, "vocab_size": len(words)}
    (folder / "vocab.txt").write_text("\n".join(words) + "\n")
    (folder / "bert_config.json").write_text(json.dumps(config))
    random = np.random.default_rng(1)
    checkpoint.save(str(folder / "bert_model.ckpt"), {
        name: (random.standard_normal(shape) * 0.1 + name.endswith("gamma")).astype(np.float32)
        for name, shape in variable_shapes(BertConfig.from_dict(config, "tiny")).items()})
    return folder


@pytest.fixture(scope="session")
def tiny(tmp_path_factory):
    """Folder of an uncased checkpoint: 2 layers, 16 wide, 40 positions."""
    return make_checkpoint(tmp_path_factory.mktemp("checkpoints") / "tiny")


@pytest.fixture(scope="session")
def tiny_cased(tmp_path_factory):
    """Folder of a cased checkpoint of the same size."""
    return make_checkpoint(tmp_path_factory.mktemp("checkpoints") / "tiny_cased", cased=True)


@pytest.fixture(scope="session")
def tiny_config():
    """BertConfig of the tiny checkpoints, with a vocabulary of 60 tokens."""
    from finetune.bert_config import BertConfig

    return BertConfig.from_dict({**TINY, "vocab_size": 60}, "tiny")


@pytest.fixture(scope="session")
def make_table():
    """Makes a FeatureTable: row lengths -> random tokens below 60, labels 0, 1, 2, 0, ..."""
    from finetune.records import FeatureTable

    def make(*lengths):
        random = np.random.default_rng(3)
        ids, segments = random.integers([[1], [0]], [[60], [2]], (2, sum(lengths)), np.int32)
        return FeatureTable(ids, segments, np.cumsum([0, *lengths]),
                            np.arange(len(lengths), dtype=np.int32) % 3,
                            np.ones(len(lengths), bool))
    return make


@pytest.fixture
def issues(tmp_path):
    """Folder with train.tsv, dev.tsv, test.tsv: id, text, label; 15, 15 and 6 rows."""
    folder = tmp_path / "issues"
    folder.mkdir()
    rows = [(text, label) for row in zip(*TEXTS.values(), strict=True)
            for text, label in zip(row, TEXTS, strict=True)]
    for name in ("train", "dev"):
        lines = [f"{name}{number}\t{text}\t{label}" for number, (text, label) in enumerate(rows)]
        (folder / f"{name}.tsv").write_text("\n".join(["id\ttext\tlabel", *lines]) + "\n")
    lines = [f"t{number}\t{text}" for number, (text, _) in enumerate(rows[:6])]
    (folder / "test.tsv").write_text("\n".join(["id\ttext", *lines]) + "\n")
    return folder


@pytest.fixture
def command():
    """Runs run_classifier_custom.py in a process of its own, as a user does."""
    def run(*arguments, cwd=ROOT, **environment):
        return subprocess.run(
            [sys.executable, str(ROOT / "run_classifier_custom.py"), *map(str, arguments)],
            cwd=cwd, env={**os.environ, **environment}, capture_output=True, text=True,
            timeout=300)
    return run


@pytest.fixture
def main(capfd):
    """Runs the command in this process, which saves TensorFlow's start.

    Returns:
        A function: arguments -> (exit status, standard error).
    """
    import run_classifier_custom

    def run(*arguments):
        status = run_classifier_custom.main([str(argument) for argument in arguments])
        return status, capfd.readouterr().err
    return run


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers():
    return min(os.cpu_count() or 1, 4)  # each may take 3 GB of memory


def pytest_sessionfinish(session):
    output = getattr(session.config, "workeroutput", None)
    if output is not None:  # a process of several (pytest-xdist) hands over what it has counted
        output["faults"] = tally.of(session.config).rows()


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node):
    for row in getattr(node, "workeroutput", {}).get("faults", ()):
        tally.of(node.config)(*row)


def pytest_terminal_summary(terminalreporter, config):
    lines = list(tally.of(config).lines())
    if lines:
        terminalreporter.section("faults")
        for line in lines:
            terminalreporter.write_line(line)
