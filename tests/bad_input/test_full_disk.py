"""A disk that is too small from the start, or fills up while a run writes."""

import functools
import os
import shutil
import subprocess
import sys
import types

import pytest
import tensorflow as tf

from finetune import preflight
from finetune.checkpoints import checkpoint
from finetune.training.trainer import Trainer
from tests.bad_input.conftest import SMALL, only


def test_no_room_for_the_checkpoints(refused, monkeypatch, tmp_path):
    monkeypatch.setattr(preflight, "room_problems", functools.partial(
        preflight.room_problems, usage=lambda folder: types.SimpleNamespace(free=1000)))
    messages = refused("--do_train", f"--output_dir={tmp_path / 'a' / 'b'}", _output=False)
    only(messages, f"--output_dir={tmp_path / 'a' / 'b'}", "0 MB free", "make room")


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
    update, made = Trainer._update, []

    def filling(self, rows):
        made.append(rows)
        if len(made) == 5:
            self._checkpoints.wait()
            log = output / "run.log"
            with log.open("ab") as file:  # no room is left in its last page either
                file.write(b"\n" * (-log.stat().st_size % 4096))
            with (small_disk / "foreign").open("wb", buffering=0) as file:
                try:
                    while file.write(b"x" * 4096):
                        pass
                except OSError:
                    pass
        update(self, rows)

    monkeypatch.setattr(Trainer, "_update", filling)
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
