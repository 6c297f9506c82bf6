"""--kfold and --ensemble as a user runs them, on the tiny checkpoint, in this process."""

import json
import shutil
from types import SimpleNamespace

import numpy as np
import pytest

import run_classifier_custom
from finetune import Predictor, runner
from finetune.config import RunConfig
from finetune.errors import UserError
from finetune.members import combination
from tests.conftest import TEXTS
from tests.end_to_end.conftest import results, table, write_rows
from tests.use.conftest import make_trained

SMALL = ["--max_seq_length=16", "--train_batch_size=5", "--learning_rate=1e-2",
         "--num_train_epochs=1"]
LABELS = ["bug", "feature", "question"]
ROWS = [(f"r{number}", text, label) for number, (label, text) in enumerate(
    (label, text) for label, texts in TEXTS.items() for text in texts)]
ROWS.insert(7, ("double", "IT crashes!", "bug"))  # as r3
DEV = ROWS[::2]
TEST = [("a", "it crashes"), ("b", "how can i use it ?"), ("c", "please add"), ("d", "file")]
MODES = {"kfold": ["--kfold=2", "--do_train", "--do_predict"],
         "ensemble": ["--ensemble=2", "--do_train", "--do_eval", "--do_predict"]}


def numbers(path):
    return np.array([[np.float32(cell) for cell in line] for line in table(path)], np.float32)


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    folder = tmp_path_factory.mktemp("data")
    write_rows(folder / "train.tsv", ("id", "text", "label"), *ROWS)
    write_rows(folder / "dev.tsv", ("id", "text", "label"), *DEV)
    write_rows(folder / "test.tsv", ("id", "text"), *TEST)
    return folder


@pytest.fixture(scope="module")
def made(tiny, data, tmp_path_factory):
    """Makes the folder of a mode, once: name of the mode -> (folder, command line)."""
    found = {}

    def make(name):
        if name not in found:
            folder = tmp_path_factory.mktemp(name) / "out"
            arguments = [f"--data_dir={data}", f"--init_checkpoint={tiny}", *SMALL, *MODES[name],
                         f"--output_dir={folder}"]
            assert run_classifier_custom.main(arguments) == 0
            found[name] = folder, arguments
        return found[name]
    return make


def copy(made, tmp_path):
    """Returns a copy of a folder, to be changed, and the command line for it."""
    folder, arguments = made
    return shutil.copytree(folder, tmp_path / "out"), [
        *arguments, f"--output_dir={tmp_path / 'out'}"]


def test_every_row_is_answered_once_by_the_model_that_has_not_seen_it(made):
    folder, _ = made("kfold")
    header, *lines = table(folder / "out_of_fold.tsv")
    assert header == ["id", "label", "fold", "prediction", "confidence", *LABELS]
    assert [(line[0], line[1]) for line in lines] == [(row[0], row[2]) for row in ROWS]
    folds = {line[0]: line[2] for line in lines}
    assert folds["double"] == folds["r3"]
    for fold in "12":
        own = [(line, row) for line, row in zip(lines, ROWS, strict=True) if line[2] == fold]
        told = Predictor(folder / f"fold-{fold}").answers([row[1] for _, row in own])
        assert [line[5:] for line, _ in own] == [[f"{value:.6f}" for value in row] for row in told]
        assert [line[3] for line, _ in own] == [LABELS[top] for top in told.argmax(1)]
        assert sum(int(value) for key, value in results(folder / f"fold-{fold}").items()
                   if key.startswith("support")) == len(own)  # scored on its own rows
    right = np.mean([line[1] == line[3] for line in lines])
    scores = dict(line.split(" = ") for line in
                  (folder / "kfold_results.txt").read_text().splitlines())
    assert float(scores["accuracy"]) == pytest.approx(right)
    by_model = {line[0]: line[1:] for line in table(folder / "kfold_results.tsv")}
    assert list(by_model) == ["model", "fold-1", "fold-2", "mean", "deviation", "out_of_fold"]
    each = [float(by_model[f"fold-{fold}"][1]) for fold in "12"]
    assert by_model["model"][:2] == ["rows", "accuracy"]
    for kind, value in (("mean", np.mean(each)), ("deviation", np.std(each, ddof=1))):
        assert float(by_model[kind][1]) == pytest.approx(value)
        assert float(scores[f"accuracy_{kind}"]) == pytest.approx(value)
    assert each[0] == pytest.approx(float(results(folder / "fold-1")["eval_accuracy"]))


@pytest.mark.parametrize("mode, names", [("kfold", ["fold-1", "fold-2"]),
                                         ("ensemble", ["seed-42", "seed-43"])])
def test_the_test_split_gets_the_mean_of_the_models(mode, names, made):
    folder, _ = made(mode)
    each = [numbers(folder / name / "test_results.tsv") for name in names]
    assert abs(each[0] - each[1]).max() > 1e-3
    wanted = np.mean(each, axis=0, dtype=np.float64).astype(np.float32)
    np.testing.assert_array_equal(numbers(folder / "test_results.tsv"), wanted)
    assert [line[0] for line in table(folder / "predictions.tsv")[1:]] == ["a", "b", "c", "d"]
    model = Predictor(folder)
    texts = [text for _, text in TEST]
    np.testing.assert_allclose(model.predict_proba(texts), wanted, atol=1e-6)
    with pytest.raises(UserError, match=f"explain one of them.*{names[0]}"):
        model.explain(texts)


def test_an_ensemble_is_scored_as_a_whole_and_each_beside_it(made):
    folder, _ = made("ensemble")
    texts, truth = [row[1] for row in DEV], [LABELS.index(row[2]) for row in DEV]
    answers = Predictor(folder).answers(texts)
    scores = results(folder)
    assert float(scores["eval_accuracy"]) == pytest.approx(np.mean(answers.argmax(1) == truth))
    assert float(scores["eval_loss"]) == pytest.approx(
        -np.log(answers[np.arange(len(DEV)), truth]).mean(), rel=1e-5)
    assert scores["global_step"] == results(folder / "seed-42")["global_step"]
    header, *lines = table(folder / "ensemble_results.tsv")
    by_model = {line[0]: dict(zip(header[1:], map(float, line[1:]), strict=True)) for line in lines}
    assert list(by_model) == ["seed-42", "seed-43", "mean", "deviation", "ensemble"]
    for seed in ("seed-42", "seed-43"):
        assert by_model[seed]["loss"] == pytest.approx(
            float(results(folder / seed)["eval_loss"]), rel=1e-5)
        assert json.loads((folder / seed / "run_config.json").read_text())["seed"] == int(seed[5:])
    assert by_model["ensemble"]["loss"] == pytest.approx(float(scores["eval_loss"]), rel=1e-5)


def test_answers_of_fewer_models_leave_the_ensemble_as_it_is(made, data, tmp_path, main):
    folder, _ = copy(made("ensemble"), tmp_path)
    shutil.copytree(folder / "seed-43", folder / "seed-44")
    note = json.loads((folder / "members.json").read_text())
    note["members"].append("seed-44")
    note["finished"]["seed-44"] = "a sum"
    (folder / "members.json").write_text(json.dumps(note))
    status, said = main("--ensemble=2", "--do_predict", f"--data_dir={data}",
                        "--max_seq_length=16", f"--output_dir={folder}")
    assert status == 0, said
    assert json.loads((folder / "members.json").read_text())["members"] == [
        "seed-42", "seed-43", "seed-44"]
    wanted = np.mean([numbers(folder / name / "test_results.tsv")
                      for name in ("seed-42", "seed-43")], axis=0)
    np.testing.assert_allclose(numbers(folder / "test_results.tsv"), wanted, atol=1e-6)


def test_killed_it_goes_on_with_what_lacks(made, tmp_path, monkeypatch, capfd):
    folder, arguments = copy(made("kfold"), tmp_path)
    whole = (folder / "out_of_fold.tsv").read_bytes()
    first = (folder / "fold-1" / "runs.json").read_bytes()
    shutil.rmtree(folder / "fold-2")
    note = json.loads((folder / "members.json").read_text())
    del note["finished"]["fold-2"]
    (folder / "members.json").write_text(json.dumps(note))
    (folder / "out_of_fold.tsv").unlink()
    with pytest.raises(UserError, match="fold-2 of its 2 models have not finished"):
        Predictor(folder)

    def killed(*_):
        raise KeyboardInterrupt
    with monkeypatch.context() as patched:
        patched.setattr(runner, "run", killed)
        assert run_classifier_custom.main(arguments) == 130
    assert not (folder / "out_of_fold.tsv").exists()
    assert run_classifier_custom.main(arguments) == 0
    said = capfd.readouterr().err.splitlines()
    assert "fold 1 of 2: fold-1 has finished before" in said
    assert "fold 2 of 2: fold-2: trained on the other folds; dev is the fold itself" in said
    assert any(line.startswith("fold 2 of 2: done in ") for line in said)
    assert said[-1].startswith("done; ")
    assert not any(line.startswith(("dev ", "done in")) for line in said)
    assert (folder / "out_of_fold.tsv").read_bytes() == whole
    assert (folder / "fold-1" / "runs.json").read_bytes() == first


def test_a_model_whose_training_was_killed_does_not_answer(made, tmp_path, capfd):
    folder, arguments = copy(made("ensemble"), tmp_path)
    note = json.loads((folder / "members.json").read_text())
    del note["finished"]["seed-43"]
    (folder / "members.json").write_text(json.dumps(note))
    before = (folder / "predictions.tsv").read_bytes()
    asked = [*arguments, "--nodo_train", "--ensemble=3"]
    assert run_classifier_custom.main(asked) == 2
    assert ("seed-43, seed-44 of the 3 models have not finished their training; give --do_train"
            ) in capfd.readouterr().err
    assert json.loads((folder / "members.json").read_text()) == note
    (folder / "predictions.tsv").unlink()
    assert run_classifier_custom.main(arguments) == 0
    assert run_classifier_custom.main([*arguments, "--nodo_train"]) == 0
    assert (folder / "predictions.tsv").read_bytes() == before


@pytest.mark.parametrize("changed, told", [
    (["--seed=43"], "dealt from other rows or with another --seed"),
    (["--train_file=dev.tsv", "--train_batch_size=2"], "dealt from other rows"),
    (["--kfold=3"], "holds the models of --kfold=2"),
    (["--kfold=0", "--ensemble=2"], "holds the models of --kfold=2"),
    (["--kfold=0"], "this is the folder of --kfold=2, whose models lie in"),
    (["--kfold=20"], "the training split has 15 different texts; give 15 or less")])
def test_what_is_there_is_not_mixed(changed, told, made, tmp_path, capfd):
    folder, arguments = copy(made("kfold"), tmp_path)
    if "--kfold=20" in changed:
        shutil.rmtree(folder)
    assert run_classifier_custom.main([*arguments, *changed]) == 2
    assert told in capfd.readouterr().err


def test_a_single_run_is_not_mixed_with_folds_and_is_sent_to_a_model(made, tmp_path, data, main):
    folder, arguments = copy(made("kfold"), tmp_path)
    status, said = main(f"--data_dir={data}", f"--init_checkpoint={folder}", "--do_predict",
                        f"--output_dir={tmp_path / 'other'}")
    assert status == 2 and f"{folder / 'fold-1'}, {folder / 'fold-2'}: give one of these" in said
    status, said = main(*arguments, f"--output_dir={folder / 'fold-1'}")
    assert status == 2 and "holds a single run; name another folder for --kfold" in said


def test_all_mistakes_are_told_before_anything_is_written(tmp_path, data, main):
    status, said = main(f"--data_dir={data}", "--kfold=2", "--do_train", "--max_seq_length=2",
                        "--init_checkpoint=nowhere", "--eval_every_steps=5", "--do_explain",
                        "--do_eval", "--calibrate", f"--output_dir={tmp_path / 'out'}")
    assert status == 2 and not (tmp_path / "out").exists()
    for told in ("--max_seq_length=2", "--init_checkpoint=nowhere", "--eval_every_steps=5 does not",
                 "--do_explain does not go with --kfold=2", "--calibrate does not go with"):
        assert told in said
    assert "give --do_eval" not in said  # which is given


def test_folds_too_small_for_a_mean_of_checkpoints_are_told_before_the_first(
        tiny, data, tmp_path, main):
    status, said = main(f"--data_dir={data}", f"--init_checkpoint={tiny}", "--kfold=2",
                        "--do_train", *SMALL, "--num_train_epochs=2", "--average_checkpoints=3",
                        "--save_checkpoints_steps=2", f"--output_dir={tmp_path / 'out'}")
    assert status == 2 and ("--kfold=2: --average_checkpoints=3: 3 steps with "
                            "--save_checkpoints_steps=2 make 2 checkpoints") in said, said
    assert not (tmp_path / "out").exists()


def test_a_regression_has_scores_out_of_fold(tiny, tiny_cased, tmp_path):
    for fold, source in ((1, tiny), (2, tiny_cased)):
        make_trained(tmp_path / f"fold-{fold}", source, ["score"])
    rows = [SimpleNamespace(guid=f"train-{number}", text_a=row[1], text_b=None,
                            label=str(number / 4)) for number, row in enumerate(ROWS[:8])]
    folds = np.arange(8) % 2
    combination.out_of_fold(
        RunConfig(output_dir=str(tmp_path), kfold=2),
        SimpleNamespace(examples={"train": rows}, labels=["score"]), folds,
        [str(tmp_path / "fold-1"), str(tmp_path / "fold-2")])
    header, *lines = table(tmp_path / "out_of_fold.tsv")
    assert header == ["id", "label", "fold", "prediction"]
    assert [line[:3] for line in lines] == [
        [f"train-{number}", str(number / 4), str(number % 2 + 1)] for number in range(8)]
    told = Predictor(tmp_path / "fold-2").answers([row.text_a for row in rows[1::2]])[:, 0]
    assert [line[3] for line in lines[1::2]] == [f"{score:.6f}" for score in told]
    assert "pearson_mean = " in (tmp_path / "kfold_results.txt").read_text()
