"""Several devices and several workers learn and answer what one device does."""

import re
import signal
import time

import numpy as np
import pytest

from tests.distribution.conftest import read_rows, tensors

pytestmark = pytest.mark.slow
SHAPES = [(2, 1), (4, 1), (1, 2), (1, 3)]  # devices of a worker, workers


@pytest.mark.parametrize(("devices", "workers"), SHAPES)
def test_the_same_losses_and_the_same_answers(job, alone, tmp_path, devices, workers):
    expected, losses = alone
    done = job(tmp_path / "out", devices=devices, workers=workers)
    assert [one.status for one in done] == [0] * workers, done[0].said + done[-1].said
    assert len(losses) == 10 and len(set(losses)) == 10
    assert all("waits for all of" in one.said for one in done) or workers == 1
    for one in done:
        np.testing.assert_allclose(one.losses, losses, rtol=0, atol=1e-5)
    rows, wanted = (read_rows(folder / "predictions.tsv") for folder in
                    (tmp_path / "out", expected))
    assert [row[:2] for row in rows] == [row[:2] for row in wanted]  # ids and labels, in order
    for row, other in zip(rows[1:], wanted[1:], strict=True):
        np.testing.assert_allclose(list(map(float, row[2:])), list(map(float, other[2:])),
                                   atol=1e-4)
    assert {path.name for path in (tmp_path / "out").iterdir() if "events" not in path.name} == {
        path.name for path in expected.iterdir() if "events" not in path.name}


def test_two_devices_with_parts_and_evaluations(job, alone, tmp_path):
    _, losses = alone
    [done] = job(tmp_path / "out", "--gradient_accumulation_steps=3", "--eval_every_steps=4",
                 devices=2)
    assert done.status == 0, done.said
    np.testing.assert_allclose(done.losses, losses, rtol=0, atol=1e-5)
    assert "as 2 devices" in done.said


def test_the_chief_alone_writes(job, tmp_path):
    """The other worker is given a folder of its own, and leaves nothing there."""
    done = job(tmp_path / "out", "--eval_every_steps=4", workers=2)
    assert [one.status for one in done] == [0, 0], done[1].said
    assert "worker 1 of 2" in done[1].said and str(tmp_path) not in done[1].said.split("done in")[1]
    [run] = re.findall(r'"started"', (tmp_path / "out" / "runs.json").read_text())
    assert len(tensors(tmp_path / "out")) > 3


def test_early_stopping_is_one_decision(job, tmp_path):
    done = job(tmp_path / "out", "--eval_every_steps=2", "--early_stopping_patience=1",
               "--learning_rate=1e-9", workers=2)
    assert [one.status for one in done] == [0, 0], done[1].said
    assert len(done[0].losses) == len(done[1].losses) == 4
    assert "early stop at step 4" in done[0].said


def test_workers_with_other_settings_are_told(job, tmp_path):
    done = job(tmp_path / "out", workers=2, own_flags={1: ["--seed=4"]})
    assert done[1].status == 2 and "differ from those of worker 0" in done[1].said


@pytest.mark.parametrize("index", [0, 1])
def test_a_mistake_is_told_before_the_others_are_waited_for(lonely, tmp_path, index):
    process = lonely(index, f"--output_dir={tmp_path}/out", "--data_dir=/nowhere",
                     "--learning_rate=-1")
    _, said = process.communicate(timeout=60)
    assert process.returncode == 2, said
    assert "/nowhere" in said and "--learning_rate=-1" in said and "waits for" not in said


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGHUP])
def test_a_worker_that_waits_for_others_can_be_stopped(lonely, tmp_path, number):
    process = lonely(0, f"--output_dir={tmp_path}/out")
    assert any("waits for all of" in line for line in process.stderr)
    time.sleep(5)  # TensorFlow has begun to wait
    process.send_signal(number)
    process.communicate(timeout=20)
    assert process.returncode in (-number, 128 + number)
    assert not (tmp_path / "out").exists()


def test_windows_on_two_devices(job, tmp_path):
    flags = ["--max_seq_length=8", "--window_stride=3", "--num_train_epochs=1"]
    folders = [tmp_path / "one", tmp_path / "two"]
    done = [job(folder, *flags, devices=devices)[0] for devices, folder in enumerate(folders, 1)]
    assert [one.status for one in done] == [0, 0], done[1].said
    np.testing.assert_allclose(done[0].losses, done[1].losses, rtol=0, atol=1e-5)
    one, two = (read_rows(folder / "predictions.tsv") for folder in folders)
    assert [row[:2] for row in one] == [row[:2] for row in two]  # ids and labels, in order
    np.testing.assert_allclose([list(map(float, row[2:])) for row in one[1:]],
                               [list(map(float, row[2:])) for row in two[1:]], atol=1e-4)
