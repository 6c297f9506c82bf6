"""What workers say to each other, and what TF_CONFIG has to be."""

import json

import numpy as np
import pytest
import tensorflow as tf

from finetune import log, workers

TWO = {"cluster": {"worker": ["a:1", "b:1"]}, "task": {"type": "worker", "index": 1}}


def test_alone_nothing_is_sent():
    strategy = tf.distribute.OneDeviceStrategy("CPU:0")
    values = np.arange(3)
    assert workers.summed(strategy, values) is values and workers.is_chief(strategy)
    assert workers.from_chief(strategy, 5) == 5
    assert workers.replica_ids(strategy) == [0]
    workers.check_alike(strategy, {}, [])


def test_a_cluster_that_is_right():
    assert workers.cluster_problems({"TF_CONFIG": json.dumps(TWO)}) == []


def test_a_worker_says_whom_it_waits_for(monkeypatch, capsys):
    monkeypatch.setenv("TF_CONFIG", json.dumps(TWO))
    log.start()
    workers.announce()
    log.stop()
    assert capsys.readouterr().err == "worker 1: waits for all of a:1, b:1\n"


@pytest.mark.parametrize(("text", "chief"), [
    (json.dumps(TWO), False), (json.dumps({**TWO, "task": {"type": "worker", "index": 0}}), True),
    ("{", True)])
def test_who_will_write_is_known_before_the_others_come(text, chief):
    assert workers.will_be_chief({"TF_CONFIG": text}) is chief


@pytest.mark.parametrize(("config", "told"), [
    (None, "TF_CONFIG is not set"), ("", "TF_CONFIG is not set"),
    ("{", "cannot be understood (JSONDecodeError"),
    ("[]", "cannot be understood (TypeError"), ({}, "cannot be understood (KeyError: 'cluster'"),
    ({**TWO, "task": {"index": 0}}, "cannot be understood (KeyError: 'type'"),
    ({**TWO, "cluster": {"worker": []}}, "cluster.worker is []; must be a list of host:port"),
    ({**TWO, "cluster": {"worker": "a:1"}}, "cluster.worker is 'a:1'"),
    ({**TWO, "cluster": {"worker": ["a", "b:1"]}}, "cluster.worker is ['a', 'b:1']"),
    ({**TWO, "cluster": {"worker": ["a:1", "a:1"]}}, "names one address twice"),
    ({**TWO, "cluster": {**TWO["cluster"], "ps": ["c:1"]}}, "cluster names ps; allowed is worker"),
    ({**TWO, "task": {"type": "worker", "index": 2}}, "task is 'worker' 2; must be worker, with "
     "an index from 0 to 1"),
    ({**TWO, "task": {"type": "worker", "index": "0"}}, "task is 'worker' '0'"),
    ({**TWO, "task": {"type": "ps", "index": 0}}, "task is 'ps' 0")])
def test_a_cluster_that_is_wrong(config, told):
    text = config if isinstance(config, str) or config is None else json.dumps(config)
    [problem] = workers.cluster_problems({} if text is None else {"TF_CONFIG": text})
    assert told in problem
