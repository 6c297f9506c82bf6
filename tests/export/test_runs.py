"""--do_export in whole runs: after training, alone, of what was trained elsewhere."""

import dataclasses
import hashlib
import json
import shutil

import numpy as np
import pytest
import tensorflow as tf
import yaml

from finetune.checkpoints import checkpoint
from finetune.export import card as model_card
from finetune.export import facts, saved_model
from finetune.export.formats import FORMATS
from tests.conftest import TEXTS
from tests.export.conftest import nothing_known

LABELS = ["bug", "feature", "question"]
SMALL = ["--max_seq_length=16", "--train_batch_size=5", "--learning_rate=1e-3",
         "--num_train_epochs=1"]


@pytest.fixture(scope="module")
def trained(tiny, tmp_path_factory):
    """Folder of a run that trained, scored and exported in all formats that need no package."""
    import run_classifier_custom

    folder = tmp_path_factory.mktemp("trained")
    rows = [f"{text}\t{label}" for label, texts in TEXTS.items() for text in texts]
    for name in ("train", "dev"):
        (folder / f"{name}.tsv").write_text("\n".join(["text\tlabel", *rows]) + "\n")
    assert run_classifier_custom.main([
        f"--data_dir={folder}", f"--init_checkpoint={tiny}", *SMALL, "--do_train", "--do_eval",
        "--do_export", f"--output_dir={folder / 'run'}"]) == 0
    return folder


def card(folder):
    text = (folder / "export" / "README.md").read_text(encoding="utf-8")
    _, front, body = text.split("---\n", 2)
    return yaml.safe_load(front), body


def section(body, heading):
    return body.split(f"\n## {heading}\n")[1].split("\n## ")[0].strip()


def test_a_run_exports_what_it_trained(trained):
    folder = trained / "run" / "export"
    assert {path.name for path in folder.iterdir()} == {
        "saved_model", "model.tflite", "huggingface", "labels.txt", "vocab.txt", "README.md"}
    assert (folder / "labels.txt").read_text().split() == LABELS
    for name in ("vocab.txt", "labels.txt"):
        assert ((folder / "saved_model" / "assets" / name).read_bytes()
                == (folder / name).read_bytes() == (trained / "run" / name).read_bytes())
    assert not list((trained / "run").glob(".writing*"))


def test_the_optimizer_s_tensors_never_travel(trained):
    prefix = checkpoint.latest(str(trained / "run"))
    names = list(checkpoint.shapes(prefix))
    values = checkpoint.read(prefix, names)
    contents = {path: path.read_bytes() for path in (trained / "run" / "export").rglob("*")
                if path.is_file()}
    slots = [name for name in names if name.endswith(("/adam_m", "/adam_v")) and values[name].any()]
    assert len(slots) > 60
    for name in slots:
        for form in (values[name], values[name].T):  # TFLite and PyTorch turn kernels over
            needle = np.ascontiguousarray(form).tobytes()
            assert not any(needle in content for content in contents.values()), name
    weight = values["bert/encoder/layer_0/output/dense/kernel"]  # the search can find something
    found = [path.name for path, content in contents.items() if weight.tobytes() in content
             or np.ascontiguousarray(weight.T).tobytes() in content]
    assert sorted(found) == ["model.safetensors", "model.tflite", "variables.data-00000-of-00001"]
    assert not [path for path, content in contents.items() if b"adam_" in content]


def test_the_card_tells_what_the_run_knows(trained):
    front, body = card(trained / "run")
    assert front == {"pipeline_tag": "text-classification",
                     "tags": ["bert", "text-classification", "google-research-bert"],
                     "metrics": ["accuracy", "f1", "matthews_correlation"]}
    assert body.startswith("\n# run\n")
    rows = section(body, "Answers").splitlines()
    assert rows[2:] == [f"| {number} | {label} | 5 (33.3%) | 5 (33.3%) |"
                        for number, label in enumerate(LABELS)]
    runs = json.loads((trained / "run" / "runs.json").read_text())
    data = section(body, "Data")
    for split in ("train", "dev"):
        told = runs[0]["data"][split]
        path = told["path"].replace("_", "\\_")
        assert f"| {split} | {path} | 15 | 0 | `{told['sha256']}` |" in data
    training = section(body, "Training")
    for part in (f"`{runs[0]['start']}`", runs[0]["started"], runs[0]["device"],
                 f"tensorflow {tf.__version__}", "`learning_rate=0.001`", "`seed=42`",
                 "`warmup_proportion=0.1`", "; all others at their defaults."):
        assert part in training, part
    scores = dict(line.split(" = ") for line in
                  (trained / "run" / "eval_results.txt").read_text().splitlines())
    told = section(body, "Scores on dev")
    for name, shown in (("eval_accuracy", "accuracy"), ("f1_macro", "f1_macro"), ("mcc", "mcc")):
        assert f"| {shown} | {scores[name]} |" in told
    for line in (trained / "run" / "confusion_matrix.tsv").read_text().splitlines()[1:]:
        assert "| " + " | ".join(line.split("\t")) + " |" in told
    assert runs[0]["command"] in section(body, "The same again")
    uses = section(body, "Intended use and limits")
    for name in ("Intended use", "Languages", "Licence", "Bias and risks"):
        assert f"{name}: not stated." in uses
    assert "`do_lower_case=True`" in body and "At most 16 tokens" in body
    assert "on single texts" in body


def test_the_folder_of_transformers_has_a_card_of_its_own(trained):
    text = (trained / "run/export/huggingface/README.md").read_text()
    assert yaml.safe_load(text.split("---\n")[1])["library_name"] == "transformers"
    files = section(text, "Files")
    assert "`huggingface`" in files and "saved_model" not in files


def test_alone_it_needs_no_data_and_no_flags_of_the_training(trained, main, tmp_path):
    folder = shutil.copytree(trained / "run", tmp_path / "run")
    for name in ("train.tf_record", "eval.tf_record"):
        (folder / name).unlink()
    before = (folder / "run_config.json").read_bytes()
    status, said = main("--do_export", "--export_formats=saved_model", f"--output_dir={folder}")
    assert status == 0, said
    assert "was 16 when the checkpoint was trained" not in said
    assert "export/saved_model" not in said and "export: saved_model, " in said
    assert {path.name for path in (folder / "export").iterdir()} == {
        "saved_model", "labels.txt", "vocab.txt", "README.md"}  # the one before is gone
    _, body = card(folder)
    assert "At most 16 tokens" in body and "rows in dev |" in body
    assert "| 0 | bug | not stated | not stated |" in body  # the records were deleted
    assert (folder / "run_config.json").read_bytes() == before
    assert len(json.loads((folder / "runs.json").read_text())) == 2
    assert "--do_train" in section(body, "The same again")


def test_what_was_trained_elsewhere(trained, main, tmp_path):
    status, said = main("--do_export", "--export_formats=saved_model", f"--init_checkpoint="
                        f"{trained / 'run'}", f"--output_dir={tmp_path / 'new'}")
    assert status == 0, said
    _, body = card(tmp_path / "new")
    assert "At most 16 tokens" in body and "| 0 | bug | 5 (33.3%) |" in body
    assert "# run\n" in body


def test_the_answers_are_those_of_predictions_tsv(trained, main, tmp_path):
    from finetune.tokenization import Tokenizer

    folder = shutil.copytree(trained / "run", tmp_path / "run")
    shutil.copy(trained / "dev.tsv", tmp_path / "test.tsv")
    status, said = main("--do_predict", "--do_export", "--export_formats=saved_model",
                        f"--data_dir={tmp_path}", *SMALL, f"--output_dir={folder}")
    assert status == 0, said
    lines = [line.split("\t") for line in (folder / "predictions.tsv").read_text().splitlines()]
    ids = Tokenizer(str(folder / "vocab.txt"), True).encode(
        [text for texts in TEXTS.values() for text in texts])
    rows = [[3, *row[:14], 4] for row in ids]  # [CLS] and [SEP] of tests/conftest.py
    width = max(map(len, rows))
    batch = {"input_ids": [row + [0] * (width - len(row)) for row in rows],
             "input_mask": [[1] * len(row) + [0] * (width - len(row)) for row in rows]}
    batch = {name: np.array(value, np.int32) for name, value in batch.items()}
    batch["segment_ids"] = np.zeros_like(batch["input_ids"])
    loaded = tf.saved_model.load(str(folder / "export" / "saved_model"))
    given = loaded.signatures[saved_model.SIGNATURE](
        **{name: tf.constant(value) for name, value in batch.items()})
    np.testing.assert_allclose(given["probabilities"], np.array(
        [line[3:] for line in lines[1:]], float), atol=2e-6)
    assert [LABELS[row] for row in given["label_ids"]] == [line[1] for line in lines[1:]]


def test_a_cased_regression_of_pairs(tiny_cased, main, tmp_path):
    rows = [f"The app {word}\tSave {word}\t{number / 4}" for number, word in
            enumerate(("crashes", "fails", "is new", "is broken", "can save"))]
    for name in ("train", "dev"):
        (tmp_path / f"{name}.tsv").write_text("\n".join(["text\tother\tlabel", *rows]) + "\n")
    status, said = main(
        f"--data_dir={tmp_path}", f"--init_checkpoint={tiny_cased}", "--do_lower_case=false",
        "--task_type=regression", "--text_b_column=other", "--do_train", "--do_eval", *SMALL,
        f"--output_dir={tmp_path / 'run'}")
    assert status == 0, said
    status, said = main("--do_export", "--export_formats=saved_model,huggingface",
                        f"--output_dir={tmp_path / 'run'}")  # the casing is the training's
    assert status == 0, said
    folder = tmp_path / "run" / "export"
    assert not (folder / "labels.txt").exists()
    settings = json.loads((folder / "huggingface" / "tokenizer_config.json").read_text())
    assert settings["do_lower_case"] is False
    loaded = tf.saved_model.load(str(folder / "saved_model"))
    assert list(loaded.signatures["serving_default"].structured_outputs) == ["scores"]
    front, body = card(tmp_path / "run")
    assert "text-regression" in front["tags"] and "pearsonr" in front["metrics"]
    assert "| train | 0 | 1 | 0.5 |" in section(body, "Answers")
    assert "pairs of texts" in body and "`text_b_column=other`" in body and "(cased)" in body


def test_what_nobody_knows_is_not_stated(trained, main, tmp_path):
    bare = tmp_path / "bare"
    bare.mkdir()
    prefix = checkpoint.latest(str(trained / "run"))
    names = [name for name in checkpoint.shapes(prefix) if "adam" not in name]
    checkpoint.save(str(bare / "model.ckpt"), checkpoint.read(prefix, names))
    for name in ("vocab.txt", "bert_config.json"):
        shutil.copy(trained / "run" / name, bare)
    labels = "a|b,<b>c</b>,d_e*f*[g](h)"
    status, said = main("--do_export", "--export_formats=saved_model", f"--labels={labels}",
                        f"--init_checkpoint={bare / 'model.ckpt'}", "--max_seq_length=20",
                        f"--output_dir={tmp_path / 'out'}")
    assert status == 0, said
    front, body = card(tmp_path / "out")
    assert "metrics" not in front
    assert "| 0 | a&#124;b | not stated | not stated |" in body
    assert "&lt;b>c&lt;/b>" in body and "d\\_e&#42;f&#42;&#91;g](h)" in body
    assert "| train | not stated | not stated | not stated | not stated |" in body
    for part in ("Base model: not stated.", "Started: not stated", "Flags: not stated.",
                 "Not stated: the dev split was not scored.",
                 "The command that trained it: not stated."):
        assert part in body, part


def test_scores_of_other_weights_are_not_told(trained, main, tmp_path):
    folder = shutil.copytree(trained / "run", tmp_path / "run")
    results = folder / "eval_results.txt"
    results.write_text(results.read_text().replace("global_step = 3", "global_step = 2"))
    status, said = main("--do_export", "--export_formats=saved_model", f"--output_dir={folder}")
    assert status == 0, said
    front, body = card(folder)
    assert "metrics" not in front
    assert section(body, "Scores on dev") == ("Not stated: `eval_results.txt` is of step 2, and "
                                              "the export of step 3.")


def test_a_later_check_of_other_data_is_not_the_training(trained, main, tmp_path):
    folder, data = shutil.copytree(trained / "run", tmp_path / "run"), tmp_path / "data"
    data.mkdir()
    (data / "train.tsv").write_text((trained / "train.tsv").read_text() + "one more\tbug\n")
    before = card(folder)[1]
    status, said = main(f"--data_dir={data}", f"--init_checkpoint={trained / 'run'}", *SMALL,
                        "--do_check", f"--output_dir={folder}")
    assert status == 0, said
    status, said = main("--do_export", "--export_formats=saved_model", f"--output_dir={folder}")
    assert status == 0, said
    body = card(folder)[1]
    for heading in ("Training", "The same again"):
        assert section(body, heading) == section(before, heading)
    line = section(before, "Data").splitlines()[2]
    assert line.startswith(f"| train | {trained}/train.tsv | 15 | 0 | `")
    assert section(body, "Data").splitlines()[2] == line.replace("| 15 | 0 |", (
        "| not stated | not stated |"))  # whose records are gone
    assert "| 0 | bug | not stated | 5 (33.3%) |" in body


def test_damaged_notes_are_not_told(trained, make_classifier, tmp_path):
    folder = shutil.copytree(trained / "run", tmp_path / "run")
    results = folder / "eval_results.txt"
    results.write_text(results.read_text().replace("global_step = 3", "global_step = x"))
    (folder / "train.tf_record.json").write_text('{"records": 15}')
    known = facts.gather(str(folder), make_classifier())
    assert known.scores is None and known.scored_step is None
    assert known.splits["train"].counts is None and known.splits["dev"].counts


def test_the_calibration_is_that_of_the_weights_exported(make_classifier, tmp_path):
    for name in ("model.ckpt-7", "model.ckpt-averaged-7"):
        (tmp_path / f"{name}.index").write_text(name)
        (tmp_path / "calibration.json").write_text(json.dumps({
            "temperature": 2, "threshold": None,
            "index_sha256": hashlib.sha256(name.encode()).hexdigest()}))
        known = facts.gather(str(tmp_path), make_classifier())
        assert known.calibration["temperature"] == 2
    (tmp_path / "model.ckpt-averaged-7.index").write_text("other weights")
    assert facts.gather(str(tmp_path), make_classifier()).calibration == {}


def test_a_label_without_rows_in_dev_is_not_called_the_worst(make_classifier):
    scores = {"recall[bug]": "0.5", "support[bug]": "4", "recall[feature]": "0.75",
              "support[feature]": "4", "recall[question]": "0", "support[question]": "0"}
    known = dataclasses.replace(nothing_known("run"), scores=scores)
    assert ("*   The label that is found least often on dev is bug: 50.0% of its rows."
            in model_card.text(make_classifier(), known, [], {}))


def test_a_folder_without_a_classifier(main, tiny, tmp_path):
    status, said = main("--do_export", f"--output_dir={tmp_path / 'out'}",
                        f"--init_checkpoint={tiny}", "--max_seq_length=16")
    assert status == 2 and "has no trained head (output_weights)" in said
    assert not (tmp_path / "out").exists()


def test_overwriting_a_folder_deletes_its_export(trained, main, tmp_path):
    folder = shutil.copytree(trained / "run", tmp_path / "run")
    status, said = main(f"--data_dir={trained}", f"--init_checkpoint={trained / 'run'}", *SMALL,
                        "--do_train", "--overwrite_output_dir", f"--output_dir={folder}")
    assert status == 0, said
    assert not (folder / "export").exists()


def test_every_format_has_a_reader_in_the_card():
    from finetune.export import exporter

    assert set(exporter._MODULES) == set(exporter._READERS) == set(FORMATS)
