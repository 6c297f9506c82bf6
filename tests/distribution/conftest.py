"""Jobs of one or several processes on this machine, each with one or several CPU devices."""

import dataclasses
import json
import os
import shutil
import socket
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from finetune.checkpoints import checkpoint
from tests.conftest import ROOT
from tests.end_to_end.conftest import data  # noqa: F401  (a fixture)

FLAGS = ["--do_train", "--do_eval", "--do_predict", "--max_seq_length=16", "--train_batch_size=6",
         "--learning_rate=0.01", "--num_train_epochs=4", "--log_every_steps=1", "--seed=3"]
TIMEOUT = 300


@dataclasses.dataclass
class Done:
    """What a process has left: exit status, losses of its steps, standard error; when it ended."""

    status: int
    losses: list[float]
    said: str
    ended: float


def wait(process):
    """Waits for a process and returns what it has left."""
    out, said = process.communicate(timeout=TIMEOUT)
    losses = [line for line in out.splitlines() if line.startswith("losses ")]
    return Done(process.returncode, json.loads(losses[0][7:]) if losses else [], said,
                time.monotonic())


@pytest.fixture(scope="session")
def certain(tiny, tmp_path_factory):
    """The tiny model, without dropout in the encoder."""
    folder = tmp_path_factory.mktemp("certain") / "model"
    shutil.copytree(tiny, folder)
    path = folder / "bert_config.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "hidden_dropout_prob": 0.0,
                                "attention_probs_dropout_prob": 0.0}))
    return folder


def free_ports(count):
    """Returns ports that nobody listens on."""
    sockets = [socket.socket() for _ in range(count)]
    try:
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        return [one.getsockname()[1] for one in sockets]
    finally:
        for one in sockets:
            one.close()


@pytest.fixture(scope="session")
def job(certain, data):  # noqa: F811
    """Runs a job to its end.

    Returns:
        A function: output_dir, flags, devices, workers, and by worker environment variables and
        further flags -> what each worker has left.
    """
    def run(output, *flags, devices=1, workers=1, variables=None, own_flags=None):
        ports = free_ports(workers)
        processes = []
        for index in range(workers):
            environment = {**os.environ, "PYTHONPATH": str(ROOT), "CUDA_VISIBLE_DEVICES": "-1",
                           **(variables or {}).get(index, {})}
            if workers > 1:
                environment["TF_CONFIG"] = json.dumps({
                    "cluster": {"worker": [f"127.0.0.1:{port}" for port in ports]},
                    "task": {"type": "worker", "index": index}})
            kind = "multi_worker" if workers > 1 else "mirrored" if devices > 1 else "one_device"
            processes.append(subprocess.Popen(
                [sys.executable, "-m", "tests.distribution.worker", str(devices),
                 f"--data_dir={data}", f"--init_checkpoint={certain}", *FLAGS,
                 f"--output_dir={output}", f"--distribution={kind}", *flags,
                 *(own_flags or {}).get(index, ())],
                cwd=ROOT, env=environment, text=True, stdout=subprocess.PIPE,
                stderr=subprocess.PIPE))
        try:
            with ThreadPoolExecutor(workers) as threads:
                return list(threads.map(wait, processes))
        finally:
            for process in processes:
                process.kill()
    return run


@pytest.fixture(scope="session")
def alone(job, tmp_path_factory):
    """(folder, losses) of the job on one device."""
    folder = tmp_path_factory.mktemp("alone") / "out"
    [done] = job(folder)
    assert done.status == 0, done.said
    return folder, done.losses


@pytest.fixture
def lonely(certain, data):  # noqa: F811
    """Starts a worker of two whose other one never comes: index, flags -> a process."""
    started = []

    def start(index, *flags):
        cluster = {"cluster": {"worker": [f"127.0.0.1:{port}" for port in free_ports(2)]},
                   "task": {"type": "worker", "index": index}}
        started.append(subprocess.Popen(
            [sys.executable, "-m", "tests.distribution.worker", "1", f"--data_dir={data}",
             f"--init_checkpoint={certain}", *FLAGS, "--distribution=multi_worker", *flags],
            cwd=ROOT, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=os.environ | {
                "TF_CONFIG": json.dumps(cluster), "CUDA_VISIBLE_DEVICES": "-1"}))
        return started[-1]

    yield start
    for process in started:
        process.kill()
        process.communicate()


def tensors(folder):
    """Returns all tensors of the newest checkpoint."""
    prefix = checkpoint.latest(str(folder))
    return checkpoint.read(prefix, list(checkpoint.shapes(prefix)))


def assert_same_bits(folder, expected):
    """Checks that two runs have left the same weights and the same answers."""
    found, wanted = tensors(folder), tensors(expected)
    assert set(found) == set(wanted)
    for name, value in wanted.items():
        np.testing.assert_array_equal(found[name], value, name)
    for name in ("predictions.tsv", "test_results.tsv", "eval_results.txt"):
        assert (folder / name).read_bytes() == (expected / name).read_bytes(), name


def read_rows(path):
    """Returns the rows of a TSV file, as lists of strings."""
    return [line.split("\t") for line in path.read_text().splitlines()]
