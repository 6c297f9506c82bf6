"""finetune.Predictor: the answers of --do_predict, from the folder alone."""

import copy
import json
import pickle
import shutil
import subprocess
import sys

import numpy as np
import pytest
import tensorflow as tf

from finetune import Predictor
from finetune.checkpoints import checkpoint
from finetune.errors import InputError, UserError
from tests.conftest import ROOT, TEXTS
from tests.use.conftest import LABELS, in_threads, make_trained

ROWS = ["The app crashes!", "how can i use it ?", "", "add support " * 20, "a\x00b caf\xe9",
        *(text for texts in TEXTS.values() for text in texts)]
PAIRS = [("the app", "is broken"), ("why ?", ""), ("a file " * 9, "new " * 30)]


@pytest.mark.parametrize("kind", ["classifier", "regression"])
@pytest.mark.parametrize("paired", [False, True], ids=["single", "pairs"])
def test_the_bits_of_do_predict(kind, paired, request, main, tmp_path):
    folder = request.getfixturevalue(kind)
    rows = PAIRS if paired else [row for row in ROWS if "\x00" not in row]
    lines = [row if paired else (row,) for row in rows]
    (tmp_path / "test.jsonl").write_text("".join(
        json.dumps(dict(zip(("text", "other"), line, strict=False))) + "\n" for line in lines))
    status, said = main(
        f"--init_checkpoint={folder}", "--do_predict", f"--data_dir={tmp_path}",
        "--max_seq_length=16", f"--output_dir={tmp_path / 'out'}", "--text_column=text",
        *(["--text_b_column=other"] if paired else []))
    assert status == 0, said
    written = [[np.float32(cell) for cell in line.split("\t")] for line in
               (tmp_path / "out" / "test_results.tsv").read_text().splitlines()]
    model = Predictor(folder)
    np.testing.assert_array_equal(model.answers(rows), np.array(written, np.float32))
    named = [line.split("\t")[1] for line in
             (tmp_path / "out" / "predictions.tsv").read_text().splitlines()[1:]]
    told = model.predict(rows)
    assert named == (told if kind == "classifier" else [f"{score:.6f}" for score in told])
    assert model.answers(rows).std() > 1e-3  # rows differ, so their order is tested


def test_one_text_has_one_answer(predictor):
    assert predictor.predict("it crashes") in LABELS
    assert predictor.predict(["it crashes"]) == [predictor.predict("it crashes")]
    assert predictor.predict_proba("it crashes").shape == (3,)
    assert predictor.predict_proba(iter(["it crashes", ("a", "b")])).shape == (2, 3)
    assert predictor.predict([]) == [] and predictor.predict_proba([]).shape == (0, 3)
    np.testing.assert_array_equal(predictor.predict_proba(("a", None)),
                                  predictor.predict_proba("a"))
    assert (predictor.predict_proba(("a", "b")) != predictor.predict_proba("a b")).any()
    assert np.isfinite(predictor.predict_proba(ROWS)).all()  # a NUL too


def test_a_regression_has_scores(regression):
    model = Predictor(regression)
    assert model.labels == ["score"] and isinstance(model.predict("a"), float)
    with pytest.raises(UserError, match="is a regression"):
        model.predict_proba("a")


@pytest.mark.parametrize("wrong", [3, None, ["a", "b"], b"bytes", ("a", "b", "c"), (1, "a")])
def test_what_is_no_text(predictor, wrong):
    for kind in (TypeError, InputError):  # Python's own, and that of every mistake
        with pytest.raises(kind, match="text 1 is .*a string, or a tuple of two"):
            predictor.predict(["fine", wrong])


@pytest.mark.parametrize("wrong", [None, 5, {"a": 1}, {"a"}, b"a", np.array([["a", "b"]])])
def test_what_is_no_list(predictor, wrong):
    for ask in (predictor.predict, predictor.predict_proba, predictor.explain, predictor.answers):
        with pytest.raises(InputError, match="texts are .*; give a string, a tuple of two"):
            ask(wrong)


@pytest.mark.parametrize(("given", "told"), [
    ({"max_seq_lenght": 9}, "unexpected keyword argument 'max_seq_lenght'; did you mean max_seq_l"),
    ({"zzz": 9}, r"'zzz'; help\(\) lists"),
    ({"batch_size": "8", "do_lower_case": "yes"}, "do_lower_case='yes': must be True or False\n"
     "batch_size='8': must be a whole number, 1 or more"),
    ({"batch_size": 0}, "batch_size=0: must be a whole number, 1 or more"),
    ({"max_seq_length": "16"}, "^max_seq_length='16': must be a whole number$"),
    ({"max_seq_length": True}, "^max_seq_length=True: must be a whole number$"),
    ({"labels": "bug"}, "labels='bug': must be a list of names"),
    ({"calibrated": 1}, "calibrated=1: must be True or False")])
def test_what_is_no_argument(classifier, given, told):
    for kind in (TypeError, InputError):
        with pytest.raises(kind, match=told):
            Predictor(classifier, **given)
    with pytest.raises(InputError, match="folder=5: must be a string or a path"):
        Predictor(5)
    with pytest.raises(UserError, match="max_seq_length=0: must be 3 to 40, the positions"):
        Predictor(classifier, max_seq_length=0)
    assert Predictor(classifier, max_seq_length=np.int64(9)).max_seq_length == 9


@pytest.mark.parametrize(("method", "given", "named", "told"), [
    ("predict", ["a"], {"abstian": True}, r"^Predictor.predict\(texts, abstain=False\): unexpected "
     r"keyword argument 'abstian'; did you mean abstain\?$"),
    ("predict", ["a"], {"batch_size": 4},
     r"'batch_size'; it is given to the constructor: Predictor\(batch_size=...\)$"),
    ("predict_proba", [], {}, r"^Predictor.predict_proba\(texts\): texts is missing$"),
    ("predict", [], {"X": ["a"]}, "'X'; it is called texts here\n.*texts is missing$"),
    ("explain", ["a"], {"labels": "bug"}, r"'labels'; it is given to the constructor: P")])
def test_what_is_no_argument_of_a_method(predictor, method, given, named, told):
    for kind in (TypeError, InputError):
        with pytest.raises(kind, match=told):
            getattr(predictor, method)(*given, **named)


@pytest.mark.parametrize("kind", ["predictor", "regression"])
@pytest.mark.parametrize("abstain", [0.99, "no", 1, None])
def test_abstain_is_true_or_false(kind, abstain, request):
    model = request.getfixturevalue(kind)
    model = model if kind == "predictor" else Predictor(model)
    with pytest.raises(TypeError, match=f"^abstain={abstain!r}: must be True or False; a threshold "
                                        "of your own stands in calibration.json"):
        model.predict("a", abstain=abstain)
    assert model.predict("a", abstain=np.bool_(False)) == model.predict("a")


def test_who_cannot_abstain_is_told_what_helps(predictor, regression, tmp_path, tiny):
    with pytest.raises(UserError, match="no threshold to abstain by; .* --min_precision=0.95"):
        predictor.predict("a", abstain=True)
    labels = make_trained(tmp_path / "made", tiny, LABELS)
    (labels / "run_config.json").write_text(json.dumps({
        "max_seq_length": 16, "do_lower_case": True, "task_type": "multilabel"}))
    for model, kind in ((Predictor(regression), "regression"), (Predictor(labels), "multilabel")):
        with pytest.raises(UserError, match=f"abstain by; it is a {kind} model, and those have no"):
            model.predict("a", abstain=True)


@pytest.mark.parametrize("work", [pickle.dumps, copy.copy, copy.deepcopy])
def test_it_is_neither_pickled_nor_copied(predictor, work):
    for kind in (TypeError, UserError):
        with pytest.raises(kind, match=r"make one of its folder in each process, Predictor\(fold"):
            work(predictor)


def test_the_home_folder_is_known(classifier, monkeypatch):
    monkeypatch.setenv("HOME", str(classifier.parent))
    assert Predictor("~/classifier").labels == LABELS


@pytest.mark.parametrize("wrong", ["", " "])
def test_an_empty_name_is_no_folder(wrong):
    with pytest.raises(InputError, match=f"^folder='{wrong}': must name a folder$"):
        Predictor(wrong)


def test_a_folder_is_needed():
    with pytest.raises(InputError, match=r"^Predictor\(folder, ...\): folder is missing$"):
        Predictor()
    with pytest.raises(InputError, match="2 positional arguments, and it takes 1; name the others"):
        Predictor("a", "b")


@pytest.mark.parametrize("wrong", ["half \ud800", ("a", "half \udfff")])
def test_half_a_surrogate_pair_is_no_character(predictor, wrong):
    for ask in (predictor.predict, predictor.predict_proba, predictor.explain):
        with pytest.raises(InputError, match="text 1 holds half a surrogate pair, which is no cha"):
            ask(["fine \U0001f600", wrong])


@pytest.fixture
def trained_on(classifier, tmp_path):
    """Makes a folder whose runs.json tells what a model was trained on."""
    def make(*told):
        folder = shutil.copytree(classifier, tmp_path / "-".join(told))
        (folder / "runs.json").write_text(json.dumps([
            *({"texts": one} for one in told), {"command": "of a prediction"}]))
        return Predictor(folder)
    return make


def test_a_model_answers_what_it_was_trained_on(trained_on, predictor):
    assert predictor.trained_on is None and len(predictor.predict(["a", ("a", "b")])) == 2
    single, pairs, both = trained_on("pairs", "single"), trained_on("pairs"), trained_on("both")
    assert (single.trained_on, pairs.trained_on) == ("single", "pairs")  # by the last training
    assert single.predict(["a", ("a", ""), ("a", None)]) == [single.predict("a")] * 3
    assert pairs.predict([("a", "b"), ("a", "")]) == both.predict([("a", "b"), "a"])
    for ask in (single.predict, single.predict_proba, single.answers, single.explain):
        with pytest.raises(InputError, match="text 1 is a pair, but the model was trained on sing"):
            ask(["a", ("a", "b")])
    with pytest.raises(InputError, match=r"text 0 is a single .*; give both texts: \("):
        pairs.predict("a")
    with pytest.raises(InputError, match=r"^text 0 is .* \(500 such texts\)$"):
        pairs.predict(["a"] * 500)


def test_a_training_notes_what_it_was_on(main, issues, tiny, tmp_path):
    flags = ["--do_train", "--max_seq_length=16", "--num_train_epochs=0.5", f"--data_dir={issues}",
             "--train_batch_size=5", f"--init_checkpoint={tiny}"]
    for name, more in (("single", []), ("pairs", ["--text_column=id", "--text_b_column=text"])):
        assert main(*flags, *more, f"--output_dir={tmp_path / name}")[0] == 0
        assert json.loads((tmp_path / name / "runs.json").read_text())[-1]["texts"] == name
    assert main("--do_predict", "--max_seq_length=16", f"--data_dir={issues}",
                f"--output_dir={tmp_path / 'single'}")[0] == 0
    assert "texts" not in json.loads((tmp_path / "single" / "runs.json").read_text())[-1]
    assert Predictor(tmp_path / "single").trained_on == "single"
    status, said = main("--do_predict", "--max_seq_length=16", f"--data_dir={issues}",
                        f"--output_dir={tmp_path / 'pairs'}")
    assert status == 2 and "test.tsv:2: is a single text, but the model was trained on pai" in said
    assert "(the training had --text_column=id --text_b_column=text) (6 such rows)" in said


def test_threads_share_it(predictor):
    rows = [[f"save {'the file ' * (place % 5)}", "why"] for place in range(40)]
    expected = [predictor.answers(row) for row in rows]
    np.testing.assert_array_equal(in_threads(predictor.answers, rows), expected)


def test_casing_and_length_are_the_folder_s(tiny_cased, tmp_path):
    made = make_trained(tmp_path / "made", tiny_cased, LABELS)
    settings = {"max_seq_length": 16, "do_lower_case": False}
    (made / "run_config.json").write_text(json.dumps(settings))
    model = Predictor(str(made / "model.ckpt-7"))
    assert (model.predict_proba("The App") != model.predict_proba("the app")).any()
    assert model.max_seq_length == 16
    shorter, long = Predictor(made, max_seq_length=4), "the app " * 9
    np.testing.assert_array_equal(shorter.predict_proba(long), shorter.predict_proba("the app"))
    assert (shorter.predict_proba(long) != model.predict_proba(long)).any()
    with pytest.raises(UserError, match="^max_seq_length=0: must be 3 to 40, the positions"):
        Predictor(made, max_seq_length=0)
    (made / "run_config.json").unlink()  # the vocabulary tells the casing; nothing the length
    with pytest.raises(UserError, match="run_config.json: does not tell the max_seq_length"):
        Predictor(made)
    np.testing.assert_array_equal(Predictor(made, max_seq_length=16).predict_proba("The App"),
                                  model.predict_proba("The App"))
    words = (made / "vocab.txt").read_text()
    (made / "vocab.txt").write_text(words.replace("[UNK]", "[unk]"))
    (made / "SHA256SUMS").unlink(missing_ok=True)
    with pytest.raises(UserError) as error:  # both, and without flags of the command
        Predictor(made)
    assert [one.partition(":")[0] for one in error.value.problems] == [
        str(made / "run_config.json"), f"vocab_file={made / 'vocab.txt'}"]


def altered(folder):
    (folder / "labels.txt").write_text("bug\nquestion\nfeature\n")


def without_labels(folder):
    (folder / "labels.txt").unlink()
    (folder / "SHA256SUMS").unlink()


def too_many_labels(folder):
    without_labels(folder)
    (folder / "labels.txt").write_text("a\nb\nc\nd\n")


def too_long(folder):
    (folder / "run_config.json").write_text('{"max_seq_length": 41, "do_lower_case": true}')


def other_casing(folder):
    (folder / "run_config.json").write_text('{"max_seq_length": 16, "do_lower_case": false}')


def torn(folder):
    path = folder / "model.ckpt-7.data-00000-of-00001"
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 255
    path.write_bytes(content)


def no_checkpoint(folder):
    (folder / "checkpoint").unlink()


@pytest.mark.parametrize(("damage", "told"), [
    (altered, "labels.txt: has been altered or damaged"),
    (without_labels, "names of the 3 labels are not known"),
    (too_many_labels, "is a classifier of 3 labels, and has 4 names: a, b, c, d"),
    (too_long, r"run_config.json: max_seq_length=41: must be 3 to 40"),
    (other_casing, "do_lower_case=False does not suit"),
    (torn, "is damaged or cut"),
    (no_checkpoint, "the folder holds no checkpoint")],
    ids=lambda one: getattr(one, "__name__", ""))
def test_what_cannot_serve(classifier, tmp_path, damage, told):
    folder = shutil.copytree(classifier, tmp_path / "folder")
    damage(folder)
    with pytest.raises(UserError, match=told):
        Predictor(folder)


def test_a_checkpoint_without_a_head(tiny):
    with pytest.raises(UserError, match="has no trained head") as error:
        Predictor(tiny)
    assert len(error.value.problems) == 1  # not what a run would have left besides


def test_a_damaged_newest_checkpoint_names_the_whole_one(classifier, tmp_path):
    folder = shutil.copytree(classifier, tmp_path / "folder")
    for path in folder.glob("model.ckpt-7.*"):
        shutil.copy(path, str(path).replace("ckpt-7", "ckpt-5"))
    torn(folder)
    with pytest.raises(UserError, match=f"{folder}/model.ckpt-5 beside it is whole, and the train"):
        Predictor(folder)
    assert Predictor(folder / "model.ckpt-5").predict("it crashes") in LABELS


def test_labels_that_are_given_win(classifier, tmp_path):
    folder = shutil.copytree(classifier, tmp_path / "folder")
    without_labels(folder)
    assert Predictor(folder, labels=["x", "y", "z"]).predict("it crashes") in {"x", "y", "z"}


def test_explain_hands_over_texts_and_label(predictor, monkeypatch):
    class Explainer:
        def __init__(self, *given):
            self.given = given

        def explain(self, texts, label):
            return iter([(text, label, *self.given[3:-1]) for text in texts])

    module = type(sys)("finetune.explanation")
    module.Explainer = Explainer
    monkeypatch.setitem(sys.modules, "finetune.explanation", module)
    assert predictor.explain("a") == (("a", None), None, LABELS, 16)
    assert predictor.explain([("a", "b")], "bug") == [(("a", "b"), "bug", LABELS, 16)]
    with pytest.raises(UserError, match="'bugs' is not one of question, bug, feature; did you mea"
                                        r"n bug\?"):
        predictor.explain("a", "bugs")


def test_importing_finetune_imports_no_tensorflow():
    code = ("import sys, finetune; assert 'tensorflow' not in sys.modules; "
            "assert 'Predictor' in finetune.__all__")
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True)


def test_a_stripped_model_keeps_its_calibration(classifier, tmp_path):
    from finetune.confidence import record
    from finetune.sources import strip

    folder = shutil.copytree(classifier, tmp_path / "folder")
    reader = tf.train.load_checkpoint(str(folder))
    values = {name: reader.get_tensor(name) for name in reader.get_variable_to_shape_map()}
    checkpoint.save(str(folder / "model.ckpt-7"), {**values, "output_bias/adam_m": values[
        "output_bias"]})
    (folder / "calibration.json").write_text(json.dumps({
        "checkpoint": "model.ckpt-7", "step": 7, "temperature": 2.5, "threshold": 0.5,
        "index_sha256": record._sum(str(folder / "model.ckpt-7"))}))
    strip.strip(str(folder), str(tmp_path / "kept"))
    before, after = Predictor(folder), Predictor(tmp_path / "kept")
    assert after.temperature == 2.5 and after.threshold == 0.5
    np.testing.assert_array_equal(after.predict_proba(ROWS[:3]), before.predict_proba(ROWS[:3]))


def test_labels_of_the_folder_are_not_given_other_names(tmp_path, tiny):
    made = make_trained(tmp_path / "made", tiny, LABELS)
    with pytest.raises(UserError, match="was trained with .* in this order: leave labels out"):
        Predictor(made, labels=LABELS[::-1])
    assert Predictor(made, labels=LABELS).labels == LABELS
