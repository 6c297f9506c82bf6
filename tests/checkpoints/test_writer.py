"""checkpoints/writer.py: training goes on while a checkpoint is written, and loses none."""

import os
import threading

import numpy as np
import pytest
import tensorflow as tf

from finetune.checkpoints import checkpoint
from finetune.checkpoints.checkpoint import Folder
from finetune.checkpoints.writer import Writer

LONG = 60  # seconds; a wait this long has failed


class Gate:
    """Holds every write back at its rename until it is opened."""

    def __init__(self, monkeypatch):
        self.reached, self._open = threading.Event(), threading.Event()
        rename = tf.io.gfile.rename

        def held(*arguments, **options):
            self.reached.set()
            assert self._open.wait(LONG)
            rename(*arguments, **options)

        monkeypatch.setattr(tf.io.gfile, "rename", held)

    def open(self):
        self._open.set()


@pytest.fixture
def gate(monkeypatch):
    gate = Gate(monkeypatch)
    yield gate
    gate.open()


@pytest.fixture
def writer(tmp_path):
    return Writer(Folder(str(tmp_path), keep=5))


def variables(value):
    return {"weight": tf.Variable(tf.fill([50, 20], float(value))),
            "weight/adam_m": tf.Variable(tf.fill([50, 20], float(value))),
            "weight/adam_v": tf.Variable(tf.fill([50, 20], float(value))),
            "global_step": tf.Variable(np.int64(value))}


def update(state):
    """What a step of training does to its variables, with the optimizer's own kernel."""
    tf.raw_ops.ResourceApplyAdam(
        var=state["weight"].handle, m=state["weight/adam_m"].handle,
        v=state["weight/adam_v"].handle, beta1_power=0.0, beta2_power=0.0, lr=1.0, beta1=0.5,
        beta2=0.5, epsilon=1e-6, grad=tf.ones([50, 20]))
    state["global_step"].assign_add(1)


def test_what_is_written_is_what_was_there_when_the_write_began(tmp_path, writer, gate):
    state = variables(3)
    before = {name: np.copy(value.numpy()) for name, value in state.items()}
    writer.write(3, state)
    assert gate.reached.wait(LONG)
    for _ in range(3):
        update(state)
    for name, value in before.items():
        assert not np.array_equal(state[name].numpy(), value), name
    assert checkpoint.latest(str(tmp_path)) is None
    gate.open()
    writer.wait()
    found = checkpoint.read(checkpoint.latest(str(tmp_path)), list(before))
    for name, value in before.items():
        np.testing.assert_array_equal(found[name], value, name)


@pytest.mark.parametrize("update", [
    lambda variable: variable.assign(variable * 2.0), lambda variable: variable.assign_add([1.0]),
    lambda variable: variable.scatter_nd_update([[0]], [9.0])])
def test_no_update_reaches_a_snapshot(update):
    variable = tf.Variable([5.0])
    taken = checkpoint.snapshot({"weight": variable})
    update(variable)
    assert variable.numpy().tolist() != [5.0] and taken["weight"].numpy().tolist() == [5.0]


def test_a_second_write_waits_for_the_first(tmp_path, writer, gate):
    writer.write(1, variables(1))
    assert gate.reached.wait(LONG)
    began, second = threading.Event(), threading.Event()

    def write():
        began.set()
        writer.write(2, variables(2))
        second.set()

    thread = threading.Thread(target=write)
    thread.start()
    assert began.wait(LONG) and not second.wait(0.2)
    gate.open()
    thread.join(LONG)
    assert second.is_set() and checkpoint.exists(str(tmp_path / "model.ckpt-1"))
    writer.wait()
    assert checkpoint.latest(str(tmp_path)) == str(tmp_path / "model.ckpt-2")


def failing(prefix, **options):
    raise tf.errors.ResourceExhaustedError(None, None, "No space left on device")


def write_again(writer):
    writer.write(2, variables(2))


def leave(writer):
    with writer:
        pass


def check_when_done(writer):
    writer._under_way.exception()
    writer.check()


@pytest.mark.parametrize("call", [Writer.wait, write_again, leave, check_when_done])
def test_an_error_is_raised_by_the_next_call_and_once(tmp_path, writer, monkeypatch, call):
    with monkeypatch.context() as patch:
        patch.setattr(tf.raw_ops, "SaveV2", failing)
        writer.write(1, variables(1))
        with pytest.raises(tf.errors.ResourceExhaustedError, match="No space left"):
            call(writer)
    writer.check()
    writer.wait()
    assert os.listdir(tmp_path) == []


def test_check_does_not_wait(writer, gate):
    writer.check()
    writer.write(1, variables(1))
    assert gate.reached.wait(LONG)
    writer.check()  # would wait for the gate
    assert not writer._under_way.done()


def test_it_ends_with_the_last_write_whatever_ends_the_work(tmp_path, writer, gate):
    with pytest.raises(KeyboardInterrupt), writer:
        writer.write(1, variables(1))
        assert gate.reached.wait(LONG)
        threading.Timer(0.1, gate.open).start()
        raise KeyboardInterrupt
    assert checkpoint.latest(str(tmp_path)) == str(tmp_path / "model.ckpt-1")


def test_ctrl_c_while_waiting_does_not_lose_the_write(tmp_path, writer, gate, monkeypatch):
    writer.write(1, variables(1))
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(writer._under_way, "exception", lambda: (_ for _ in ()).throw(
            KeyboardInterrupt))
        writer.wait()
    gate.open()
    writer.wait()
    assert checkpoint.latest(str(tmp_path)) == str(tmp_path / "model.ckpt-1")
