"""A disk that fills up at any write of a run: the file and the room are told, nothing is lost."""

import os
import random
import re
import shutil
import subprocess
import sys

import pytest

from finetune import records, runner
from finetune.checkpoints import checkpoint
from tests.end_to_end.conftest import ROWS, tensors, write_rows
from tests.faults.tally import scale

SETTINGS = ["--max_seq_length=16", "--train_batch_size=5", "--learning_rate=1e-3", "--do_train",
            "--do_eval", "--do_predict", "--num_train_epochs=2", "--save_checkpoints_steps=2",
            "--labels=bug,feature,question"]
ROOM = re.compile(r"the whole run needs up to [\d.]+ MB there: .*; [\d.]+ MB are free")


@pytest.fixture
def disk(tmp_path):
    """A file system of 4 MB of its own; needs root on Linux."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", str(folder)]
    if not sys.platform.startswith("linux") or os.geteuid() or not shutil.which("mount"):
        pytest.skip("only root on Linux can mount a small disk")
    if subprocess.run(mount, capture_output=True).returncode:
        pytest.skip("mounting is not allowed here")
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=True)


@pytest.fixture(scope="module")
def rows(tmp_path_factory):
    """15 rows to train and evaluate with, 2,000 to predict."""
    folder = tmp_path_factory.mktemp("rows")
    for name in ("train", "dev"):
        write_rows(folder / f"{name}.tsv", ("id", "text", "label"),
                   *((f"{name}{number}", *row) for number, row in enumerate(ROWS)))
    write_rows(folder / "test.tsv", ("id", "text"),
               *((str(number), ROWS[number % 15][0]) for number in range(2000)))
    return folder


def fill(disk, left):
    """Takes all of a disk but so many bytes."""
    with (disk / "foreign").open("wb", buffering=0) as file:
        try:
            while file.write(b"x" * 4096):
                pass
        except OSError:
            pass
        file.truncate(max(0, file.tell() - left))


# What is being written, the function that begins it, the most that may be left for it.
WRITES = {"features": (records, "cached", 40_000),
          "a checkpoint": (checkpoint.Folder, "write", 70_000),
          "predictions": (runner.Run, "_predict", 90_000)}


@pytest.mark.parametrize("what", WRITES)
def test_the_disk_fills_up(what, main, tiny, rows, disk, tmp_path, tally, monkeypatch):
    owner, name, most = WRITES[what]
    tries = scale(1, 8)
    count = tally(f"disk full while {what} is written".replace("s is", "s are"), tries, 0)
    random_left, files, failures = random.Random(name), set(), []
    command = [f"--data_dir={rows}", f"--init_checkpoint={tiny}", *SETTINGS]
    assert main(*command, f"--output_dir={tmp_path / 'unbroken'}")[0] == 0
    expected = tensors(tmp_path / "unbroken")
    for number in range(tries):
        output, left = disk / "out", 4096 * random_left.randrange(most // 4096)
        calls = random_left.randrange(3) if name != "_predict" else 0
        with monkeypatch.context() as patched:
            patched.setattr(owner, name, filling(getattr(owner, name), calls, disk, left))
            status, said = main(*command, f"--output_dir={output}")
        wrong = [] if status else ["the disk was not too small"]
        wrong += complaints(said, output, files) if status else []
        (disk / "foreign").unlink(missing_ok=True)
        status, said = main(*command, f"--output_dir={output}")
        wrong += [said] if status or "Traceback" in said else []
        wrong += ["other weights"] if not wrong and tensors(output) != expected else []
        wrong += [] if (output / "predictions.tsv").read_bytes() == (
            tmp_path / "unbroken" / "predictions.tsv").read_bytes() else ["other predictions"]
        count.survived += not wrong
        failures += [(number, left, calls, wrong)] if wrong else []
        shutil.rmtree(output)
    count.detail = (f"told: the file ({', '.join(sorted(files))}), the room needed and free; with "
                    "room the same command: the same bits")
    assert not failures


def filling(function, calls, disk, left):
    """Wraps a function: its call of that number finds the disk full."""
    made = []

    def wrapped(*arguments, **options):
        made.append(function)
        if len(made) == calls + 1:
            fill(disk, left)
        return function(*arguments, **options)
    return wrapped


def complaints(said, output, files):
    """Returns what is wrong with a folder and a message after the disk was full."""
    told = [line for line in said.splitlines() if line.startswith("error: ")]
    if len(told) != 1 or "Traceback" in said or "Logging error" in said:
        return [said]
    found = re.findall(re.escape(str(output)) + r"/([\w.-]+)", told[0])
    files.update(re.sub(r"-\d.*|\.[0-9a-f]{8}\.tmp.*|\.writing$", "", name) for name in found[:1])
    wrong = [] if found and "the disk is full" in told[0] and ROOM.search(told[0]) else [told[0]]
    wrong += [f"left {path.name}" for path in output.iterdir() if re.search(
        r"writing|\.tmp$", path.name)]
    newest = checkpoint.latest(str(output))
    if newest:
        wrong += [checkpoint.damage(newest, slots=True)] if checkpoint.damage(newest, True) else []
        wrong += [] if newest in told[0] else [f"{newest} is not named: {told[0]}"]
    return wrong
