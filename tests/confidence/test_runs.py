"""--calibrate and --min_precision in runs: what they write, and who uses it afterwards."""

import hashlib
import json
import re
import shutil
import types

import numpy as np
import pytest

from finetune import Predictor, outputs
from finetune.answers import as_records
from finetune.confidence import record, stage
from finetune.confidence.calibration import Calibration
from finetune.confidence.fitting import Fitted
from finetune.config import RunConfig
from finetune.errors import UserError
from finetune.export import card, facts
from finetune.options.long_texts import LongTexts
from finetune.task_kind import TaskKind
from scripts import predict
from tests.confidence.conftest import ROWS, TEMPERATURE
from tests.end_to_end.conftest import results, table
from tests.use.conftest import LABELS, Model, make_trained, serving


@pytest.fixture
def copied(calibrated, tmp_path):
    """A copy of the calibrated folder, to be changed."""
    return shutil.copytree(calibrated[0], tmp_path / "copied")


def content(folder):
    return json.loads((folder / "calibration.json").read_text())


def test_what_is_written(calibrated):
    folder, said = calibrated
    told = content(folder)
    index = (folder / "model.ckpt-7.index").read_bytes()
    assert {name: told[name] for name in ("checkpoint", "step", "index_sha256", "rows")} == {
        "checkpoint": "model.ckpt-7", "step": 7, "rows": ROWS,
        "index_sha256": hashlib.sha256(index).hexdigest()}
    assert told["temperature"] == pytest.approx(TEMPERATURE, rel=0.25)
    figures, counted = told["calibrate"], told["min_precision"]
    assert (figures["bins"], figures["folds"]) == (15, 5)
    for name in ("ece", "nll", "brier"):
        assert figures["cross_fitted"][name] < figures["before"][name]
    assert counted["reached"] and counted["precision"] >= 0.8
    assert counted["coverage"] == counted["answered"] / ROWS < 0.9
    assert counted["wilson_95"][0] < counted["precision"] < counted["wilson_95"][1]
    lines = results(folder)
    assert list(lines)[-12:] == [
        "temperature", *(f"{name}_{when}" for when in ("before", "after", "cross_fitted")
                         for name in ("ece", "nll", "brier")), "threshold", "answered_precision",
        "answered_coverage"][-12:]
    assert float(lines["nll_before"]) == pytest.approx(float(lines["eval_loss"]), rel=1e-5)
    assert float(lines["ece_after"]) == pytest.approx(figures["after"]["ece"], rel=1e-6)
    [line] = [line for line in said.splitlines() if "calibration: " in line]
    assert f"temperature {told['temperature']:.4f} from 400 rows of dev" in line
    assert f"({figures['cross_fitted']['ece']:.4f})" in line
    assert f"{counted['answered']} of 400 rows of dev" in said and "Wilson 95 %" in said


def test_predictions_are_calibrated_and_test_results_are_not(calibrated, rows):
    folder, said = calibrated
    told, raw = content(folder), Predictor(str(folder), calibrated=False).answers(rows[1])
    head, *lines = table(folder / "predictions.tsv")
    assert head == ["id", "prediction", "confidence", "answered", *LABELS]
    written = np.array([line[4:] for line in lines], float)
    expected = raw.astype(float) ** (1 / told["temperature"])
    np.testing.assert_allclose(written, expected / expected.sum(1, keepdims=True), atol=1e-6)
    assert [line[1] for line in lines] == [LABELS[top] for top in raw.argmax(1)]
    confidence = np.array([line[2] for line in lines], float)
    np.testing.assert_array_equal(confidence, written.max(1))
    answered = np.array([line[3] for line in lines])
    assert set(answered) == {"yes", "no"}
    assert confidence[answered == "yes"].min() >= told["threshold"] - 1e-6
    assert confidence[answered == "no"].max() <= told["threshold"]
    assert (answered == "yes").sum() == told["min_precision"]["answered"]  # test is dev here
    assert f"test: {(answered == 'yes').sum()} of 400 rows reach the threshold" in said
    np.testing.assert_array_equal(np.array(table(folder / "test_results.tsv"), np.float32), raw)


def test_from_the_folder_alone(calibrated, rows, main, tmp_path):
    folder, output = calibrated[0], tmp_path / "elsewhere"
    given = ["--do_predict", f"--data_dir={rows[0]}", f"--init_checkpoint={folder}",
             "--max_seq_length=16", f"--output_dir={output}"]
    status, said = main(*given)
    assert status == 0, said
    assert f"{folder / 'calibration.json'}: temperature" in said
    assert (output / "predictions.tsv").read_bytes() == (folder / "predictions.tsv").read_bytes()
    status, said = main(*given, "--nouse_calibration")
    assert status == 0 and "calibration.json" not in said
    head, *lines = table(output / "predictions.tsv")
    assert head == ["id", "prediction", "confidence", *LABELS]
    raw = np.array(table(output / "test_results.tsv"), np.float32)
    np.testing.assert_allclose(np.array([line[3:] for line in lines], float), raw, atol=5.1e-7)


def test_a_calibration_of_other_weights_is_not_used(copied, rows, main):
    from finetune.checkpoints import checkpoint

    names = list(checkpoint.shapes(str(copied / "model.ckpt-7")))
    values = checkpoint.read(str(copied / "model.ckpt-7"), names)
    checkpoint.save(str(copied / "model.ckpt-7"),  # the same name, the same step
                    {**values, "output_bias": values["output_bias"] + np.float32(0.5)})
    status, said = main("--do_predict", f"--data_dir={rows[0]}", "--max_seq_length=16",
                        f"--output_dir={copied}")
    assert status == 0, said
    stale = (f"note: {copied / 'calibration.json'} is of model.ckpt-7 (step 7) and not of the "
             f"weights used, {copied / 'model.ckpt-7'}: it is not used")
    assert stale in said
    assert "answered" not in table(copied / "predictions.tsv")[0]
    model = Predictor(str(copied))
    assert (model.temperature, model.threshold) == (1, None)
    np.testing.assert_array_equal(model.predict_proba(rows[1][:9]), model.answers(rows[1][:9]))


def test_a_calibration_of_texts_read_otherwise_is_not_used(copied, rows, main):
    path = copied / "calibration.json"
    told = content(copied)
    assert told["reading"] == {"max_seq_length": 16, "do_lower_case": True, "truncation": "head",
                               "window_stride": 0}
    status, said = main("--do_predict", f"--data_dir={rows[0]}", "--max_seq_length=12",
                        "--truncation=tail", f"--output_dir={copied}")
    assert status == 0, said
    assert (f"note: {path} was fitted with max_seq_length=16 (here 12), truncation=head (here "
            "tail): it is not used; read texts as then, or fit it anew") in said
    assert "answered" not in table(copied / "predictions.tsv")[0]
    for settings in ({"max_seq_length": 12}, {"window_stride": 4}, {"truncation": "tail"}):
        assert Predictor(copied, **settings).threshold is None
    assert Predictor(copied, window_pooling="max").threshold == told["threshold"]  # no windows
    del told["reading"]  # of an older run
    path.write_text(json.dumps(told))
    assert Predictor(copied, max_seq_length=12).threshold == told["threshold"]
    path.write_text(json.dumps({**told, "reading": 16}))
    with pytest.raises(UserError, match="reading is 16; must be how texts were read"):
        Predictor(copied)


def test_trained_calibrated_and_predicted_in_one_run(tiny, issues, main, tmp_path):
    status, said = main(
        f"--init_checkpoint={tiny}", f"--data_dir={issues}", f"--output_dir={tmp_path / 'o'}",
        "--max_seq_length=16", "--train_batch_size=5", "--num_train_epochs=1", "--do_train",
        "--do_eval", "--do_predict", "--calibrate")
    assert status == 0, said
    told = content(tmp_path / "o")
    assert (told["checkpoint"], told["step"], told["threshold"]) == ("model.ckpt-3", 3, None)
    assert f"temperature {told['temperature']:.4f}, no threshold" in said
    assert ("o holds eval_results.txt, confusion_matrix.tsv, report.html, calibration.json, pred"
            in said)
    assert "answered" not in table(tmp_path / "o" / "predictions.tsv")[0]
    path = str(tmp_path / "o" / "calibration.json")
    assert path in outputs.run_files(str(tmp_path / "o"))  # --overwrite_output_dir deletes it
    other = tmp_path / "o" / "model.ckpt-6"  # after more training
    other.with_suffix(".index").write_bytes(b"another index")
    found = record.look([str(tmp_path / "o")], str(other))
    assert found.calibration == Calibration() and found.path is None
    assert f"{path} is of model.ckpt-3 (step 3) and not of" in found.notices[0]


def test_a_python_program_abstains(calibrated, rows):
    folder, texts = calibrated[0], rows[1][:60]
    model, told = Predictor(str(folder)), content(folder)
    assert (model.temperature, model.threshold) == (told["temperature"], told["threshold"])
    calibrated_, labels = model.predict_proba(texts), model.predict(texts)
    assert calibrated_.dtype == np.float32 and None not in labels
    np.testing.assert_allclose(calibrated_.sum(1), 1, atol=1e-6)
    assert (np.abs(calibrated_ - model.answers(texts)) > 0.01).any()
    sure = calibrated_.max(1) >= model.threshold
    assert model.predict(texts, abstain=True) == [
        label if one else None for label, one in zip(labels, sure, strict=True)]
    assert 0 < sum(sure) < 60
    assert model.predict(texts[int(sure.argmin())], abstain=True) is None
    raw = Predictor(str(folder), calibrated=False)
    np.testing.assert_array_equal(raw.predict_proba(texts), raw.answers(texts))
    with pytest.raises(UserError, match="has no threshold to abstain by; --do_eval --min_precision"
                       ):
        raw.predict(texts, abstain=True)


def test_json_and_pipe_and_service_say_what_is_answered():
    answers = np.array([[0.8, 0.2], [0.4, 0.6]], np.float32)
    one = Calibration(2.0, 0.6)  # 2 : 1 and 0.449 : 0.551
    assert [(record["label"], round(record["confidence"], 3), record["answered"],
             list(record["probabilities"])) for record in as_records(["a", "b"], answers, one)] == [
        ("a", 0.667, True, ["a", "b"]), ("b", 0.551, False, ["a", "b"])]
    assert "answered" not in as_records(["a", "b"], answers, Calibration(2.0))[0]
    model = types.SimpleNamespace(labels=["a", "b"], kind=TaskKind.CLASSIFICATION,
                                  calibration=one, thresholds=0.5)
    assert list(predict._tsv(model, answers)) == [
        "a\t0.666667\tyes\t0.666667\t0.333333", "b\t0.550510\tno\t0.449490\t0.550510"]
    model = Model()
    model.calibration = one
    with serving(model) as (client, _):
        said = client.predict("aaaa", "b")  # 0.2 : 0.8 and 0.5 : 0.5
        assert [record["answered"] for record in said] == [True, False]
        about = client.ask("GET", "/v1/model")[1]
        assert (about["temperature"], about["threshold"]) == (2, 0.6)
        described = client.ask("GET", "/openapi.json")[1]["components"]["schemas"]
        assert "answered" in described["ClassifiedOrNot"]["required"]


def test_the_card_of_an_export_tells_it(calibrated):
    folder, told = str(calibrated[0]), content(calibrated[0])

    def known_to(step, length=16):
        return facts._calibration(folder, types.SimpleNamespace(
            step=step, max_seq_length=length, do_lower_case=True, long_texts=LongTexts()))

    assert known_to(7) == told and known_to(8) == {} and known_to(7, 12) == {}
    classifier = types.SimpleNamespace(is_regression=False, labels=[], max_seq_length=16,
                                       kind=TaskKind.CLASSIFICATION)
    known = types.SimpleNamespace(splits={"train": facts.Split()}, scores=None, calibration=told)
    text = "\n".join(card._use(classifier, known))
    assert f"Dividing the logits by the temperature {told['temperature']:.4f}" in text
    assert f"of {told['threshold']:.4f} or more" in text
    known.calibration = {}
    assert "temperature" not in "\n".join(card._use(classifier, known))
    known.calibration = {**told, "calibrate": {"before": 3}}  # altered by hand
    assert "Dividing" not in "\n".join(card._use(classifier, known))


def test_a_precision_out_of_reach_abstains_from_nothing(copied, rows, main, tmp_path):
    lines = (rows[0] / "dev.tsv").read_text().splitlines()
    head, *labelled = (line.split("\t") for line in lines)
    raw = Predictor(str(copied), calibrated=False).answers([one[1] for one in labelled])
    for one, answer in zip(labelled, raw, strict=True):  # every fourth row is right
        if int(one[0][1:]) % 4:
            one[2] = LABELS[answer.argmin()]
    surest = labelled[int(raw.max(1).argmax())]
    surest[2] = LABELS[raw[raw.max(1).argmax()].argmin()]
    (tmp_path / "dev.tsv").write_text("\n".join("\t".join(one) for one in [head, *labelled]) + "\n")
    shutil.copy(rows[0] / "test.tsv", tmp_path)
    status, said = main("--do_eval", "--do_predict", f"--data_dir={tmp_path}",
                        "--max_seq_length=16", f"--output_dir={copied}", "--min_precision=0.99")
    assert status == 0, said
    told = content(copied)
    assert told["threshold"] is None and not told["min_precision"]["reached"]
    assert "--min_precision=0.99 is reached by no threshold on dev; the nearest, " in said
    assert "There is no threshold then: every row is answered" in said
    assert "answered" not in table(copied / "predictions.tsv")[0]
    assert "threshold" not in results(copied)
    assert "calibration.json, of an earlier run, is replaced" in said  # with its temperature
    assert (told["temperature"], told["calibrate"]) == (1, None)


@pytest.mark.parametrize(("flags", "told"), [
    (["--do_predict", "--calibrate"], "--calibrate: is fitted on dev: give --do_eval"),
    (["--do_predict", "--min_precision=0.9"], "--min_precision=0.9: is fitted on dev"),
    (["--do_eval", "--min_precision=95"], "--min_precision=95.0: must be above 0 and at most 1"),
    (["--do_eval", "--min_precision=nan"], "--min_precision=nan: must be above 0"),
    (["--do_eval", "--calibrate", "--task_type=regression"],
     "--calibrate: needs a task of one label a row"),
    (["--do_eval", "--calibrate", "--engine=original"], "--calibrate: --engine=original cannot")])
def test_flags_that_do_not_go(flags, told, calibrated, rows, main, tmp_path):
    status, said = main(*flags, f"--data_dir={rows[0]}", f"--init_checkpoint={calibrated[0]}",
                        "--max_seq_length=16", f"--output_dir={tmp_path / 'out'}")
    assert status == 2 and told in said and "Traceback" not in said
    assert not (tmp_path / "out").exists()


def test_a_regression_and_few_rows_are_refused(calibrated, tiny, main, tmp_path):
    regression = make_trained(tmp_path / "regression", tiny, ["score"])
    (tmp_path / "dev.tsv").write_text("text\tlabel\n" + "a\t1\n" * 3)
    given = ["--do_eval", "--calibrate", "--max_seq_length=16", f"--data_dir={tmp_path}",
             f"--output_dir={tmp_path / 'out'}"]
    status, said = main(*given, f"--init_checkpoint={regression}")
    assert status == 2 and "this is a regression task" in said
    (tmp_path / "dev.tsv").write_text("text\tlabel\n" + "a\tbug\n" * 3)
    status, said = main(*given, f"--init_checkpoint={calibrated[0]}")
    assert status == 2 and "--calibrate: dev has 3 rows; 5 are needed at least" in said


@pytest.mark.parametrize(("change", "told"), [
    ({"temperature": -1}, "temperature is -1; must be a number above 0"),
    ({"temperature": "2"}, "temperature is '2'; must be"),
    ({"temperature": float("nan")}, "temperature is nan; must be"),
    ({"threshold": 1.5}, "threshold is 1.5; must be null or from 0 to 1"),
    ({"threshold": True}, "threshold is True; must be"),
    ({"index_sha256": None}, "index_sha256 is None; must be"), (None, "is not JSON any more")])
def test_what_no_run_writes_is_refused(change, told, tmp_path):
    whole = {"temperature": 2, "threshold": 0.5, "index_sha256": "a sum"}
    path = tmp_path / "calibration.json"
    path.write_text(json.dumps(whole))
    assert record.read(str(tmp_path)) == whole
    path.write_text("{" if change is None else json.dumps({**whole, **change}))
    with pytest.raises(UserError, match=re.escape(told)) as error:
        record.read(str(tmp_path))
    assert str(path) in str(error.value)


def test_without_a_line_of_a_threshold_there_is_none(copied):
    told = content(copied)
    del told["threshold"]
    (copied / "calibration.json").write_text(json.dumps(told))
    found = record.look([str(copied)], str(copied / "model.ckpt-7"))
    assert found.calibration == Calibration(told["temperature"], None)


def test_a_damaged_file_is_told_before_anything_is_computed(copied, rows, main):
    (copied / "calibration.json").write_text(json.dumps({**content(copied), "temperature": 0}))
    before = (copied / "runs.json").read_bytes()
    status, said = main("--do_predict", f"--data_dir={rows[0]}", "--max_seq_length=16",
                        f"--output_dir={copied}")
    told = f"{copied / 'calibration.json'}: temperature is 0; must be a number above 0"
    assert status == 2 and told in said and "Traceback" not in said
    assert (copied / "runs.json").read_bytes() == before
    with pytest.raises(UserError, match="temperature is 0; must be"):
        Predictor(str(copied))


def test_the_original_s_engine_does_not_predict_beside_one(calibrated, rows, tmp_path):
    from finetune.confidence import stage
    from finetune.config import RunConfig

    folder = str(calibrated[0])
    config = RunConfig(do_predict=True, engine="original", output_dir=str(tmp_path),
                       max_seq_length=16)
    found = stage.problems(config, LABELS, {}, f"{folder}/model.ckpt-7")
    assert found == [f"{folder}/calibration.json: --engine=original predicts without calibration; "
                     "give --nouse_calibration, or --engine=fast"]


@pytest.mark.parametrize(("held_out", "warned"), [(0.31, True), (0.29, False)])
def test_a_temperature_that_does_not_help_on_other_rows_is_told(monkeypatch, held_out, warned):
    figures = {when: {"ece": 0.1, "brier": 0.2, "nll": nll} for when, nll in
               (("before", 0.3), ("after", 0.28), ("cross_fitted", held_out))}
    fitted = Fitted(Calibration(1.3), True, figures, None, False, None)
    told = []
    monkeypatch.setattr(stage.LOGGER, "warning", lambda text, *values: told.append(text % values))
    stage._tell_temperature(RunConfig(output_dir="output"), fitted, 60)
    assert ["nll 0.3000 -> 0.3100" in one for one in told] == [True] * warned
