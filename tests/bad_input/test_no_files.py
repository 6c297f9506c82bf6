"""No file where one should be, or one that holds no text: refused, and never waited for."""

import os
import shutil

import pytest

from tests.bad_input.conftest import LABELS, only, replaced

PIPE, LOOP, NOWHERE, FOLDER, MEMORY, ZEROS = "pipe", "loop", "nowhere", "folder", "memory", "zeros"
NO_FILE, TOO_MANY = "is a pipe or a device", "Too many levels of symbolic links"


@pytest.fixture
def no_file(tmp_path_factory):
    """Returns a function: kind, name -> the path of something new that is no readable file."""
    folder = tmp_path_factory.mktemp("no_files")

    def make(kind, name="file", folder=folder):
        path = folder / name
        path.unlink(missing_ok=True)
        {PIPE: os.mkfifo, FOLDER: os.mkdir}.get(kind, lambda path: path.symlink_to(
            {LOOP: path, NOWHERE: "no", MEMORY: "/proc/self/mem", ZEROS: "/dev/zero"}[kind]))(path)
        return path
    return make


KINDS = [(PIPE, NO_FILE), (LOOP, TOO_MANY), (FOLDER, "Is a directory"), (ZEROS, NO_FILE),
         (MEMORY, "Input/output error")]  # a file whose reading fails, for root too


@pytest.mark.parametrize(("kind", "reason"), [*KINDS, (NOWHERE, "is a link to a file that does")])
@pytest.mark.parametrize("flag", [True, False])
def test_data(refused, no_file, kind, reason, flag):
    path = no_file(kind, "train.tsv")
    where = [f"--train_file={path}"] if flag else [f"--data_dir={path.parent}"]
    only(refused("--do_train", *where), f"{path}: ", reason)


@pytest.mark.parametrize(("kind", "reason"), [*KINDS, (NOWHERE, "is a link to a file that does")])
@pytest.mark.parametrize("flag", ["vocab_file", "bert_config_file"])
def test_model(refused, no_file, kind, reason, flag):
    path = no_file(kind)
    only(refused("--do_train", f"--{flag}={path}"), f"--{flag}={path}: ", reason)


@pytest.mark.parametrize(("kind", "reason"), [*KINDS[1:], (PIPE, "must hold"),
                                              (NOWHERE, "is a link to a file that does")])
@pytest.mark.parametrize("flag", ["config", "sweep", "labels_file"])
def test_settings(refused, no_file, kind, reason, flag):
    path = no_file(kind)
    found = refused("--do_train", "--do_eval", f"--{flag}={path}")
    if kind is PIPE and flag == "labels_file":  # nobody writes into it: a list of one empty label
        assert len(found) == 2 and "label 1 is empty" in found[1]
    else:
        only(found, f"--{flag}={path}: ", reason)


@pytest.mark.parametrize(("flag", "name", "typed"), [
    ("vocab_file", "vocab.txt", "vocb.txt"), ("bert_config_file", "bert.json", "brt.json"),
    ("config", "run.yaml", "rum.yaml"), ("sweep", "rates.yaml", "rate.yaml"),
    ("labels_file", "labels.txt", "lables.txt"), ("class_weights", "weights.tsv", "wieghts.tsv"),
    ("init_checkpoint", "minilm", "minlm"),
    ("init_checkpoint", "bert_model.ckpt.index", "bert_modle.ckpt"),
    ("init_checkpoint", "minilm", "minlm/")])
def test_a_name_like_one_that_is_there(refused, tmp_path_factory, flag, name, typed):
    folder = tmp_path_factory.mktemp("like")
    (folder / name).write_text("")
    found = refused("--do_train", "--do_eval", f"--{flag}={folder / typed}", _model=False)
    meant = str(folder / name).removesuffix(".index")
    assert any(f"--{flag}={folder / typed}" in one and f"; did you mean {meant}?" in one
               for one in found), found


@pytest.mark.parametrize("kind", [PIPE, LOOP, FOLDER, ZEROS, NOWHERE])
@pytest.mark.parametrize("name", ["bert_model.ckpt.index", "bert_model.ckpt.data-00000-of-00001"])
def test_checkpoint(refused, no_file, tiny, tmp_path, kind, name):
    folder = shutil.copytree(tiny, tmp_path / "model")
    no_file(kind, name, folder)
    only(refused("--do_train", f"--init_checkpoint={folder}"), folder)


@pytest.mark.parametrize("kind", [PIPE, LOOP, FOLDER, ZEROS, NOWHERE])
@pytest.mark.parametrize("name", ["labels.txt", "runs.json", "run.log", "checkpoint",
                                  "best_checkpoint.json"])
def test_output_folder(refused, no_file, occupied, kind, name):
    no_file(kind, name, occupied)
    found = refused("--do_train", f"--output_dir={occupied}", _output=False)
    assert any(str(occupied) in one and name in one for one in found)


@pytest.mark.parametrize(("path", "reason"), [
    ("a" * 256, "the name is too long"), ("new/" + "a" * 256, "the name is too long"),
    ("a/" * 2500, "the name is too long"), ("loop", TOO_MANY), ("loop/out", TOO_MANY)])
def test_a_path_that_no_folder_can_have(refused, no_file, tmp_path, path, reason):
    no_file(LOOP, "loop", tmp_path)
    only(refused("--do_train", f"--output_dir={tmp_path / path}", _output=False),
         "--output_dir=", reason, "name another folder")


@pytest.mark.parametrize("flag", ["output_dir", "init_checkpoint", "vocab_file", "data_dir",
                                  "train_file", "bert_config_file", "config"])
def test_a_scheme_that_nobody_knows(refused, flag):
    found = refused("--do_train", f"--{flag}=foo://bar/baz", _output=flag != "output_dir")
    assert any("foo://bar/baz" in one for one in found)


@pytest.mark.parametrize(("name", "content", "reason"), [
    ("labels.txt", b"bug\xff\n", "is not UTF-8 any more"),
    ("labels.txt", b"bug\n\nquestion\n", "labels.txt: label 2 is empty"),
    ("runs.json", b"{", "is not JSON any more"), ("runs.json", b"5", "is no list of runs"),
    ("runs.json", b"[1]", "is no list of runs"), ("run_config.json", b"[]", "holds no JSON object"),
    ("run_config.json", b"[" * 100_000, "is not JSON any more"),
    ("best_checkpoint.json", b"[]", "holds no JSON object"),
    ("best_checkpoint.json", b'{"checkpoint": 5}', "checkpoint is 5, which no run writes"),
    ("best_checkpoint.json", b'{"checkpoint": "model.ckpt-2"}', "step is None, which no run"),
])
def test_a_folder_whose_files_are_damaged(refused, occupied, name, content, reason):
    (occupied / name).write_bytes(content)
    if name == "labels.txt":
        (occupied / "SHA256SUMS").unlink()  # which would tell of any change
    stages = ["--do_eval"] if name in ("labels.txt", "best_checkpoint.json") else ["--do_train"]
    found = refused(*stages, f"--output_dir={occupied}", _output=False)
    assert any(str(occupied) in one and name in one and reason in one for one in found), found


@pytest.mark.parametrize("encoding", ["utf-7", "unicode_escape", "idna", "undefined", "", "a\nb"])
def test_encodings_that_no_file_has(refused, issues, encoding):
    replaced(issues / "train.tsv", 3, b"x\tit crashes\t\\ud800")
    only(refused("--do_train", f"--encoding={encoding}"), "is not a text encoding")


def test_labels_that_are_no_text(refused, issues, tmp_path):
    only(refused("--do_train", "--labels=bug,\udcff"), "is not UTF-8")
    path = tmp_path / "run.json"
    path.write_text('{"labels": ["bug", "\\ud800"]}')
    only(refused("--do_train", f"--config={path}"), f"--config={path}: labels: ",
         "half a surrogate")


def test_numbers_of_thousands_of_digits(refused, issues):
    replaced(issues / "train.tsv", 3, b"x\tit crashes\t" + b"7" * 5000)
    only(refused("--do_train", f"--text_column={'9' * 5000}"), "there is no such column")
    only(refused("--do_train", LABELS), f"{issues / 'train.tsv'}:3: ", '"7777')
