"""Mistakes of the user, through the command: all told at once, exit status 2, nothing written."""

import csv
import functools
import json
import os
import shutil
import subprocess
import sys
import types

import numpy as np
import pytest
import tensorflow as tf

import run_classifier_custom
from finetune import checkpoint, preflight
from finetune.trainer import Trainer
from tests.conftest import TINY, vocabulary

LABELS = "--labels=bug,feature,question"
SMALL = ["--max_seq_length=16", "--train_batch_size=5", "--num_train_epochs=2"]


def snapshot(folder):
    """Returns what lies in a folder, byte for byte, with the times of the last change."""
    return {str(path.relative_to(folder)): (path.stat().st_mtime_ns,
                                            path.read_bytes() if path.is_file() else None)
            for path in folder.rglob("*")}


@pytest.fixture
def refused(main, tiny, issues, tmp_path):
    """Runs a command that has to be refused, with a new output folder and with one that exists.

    Returns:
        A function: flags -> messages, one a problem. `_model=False` leaves --init_checkpoint out,
        `_output=False` the two output folders.
    """
    def run(*arguments, _model=True, _output=True):
        (tmp_path / "old").mkdir(exist_ok=True)
        (tmp_path / "old" / "notes.txt").write_text("mine")
        found = []
        for folder in ("new", "old") if _output else (None,):
            output = [f"--output_dir={tmp_path / folder}"] if folder else []
            model = [f"--init_checkpoint={tiny}"] if _model else []
            before = snapshot(tmp_path)
            status, said = main(f"--data_dir={issues}", *model, *SMALL, *output, *arguments)
            assert status == 2, said
            assert "Traceback" not in said and "--- Logging error" not in said, said
            assert snapshot(tmp_path) == before
            found.append([line.removeprefix("error: ").replace(str(tmp_path / "old"),
                                                               str(tmp_path / "new"))
                          for line in said.splitlines() if line.startswith("error: ")])
            assert len(found[-1]) == len([line for line in said.splitlines() if line.strip()]), said
        assert found[0] and all(messages == found[0] for messages in found)
        return found[0]
    return run


def only(messages, *parts):
    """Asserts that there is one message and that it names all the parts."""
    assert len(messages) == 1, messages
    missing = [part for part in parts if str(part) not in messages[0]]
    assert not missing, (missing, messages[0])


def replaced(path, number, line):
    """Replaces a line, the first being 1, by bytes; returns the path."""
    lines = path.read_bytes().split(b"\n")
    lines[number - 1] = line
    path.write_bytes(b"\n".join(lines))
    return path


@pytest.mark.parametrize("split", ["train", "dev"])
def test_unknown_label(refused, issues, split):
    path = replaced(issues / f"{split}.tsv", 7, b"x\tit crashes\tbugg")
    only(refused("--do_train", "--do_eval", LABELS), f"{path}:7: ", '"bugg"', '"bug"', '"feature"',
         '"question"')


def test_a_label_of_dev_that_train_does_not_have(refused, issues):
    path = replaced(issues / "dev.tsv", 3, b"x\tit crashes\tcrash")
    only(refused("--do_train", "--do_eval"), f"{path}:3: ", '"crash"', '"question"')


def test_labels_that_differ_from_the_tasks_own(refused, issues):
    for name in ("train", "dev"):
        (issues / f"{name}.tsv").write_text("x\t1\t\tit crashes\nx\t0\t\twhy ?\nx\t2\t\tadd\n")
    found = refused("--task_name=cola", "--do_train", "--do_eval")
    assert [f"{issues / name}.tsv:3: " in message for name, message in
            zip(("train", "dev"), found, strict=True)] == [True, True]
    assert all('"2"' in message and '"0", "1"' in message for message in found)


def test_blank_row(refused, issues):
    path = replaced(issues / "train.tsv", 4, b"")
    only(refused("--do_train"), f"{path}:4: blank line", "every line is one example")


def test_short_row(refused, issues):
    path = replaced(issues / "train.tsv", 16, b"x\tit crashes")
    only(refused("--do_train"), f"{path}:16: ", "label", "column 2", "only 2 columns")


def test_short_row_of_a_task(refused, issues):
    path = issues / "train.tsv"
    path.write_text("x\t1\t\tit crashes\nx\t0\t\twhy ?\nx\t1\n")
    only(refused("--task_name=cola", "--do_train"), f"{path}:3: ", "column 3", "only 2 columns")


def test_wrong_encoding(refused, issues):
    path = replaced(issues / "dev.tsv", 5, "x\tthe café crashes\tbug".encode("latin-1"))
    only(refused("--do_eval", "--do_train"), f"{path}:5: ", "0xe9", "utf-8", "caf", "--encoding")


def test_unknown_encoding(refused):
    only(refused("--do_train", "--encoding=klingon"), "--encoding=klingon", "utf-8")


def test_missing_file(refused, issues):
    (issues / "test.tsv").unlink()
    only(refused("--do_train", "--do_predict"), issues, "test.tsv", '"dev.tsv", "train.tsv"',
         "--test_file")


def test_missing_file_of_a_task(refused, issues):
    only(refused("--task_name=xnli", "--do_train"), issues / "multinli" / "multinli.train.zh.tsv",
         "no such file", "does not exist")


def test_missing_folder(refused, tmp_path):
    only(refused("--do_train", f"--data_dir={tmp_path / 'nowhere'}"),
         f"--data_dir={tmp_path / 'nowhere'}", "no such folder")


@pytest.mark.parametrize(("content", "flags"), [
    ("", []), ("id\ttext\tlabel\n", []), ("", ["--task_name=cola"])])
@pytest.mark.parametrize("split", ["train", "dev", "test"])
def test_empty_split(refused, issues, content, flags, split):
    for name in ("train", "dev"):
        (issues / f"{name}.tsv").write_text("a\t0\t\tid\nb\t1\t\tlabel\n" if flags else
                                            "id\ttext\tlabel\na\tit crashes\tbug\nb\twhy\tno\n")
    (issues / f"{split}.tsv").write_text(content)
    only(refused(*flags, "--do_train", "--do_eval", "--do_predict", "--train_batch_size=1"),
         issues / f"{split}.tsv", "holds no examples")


def test_duplicate_label_names(refused, tmp_path):
    only(refused("--do_train", "--labels=bug,feature,bug"), "--labels", "'bug'", "more than once")
    path = tmp_path / "labels"
    path.write_text("bug\nfeature\nquestion\nfeature\n")
    only(refused("--do_train", f"--labels_file={path}"), f"--labels_file={path}", "'feature'")


@pytest.mark.parametrize(("flag", "parts"), [
    ("--labels=bug", ["two labels or more", "bug"]),
    ("--labels=bug,,question", ["label 2 is empty"])])
def test_other_labels_that_cannot_serve(refused, flag, parts):
    only(refused("--do_train", flag), "--labels", *parts)


def test_labels_of_a_processor_that_are_the_same(refused, tmp_path, monkeypatch):
    (tmp_path / "twice_named.py").write_text(
        "from processors import Split, TsvProcessor\n"
        "class Twice(TsvProcessor):\n"
        "    name = 'twice'\n"
        "    labels = ('bug', 'feature', 'question', 'bug')\n"
        "    train = Split('train.tsv', text_a=1, label=2, header='text')\n")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    only(refused("--do_train", "--processor=twice_named:Twice"), "more than once", "'bug'")


def test_max_seq_length_above_the_models(refused, tiny):
    only(refused("--do_train", "--max_seq_length=41"), "--max_seq_length=41",
         tiny / "bert_config.json", "40 tokens")


def test_max_seq_length_too_small(refused):
    only(refused("--do_train", "--max_seq_length=2"), "--max_seq_length=2", "3 or more")


def test_vocabulary_of_another_size(refused, tiny, tmp_path):
    path = tmp_path / "vocab.txt"
    path.write_text((tiny / "vocab.txt").read_text() + "foreign\n")
    size = len(vocabulary(cased=False))
    only(refused("--do_train", f"--vocab_file={path}"), f"--vocab_file={path}", size + 1, size,
         "not the checkpoint's")


def test_vocabulary_of_the_same_size_with_other_tokens(refused, tiny, tmp_path):
    path = tmp_path / "vocab.txt"
    path.write_text((tiny / "vocab.txt").read_text().replace("\ncrash\n", "\nfehler\n"))
    only(refused("--do_train", f"--vocab_file={path}"), f"--vocab_file={path}",
         tiny / "vocab.txt", "differs")


def test_missing_vocabulary_and_configuration(refused, tmp_path):
    found = refused("--do_train", f"--vocab_file={tmp_path / 'a'}",
                    f"--bert_config_file={tmp_path / 'b'}")
    assert len(found) == 2
    assert any(f"--vocab_file={tmp_path / 'a'}" in message for message in found)
    assert any(f"--bert_config_file={tmp_path / 'b'}" in message for message in found)


def misnamed(source, target):
    """Copies a checkpoint to a folder whose name lies about its casing."""
    return shutil.copytree(source, target)


def test_cased_model_with_lower_case(refused, tiny_cased, tmp_path):
    folder = misnamed(tiny_cased, tmp_path / "uncased_L-2_H-16_A-2")
    only(refused("--do_train", f"--init_checkpoint={folder}"), "--do_lower_case=True",
         folder / "vocab.txt", "--do_lower_case=False")


def test_uncased_model_without_lower_case(refused, tiny, tmp_path):
    folder = misnamed(tiny, tmp_path / "cased_L-2_H-16_A-2")
    only(refused("--do_train", f"--init_checkpoint={folder}", "--do_lower_case=False"),
         "--do_lower_case=False", folder / "vocab.txt", "--do_lower_case=True")


def test_a_checkpoint_that_matches_nothing(refused, tiny, tmp_path):
    folder = shutil.copytree(tiny, tmp_path / "other")
    checkpoint.save(str(folder / "bert_model.ckpt"), {"resnet/conv": np.zeros(3, np.float32)})
    only(refused("--do_train", f"--init_checkpoint={folder}"),
         f"--init_checkpoint={folder / 'bert_model.ckpt'}", "nothing in it fits", "resnet/conv",
         "bert/embeddings/word_embeddings")


def test_a_checkpoint_of_another_width(refused, tiny, tmp_path):
    path = tmp_path / "bert_config.json"
    size = len(vocabulary(cased=False))
    path.write_text(json.dumps({**TINY, "vocab_size": size, "num_hidden_layers": 3}))
    only(refused("--do_train", f"--bert_config_file={path}"), tiny / "bert_model.ckpt",
         "bert/encoder/layer_2")


def test_no_checkpoint(refused, tmp_path):
    path = tmp_path / "bert_model.ckpt"
    found = refused("--do_train", f"--init_checkpoint={path}")
    assert any(f"--init_checkpoint={path}" in message and f"{path}.index" in message
               for message in found), found


def test_a_damaged_checkpoint(refused, tiny, tmp_path):
    folder = shutil.copytree(tiny, tmp_path / "damaged")
    path = folder / "bert_model.ckpt.data-00000-of-00001"
    path.write_bytes(path.read_bytes()[:5000])
    only(refused("--do_train", f"--init_checkpoint={folder}"), folder / "bert_model.ckpt")


@pytest.mark.parametrize("flag", ["train_batch_size", "eval_batch_size", "predict_batch_size"])
def test_batch_size_zero(refused, flag):
    only(refused("--do_train", f"--{flag}=0"), f"--{flag}=0", "1 or more")


def test_a_batch_of_more_rows_than_there_are(refused):
    only(refused("--do_train", "--train_batch_size=31"), "--train_batch_size=31", "15 rows",
         "smaller batch or more epochs")


def test_a_flag_that_is_no_number(refused):
    only(refused("--do_train", "--learning_rate=fast"), "learning_rate", "fast")


def test_an_unknown_flag(refused):
    only(refused("--do_train", "--do_lower=False"), "--do_lower", "--do_lower_case")


def test_a_config_file_with_an_unknown_flag(refused, tmp_path):
    path = tmp_path / "run.yaml"
    path.write_text("learning_rat: 1e-4\n")
    only(refused("--do_train", f"--config={path}"), "learning_rat", "--learning_rate", path)
    only(refused("--do_train", f"--config={tmp_path / 'none.yaml'}"), tmp_path / "none.yaml")


def test_an_unknown_task(refused):
    only(refused("--do_train", "--task_name=mprc"), "--task_name=mprc", '"mrpc"', "cola", "sst-2")


@pytest.mark.parametrize(("spec", "parts"), [
    ("no_such_module:Mine", ["no module no_such_module"]),
    ("processors.cola:Kola", ["Kola", "Cola"]),
    ("mine.py", ["package.module:ClassName"])])
def test_a_processor_that_does_not_exist(refused, spec, parts):
    only(refused("--do_train", f"--processor={spec}"), f"--processor={spec}", *parts)


def test_output_dir_is_a_file(refused, tmp_path):
    path = tmp_path / "file"
    path.write_text("mine")
    only(refused("--do_train", f"--output_dir={path}", _output=False), f"--output_dir={path}",
         "is a file")


def test_output_dir_is_below_a_file(refused, tmp_path):
    path = tmp_path / "file"
    path.write_text("mine")
    only(refused("--do_train", f"--output_dir={path / 'out'}", _output=False),
         f"--output_dir={path / 'out'}")


def test_output_dir_that_tensorflow_reads_as_a_pattern(refused, tmp_path):
    """Checkpoints in run[1] would be written and never found again."""
    only(refused("--do_train", f"--output_dir={tmp_path / 'run[1]'}", _output=False),
         f"--output_dir={tmp_path / 'run[1]'}", "pattern", "name another folder")


def test_no_room_for_the_checkpoints(refused, monkeypatch, tmp_path):
    monkeypatch.setattr(preflight, "room_problems", functools.partial(
        preflight.room_problems, usage=lambda folder: types.SimpleNamespace(free=1000)))
    messages = refused("--do_train", f"--output_dir={tmp_path / 'a' / 'b'}", _output=False)
    only(messages, f"--output_dir={tmp_path / 'a' / 'b'}", "0 MB free", "make room")


def test_predicting_without_a_trained_head(refused, tiny):
    only(refused("--do_predict", LABELS), tiny / "bert_model.ckpt",
         "no trained head", "--do_train")


def test_predicting_with_nothing(refused, tiny):
    only(refused("--do_eval", LABELS, f"--vocab_file={tiny / 'vocab.txt'}",
                 f"--bert_config_file={tiny / 'bert_config.json'}", _model=False),
         "holds no checkpoint", "--init_checkpoint")


def test_four_mistakes_are_told_at_once(refused, issues):
    replaced(issues / "train.tsv", 7, b"x\tit crashes\tbugg")
    (issues / "test.tsv").unlink()
    found = refused("--do_train", "--do_predict", LABELS, "--max_seq_length=99",
                    "--do_lower_case=False")
    assert len(found) == 4, found
    for part in ("train.tsv:7", "test.tsv", "--max_seq_length=99", "--do_lower_case=False"):
        assert sum(part in message for message in found) == 1, (part, found)


def test_many_mistakes_in_one_file(refused, issues):
    path = replaced(issues / "train.tsv", 2, b"x\tit crashes")
    replaced(path, 5, b"")
    replaced(path, 9, b"x\tit crashes\tbugg")
    found = refused("--do_train", LABELS)
    assert [message.partition(": ")[0] for message in found] == [
        f"{path}:{line}" for line in (2, 5, 9)]


def test_several_mistakes_in_flags(refused):
    found = refused("--do_train", "--train_batch_size=0", "--labels=a,a", "--learning_rate=-1")
    assert len(found) == 3 or (len(found) == 4 and any("two labels" in one for one in found))
    found = refused("--do_trian", "--learning_rate=fast", "--frobnicate=1")
    assert len(found) == 3, found


def test_mistakes_in_flags_and_in_data_are_told_together(refused, issues):
    replaced(issues / "train.tsv", 7, b"x\tit crashes\tbugg")
    found = refused("--do_train", LABELS, "--eval_batch_size=0", "--max_seq_length=99")
    for part in ("train.tsv:7", "--eval_batch_size=0", "--max_seq_length=99"):
        assert sum(part in message for message in found) == 1, (part, found)


def test_an_unknown_task_hides_no_other_mistake(refused, tmp_path):
    found = refused("--do_train", "--task_name=mprc", "--max_seq_length=99",
                    f"--vocab_file={tmp_path / 'none'}")
    for part in ("--task_name=mprc", "--max_seq_length=99", f"--vocab_file={tmp_path / 'none'}"):
        assert sum(part in message for message in found) == 1, (part, found)


LONG = "crash " * 30000  # 180,000 characters; csv's limit is 131,072


def test_bom_nul_and_a_huge_field_are_accepted_in_csv(main, tiny, tmp_path):
    rows = [("text", "label"), (LONG, "bug"), ("it\0 crashes\0", "bug"), ("how ?", "question"),
            ("why ?", "question")]
    for split in ("train", "dev", "test"):
        with open(tmp_path / f"{split}.csv", "w", encoding="utf-8-sig", newline="") as file:
            csv.writer(file).writerows(rows)
    status, said = main(f"--data_dir={tmp_path}", f"--init_checkpoint={tiny}", *SMALL,
                        "--train_batch_size=2", "--do_train", "--do_eval", "--do_predict",
                        f"--output_dir={tmp_path / 'out'}")
    assert status == 0, said
    assert "(25.0%) cut to 16" in said
    assert (tmp_path / "out" / "labels.txt").read_text() == "bug\nquestion\n"
    assert (tmp_path / "out" / "predictions.tsv").read_text().count("\n") == 5


def test_bom_nul_and_a_huge_field_are_accepted_in_tsv(main, tiny, tmp_path):
    for split in ("train", "dev"):
        (tmp_path / f"{split}.tsv").write_text(
            f"label\ttext\nbug\t{LONG}\nwhy\twhy\0 ?\n", encoding="utf-8-sig")
    status, said = main(f"--data_dir={tmp_path}", f"--init_checkpoint={tiny}", *SMALL,
                        "--train_batch_size=2", "--do_train", "--do_eval",
                        f"--output_dir={tmp_path / 'out'}")
    assert status == 0, said
    assert (tmp_path / "out" / "labels.txt").read_text() == "bug\nwhy\n"


@pytest.fixture(scope="module")
def trained(tiny, tmp_path_factory):
    """Output folder of a short run with three labels and checkpoints 2, 4 and 6."""
    folder = tmp_path_factory.mktemp("trained")
    rows = [("the app crashes", "bug"), ("add a mode", "feature"), ("why ?", "question")] * 5
    (folder / "train.tsv").write_text(
        "text\tlabel\n" + "".join(f"{text}\t{label}\n" for text, label in rows))
    assert run_classifier_custom.main([
        f"--data_dir={folder}", f"--init_checkpoint={tiny}", *SMALL, "--do_train",
        "--save_checkpoints_steps=2", f"--output_dir={folder / 'out'}"]) == 0
    return folder / "out"


@pytest.fixture
def occupied(trained, tmp_path):
    """A copy of the trained folder."""
    return shutil.copytree(trained, tmp_path / "occupied")


@pytest.mark.parametrize(("flags", "parts"), [
    (["--labels=bug,feature,question,other"], ["3 labels", "4"]),
    (["--labels=feature,bug,question"], ["bug, feature, question", "feature, bug, question"])])
def test_an_output_folder_of_other_labels(refused, occupied, flags, parts):
    messages = refused("--do_train", f"--output_dir={occupied}", *flags, _output=False)
    assert all("--overwrite_output_dir" in message for message in messages)
    only(messages[:1], f"--output_dir={occupied}", *parts)


def test_a_label_that_the_trained_model_does_not_know(refused, occupied, issues):
    path = replaced(issues / "dev.tsv", 6, b"x\tit crashes\tcrash")
    only(refused("--do_eval", f"--output_dir={occupied}", _model=False, _output=False),
         f"{path}:6: ", '"crash"', '"bug", "feature", "question"', "was trained with")


def test_labels_that_are_not_those_of_a_trained_checkpoint(refused, trained):
    found = refused("--do_predict", f"--init_checkpoint={trained}", "--labels=feature,bug,question")
    only(found, f"--init_checkpoint={trained}", "feature, bug, question")
    assert "to delete it" not in found[0]  # nobody's checkpoint is deleted for that


def test_an_output_folder_of_another_model(refused, occupied, tmp_path):
    path = tmp_path / "bert_config.json"
    size = len(vocabulary(cased=False))
    path.write_text(json.dumps({**TINY, "vocab_size": size, "num_attention_heads": 4}))
    only(refused("--do_train", f"--output_dir={occupied}", f"--bert_config_file={path}",
                 _output=False), f"--output_dir={occupied}", path, "--overwrite_output_dir")


def test_an_output_folder_of_another_vocabulary(refused, occupied, tiny, tmp_path):
    folder = shutil.copytree(tiny, tmp_path / "german")
    words = (folder / "vocab.txt").read_text()
    (folder / "vocab.txt").write_text(words.replace("\ncrash\n", "\nfehler\n"))
    only(refused("--do_train", f"--output_dir={occupied}", f"--init_checkpoint={folder}",
                 _output=False), f"--output_dir={occupied}", folder / "vocab.txt",
         "--overwrite_output_dir")


def test_overwriting_deletes_nothing_that_the_run_needs(occupied, issues, main):
    """Starting anew from what lies in the folder: refused or done, but nothing is lost."""
    before = snapshot(occupied)
    status, said = main(f"--data_dir={issues}", f"--init_checkpoint={occupied}", *SMALL,
                        "--do_train", "--overwrite_output_dir", f"--output_dir={occupied}")
    assert "Traceback" not in said
    assert status == 0 or (status == 2 and snapshot(occupied) == before), said


def test_overwriting_with_a_damaged_checkpoint_loses_nothing(refused, occupied, tiny, tmp_path):
    folder = shutil.copytree(tiny, tmp_path / "damaged")
    path = folder / "bert_model.ckpt.data-00000-of-00001"
    path.write_bytes(path.read_bytes()[:5000])
    only(refused("--do_train", f"--init_checkpoint={folder}", "--overwrite_output_dir",
                 f"--output_dir={occupied}", _output=False), folder / "bert_model.ckpt")


def test_the_disk_fills_up_while_a_checkpoint_is_written(main, tiny, issues, tmp_path,
                                                        monkeypatch):
    """TensorFlow's own error of a full disk, at the second checkpoint."""
    save = tf.raw_ops.SaveV2

    def full(prefix, **options):
        save(prefix=prefix, **options)
        if prefix.endswith("model.ckpt-4"):
            raise tf.errors.ResourceExhaustedError(None, None, f"{prefix}; No space left on device")

    monkeypatch.setattr(tf.raw_ops, "SaveV2", full)
    output = tmp_path / "out"
    status, said = main(f"--data_dir={issues}", f"--init_checkpoint={tiny}", *SMALL, "--do_train",
                        "--save_checkpoints_steps=2", f"--output_dir={output}")
    assert status == 2 and "Traceback" not in said
    messages = [line for line in said.splitlines() if line.startswith("error: ")]
    only(messages, f"--output_dir={output}", "disk is full", "make room", output / "model.ckpt-2")
    assert not list(output.glob(".writing-*"))
    assert checkpoint.latest(str(output)) == str(output / "model.ckpt-2")


@pytest.fixture
def small_disk(tmp_path):
    """A file system of 3 MB of its own; needs root on Linux."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=3m", "tmpfs", str(folder)]
    if not sys.platform.startswith("linux") or os.geteuid() or not shutil.which("mount"):
        pytest.skip("only root on Linux can mount a small disk")
    if subprocess.run(mount, capture_output=True).returncode:
        pytest.skip("mounting is not allowed here")
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=True)


def test_a_disk_that_is_really_full(main, tiny, issues, small_disk, monkeypatch):
    """Somebody else fills the disk at the fifth step; the next checkpoint does not fit."""
    batch, made = Trainer._batch, []

    def filling(self, rows):
        made.append(rows)
        if len(made) == 5:
            log = output / "run.log"
            with log.open("ab") as file:  # no room is left in its last page either
                file.write(b"\n" * (-log.stat().st_size % 4096))
            with (small_disk / "foreign").open("wb", buffering=0) as file:
                try:
                    while file.write(b"x" * 4096):
                        pass
                except OSError:
                    pass
        return batch(self, rows)

    monkeypatch.setattr(Trainer, "_batch", filling)
    output = small_disk / "out"
    arguments = [f"--data_dir={issues}", f"--init_checkpoint={tiny}", *SMALL, "--do_train",
                 "--save_checkpoints_steps=2", "--log_every_steps=1", f"--output_dir={output}"]
    status, said = main(*arguments)
    assert status == 2, said
    assert "Traceback" not in said and "--- Logging error" not in said, said
    messages = [line for line in said.splitlines() if line.startswith("error: ")]
    only(messages, output, "No space left on device", "make room", output / "model.ckpt-4")
    assert checkpoint.latest(str(output)) == str(output / "model.ckpt-4")
    names = list(checkpoint.shapes(str(output / "model.ckpt-4")))
    assert checkpoint.read(str(output / "model.ckpt-4"), names)["global_step"] == 4
    assert not list(output.glob(".writing-*"))
    (small_disk / "foreign").unlink()
    monkeypatch.undo()
    status, said = main(*arguments)
    assert status == 0 and f"goes on from {output}/model.ckpt-4" in said, said


def test_a_mistake_in_a_process_of_its_own(command, tiny, issues, tmp_path):
    """What the shell sees: status 2, one line on standard error, none on standard output."""
    replaced(issues / "train.tsv", 7, b"x\tit crashes\tbugg")
    done = command(f"--data_dir={issues}", f"--init_checkpoint={tiny}", *SMALL, LABELS,
                   "--do_train", f"--output_dir={tmp_path / 'out'}")
    assert done.returncode == 2 and done.stdout == ""
    assert done.stderr.startswith("error: ") and done.stderr.count("\n") == 1
    assert f"{issues / 'train.tsv'}:7" in done.stderr
    assert not (tmp_path / "out").exists()
