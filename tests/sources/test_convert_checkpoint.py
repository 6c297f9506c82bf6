"""scripts/convert_checkpoint.sh: its three commands, and its refusals."""

import json
import os
import subprocess
import sys

import numpy as np
import pytest

from finetune import command, model
from finetune.bert_config import BertConfig
from finetune.checkpoints import checkpoint
from scripts import convert_checkpoint
from tests.conftest import ROOT
from tests.sources.huggingface_model import (
    LABELS,
    VOCABULARY,
    WITH_HEAD,
    make_tensors,
    write_folder,
)


@pytest.fixture
def convert(capsys, monkeypatch):
    """Runs the script's main in this process: arguments -> (status, output, error)."""
    monkeypatch.setattr(command, "hide_gpus", lambda: None)  # not for all tests that follow

    def run(*arguments):
        try:
            status = convert_checkpoint.main([str(argument) for argument in arguments])
        except SystemExit as error:
            status = error.code
        shown = capsys.readouterr()
        return status, shown.out, shown.err
    return run


@pytest.fixture
def theirs(tmp_path):
    return write_folder(tmp_path / "hf", make_tensors(labels=3), WITH_HEAD)


@pytest.fixture
def run_folder(tmp_path):
    """What a run of ours leaves, slots included."""
    folder = tmp_path / "run"
    folder.mkdir()
    config = {key: WITH_HEAD[key] for key in (
        "hidden_size", "num_hidden_layers", "num_attention_heads", "intermediate_size",
        "vocab_size", "max_position_embeddings", "type_vocab_size")}
    (folder / "bert_config.json").write_text(json.dumps(config))
    (folder / "vocab.txt").write_text("".join(f"{token}\n" for token in VOCABULARY))
    (folder / "labels.txt").write_text("".join(f"{label}\n" for label in LABELS))
    shapes = model.variable_shapes(BertConfig(**config), 3)
    checkpoint.Folder(str(folder), 1).write(7, {"global_step": np.int64(7), **{
        name: np.zeros(shape, np.float32)
        for name, shape in {**shapes, **model.slot_shapes(shapes)}.items()}})
    return folder


def test_from_huggingface(convert, theirs, tmp_path):
    status, output, error = convert("from-huggingface", theirs, tmp_path / "made")
    assert status == 0
    assert output == (f"{tmp_path / 'made'}: 0.0 MB; labels: bug, feature, a question; "
                      "--do_lower_case=false\n")
    notes = error.splitlines()
    assert len(notes) == 2 and all(note.startswith("note: ") for note in notes)
    assert "'gelu_erf' in bert_config.json" in notes[0] and "tells the casing" in notes[1]
    status, output, error = convert("from-huggingface", theirs, tmp_path / "other",
                                    "--activation=original", "--encoder_only")
    assert "no head" in output and "the original's tanh form" in error
    config = json.loads((tmp_path / "other" / "bert_config.json").read_text())
    assert config["hidden_act"] == "gelu"


def test_to_huggingface(convert, run_folder, tmp_path):
    status, output, _ = convert("to-huggingface", run_folder, tmp_path / "made",
                                "--do_lower_case=True")
    assert (status, output) == (
        0, f"{tmp_path / 'made'}: 0.0 MB; labels: bug, feature, a question\n")
    settings = json.loads((tmp_path / "made" / "tokenizer_config.json").read_text())
    assert settings["do_lower_case"] is True


def test_strip(convert, run_folder, tmp_path):
    status, output, error = convert("strip", run_folder / "model.ckpt-7", tmp_path / "made")
    assert status == 0 and output.startswith(f"{tmp_path / 'made'}: 0.0 MB; labels: bug")
    assert error == "note: 82 of 124 tensors were Adam's and are left out\n"
    assert "global_step" in checkpoint.shapes(str(tmp_path / "made" / "model.ckpt-7"))


@pytest.mark.parametrize("command", ["from-huggingface", "to-huggingface", "strip"])
def test_what_is_wrong_is_told_together_and_nothing_is_written(command, convert, tmp_path):
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "mine").write_text("")
    status, output, error = convert(command, tmp_path / "nothing", tmp_path / "full")
    assert (status, output) == (2, "")
    lines = error.splitlines()
    assert lines[0] == (f"error: {tmp_path / 'full'}: is there already and is no empty folder; "
                        "name a new one.")
    assert len(lines) >= 2
    assert all(line.startswith(f"error: {tmp_path / 'nothing'}") for line in lines[1:])
    assert [path.name for path in tmp_path.iterdir()] == ["full"]
    status, _, error = convert(command, tmp_path / "nothing", "gs://bucket/folder")
    assert status == 2 and "has to be a folder on this machine" in error
    status, _, error = convert(command, tmp_path / "nothing", "")
    assert status == 2 and "'' names no folder; name a new one." in error


def test_a_checkpoint_that_needs_no_conversion(convert, run_folder, tmp_path):
    for given in (run_folder, run_folder / "model.ckpt-7"):
        status, _, error = convert("from-huggingface", given, tmp_path / "made")
        assert status == 2 and error.startswith(
            f"error: {given}: is a TF1 checkpoint ({run_folder}/model.ckpt-7) and no Hugging Face "
            f"model, so that there is nothing to convert: --init_checkpoint={given} takes it")
    assert not (tmp_path / "made").exists()


def test_a_folder_that_cannot_be_written(convert, theirs, tmp_path):
    (tmp_path / "file").write_text("")
    status, _, error = convert("from-huggingface", theirs, tmp_path / "file" / "made")
    assert status == 2 and str(tmp_path / "file") in error


@pytest.mark.parametrize(("arguments", "expected"), [
    ([], "COMMAND"), (["upside-down", "a", "b"], "upside-down"), (["strip", "a"], "OUT"),
    (["from-huggingface", "a", "b", "--activation=erf"], "erf"),
    (["to-huggingface", "a", "b", "--do_lower_case=maybe"], "'maybe' is neither true nor false"),
    (["strip", "a", "b", "--nonsense"], "--nonsense")])
def test_a_command_line_that_is_none(arguments, expected, convert):
    status, _, error = convert(*arguments)
    assert status == 2 and expected in error


@pytest.mark.slow
def test_the_script_from_another_folder(theirs, tmp_path):
    script = str(ROOT / "scripts" / "convert_checkpoint.sh")

    def run(*arguments, python=sys.executable):
        environment = {**os.environ, "PYTHON": python}
        environment.pop("TF_CPP_MIN_LOG_LEVEL", None)  # tests of this process may have set it
        return subprocess.run([script, *arguments], cwd=tmp_path, text=True, capture_output=True,
                              env=environment, check=False)

    done = run("from-huggingface", "hf", "made")
    assert (done.returncode, done.stdout[:6]) == (0, "made: ")
    assert all(line.startswith("note: ") for line in done.stderr.splitlines())
    done = run("strip", "hf", "x")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("error: hf: is a model in the Hugging Face layout (model.safet")
    done = run("strip", "hf", "x", python="no-such-python")
    assert done.returncode == 2
    assert "PYTHON=no-such-python: there is no such program" in done.stderr
