"""Two replicas, as on a TPU, learn what one learns.

The test runs this file in a process of its own, where the CPU counts as two devices.

    python tests/test_replicas.py folder classification     # trains in folder/1 and folder/2
"""

import dataclasses
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

from finetune import checkpoint, distribution, heads, model, trainer, training_step
from finetune.bert_config import BertConfig
from finetune.config import RunConfig
from finetune.records import FeatureTable
from finetune.task_kind import TaskKind
from tests.conftest import ROOT, TINY

pytestmark = pytest.mark.slow
CONFIG = dataclasses.replace(BertConfig.from_dict({**TINY, "vocab_size": 60}, "tiny"),
                             hidden_dropout_prob=0.0, attention_probs_dropout_prob=0.0)
STEPS = 3


class NoEvents:
    """Stands for outputs.EventWriter."""

    def write(self, step, values):
        pass


def train(strategy, folder, kind):
    """Three steps of four rows without dropout, laid out as for a TPU: padded, in equal shares."""
    random, lengths = np.random.default_rng(3), np.arange(1, 11)
    ids, segments = random.integers([[1], [0]], [[60], [2]], (2, lengths.sum()), np.int32)
    labels = (np.arange(len(lengths), dtype=np.int32) % 3 if kind is TaskKind.CLASSIFICATION else
              random.integers(0, 2, (len(lengths), 3), np.uint8))
    table = FeatureTable(ids, segments, np.cumsum([0, *lengths]), labels,
                         np.ones(len(lengths), bool))
    config = RunConfig(output_dir=str(folder), train_batch_size=4, max_seq_length=12,
                       learning_rate=0.01)
    with strategy.scope():
        state = model.create(CONFIG, 3, 1, {}, training=True, kind=kind)
    plan = training_step.Plan(STEPS, 0)
    loop = trainer.Trainer(strategy, state, CONFIG, config, plan, table, None, "accuracy")
    (folder / "losses.json").write_text(json.dumps(loop.run(NoEvents())))


def main(folder, kind):
    tf.config.set_logical_device_configuration(
        tf.config.list_physical_devices("CPU")[0], [tf.config.LogicalDeviceConfiguration()] * 2)
    heads.HEAD_DROPOUT, distribution.is_tpu = 0.0, lambda strategy: True
    for strategy in (tf.distribute.OneDeviceStrategy("CPU:0"),
                     tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"])):
        path = Path(folder) / str(strategy.num_replicas_in_sync)
        path.mkdir()
        train(strategy, path, TaskKind(kind))
        seeds = strategy.experimental_local_results(strategy.run(
            tf.function(lambda: training_step.dropout_seed(7, tf.constant(5, tf.int64)))))
        (path / "seeds.json").write_text(json.dumps([seed.numpy().tolist() for seed in seeds]))


@pytest.mark.parametrize("kind", ["classification", "multilabel"])
def test_two_replicas_learn_what_one_learns(tmp_path, kind):
    done = subprocess.run([sys.executable, __file__, str(tmp_path), kind], capture_output=True,
                          text=True, timeout=300, env={**os.environ, "PYTHONPATH": str(ROOT)})
    assert done.returncode == 0, done.stderr
    one, two = (json.loads((tmp_path / name / "losses.json").read_text()) for name in "12")
    alone, each = (json.loads((tmp_path / name / "seeds.json").read_text()) for name in "12")
    assert alone == [[7, 5]]
    assert len(each) == 2 and each[0] != each[1]  # masks of their own
    assert len(set(one)) == STEPS
    np.testing.assert_allclose(two, one, rtol=1e-5)
    prefixes = [str(tmp_path / name / f"model.ckpt-{STEPS}") for name in "12"]
    expected, found = (checkpoint.read(prefix, list(checkpoint.shapes(prefix)))
                       for prefix in prefixes)
    assert expected.pop("global_step") == found.pop("global_step") == STEPS
    for name, value in expected.items():
        if "key/bias" not in name:  # its gradient is 0 but for rounding
            np.testing.assert_allclose(found[name], value, rtol=0, err_msg=name,
                                       atol=1e-4 * np.abs(value).max())


if __name__ == "__main__":
    main(*sys.argv[1:])
