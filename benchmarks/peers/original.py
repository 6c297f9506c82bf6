"""google-research/bert as a contestant, in its own interpreter; see benchmarks/worker.py.

    ORIGINAL_PYTHON -m benchmarks.peers.original train --task=FOLDER --model=FOLDER ...

bert.run_classifier as it is: its features, model_fn, input_fn and TPUEstimator, put together as its
own main does (finetune/original/flow.py runs that main itself, for the whole command). Added is a
hook that notes the time of each step. Runs on TensorFlow 1.15 (Python 3.7) and 2.15.
"""

import json
import logging
import os
import time
import warnings
from argparse import Namespace
from typing import Any, Dict, List

from benchmarks import worker

warnings.filterwarnings("ignore")  # hundreds, of numpy and of TensorFlow 1
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
os.environ.pop("TF2_BEHAVIOR", None)  # TensorFlow 2 leaves it to its children, and 1.15 obeys

from finetune.original import flow  # noqa: E402

run_classifier, tf = flow.import_original()
tpu = tf.contrib.tpu if hasattr(tf, "contrib") else tf.estimator.tpu


class StepTimes(tf.train.SessionRunHook):
    """Notes when each step ended, `times`, in seconds of a clock."""

    def __init__(self):
        self.times = []  # type: List[float]

    def after_run(self, run_context: Any, run_values: Any) -> None:
        """See base class."""
        self.times.append(time.perf_counter())


class Classifier:
    """What bert.run_classifier.main makes of its flags."""

    def __init__(self, options: Namespace, steps: int):
        self.options, self.labels = options, worker.read_labels(options.task)
        tokenization = run_classifier.tokenization
        self.tokenizer = tokenization.FullTokenizer(os.path.join(options.model, "vocab.txt"))
        os.makedirs(options.output_dir, exist_ok=True)
        model_fn = run_classifier.model_fn_builder(
            bert_config=run_classifier.modeling.BertConfig.from_json_file(
                os.path.join(options.model, "bert_config.json")),
            num_labels=len(self.labels),
            init_checkpoint=os.path.join(options.model, "bert_model.ckpt"), learning_rate=5e-5,
            num_train_steps=steps, num_warmup_steps=steps // 10, use_tpu=False,
            use_one_hot_embeddings=False)
        config = tpu.RunConfig(
            model_dir=options.output_dir, save_checkpoints_steps=1000,
            tpu_config=tpu.TPUConfig(
                iterations_per_loop=1000, num_shards=8,
                per_host_input_for_training=tpu.InputPipelineConfig.PER_HOST_V2))
        self.estimator = tpu.TPUEstimator(
            use_tpu=False, model_fn=model_fn, config=config, train_batch_size=options.batch_size,
            eval_batch_size=8, predict_batch_size=options.batch_size)

    def write_features(self, rows: List[Any], name: str) -> float:
        """Writes <output_dir>/<name> unless it is there; returns how many seconds it took."""
        began = time.perf_counter()
        run_classifier.file_based_convert_examples_to_features(
            rows, self.labels, self.options.max_seq_length, self.tokenizer, self.path(name))
        return time.perf_counter() - began

    def path(self, name: str) -> str:
        """Returns the path of a file in output_dir."""
        return os.path.join(self.options.output_dir, name)

    def input_fn(self, name: str, training: bool) -> Any:
        """Returns the original's input_fn for a file of features."""
        return run_classifier.file_based_input_fn_builder(
            input_file=self.path(name), seq_length=self.options.max_seq_length,
            is_training=training, drop_remainder=training)


def examples(options: Namespace, split: str) -> List[Any]:
    """Returns the rows of a split as the original's InputExamples; a label where one is lacking."""
    found = flow.read_examples(run_classifier, os.path.join(options.task, split + ".jsonl"))
    for example in found:
        if example.label is None:
            example.label = worker.read_labels(options.task)[0]  # as its processors do
    return found


def train(options: Namespace) -> Dict[str, Any]:
    """Times training steps; every one costs the same, since all rows have max_seq_length."""
    steps = options.warmup_steps + options.steps
    rows, classifier, hook = examples(options, "train"), Classifier(options, steps), StepTimes()
    seconds = classifier.write_features(rows, "train.tf_record")
    classifier.estimator.train(classifier.input_fn("train.tf_record", True), hooks=[hook],
                               max_steps=steps)
    per_step = (hook.times[-1] - hook.times[-1 - options.steps]) / options.steps
    rate = options.batch_size / per_step
    return {"examples_per_second": worker.with_features(rate, len(rows), seconds),
            "in_steps": rate, "feature_seconds": seconds, "step_seconds": per_step,
            "tokens_per_step": options.batch_size * options.max_seq_length}


def first_step(options: Namespace) -> Dict[str, Any]:
    """Makes one step; features that lie in <output_dir> already are used as they are."""
    classifier = Classifier(options, 1)
    if not os.path.exists(classifier.path("train.tf_record")):
        classifier.write_features(examples(options, "train"), "train.tf_record")

    class Tell(tf.train.SessionRunHook):
        def after_run(self, run_context: Any, run_values: Any) -> None:
            print("first step is made", flush=True)

    classifier.estimator.train(classifier.input_fn("train.tf_record", True), hooks=[Tell()],
                               max_steps=1)
    return {}


def predict(options: Namespace) -> Dict[str, Any]:
    """Times text to probabilities for some rows of the training split.

    All rows have max_seq_length and cost the same, so that `--steps` batches behind the warm-up
    tell the time of all.
    """
    rows = examples(options, "train")
    classifier, count = Classifier(options, 1), options.warmup_steps + options.steps
    seconds = classifier.write_features(rows, "predict.tf_record")
    times = []
    for place, _ in enumerate(classifier.estimator.predict(
            classifier.input_fn("predict.tf_record", False))):
        if place % options.batch_size == 0:
            times.append(time.perf_counter())  # a batch is there
        if len(times) == count:
            break
    rate = options.batch_size * (len(times) - options.warmup_steps) / (
        times[-1] - times[options.warmup_steps - 1])
    return {"rows_per_second": len(rows) / (seconds + len(rows) / rate),
            "feature_seconds": seconds, "predict_seconds": len(rows) / rate,
            "best_batch_size": options.batch_size}


def features(options: Namespace) -> Dict[str, Any]:
    """Times text to TFRecord, once and again: the original makes its features anew."""
    rows, classifier, found = examples(options, "train"), Classifier(options, 1), {}
    for name in ("first", "second"):
        found[name + "_seconds"] = classifier.write_features(rows, "train.tf_record")
    found["rows_per_second"] = len(rows) / found["first_seconds"]
    found["second_rows_per_second"] = len(rows) / found["second_seconds"]
    return found


def whole(options: Namespace) -> Dict[str, Any]:
    """Runs bert.run_classifier.main: training, evaluation and prediction."""
    os.makedirs(options.output_dir, exist_ok=True)
    paths = {split: os.path.join(options.task, split + ".jsonl")
             for split in ("train", "dev", "test")}
    plan = {"labels": worker.read_labels(options.task), "examples": paths, "records": None,
            "seed": None, "scores": None, "flags": {
                "do_train": True, "do_eval": True, "do_predict": True,
                "output_dir": options.output_dir, "max_seq_length": options.max_seq_length,
                "train_batch_size": options.batch_size, "num_train_epochs": options.epochs,
                "init_checkpoint": os.path.join(options.model, "bert_model.ckpt"),
                "bert_config_file": os.path.join(options.model, "bert_config.json"),
                "vocab_file": os.path.join(options.model, "vocab.txt")}}
    path = os.path.join(options.output_dir, "plan.json")
    with open(path, "w") as file:
        json.dump(plan, file)
    run_classifier.InputExample = labelled(run_classifier.InputExample, plan["labels"][0])
    flow.main(path)
    return {}


def labelled(cls: type, label: str) -> type:
    """Returns InputExample with a label for rows that have none, as the original's processors."""
    class Labelled(cls):
        def __init__(self, guid, text_a, text_b=None, label=None, _any=label):
            super(Labelled, self).__init__(guid, text_a, text_b, label or _any)

    return Labelled


def versions() -> Dict[str, str]:
    """Returns what decides the original's speed."""
    try:
        from importlib.metadata import version
    except ImportError:  # Python 3.7
        from pkg_resources import get_distribution

        def version(name):
            return get_distribution(name).version
    return {"tensorflow": tf.__version__, "bert-tensorflow": version("bert-tensorflow"),
            "threads": "all in an operation, all operations"}


if __name__ == "__main__":
    logging.getLogger("tensorflow").setLevel(logging.ERROR)
    worker.main({"train": train, "first_step": first_step, "predict": predict,
                 "features": features, "whole": whole}, versions)
