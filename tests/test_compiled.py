"""What a TPU is given compiles under XLA, here for the CPU, as a whole and with static shapes."""

import re

import numpy as np
import pytest
import tensorflow as tf

from finetune import distribution, model
from finetune.batches import Batch
from finetune.config import RunConfig
from finetune.predictor import Predictor
from finetune.task_kind import TaskKind
from finetune.training import step as training_step
from finetune.training.schedules import Plan
from finetune.training.step import TrainingStep

CPU = tf.distribute.OneDeviceStrategy("CPU:0")
LENGTHS = (5, 1, 9, 3, 12, 2)
ROWS = [np.arange(6), np.array([3, 0, 5, 1, 2, 4]), np.array([1, 2, 4, 5, 0, 3])]
SETTINGS = [{}, {"gradient_accumulation_steps": 2}, {"precision": "bfloat16"}]


def settings(**more):
    return RunConfig(train_batch_size=6, max_seq_length=16, learning_rate=0.01, xla=True, **more)


@pytest.fixture
def on_tpu(monkeypatch):
    """The CPU is taken for a TPU: one width of rows, many steps in a call."""
    monkeypatch.setattr(distribution, "is_tpu", lambda strategy: True)


def assert_static(ir):
    """Asserts that no shape is bounded only (<=) and that there is something in the program."""
    assert re.search(r"f32\[6,16,|f32\[96,|f32\[48,", ir) or "bf16[" in ir
    assert not re.search(r"\[[^\]]*<=", ir), "a dynamic shape"
    assert "is_dynamic" not in ir and "set-dimension-size" not in ir


@pytest.mark.parametrize("labels", [3, 1], ids=["classification", "regression"])
@pytest.mark.parametrize("more", SETTINGS, ids=["float32", "in parts", "bfloat16"])
def test_a_training_step_compiles_as_a_whole(tiny_config, make_table, on_tpu, monkeypatch, labels,
                                             more):
    """Forward, dropout, backward, the norm, clipping, Adam, decay, the rate: one program."""
    monkeypatch.setattr(training_step, "in_a_row", lambda step: step)
    state = model.create(tiny_config, labels, 1, {}, training=True,
                         kind=TaskKind.of_rows(labels))
    table, config = make_table(*LENGTHS), settings(**more)
    step = TrainingStep(CPU, state, tiny_config, config, Plan(10, 0), table)
    shares = [Batch(*map(tf.constant, share)) for share in step._shares(ROWS[0])]
    if labels == 1:
        shares = [share._replace(label_ids=tf.cast(share.label_ids, tf.float32))
                  for share in shares]
    assert_static(step._make(0).experimental_get_compiler_ir(*shares)(stage="hlo"))


def test_evaluation_compiles_as_a_whole(tiny_config, make_table):
    state = model.create(tiny_config, 3, 1, {}, training=False)
    predictor = Predictor(state, tiny_config, widths=(16,), xla=True)
    table = make_table(*LENGTHS)
    shapes = []
    forward = predictor._forward

    def watched(*batches):
        shapes.append([tuple(value.shape) for value in batches[0]])
        assert_static(forward.experimental_get_compiler_ir(*batches)(stage="hlo"))
        return forward(*batches)

    predictor._forward = watched
    assert predictor.predict(table, 6).probabilities.shape == (6, 3)
    assert predictor.predict(make_table(4, 7), 6).probabilities.shape == (2, 3)  # filled up
    assert shapes[0] == shapes[1] and shapes[0][0] == (6, 16)


def test_many_steps_of_one_call_compile_as_a_whole(tiny_config, make_table, on_tpu):
    """What --iterations_per_loop asks for, in one program, gives what step by step gives."""
    made = []
    for calls in ([ROWS], [[rows] for rows in ROWS]):
        state = model.create(tiny_config, 3, 1, {}, training=True)
        step = TrainingStep(CPU, state, tiny_config, settings(), Plan(10, 0),
                            make_table(*LENGTHS))
        whole = tf.function(step._make(0), jit_compile=True)
        told = []
        for rows in calls:
            stack = Batch(*map(np.stack, zip(*(step._shares(one)[0] for one in rows),
                                             strict=True)))
            told += whole(*[Batch(*map(tf.constant, stack))])[0].numpy().tolist()
        step.write_back()
        made.append((told, {name: value.numpy() for name, value in state.variables().items()}))
    (together, weights), (apart, others) = made
    np.testing.assert_allclose(together, apart, rtol=1e-5)
    assert len(together) == 3 and weights["global_step"] == others["global_step"] == 3
    for name, value in weights.items():
        if "key/bias" not in name:
            np.testing.assert_allclose(value, others[name], rtol=1e-3, atol=1e-5, err_msg=name)
