"""Trains, evaluates and predicts with the original's code, where its Estimator is gone.

Run by test_checkpoint_parity.py in a process of its own. Examples, features, graph and optimizer
are run_classifier's; what stands between them in TPUEstimator (reading batches in a given order,
metrics as in its metric_fn, checkpoints by tf.train.Saver) is done here.

    TF_USE_LEGACY_KERAS=1 python tests/parity/original_run.py plan.json
"""

import json
import os
import sys

import numpy as np
import tensorflow.compat.v1 as tf

from finetune import upstream
from tests.parity.original_model import ONE_THREAD, Model, optimizer


def features(plan: dict, split: str) -> list[np.ndarray]:
    """(input_ids, input_mask, segment_ids, label_ids) of a whole split."""
    original = upstream.run_classifier()
    processor = original.MrpcProcessor()
    tokenizer = upstream.full_tokenizer(plan["vocab_file"], True)
    examples = getattr(processor, f"get_{split}_examples")(plan["data_dir"])
    made = [original.convert_single_example(10, example, processor.get_labels(),
                                            plan["max_seq_length"], tokenizer)
            for example in examples]
    return [np.array([getattr(one, name) for one in made])
            for name in ("input_ids", "input_mask", "segment_ids", "label_id")]


class Run:
    """A training that starts from a checkpoint, or goes on where one stopped."""

    def __init__(self, plan: dict, start: str):
        self.plan, self.model = plan, Model(plan["bert_config"], 2)  # graph without dropout
        self.splits = {split: features(plan, split) for split in ("train", "dev", "test")}
        with self.model.graph.as_default():
            self.train, _ = optimizer(self.model.loss, plan["learning_rate"], plan["steps"],
                                      plan["warmup"])
            self.step = tf.train.get_global_step()
            self.saver = tf.train.Saver(save_relative_paths=True)  # as TPUEstimator's
            goes_on = "global_step" in dict(tf.train.list_variables(start))
            if not goes_on:
                assignment, _ = upstream.modeling().get_assignment_map_from_checkpoint(
                    self.model.variables, start)
                tf.train.init_from_checkpoint(start, assignment)
            self.session = tf.Session(config=ONE_THREAD)
            self.session.run(tf.global_variables_initializer())
            if goes_on:
                self.saver.restore(self.session, start)

    def batch(self, split: str, rows) -> dict:
        return self.model.feed([part[rows] for part in self.splits[split]])

    def train_until(self, step: int, prefix: str) -> None:
        """Trains on the rows that the plan names for each step, and saves."""
        for rows in self.plan["order"][self.session.run(self.step):step]:
            self.session.run(self.train, self.batch("train", rows))
        os.makedirs(os.path.dirname(prefix))
        self.saver.save(self.session, prefix, global_step=self.session.run(self.step))

    def evaluate(self, folder: str) -> None:
        """Writes eval_results.txt and test_results.tsv as main() of run_classifier does."""
        model, results = self.model, {}
        with model.graph.as_default():  # metric_fn
            predictions = tf.argmax(model.logits, axis=-1, output_type=tf.int32)
            metrics = {"eval_accuracy": tf.metrics.accuracy(model.inputs[3], predictions),
                       "eval_loss": tf.metrics.mean(model.losses),
                       "loss": tf.metrics.mean(model.loss)}
            self.session.run(tf.local_variables_initializer())
        for split in ("dev", "test"):
            size, probabilities = self.plan["eval_batch_size"], []
            for first in range(0, len(self.splits[split][0]), size):
                feed = self.batch(split, slice(first, first + size))
                if split == "dev":
                    self.session.run([update for _, update in metrics.values()], feed)
                else:
                    probabilities += [*self.session.run(model.probabilities, feed)]
            if split == "dev":
                results = {name: self.session.run(value) for name, (value, _) in metrics.items()}
        results["global_step"] = self.session.run(self.step)
        with open(os.path.join(folder, "eval_results.txt"), "w") as file:
            file.writelines(f"{key} = {results[key]}\n" for key in sorted(results))
        with open(os.path.join(folder, "test_results.tsv"), "w") as file:
            file.writelines("\t".join(map(str, row)) + "\n" for row in probabilities)


def main(plan_file: str) -> None:
    tf.disable_v2_behavior()
    tf.enable_resource_variables()
    with open(plan_file) as file:
        plan = json.load(file)
    for name, start in plan["runs"].items():  # the last checkpoint is <folder>/<name>_end
        run, folder = Run(plan, start), os.path.join(plan["folder"], name)
        half = f"{folder}/model.ckpt"
        run.train_until(plan["half"], half)
        run.evaluate(folder)
        run.train_until(plan["steps"], f"{folder}_end/model.ckpt")


if __name__ == "__main__":
    main(sys.argv[1])
