"""output_dir/export: made, compared with the model, and only then given its name.

    export_run(prepared, state)
    export("output/run/export", classifier, ("saved_model", "onnx"), facts)
"""

import contextlib
import dataclasses
import importlib.metadata
import os
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import tensorflow as tf

from finetune import model, outputs, summary
from finetune.export import (
    card,
    comparison,
    facts,
    huggingface_folder,
    onnx_graph,
    saved_model,
    tflite,
)
from finetune.export.classifier import Classifier
from finetune.export.facts import Facts
from finetune.export.formats import FORMATS, PACKAGES, chosen
from finetune.export.settings import trained_folder
from finetune.log import LOGGER
from finetune.multilabel import thresholds
from finetune.task_kind import TaskKind, label_type

if TYPE_CHECKING:
    from finetune.preflight import Prepared

CARD = "README.md"
_MODULES = {"saved_model": saved_model, "tflite": tflite, "onnx": onnx_graph,
            "huggingface": huggingface_folder}
_READERS = {"saved_model": "TensorFlow, TensorFlow Serving", "tflite": "TensorFlow Lite, LiteRT",
            "onnx": "onnxruntime and others that read ONNX", "huggingface": "transformers"}


def export_run(prepared: "Prepared", state: model.State) -> None:
    """Exports what a run has in memory into its folder."""
    config = prepared.config
    classifier = Classifier(
        {name: variable.numpy() for name, variable in state.weights.items()},
        prepared.bert_config, prepared.labels, outputs.read_bytes(config.vocab_file),
        config.do_lower_case, config.max_seq_length, int(state.step.numpy()), config)
    if classifier.kind is TaskKind.MULTILABEL:
        found = thresholds.read(config.output_dir, classifier.labels, classifier.step)
        if found.why_half:
            LOGGER.info("note: every threshold is exported as 0.5: %s", found.why_half)
        classifier = dataclasses.replace(classifier, thresholds=found.values)
    known = facts.gather(trained_folder(config, prepared.start.prefix), classifier)
    export(os.path.join(config.output_dir, outputs.EXPORT), classifier, chosen(config), known)


def export(target: str, classifier: Classifier, formats: Sequence[str], known: Facts) -> None:
    """Writes a classifier in these formats, with labels, vocabulary and model card.

    Args:
        target: the folder to be made, or to be replaced when all is there.
        formats: names in formats.FORMATS; what they need is installed.

    Raises:
        UserError: a format cannot hold the model, or answers otherwise than the model.
    """
    table = comparison.made_up(classifier.bert_config, classifier.max_seq_length,
                               label_type(classifier.labels))
    own, files = comparison.expected(classifier, table), []
    with whole(target) as made:
        for name in formats:
            module = _MODULES[name]
            module.write(classifier, made)
            difference = comparison.largest_difference(classifier, table, own, module.answers, made)
            files.append(card.File(FORMATS[name], _READERS[name],
                                   _size(os.path.join(made, FORMATS[name])), difference))
            LOGGER.info("export: %s, %.1f MB; largest difference from the model's own answers "
                        "%.1e", FORMATS[name], files[-1].size / 1e6, difference)
        _write_beside(classifier, known, files, formats, made)


def _write_beside(classifier: Classifier, known: Facts, files: list[card.File],
                  formats: Sequence[str], folder: str) -> None:
    """Writes vocabulary, labels and cards; transformers' folder, often sent alone, has its own."""
    with open(os.path.join(folder, outputs.VOCABULARY), "wb") as file:
        file.write(classifier.vocabulary)
    if not classifier.is_regression:
        outputs.write_text(os.path.join(folder, outputs.LABELS), classifier.labels_text())
    if classifier.kind is TaskKind.MULTILABEL:
        thresholds.write_plain(folder, classifier.labels, classifier.thresholds)
    packages = [one for name in formats for one in PACKAGES.get(name, ())]
    versions = {**summary.versions(), **{one: importlib.metadata.version(one) for one in packages}}
    outputs.write_text(os.path.join(folder, CARD), card.text(classifier, known, files, versions))
    for file in files:
        if file.name == FORMATS["huggingface"]:
            outputs.write_text(os.path.join(folder, file.name, CARD), card.text(
                classifier, known, [file], versions, "transformers"))


def _size(path: str) -> int:
    if os.path.isfile(path):
        return os.path.getsize(path)
    return sum(os.path.getsize(os.path.join(folder, name))
               for folder, _, names in os.walk(path) for name in names)


@contextlib.contextmanager
def whole(target: str) -> Iterator[str]:
    """Gives a local folder to write into, which takes the place of `target` if no exception comes.

    A folder elsewhere (gs://) cannot be renamed: it is copied file by file, the card last.
    """
    if "://" in target:
        with tempfile.TemporaryDirectory(prefix="export-") as made:
            yield made
            _upload(made, target)
        return
    parent, name = os.path.split(os.path.abspath(target))
    made, before = (os.path.join(parent, f".writing-{name}{part}") for part in ("", "-before"))
    if os.path.isdir(before) and not os.path.isdir(target):  # killed between the two renames
        os.rename(before, target)
    for left in (made, before):  # by a run that was killed
        shutil.rmtree(left, ignore_errors=True)
    os.makedirs(made)
    try:
        yield made
        if os.path.isdir(target):
            os.rename(target, before)
        os.rename(made, target)
    except BaseException:
        if os.path.isdir(before) and not os.path.isdir(target):
            os.rename(before, target)
        raise
    finally:
        for left in (made, before):
            shutil.rmtree(left, ignore_errors=True)


def _upload(folder: str, target: str) -> None:
    if tf.io.gfile.exists(target):
        tf.io.gfile.rmtree(target)
    paths = [os.path.join(above, name) for above, _, names in os.walk(folder) for name in names]
    for path in sorted(paths, key=lambda path: (path == os.path.join(folder, CARD), path)):
        there = f"{target}/{os.path.relpath(path, folder)}"
        tf.io.gfile.makedirs(os.path.dirname(there))
        tf.io.gfile.copy(path, there)
