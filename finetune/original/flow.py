"""The unmodified flow of google-research/bert, run in an environment that can run it.

    python3.7 finetune/original/flow.py plan.json     # TensorFlow 1.15.5, bert-tensorflow 1.0.1
    python3.11 finetune/original/flow.py plan.json    # TensorFlow 2.15.1, bert-tensorflow 1.0.4

finetune/original/engine.py writes the plan and starts this for --engine=original.

`bert.run_classifier.main` runs as it is: its TPUEstimator, model_fn_builder,
file_based_input_fn_builder and output files. Handed in from outside are what its users edit its
source for: a processor (examples and labels come from files), flags, and a seed. So that every
interpreter from Python 3.7 on can run it, this file imports nothing of ours.

plan.json:
    flags     flag -> value, the original's flags
    labels    the list of labels, in the order of their ids
    examples  split (train, dev, test) -> a file of JSON lines: guid, text_a, text_b, label
    records   null: the flow writes its features itself; else split -> TFRecord file, taken instead
    seed      null: as in the original, which has none; else an integer
    scores    null: classification; else the score that each label id stands for: the head becomes
              a regression (see `regression`)
"""

import io
import json
import os
import sys
from typing import Any

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
SPLITS = {"train": "train.tf_record", "dev": "eval.tf_record", "test": "predict.tf_record"}


def import_original() -> Any:
    """Returns (bert.run_classifier, the tf it uses); tf.contrib has a stand-in where it is gone."""
    os.environ.pop("TF2_BEHAVIOR", None)  # TensorFlow 2 leaves it to its children; 1.15 obeys
    sys.path[:] = [path for path in sys.path if os.path.abspath(path) != HERE]  # ours is no package
    try:
        import tensorflow.contrib  # noqa: F401  (TensorFlow 1)
    except ImportError:
        sys.path.insert(0, ROOT)
        from finetune import upstream
        upstream.make_importable()
        sys.path.remove(ROOT)
        import tensorflow.compat.v1 as tf
        tf.disable_v2_behavior()  # shapes hold Dimensions, variables are TensorFlow 1's
    from bert import run_classifier
    return run_classifier, run_classifier.tf


def read_examples(run_classifier: Any, path: str) -> list:
    """Returns the InputExamples of a JSON lines file."""
    with io.open(path, encoding="utf-8") as lines:
        return [run_classifier.InputExample(**json.loads(line)) for line in lines]


def make_processor(run_classifier: Any, plan: dict) -> type:
    """Returns a DataProcessor class that serves the plan's examples and labels."""

    class PlannedProcessor(run_classifier.DataProcessor):
        """Examples made elsewhere."""

        def get_train_examples(self, data_dir: str) -> list:
            return read_examples(run_classifier, plan["examples"]["train"])

        def get_dev_examples(self, data_dir: str) -> list:
            return read_examples(run_classifier, plan["examples"]["dev"])

        def get_test_examples(self, data_dir: str) -> list:
            return read_examples(run_classifier, plan["examples"]["test"])

        def get_labels(self) -> list:
            return plan["labels"]

    return PlannedProcessor


def take_records(run_classifier: Any, plan: dict) -> None:
    """Lets the flow read features made elsewhere instead of writing its own.

    They may lie where the flow would have written them. The rows with which it fills the last
    batch of a TPU come from itself.
    """
    tf, write = run_classifier.tf, run_classifier.file_based_convert_examples_to_features
    by_name = {SPLITS[split]: path for split, path in plan["records"].items()}

    def take(examples, label_list, max_seq_length, tokenizer, output_file):
        source = by_name[os.path.basename(output_file)]
        if source != output_file:
            tf.gfile.Copy(source, output_file, overwrite=True)
        padding = [example for example in examples
                   if isinstance(example, run_classifier.PaddingInputExample)]
        if padding:
            filled = output_file + ".filled"
            write(padding, label_list, max_seq_length, tokenizer, filled)
            with tf.gfile.GFile(output_file, "rb") as real, tf.gfile.GFile(filled, "rb") as rest:
                rows = real.read() + rest.read()
            with tf.gfile.GFile(output_file, "wb") as both:
                both.write(rows)
            tf.gfile.Remove(filled)

    run_classifier.file_based_convert_examples_to_features = take


def regression(run_classifier: Any, scores: list) -> None:
    """Replaces the head's loss by squared error: the original has no regression.

    As in google-research/albert (classifier_utils.create_model), by the authors' own group: one
    logit, loss (logit - score)^2 on the scores as they are. Label ids stay integers, as the
    original's records have them; `scores` tells what each stands for. test_results.tsv then
    holds one score a line.
    """
    tf, classify = run_classifier.tf, run_classifier.create_model

    def create_model(bert_config, is_training, input_ids, input_mask, segment_ids, labels,
                     num_labels, use_one_hot_embeddings):
        zeros = tf.zeros_like(labels)
        _, _, logits, _ = classify(bert_config, is_training, input_ids, input_mask, segment_ids,
                                   zeros, 1, use_one_hot_embeddings)
        wanted = tf.gather(tf.constant(scores, tf.float32), labels)
        losses = tf.square(tf.squeeze(logits, [-1]) - wanted)
        return tf.reduce_mean(losses), losses, logits, logits

    run_classifier.create_model = create_model


def fix_seed(tf: Any, seed: int) -> None:
    """Seeds initial values, dropout and shuffling, through the RunConfig that the flow makes."""
    tpu = tf.contrib.tpu if hasattr(tf, "contrib") else tf.estimator.tpu
    plain = tpu.RunConfig

    def run_config(**settings):
        return plain(tf_random_seed=seed, **settings)

    tpu.RunConfig = run_config


def main(path: str) -> None:
    """Runs the plan."""
    with io.open(path, encoding="utf-8") as file:
        plan = json.load(file)
    run_classifier, tf = import_original()
    run_classifier.ColaProcessor = make_processor(run_classifier, plan)  # found as --task_name=cola
    if plan["records"]:
        take_records(run_classifier, plan)
    if plan["scores"]:
        regression(run_classifier, plan["scores"])
    if plan["seed"] is not None:
        fix_seed(tf, plan["seed"])
    flags = dict(plan["flags"], task_name="cola", data_dir="unused")
    run_classifier.FLAGS(["run_classifier.py"] + ["--%s=%s" % flag for flag in flags.items()])
    run_classifier.main([])


if __name__ == "__main__":
    main(sys.argv[1])
