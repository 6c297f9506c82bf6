"""Both directions against transformers itself, on torch for the CPU.

    scripts/test.sh --with-huggingface tests/huggingface

transformers runs in an environment of its own, HUGGINGFACE_PYTHON, which that command makes.
"""

import importlib.util
import json
import os
import subprocess
import sys

import numpy as np
import pytest
import tensorflow as tf

from finetune import features, model
from finetune.batches import Batch, pack
from finetune.bert_config import BertConfig, variable_shapes
from finetune.checkpoints import checkpoint
from finetune.records import FeatureTable
from finetune.sources import from_huggingface, to_huggingface
from finetune.tokenization import Tokenizer
from processors.examples import InputExample
from tests.conftest import ROOT, TINY, vocabulary

PYTHON = os.environ.get("HUGGINGFACE_PYTHON") or (
    sys.executable if all(map(importlib.util.find_spec, ("torch", "transformers"))) else None)
pytestmark = [pytest.mark.slow, pytest.mark.skipif(
    not PYTHON, reason="transformers is not at hand: scripts/test.sh --with-huggingface")]

LABELS = ["bug", "feature", "a question"]
TEXTS = [["the app crashes", None], ["How can I use it?", "Why do I?"],
         ["Café über 博推 -- (x) don't", "ÉCOLE"], ["zzzz " * 60, None],
         ["the page is broken " * 12, "save the file please ! " * 9], ["", None], ["  \t", "new"]]
# name -> how transformers or torch.save writes the model.
MODELS = {
    "erf": {}, "cased": {"cased": True}, "sharded": {"files": "sharded"},
    "tanh": {"act": "gelu_new"}, "pytorch tanh": {"act": "gelu_pytorch_tanh"},
    "bin": {"files": "bin"}, "bin sharded": {"files": "bin sharded"},
    "half": {"dtype": "float16"}, "half bin": {"dtype": "float16", "files": "bin"},
    "bfloat16": {"dtype": "bfloat16"}, "bfloat16 bin": {"dtype": "bfloat16", "files": "bin"},
    "relu": {"act": "relu"}, "regression": {"labels": 1}}


def ask(folder, **plan):
    (folder / "plan.json").write_text(json.dumps({"texts": TEXTS, **plan}), encoding="utf-8")
    script = ROOT / "tests" / "huggingface" / "ask_transformers.py"
    done = subprocess.run(
        [PYTHON, str(script), "plan.json", "answers.json"], cwd=folder, text=True,
        capture_output=True, env={**os.environ, "HF_HUB_OFFLINE": "1"}, timeout=600)
    assert done.returncode == 0, done.stderr
    return json.loads((folder / "answers.json").read_text(encoding="utf-8"))


def ours(folder):
    """Token ids and logits of ours for TEXTS: a folder of a TF1 checkpoint -> (ids, [N, L])."""
    config = BertConfig.from_json_file(str(folder / "bert_config.json"))
    casing = json.loads((folder / "source.json").read_text())["do_lower_case"]
    tokenizer = Tokenizer(str(folder / "vocab.txt"), casing)
    rows = [InputExample(str(row), text, second) for row, (text, second) in enumerate(TEXTS)]
    table = FeatureTable.from_features(
        features.convert(rows, ["x", "y"], 40, tokenizer, require_labels=False))
    prefix = checkpoint.resolve(str(folder))
    held = checkpoint.shapes(prefix)
    state = model.create(config, held["output_weights"][0], 0,
                         checkpoint.read(prefix, list(held)), training=False)
    batch = Batch(*map(tf.constant, pack(table, np.arange(len(rows)))))
    logits = model.logits(state.weights, config, batch).numpy()
    ids = [table.input_ids[start:end].tolist()
           for start, end in zip(table.offsets, table.offsets[1:], strict=False)]
    return ids, logits


@pytest.fixture(scope="module")
def theirs(tmp_path_factory):
    """The models of MODELS, made by transformers, and its answers."""
    folder = tmp_path_factory.mktemp("transformers")
    plans = []
    for name, how in MODELS.items():
        cased, count = how.get("cased", False), how.get("labels", 3)
        words = vocabulary(cased)
        names = {str(row): label for row, label in enumerate(LABELS[:count])}
        plans.append({
            "folder": name, "words": words, "cased": cased,
            **{key: how[key] for key in ("files", "dtype") if key in how},
            "settings": {**TINY, "vocab_size": len(words), "hidden_act": how.get("act", "gelu"),
                         "id2label": names,
                         "label2id": {label: int(row) for row, label in names.items()}}})
    return folder, ask(folder, make=plans, answer=list(MODELS))


@pytest.mark.parametrize("name", MODELS)
def test_what_transformers_wrote_answers_the_same_here(name, theirs, tmp_path):
    folder, answers = theirs
    done = from_huggingface.convert(str(folder / name), str(tmp_path / "tf1"))
    assert done.labels == ([] if name == "regression" else LABELS)
    assert done.do_lower_case is (name != "cased")
    ids, logits = ours(tmp_path / "tf1")
    assert ids == answers[name]["ids"]
    assert np.abs(logits).max() > 0.5
    np.testing.assert_allclose(logits, answers[name]["logits"], rtol=0, atol=1e-5)


def test_the_other_form_of_gelu_would_be_seen(theirs, tmp_path):
    folder, answers = theirs
    from_huggingface.convert(str(folder / "erf"), str(tmp_path / "tf1"), activation="original")
    _, logits = ours(tmp_path / "tf1")
    assert 1e-4 < np.abs(logits - np.array(answers["erf"]["logits"])).max() < 0.1


OURS = {"tanh": {}, "erf": {"act": "gelu_erf"}, "cased": {"cased": True},
        "regression": {"labels": 1}}


@pytest.fixture(scope="module")
def given_back(tmp_path_factory):
    """Checkpoints of ours, as a run leaves them, and what transformers says of them."""
    folder = tmp_path_factory.mktemp("ours")
    for name, how in OURS.items():
        made, words = folder / "tf1" / name, vocabulary(how.get("cased", False))
        made.mkdir(parents=True)
        fields = {**TINY, "vocab_size": len(words), "hidden_act": how.get("act", "gelu")}
        (made / "bert_config.json").write_text(json.dumps(fields))
        (made / "vocab.txt").write_text("\n".join(words) + "\n")
        (made / "source.json").write_text(json.dumps({"do_lower_case": name != "cased"}))
        (made / "run_config.json").write_text(json.dumps({"max_seq_length": 24}))
        labels = LABELS[:how.get("labels", 3)]
        if len(labels) > 1:
            (made / "labels.txt").write_text("".join(f"{label}\n" for label in labels))
        shapes = model.variable_shapes(BertConfig(**fields), len(labels))
        random = np.random.default_rng(2)
        checkpoint.Folder(str(made), 1).write(7, {
            name: (random.normal(size=shape) * 0.25 + name.endswith("gamma")).astype(np.float32)
            for name, shape in {**shapes, **model.slot_shapes(shapes)}.items()}
            | {"global_step": np.int64(7)})
        to_huggingface.convert(str(made), str(folder / name))
    return folder, ask(folder, answer=list(OURS))


@pytest.mark.parametrize("name", OURS)
def test_what_is_written_here_answers_the_same_in_transformers(name, given_back):
    folder, answers = given_back
    theirs = answers[name]
    assert (theirs["missing"], theirs["unexpected"]) == ([], [])
    assert theirs["model_max_length"] == 24
    assert theirs["labels"] == ({"0": "LABEL_0"} if name == "regression" else
                                {str(row): label for row, label in enumerate(LABELS)})
    assert theirs["problem_type"] == (
        "regression" if name == "regression" else "single_label_classification")
    ids, logits = ours(folder / "tf1" / name)
    assert theirs["ids"] == ids
    assert np.abs(logits).max() > 0.5
    np.testing.assert_allclose(theirs["logits"], logits, rtol=0, atol=1e-5)


def test_what_do_export_writes_answers_the_same(given_back, main, tmp_path):
    folder, answers = given_back
    status, error = main("--do_export", "--export_formats=huggingface", "--max_seq_length=24",
                         f"--init_checkpoint={folder / 'tf1' / 'erf'}",
                         f"--output_dir={tmp_path / 'run'}")
    assert status == 0, error
    theirs = ask(tmp_path / "run" / "export", answer=["huggingface"])["huggingface"]
    assert theirs == answers["erf"]


@pytest.mark.parametrize("name", OURS)
def test_there_and_back_are_the_same_numbers(name, given_back, tmp_path):
    folder, _ = given_back
    from_huggingface.convert(str(folder / name), str(tmp_path / "tf1"))
    before, after = (checkpoint.resolve(str(path)) for path in (folder / "tf1" / name,
                                                                tmp_path / "tf1"))
    names = list(checkpoint.shapes(after))
    config = BertConfig.from_json_file(str(tmp_path / "tf1" / "bert_config.json"))
    assert set(names) == {*variable_shapes(config), "output_weights", "output_bias", "global_step"}
    assert config == BertConfig.from_json_file(str(folder / "tf1" / name / "bert_config.json"))
    for key, value in checkpoint.read(before, names).items():
        np.testing.assert_array_equal(checkpoint.read(after, [key])[key], value)


def test_a_converted_model_predicts_at_once(theirs, issues, main, tmp_path):
    folder, answers = theirs
    converted, out = tmp_path / "tf1", tmp_path / "out"
    from_huggingface.convert(str(folder / "bin sharded"), str(converted))
    rows = [text.replace("\t", " ") for text, second in TEXTS if second is None and text]
    (issues / "test.tsv").write_text("text\n" + "".join(f"{text}\n" for text in rows))
    status, error = main(f"--data_dir={issues}", f"--init_checkpoint={converted}", "--do_predict",
                         f"--output_dir={out}", "--max_seq_length=40")
    assert status == 0, error
    lines = [line.split("\t") for line in (out / "predictions.tsv").read_text().splitlines()]
    assert lines[0][3:] == LABELS
    logits = np.array([answer for answer, (text, second) in zip(
        answers["bin sharded"]["logits"], TEXTS, strict=True) if second is None and text])
    expected = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
    np.testing.assert_allclose(np.array([line[3:] for line in lines[1:]], float), expected,
                               atol=1e-5)
