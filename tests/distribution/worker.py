"""run_classifier_custom.py without dropout, on so many CPU devices; the tests start it.

    python -m tests.distribution.worker DEVICES flags of run_classifier_custom.py
"""

import json
import os
import signal
import sys

import tensorflow as tf

import run_classifier_custom
from finetune import heads
from finetune.training import trainer


def main(devices: int, arguments: list[str]) -> int:
    """Runs the command; the variable DIE_AT names a step at which this process is killed."""
    tf.config.set_logical_device_configuration(
        tf.config.list_physical_devices("CPU")[0],
        [tf.config.LogicalDeviceConfiguration()] * devices)
    heads.HEAD_DROPOUT = float(os.environ.get("HEAD_DROPOUT", "0"))
    update, collected = trainer.Trainer._update, trainer.Trainer.run

    def watched(self, batches):
        if int(self._state.step.numpy()) == int(os.environ.get("DIE_AT", "-1")):
            os.kill(os.getpid(), signal.SIGKILL)
        update(self, batches)

    def noted(self, events):
        losses = collected(self, events)
        print("losses", json.dumps(losses), flush=True)
        return losses

    trainer.Trainer._update, trainer.Trainer.run = watched, noted
    return run_classifier_custom.main(arguments)


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]), sys.argv[2:]))
