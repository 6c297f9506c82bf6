"""finetune/export: every format answers as the model does, alone, and holds the weights alone."""

import json
import os
import subprocess
import sys

import numpy as np
import pytest
import safetensors
import tensorflow as tf

from finetune.config import RunConfig
from finetune.errors import UserError
from finetune.export import comparison, exporter, onnx_graph, saved_model, tflite
from finetune.export.formats import DEFAULT, FORMATS, PACKAGES
from tests.export.conftest import nothing_known

MODULES = {"saved_model": saved_model, "tflite": tflite, "onnx": onnx_graph}


def own_answers(classifier):
    table = comparison.made_up(classifier.bert_config, classifier.max_seq_length, np.int32)
    return table, comparison.expected(classifier, table)


def files(folder):
    return {str(path.relative_to(folder)): path.read_bytes()
            for path in sorted(folder.rglob("*")) if path.is_file()}


@pytest.mark.parametrize("name", MODULES)
def test_padding_and_its_content_change_nothing(name, exported):
    classifier, folder = exported
    table, own = own_answers(classifier)
    assert np.ptp(own, axis=0).min() > 0.1  # answers that are all alike would tell nothing
    batch = comparison.batches(table)[0]
    wider = {key: np.pad(value, ((0, 0), (0, 9))) for key, value in batch.items()}
    padding = wider["input_mask"] == 0
    wider["input_ids"][padding], wider["segment_ids"][padding] = 5, 1
    for given in MODULES[name].answers(classifier, str(folder), [wider, batch]):
        np.testing.assert_allclose(given.reshape(own.shape), own, rtol=0,
                                   atol=1e-5 * max(1, np.abs(own).max()))


@pytest.mark.parametrize("name", MODULES)
def test_the_mask_counts_wherever_it_stands(name, exported):
    classifier, folder = exported
    batch = comparison.batches(own_answers(classifier)[0])[0]
    longest = {key: value[-1:].copy() for key, value in batch.items()}
    holes = {key: value.copy() for key, value in longest.items()}
    holes["input_mask"][0, 3:6] = 0
    other = {key: value.copy() for key, value in holes.items()}
    other["input_ids"][0, 3:6] = 9
    first, second, third = MODULES[name].answers(classifier, str(folder), [longest, holes, other])
    np.testing.assert_allclose(second, third, rtol=0, atol=1e-5)
    assert np.abs(first - second).max() > 1e-3


@pytest.mark.parametrize("act", ["relu", "tanh", "linear"])
def test_other_activations_in_onnx(act, make_classifier, tmp_path):
    pytest.importorskip("onnxruntime")
    classifier = make_classifier(hidden_act=act, type_vocab_size=1)
    onnx_graph.write(classifier, str(tmp_path))
    table, own = own_answers(classifier)
    assert comparison.largest_difference(classifier, table, own, onnx_graph.answers,
                                         str(tmp_path)) < 1e-5


def test_all_outputs_of_onnx_are_those_of_the_saved_model(exported):
    import onnxruntime

    classifier, folder = exported
    batch = comparison.batches(own_answers(classifier)[0])[0]
    session = onnxruntime.InferenceSession(str(folder / "model.onnx"))
    theirs = dict(zip([one.name for one in session.get_outputs()], session.run(None, batch),
                      strict=True))
    loaded = tf.saved_model.load(str(folder / "saved_model"))
    ours = loaded.signatures["serving_default"](**{
        name: tf.constant(value) for name, value in batch.items()})
    assert set(theirs) == set(ours)
    for name, value in ours.items():
        assert (value.dtype.as_numpy_dtype, value.shape) == (theirs[name].dtype,
                                                             theirs[name].shape), name
        np.testing.assert_allclose(theirs[name], value, atol=1e-4)
    properties = session.get_modelmeta().custom_metadata_map
    assert json.loads(properties["labels"]) == classifier.labels
    assert (properties["do_lower_case"], properties["max_seq_length"]) == ("true", "24")


ALONE = """
import json, sys
import numpy as np, tensorflow as tf
folder, inputs = sys.argv[1], json.loads(sys.argv[2])
model = tf.saved_model.load(folder)
answers = model.signatures["serving_default"](
    **{name: tf.constant(value, tf.int32) for name, value in inputs.items()})
print(json.dumps({
    "answers": {name: value.numpy().tolist() for name, value in answers.items()},
    "vocabulary": open(model.vocabulary.asset_path.numpy(), encoding="utf-8").read(),
    "labels": open(model.labels.asset_path.numpy(), encoding="utf-8").read(),
    "ours": [name for name in sys.modules if name.split(".")[0] in ("finetune", "bert")]}))
"""


@pytest.mark.slow
def test_the_saved_model_needs_nothing_of_ours(make_classifier, tmp_path):
    classifier = make_classifier()
    exporter.export(str(tmp_path / "export"), classifier, ("saved_model",),
                    nothing_known(tmp_path / "export"))
    moved = tmp_path / "elsewhere"  # nothing may point to where it was made
    os.rename(tmp_path / "export" / "saved_model", moved)
    table, own = own_answers(classifier)
    batch = {name: value.tolist() for name, value in comparison.batches(table)[0].items()}
    done = subprocess.run([sys.executable, "-I", "-c", ALONE, str(moved), json.dumps(batch)],
                          cwd=tmp_path, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    assert "custom gradient" not in done.stderr
    said = json.loads(done.stdout)
    np.testing.assert_allclose(said["answers"]["probabilities"], own, rtol=0, atol=1e-6)
    assert said["answers"]["label_ids"] == own.argmax(1).tolist()
    assert said["labels"] == "bug\nfeature\nquestion\n"
    assert said["vocabulary"].encode() == classifier.vocabulary
    assert said["ours"] == []


def test_too_long_an_input_is_told(exported):
    classifier, folder = exported
    loaded = tf.saved_model.load(str(folder / "saved_model")).signatures["serving_default"]
    inputs = dict.fromkeys(comparison.INPUTS, tf.ones([1, 41], tf.int32))
    told = pytest.raises(tf.errors.InvalidArgumentError, match="the model has positions for 40 tok")
    for _ in range(30):      # Always, though the graph's nodes run side by side.
        with told:
            loaded(**inputs)


def test_the_weights_and_nothing_else_are_in_the_files(exported):
    import onnx

    classifier, folder = exported
    size = sum(value.nbytes for value in classifier.weights.values())
    variables = tf.train.load_checkpoint(str(folder / "saved_model/variables/variables"))
    held = {name.removesuffix("/.ATTRIBUTES/VARIABLE_VALUE").removeprefix("weights/")
            .replace(".S", "/"): shape
            for name, shape in variables.get_variable_to_shape_map().items()
            if name != "_CHECKPOINTABLE_OBJECT_GRAPH"}
    assert held == {name: list(value.shape) for name, value in classifier.weights.items()}
    constants = {one.name for one in onnx.load(folder / "model.onnx").graph.initializer}
    assert set(classifier.weights) == {name for name in constants
                                       if not name.startswith(("number ", "integers "))}
    with safetensors.safe_open(folder / "huggingface/model.safetensors", "np") as file:
        assert len(list(file.keys())) == len(classifier.weights)
    for name in ("model.onnx", "model.tflite", "huggingface/model.safetensors",
                 "saved_model/variables/variables.data-00000-of-00001"):
        assert size <= (folder / name).stat().st_size < size + 30_000, name


@pytest.mark.parametrize("exported", ["regression"], indirect=True)
def test_the_same_classifier_gives_the_same_bytes(exported, tmp_path):
    classifier, folder = exported
    exporter.export(str(tmp_path / "export"), classifier, tuple(FORMATS),
                    nothing_known(tmp_path / "export"))
    first, second = files(folder), files(tmp_path / "export")
    assert first.keys() == second.keys()
    # TensorFlow numbers functions by process, and draws a number for the fingerprint.
    assert {name for name in first if first[name] != second[name]} <= {
        "saved_model/saved_model.pb", "saved_model/fingerprint.pb"}


def test_a_format_that_answers_otherwise_is_refused_and_nothing_changes(
        make_classifier, tmp_path, monkeypatch):
    pytest.importorskip("onnxruntime")
    target = tmp_path / "export"
    target.mkdir()
    (target / "README.md").write_text("an earlier export")
    monkeypatch.setattr(onnx_graph, "LAYER_NORM_EPSILON", 1e-2)
    with pytest.raises(UserError, match="what onnx_graph wrote answers otherwise than the model"):
        exporter.export(str(target), make_classifier(), ("saved_model", "onnx"),
                        nothing_known(target))
    assert files(tmp_path) == {"export/README.md": b"an earlier export"}
    assert os.listdir(tmp_path) == ["export"]


def test_answers_that_are_no_numbers_are_refused(make_classifier):
    classifier = make_classifier()
    table, own = own_answers(classifier)
    with pytest.raises(UserError, match="answers otherwise"):
        comparison.largest_difference(classifier, table, own, lambda *_: iter([own * np.nan]), "")


def test_an_export_takes_the_place_of_the_one_before(tmp_path):
    for text in ("one", "two"):
        with (exporter.whole(str(tmp_path / "export")) as made,
              open(os.path.join(made, text), "w") as file):
            file.write(text)
    assert files(tmp_path) == {"export/two": b"two"}


def test_what_a_killed_export_left_is_no_hindrance(tmp_path):
    (tmp_path / ".writing-export").mkdir()
    (tmp_path / ".writing-export" / "half").write_text("half")
    with exporter.whole(str(tmp_path / "export")) as made:
        assert os.listdir(made) == []
    assert os.listdir(tmp_path) == ["export"]


def test_an_export_killed_before_its_name_was_free_again_is_not_lost(tmp_path):
    (tmp_path / ".writing-export-before").mkdir()
    (tmp_path / ".writing-export-before" / "earlier").write_text("whole")
    with pytest.raises(UserError), exporter.whole(str(tmp_path / "export")):
        raise UserError("the next one fails")
    assert files(tmp_path) == {"export/earlier": b"whole"}


def test_elsewhere_the_card_is_written_last(tmp_path, monkeypatch):
    copied, copy = [], tf.io.gfile.copy
    monkeypatch.setattr(tf.io.gfile, "copy", lambda source, target, **options: (
        copied.append(target), copy(source, target, **options)))
    for _ in range(2):
        with exporter.whole("ram://test_formats/run/export") as made:
            os.mkdir(os.path.join(made, "within"))
            for name in ("README.md", "a", "within/z"):
                with open(os.path.join(made, name), "w") as file:
                    file.write(name)
        assert copied.pop().endswith("/export/README.md") and len(copied) == 2
        copied.clear()
    with tf.io.gfile.GFile("ram://test_formats/run/export/within/z") as file:
        assert file.read() == "within/z"


# ---- the flags


@pytest.mark.parametrize(("settings", "expected"), [
    ({"export_formats": ("onnx",), "do_export": False}, ["give --do_export too"]),
    ({"export_formats": ("pb", "tflite")}, [
        "--export_formats=pb,tflite: 'pb' is none: must be one of saved_model, tflite, onnx, "]),
    ({"engine": "original"}, ["--engine=original exports nothing; export its folder by "
                              "--do_export --output_dir=out"]),
    ({"sweep": "s.yaml", "do_train": True, "do_eval": True}, ["--sweep=s.yaml: export the run"])])
def test_what_does_not_go_together(settings, expected):
    found = RunConfig(**{"output_dir": "out", "do_export": True, **settings}).problems()
    assert len(found) == len(expected)
    for problem, part in zip(found, expected, strict=True):
        assert part in problem


def test_what_is_not_installed_is_told_before_the_run(monkeypatch):
    config = RunConfig(do_export=True, output_dir="out", export_formats=("onnx",))
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    assert config.problems() == [
        "--export_formats=onnx: onnx needs onnx and onnxruntime, which are not installed; "
        "scripts/setup.sh --export installs what it needs"]
    assert RunConfig(do_export=True, output_dir="out").problems() == []


def test_the_usual_formats_need_no_other_package():
    assert set(DEFAULT) == set(FORMATS) - set(PACKAGES)
    assert RunConfig(do_export=True, output_dir="out").missing() == []
    assert "--data_dir is required" in RunConfig(do_export=True, do_eval=True,
                                                 output_dir="out").missing()[0]
