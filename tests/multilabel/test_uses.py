"""What is made of a multi-label model: answers in Python, pipe and service, export, check."""

import importlib.util
import json
import shutil

import numpy as np
import pytest

from finetune import Predictor, bound_labels
from finetune.answers import as_records
from finetune.task_kind import TaskKind
from tests.end_to_end.conftest import results, table
from tests.multilabel.conftest import LABELS, ROWS


@pytest.fixture(scope="module")
def model(trained):
    return Predictor(trained)


def test_lists_of_labels(model, trained):
    texts = [ROWS[number][0] for number in (0, 1, 2, 16, 20)]
    assert (model.kind, model.labels) == (TaskKind.MULTILABEL, LABELS)
    assert model.thresholds == list(json.loads(
        (trained / "thresholds.json").read_text())["thresholds"].values())
    expected = [row[1].split(",") if row[1] else []
                for row in table(trained / "predictions.tsv")[1:]]
    assert model.predict(texts) == expected
    assert model.predict(texts[0]) == expected[0]
    np.testing.assert_array_equal(
        model.predict_proba(texts), np.array(table(trained / "test_results.tsv"), np.float32))


def test_thresholds_may_be_set(model, monkeypatch):
    monkeypatch.setattr(model, "thresholds", [0, 0, 0])
    assert model.predict("the page") == LABELS
    monkeypatch.setattr(model, "thresholds", [1, 1, 1])
    assert model.predict("the page") == []


def test_records(model):
    answers = np.array([[.25, .75, .5]], np.float32)
    assert as_records(model.labels, answers, [.5, .5, .5]) == [
        {"labels": ["feature", "question"],
         "probabilities": {"bug": .25, "feature": .75, "question": .5}}]


def test_a_pipe(trained, capfd, monkeypatch):
    import io
    import os

    from scripts import predict

    reading, writing = os.pipe()
    os.write(writing, ROWS[0][0].encode() + b"\n")
    os.close(writing)
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(os.fdopen(reading, "rb")))
    options = predict._parser().parse_args([str(trained), "--header"])
    predict.answer(options)
    expected = [row[1:] for row in table(trained / "predictions.tsv")[:2]]
    lines = [line.split("\t") for line in capfd.readouterr().out.splitlines()[-2:]]
    assert lines[0] == expected[0] and lines[1][0] == expected[1][0]
    np.testing.assert_allclose(*(np.array(one[1][1:], float) for one in (lines, expected)),
                               atol=2e-6)


@pytest.mark.skipif(not importlib.util.find_spec("fastapi"), reason="fastapi is not installed")
def test_a_service(model):
    from starlette.testclient import TestClient

    from finetune.serving.app import create_app
    from finetune.serving.limits import Limits

    with TestClient(create_app(model, Limits())) as client:
        about = client.get("/v1/model").json()
        assert (about["kind"], about["thresholds"]) == (
            "multilabel", dict(zip(LABELS, model.thresholds, strict=True)))
        answer = client.post("/v1/predict", json={"texts": [ROWS[0][0]]}).json()["predictions"]
        assert answer[0]["labels"] == model.predict(ROWS[0][0])
        assert set(answer[0]["probabilities"]) == set(LABELS)
        described = client.get("/openapi.json").json()["components"]["schemas"]
        assert "labels" in described["Labelled"]["properties"]


def test_explanations_are_of_one_label(model):
    found = model.explain(ROWS[0][0])
    top = LABELS[int(model.predict_proba(ROWS[0][0]).argmax())]
    assert (found.prediction, found.label) == (top, top)
    assert found.confidence == pytest.approx(1 / (1 + np.exp(-found.logit)), abs=1e-5)
    assert model.explain(ROWS[0][0], "question").label == "question"


def test_export(trained, tmp_path, main):
    """Every format's own reader answers as the model does: the exporter compares."""
    formats = "saved_model,tflite,huggingface" + ",onnx" * bool(
        importlib.util.find_spec("onnx") and importlib.util.find_spec("onnxruntime"))
    out = tmp_path / "out"
    status, error = main("--do_export", f"--export_formats={formats}",
                         f"--init_checkpoint={trained}", f"--output_dir={out}")
    assert status == 0, error
    made = out / "export"
    thresholds = json.loads((trained / "thresholds.json").read_text())["thresholds"]
    assert json.loads((made / "thresholds.json").read_text()) == {"thresholds": thresholds}
    config = json.loads((made / "huggingface" / "config.json").read_text())
    assert config["problem_type"] == "multi_label_classification"
    card = (made / "README.md").read_text()
    assert "any number of 3 labels" in card and "| f1_micro | " in card
    assert f"| 0 | bug | 10 (45.5%) | 10 (45.5%) | {thresholds['bug']:.4g} |" in card
    assert "confusion" not in card.lower()
    from finetune.sources import from_huggingface
    from_huggingface.convert(str(made / "huggingface"), str(tmp_path / "back"))
    assert bound_labels.read(str(tmp_path / "back")).kind is TaskKind.MULTILABEL
    back = Predictor(tmp_path / "back")
    assert (back.kind, back.thresholds) == (TaskKind.MULTILABEL, [0.5] * 3)


def test_a_stripped_copy_answers_alike(model, trained, tmp_path):
    from finetune.sources import strip

    strip.strip(str(trained), str(tmp_path / "small"))
    copy = Predictor(tmp_path / "small")
    assert copy.thresholds == model.thresholds
    assert copy.predict([row[0] for row in ROWS]) == model.predict([row[0] for row in ROWS])


def test_check_counts_labels_and_what_goes_together(trained):
    found = {(one["check"], one["split"]): one for one in
             json.loads((trained / "data_check.json").read_text())["findings"]}
    about = found["label_sets", "train"]
    assert about["details"]["labels"] == {"bug": 10, "feature": 5, "question": 10}
    assert about["details"]["together"] == [["bug", "question", 5]]
    assert (about["details"]["none"], about["details"]["implied"]) == (2, [])
    text = (trained / "data_check.txt").read_text()
    assert "1.14 labels a row, in 5 different" in " ".join(text.split())


def test_check_finds_what_is_wrong(tmp_path, tiny, main):
    rows = [("the app", "b, a"), ("the page", "a"), ("a file", "b,a"), ("open it", "a, b"),
            ("it fails", "a,b"), ("a mode", "b,a"), ("the app", "c")]
    dev = [("a page", "d"), ("save", "a"), ("the app", "a")]
    for name, some in (("train", rows), ("dev", dev)):
        (tmp_path / f"{name}.tsv").write_text("text\tlabel\n" + "".join(
            f"{text}\t{label}\n" for text, label in some))
    status, error = main(f"--data_dir={tmp_path}", f"--init_checkpoint={tiny}", "--do_check",
                         "--task_type=multilabel", "--labels=a,b,c,d", "--max_seq_length=16",
                         "--train_batch_size=2", f"--output_dir={tmp_path / 'out'}")
    assert status == 0, error
    told = " ".join((tmp_path / "out" / "data_check.txt").read_text().split())
    for one in ("every row with 'b' has 'a' too", "'c' (1 row): too few rows", "'d' has no row",
                "labels that no training row has: 'd' (1 row)",
                "share 1 text with different labels", "; 1 with another label"):
        assert one in told, one


def test_the_baseline_is_scored_alike(trained):
    lines = (trained / "baseline_results.txt").read_text().splitlines()
    found = dict(line.split(" = ") for line in lines)
    assert list(found) == [name for name in results(trained) if name != "global_step"]
    assert float(found["f1_micro"]) > 0.9  # dev rows are those of training
    assert 0 < float(found["eval_loss"]) < 0.4


def test_a_folder_without_names_is_refused(trained, tmp_path):
    from finetune.errors import UserError

    copied = shutil.copytree(trained, tmp_path / "copied")
    (copied / "thresholds.json").write_text('{"thresholds": {"bug": 0.5}}')
    with pytest.raises(UserError, match="thresholds must give each of the labels"):
        Predictor(copied)
