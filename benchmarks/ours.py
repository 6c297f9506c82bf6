"""Our contestant: one piece of work, measured in this process; see benchmarks/worker.py.

    python -m benchmarks.ours train --task=FOLDER --model=FOLDER --output_dir=FOLDER
"""

import collections
import dataclasses
import glob
import os
import shutil
import tempfile
import time
from argparse import Namespace
from typing import Any

from benchmarks import worker
from finetune import command, config, log, tensorflow_import

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
with log.quiet():
    tensorflow_import.load()

import numpy as np  # noqa: E402
import tensorflow as tf  # noqa: E402

try:
    from tensorflow.tsl.profiler.protobuf import xplane_pb2
except ImportError:  # since TensorFlow 2.20
    from tensorflow.core.profiler.protobuf import xplane_pb2

from benchmarks import products  # noqa: E402
from finetune import batches, bert_config, distribution, model, records, trained  # noqa: E402
from finetune.checkpoints import checkpoint  # noqa: E402
from finetune.features import blocks, decided_by  # noqa: E402
from finetune.predictor import Predictor  # noqa: E402
from finetune.tokenization import Tokenizer  # noqa: E402
from finetune.training.step import Plan, TrainingStep  # noqa: E402
from processors import InputExample  # noqa: E402


class Training:
    """A classifier about to be trained on a task, and its batches.

    Attributes:
        chosen: batches that cost on average what those of an epoch do.
        warmup: some more, for the steps before time is taken.
        feature_seconds: how long the features took.
    """

    def __init__(self, options: Namespace):
        settings = config.RunConfig(
            do_train=True, train_batch_size=options.batch_size,
            max_seq_length=options.max_seq_length, output_dir=options.output_dir)
        self.bert_config, tokenizer, values = read_model(options)
        self.table, self.feature_seconds = make_table(options, tokenizer)
        strategy = distribution.make_strategy(settings)
        with strategy.scope():
            state = model.create(self.bert_config, len(worker.read_labels(options.task)),
                                 settings.seed, values, training=True)
        self._step = TrainingStep(strategy, state, self.bert_config, settings,
                                  Plan.of(settings, len(self.table)), self.table)
        self._rows = epoch_of_batches(self.table, options.batch_size, settings.seed)
        costs = [int(self.table.lengths()[rows].sum()) for rows in self._rows]
        self.chosen = worker.representative(costs, options.steps)
        self.warmup = worker.representative(costs, options.warmup_steps)

    def lengths(self, place: int) -> np.ndarray:
        """Returns int64[B], the tokens of each row of a batch, falling as the step sorts them."""
        return np.sort(self.table.lengths()[self._rows[place]])[::-1]

    def make(self, place: int) -> float:
        """Makes the step of a batch of the epoch and returns its loss, which waits for it."""
        return float(self._step([self._rows[place]])[0][0])


def read_model(options: Namespace) -> tuple[bert_config.BertConfig, Tokenizer, dict]:
    """Returns configuration, tokenizer and weights of the model folder."""
    configuration = bert_config.BertConfig.from_json_file(
        os.path.join(options.model, "bert_config.json"))
    values = checkpoint.read(checkpoint.resolve(options.model),
                             list(bert_config.variable_shapes(configuration)))
    return configuration, Tokenizer(os.path.join(options.model, "vocab.txt")), values


def make_table(options: Namespace, tokenizer: Tokenizer) -> tuple[Any, float]:
    """Returns the FeatureTable of the training split, as a run makes it, and the seconds it took.

    From examples in memory; the file in output_dir is used again if it is of the same data.
    """
    os.makedirs(options.output_dir, exist_ok=True)
    rows = [InputExample(**row) for row in worker.read_rows(options.task, "train")]
    labels = worker.read_labels(options.task)
    began = time.perf_counter()
    table = records.cached(
        os.path.join(options.output_dir, "train.tf_record"),
        {"examples": records.examples_digest(rows),
         **decided_by(labels, options.max_seq_length, tokenizer)},
        lambda: blocks(rows, labels, options.max_seq_length, tokenizer))
    return table, time.perf_counter() - began


def epoch_of_batches(table: Any, size: int, seed: int) -> list[np.ndarray]:
    """Returns the rows of each step of the first epoch."""
    order = batches.training_order(len(table), size, seed, 0)
    return [order.batch(step) for step in range(max(1, len(table) // size))]


def train(options: Namespace) -> dict[str, Any]:
    """Times training steps, batches and all."""
    training = Training(options)
    for place in training.warmup:
        training.make(place)
    began = time.perf_counter()
    for place in training.chosen:
        training.make(place)
    seconds = time.perf_counter() - began
    rate = options.batch_size * options.steps / seconds
    return {"examples_per_second": worker.with_features(rate, len(training.table),
                                                        training.feature_seconds),
            "in_steps": rate, "feature_seconds": training.feature_seconds,
            "step_seconds": seconds / options.steps,
            "tokens_per_step": float(np.mean([training.lengths(place).sum()
                                              for place in training.chosen]))}


def ceiling(options: Namespace) -> dict[str, Any]:
    """Times steps and the bare matrix products of the same batches, in turns."""
    training = Training(options)
    bare = products.Products(training.bert_config)
    spent = dict.fromkeys(("step", "dense", "attention"), 0.0)
    flops = dict.fromkeys(("dense", "attention"), 0)
    for count, place in enumerate([*training.warmup, *training.chosen]):
        lengths = training.lengths(place)
        works = dict(zip(flops, bare.prepare(lengths), strict=True))
        for work in works.values():
            work()  # TensorFlow prepares a product of a new shape when it first meets it
        works = {"step": lambda place=place: training.make(place), **works}
        for name, work in works.items():
            began = time.perf_counter()
            work()
            if count >= len(training.warmup):
                spent[name] += time.perf_counter() - began
        if count >= len(training.warmup):
            for name, number in zip(flops, bare.operations(lengths), strict=True):
                flops[name] += number
    return {**{f"{name}_ms": value / options.steps * 1e3 for name, value in spent.items()},
            **{f"{name}_gflops": flops[name] / spent[name] / 1e9 for name in flops},
            "share_of_dense": spent["dense"] / spent["step"] * 100,
            "share_of_all": (spent["dense"] + spent["attention"]) / spent["step"] * 100}


def profile(options: Namespace) -> dict[str, Any]:
    """Returns where the time of a step goes, by kind of operation, in ms."""
    training = Training(options)
    for place in training.warmup:
        training.make(place)
    with tempfile.TemporaryDirectory() as folder:
        tf.profiler.experimental.start(folder)
        for place in training.chosen:
            training.make(place)
        tf.profiler.experimental.stop()
        [trace] = glob.glob(os.path.join(folder, "**", "*.xplane.pb"), recursive=True)
        with open(trace, "rb") as file:
            space = xplane_pb2.XSpace.FromString(file.read())
    spent: collections.Counter[str] = collections.Counter()
    for plane in space.planes:
        if plane.name.startswith("/host:CPU"):
            for event in (event for line in plane.lines for event in line.events):
                name, _, kind = plane.event_metadata[event.metadata_id].name.rpartition(":")
                if name and not name.endswith(":") and kind.isidentifier():  # "name:kind"
                    spent[kind.removeprefix("_Mkl")] += event.duration_ps
    return {"operations": {kind: round(value / 1e9 / options.steps, 3)
                           for kind, value in spent.most_common()}}


def predict(options: Namespace) -> dict[str, Any]:
    """Times text to probabilities for the rows of the training split, without their labels."""
    configuration, tokenizer, values = read_model(options)
    state = model.create(configuration, len(worker.read_labels(options.task)), 42, values,
                         training=False)
    predictor = Predictor(state, configuration)
    table, feature_seconds = make_table(options, tokenizer)

    def seconds(some: Any, size: int) -> float:
        start = time.perf_counter()
        predictor.predict(some, size)
        return time.perf_counter() - start

    sample = subset(table, worker.representative(table.lengths().tolist(),
                                                 min(512, len(table))))
    seconds(sample, options.batch_sizes[0])  # the graph is traced
    size = min(options.batch_sizes, key=lambda size: seconds(sample, size))
    spent = seconds(table, size)
    return {"rows_per_second": len(table) / (feature_seconds + spent),
            "feature_seconds": feature_seconds, "predict_seconds": spent, "best_batch_size": size}


def latency(options: Namespace) -> dict[str, Any]:
    """Times the calls of finetune.Predictor: one text, and all in one call."""
    configuration, _, values = read_model(options)
    labels = worker.read_labels(options.task)
    folder = os.path.join(options.output_dir, "trained")  # as a run leaves it
    os.makedirs(folder)
    state = model.create(configuration, len(labels), 42, values, training=False)
    checkpoint.save(os.path.join(folder, "bert_model.ckpt"), state.weights)
    for name in ("vocab.txt", "bert_config.json"):
        shutil.copy(os.path.join(options.model, name), folder)
    asked = trained.Predictor(folder, labels=labels, max_seq_length=options.max_seq_length)
    texts = worker.some_texts(options.task)
    found = worker.calls(asked.predict_proba, texts)
    asked.predict_proba(texts)
    began = time.perf_counter()
    asked.predict_proba(texts)
    return {**found, "rows_per_second": len(texts) / (time.perf_counter() - began)}


def subset(table: Any, rows: list[int]) -> Any:
    """Returns some rows of a FeatureTable as a table."""
    packed = batches.pack(table, np.array(rows))
    return dataclasses.replace(
        table, input_ids=packed.input_ids, segment_ids=packed.segment_ids,
        offsets=np.concatenate([[0], np.cumsum(packed.lengths)]), label_ids=packed.label_ids,
        is_real=np.ones(len(rows), bool))


def features(options: Namespace) -> dict[str, Any]:
    """Times text to TFRecord as a run makes it, and a second run on the same data."""
    tokenizer = Tokenizer(os.path.join(options.model, "vocab.txt"))
    found = {}
    for name in ("first", "second"):
        table, found[f"{name}_seconds"] = make_table(options, tokenizer)
    found["rows_per_second"] = len(table) / found["first_seconds"]
    found["second_rows_per_second"] = len(table) / found["second_seconds"]
    return found


def versions() -> dict[str, str]:
    """Returns what decides our speed."""
    threads = tf.config.threading
    return {"tensorflow": tf.__version__, "numpy": np.__version__,
            "threads": f"{threads.get_intra_op_parallelism_threads() or 'all'} in an operation, "
            f"{threads.get_inter_op_parallelism_threads() or 'all'} operations"}


if __name__ == "__main__":
    command.run(lambda: worker.main({
        "train": train, "ceiling": ceiling, "profile": profile, "predict": predict,
        "features": features, "latency": latency}, versions))
