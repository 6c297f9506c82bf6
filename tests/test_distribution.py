"""The device of a run, on a machine with a CPU alone."""

import json
import os
import subprocess
import sys

import pytest
import tensorflow as tf

from finetune import distribution
from finetune.config import RunConfig
from finetune.errors import UserError
from tests.conftest import ROOT

no_gpu = pytest.mark.skipif(bool(tf.config.list_physical_devices("GPU")), reason="there is a GPU")


@no_gpu
def test_the_cpu_is_the_default():
    strategy = distribution.make_strategy(RunConfig())
    assert strategy.num_replicas_in_sync == 1 and not distribution.is_tpu(strategy)
    assert strategy.extended.worker_devices[0].endswith("CPU:0")


@no_gpu
def test_the_device_is_named(monkeypatch):
    monkeypatch.setattr("os.sched_getaffinity", lambda process: {0, 1, 2}, raising=False)
    strategy = distribution.make_strategy(RunConfig())
    assert distribution.describe(strategy) == "CPU, 3 cores (no GPU found)"


@pytest.mark.parametrize(("flags", "name"), [({}, "local"), ({"tpu_name": "node-1"}, "node-1")])
def test_a_tpu_that_is_not_there(monkeypatch, flags, name):
    def resolver(tpu, **options):
        assert tpu == name
        raise RuntimeError("no such TPU\nsecond line")

    monkeypatch.setattr(tf.distribute.cluster_resolver, "TPUClusterResolver", resolver)
    with pytest.raises(UserError) as caught:
        distribution.make_strategy(RunConfig(use_tpu=True, **flags))
    assert str(caught.value).startswith(
        f"--use_tpu --tpu_name={name}: no TPU can be reached (no such TPU). ")


def test_tensorflow_itself_finds_no_tpu():
    with pytest.raises(UserError, match="--use_tpu --tpu_name=local: no TPU can be reached"):
        distribution.make_strategy(RunConfig(use_tpu=True))
    assert int(tf.constant(1) + 1) == 2  # and TensorFlow goes on working


@pytest.mark.parametrize(("on_tpu", "told"), [(True, ["--xla: a TPU is compiled"]), (False, [])])
def test_xla_is_not_for_a_tpu(monkeypatch, on_tpu, told):
    monkeypatch.setattr(distribution, "is_tpu", lambda strategy: on_tpu)
    found = distribution.problems(tf.distribute.OneDeviceStrategy("CPU:0"), RunConfig(xla=True))
    assert [problem[:24] for problem in found] == [one[:24] for one in told]


def test_the_original_gets_the_devices(monkeypatch):
    hidden = []
    monkeypatch.setattr(tf.config, "list_physical_devices", lambda kind: ["a GPU"])
    monkeypatch.setattr(tf.config, "set_visible_devices", lambda *what: hidden.append(what))
    strategy = distribution.make_strategy(RunConfig(engine="original", use_tpu=True))
    assert "CPU" in strategy.extended.worker_devices[0]
    assert hidden == [([], "GPU")]


THREADS = """
from finetune import distribution
from finetune.config import RunConfig
import tensorflow as tf
device = distribution.describe(distribution.make_strategy(RunConfig({flags})))
tf.constant(1) + 1
print(device, tf.config.threading.get_inter_op_parallelism_threads(),
      tf.config.threading.get_intra_op_parallelism_threads(), sep="|")
"""


@no_gpu
@pytest.mark.parametrize(("flags", "told", "numbers"), [
    ("", "", ["0", "0"]),
    ("inter_op_threads=3, intra_op_threads=1", ", 3 inter-op threads, 1 intra-op threads",
     ["3", "1"]),
    ("intra_op_threads=2", ", 2 intra-op threads", ["0", "2"])])
def test_the_numbers_of_threads(flags, told, numbers):
    done = subprocess.run([sys.executable, "-c", THREADS.format(flags=flags)], cwd=ROOT,
                          capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    device, *found = done.stdout.strip().splitlines()[-1].split("|")
    assert device.endswith(f"cores (no GPU found){told}") and found == numbers


def test_numbers_of_threads_that_come_too_late():
    tf.constant(1) + 1  # from here on TensorFlow has its threads
    with pytest.raises(UserError) as caught:
        distribution.make_strategy(RunConfig(inter_op_threads=3))
    assert str(caught.value).startswith("--inter_op_threads=3 --intra_op_threads=0: TensorFlow is "
                                        "at work already")


TOO_LATE = """
import tensorflow as tf
from finetune import distribution
from finetune.config import RunConfig
tf.constant(1) + 1
distribution.make_strategy(RunConfig(distribution="multi_worker"))
"""


def test_workers_that_come_too_late():
    cluster = {"cluster": {"worker": ["127.0.0.1:1", "127.0.0.1:2"]},
               "task": {"type": "worker", "index": 0}}
    done = subprocess.run([sys.executable, "-c", TOO_LATE], cwd=ROOT, capture_output=True,
                          text=True, timeout=300,
                          env=os.environ | {"TF_CONFIG": json.dumps(cluster)})
    assert "UserError: --distribution=multi_worker: TensorFlow is at work already" in done.stderr
