"""Two replicas, as on a TPU, learn what one learns.

The test runs this file in a process of its own, where the CPU counts as two devices.

    python tests/test_replicas.py folder     # trains in folder/1 and folder/2
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

from finetune import distribution, heads, model
from finetune.bert_config import BertConfig
from finetune.checkpoints import checkpoint
from finetune.config import RunConfig
from finetune.records import FeatureTable
from finetune.task_kind import TaskKind
from finetune.training import step as training_step
from finetune.training import trainer
from tests.conftest import ROOT, TINY

pytestmark = pytest.mark.slow
CONFIG = dataclasses.replace(BertConfig.from_dict({**TINY, "vocab_size": 60}, "tiny"),
                             hidden_dropout_prob=0.0, attention_probs_dropout_prob=0.0)
STEPS = 3


class NoEvents:
    """Stands for events.EventWriter."""

    def write(self, step, values):
        pass


KNOBS = {"lr_schedule": "constant", "layerwise_lr_decay": 0.8, "gradual_unfreezing": True,
         "class_weights": "balanced", "focal_gamma": 2.0}


def train(strategy, folder, kind=TaskKind.CLASSIFICATION, **settings):
    """Three steps of four rows without dropout, laid out as for a TPU: padded, in equal shares."""
    random, lengths = np.random.default_rng(3), np.arange(1, 11)
    ids, segments = random.integers([[1], [0]], [[60], [2]], (2, lengths.sum()), np.int32)
    labels = (np.arange(len(lengths), dtype=np.int32) % 3 if kind is TaskKind.CLASSIFICATION else
              random.integers(0, 2, (len(lengths), 3), np.uint8))
    table = FeatureTable(ids, segments, np.cumsum([0, *lengths]), labels,
                         np.ones(len(lengths), bool))
    config = RunConfig(output_dir=str(folder), train_batch_size=4, max_seq_length=12,
                       learning_rate=0.01, **settings)
    with strategy.scope():
        state = model.create(CONFIG, 3, 1, {}, training=True, kind=kind)
    plan = training_step.Plan(STEPS, 0)  # an epoch is a step: each thaws a layer
    loop = trainer.Trainer(strategy, state, CONFIG, config, plan, table, None, "accuracy")
    (folder / "losses.json").write_text(json.dumps(loop.run(NoEvents())))


def main(folder):
    tf.config.set_logical_device_configuration(
        tf.config.list_physical_devices("CPU")[0], [tf.config.LogicalDeviceConfiguration()] * 2)
    heads.HEAD_DROPOUT, distribution.is_tpu = 0.0, lambda strategy: True
    for strategy in (tf.distribute.OneDeviceStrategy("CPU:0"),
                     tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"])):
        path = Path(folder) / str(strategy.num_replicas_in_sync)
        path.mkdir()
        train(strategy, path)
        for which, kind, settings in (("knobs", TaskKind.CLASSIFICATION, KNOBS),
                                      ("many", TaskKind.MULTILABEL, {"focal_gamma": 2.0})):
            (path / which).mkdir()
            train(strategy, path / which, kind, **settings)
        seeds = strategy.experimental_local_results(strategy.run(
            tf.function(lambda: training_step.dropout_seed(7, tf.constant(5, tf.int64)))))
        (path / "seeds.json").write_text(json.dumps([seed.numpy().tolist() for seed in seeds]))


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """Folder of what one and two devices have learned."""
    folder = tmp_path_factory.mktemp("replicas")
    done = subprocess.run([sys.executable, __file__, str(folder)], capture_output=True,
                          text=True, timeout=300, env={**os.environ, "PYTHONPATH": str(ROOT)})
    assert done.returncode == 0, done.stderr
    return folder


@pytest.mark.parametrize("which", ["", "knobs", "many"])
def test_two_replicas_learn_what_one_learns(trained, which):
    folders = [trained / name / which for name in "12"]
    one, two = (json.loads((folder / "losses.json").read_text()) for folder in folders)
    assert len(set(one)) == STEPS
    np.testing.assert_allclose(two, one, rtol=1e-5)
    prefixes = [str(folder / f"model.ckpt-{STEPS}") for folder in folders]
    expected, found = (checkpoint.read(prefix, list(checkpoint.shapes(prefix)))
                       for prefix in prefixes)
    assert expected.pop("global_step") == found.pop("global_step") == STEPS
    for name, value in expected.items():
        if "key/bias" not in name:  # its gradient is 0 but for rounding
            np.testing.assert_allclose(found[name], value, rtol=0, err_msg=name,
                                       atol=1e-4 * np.abs(value).max())


def test_each_replica_has_masks_of_its_own(trained):
    alone, each = (json.loads((trained / name / "seeds.json").read_text()) for name in "12")
    assert alone == [[7, 5]]
    assert len(each) == 2 and each[0] != each[1]


if __name__ == "__main__":
    main(sys.argv[1])
