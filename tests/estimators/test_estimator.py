"""What scikit-learn asks of an estimator, and what becomes of the folder."""

import copy
import gc
import os
import pathlib
import pickle
import subprocess
import sys
import warnings

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer
from sklearn.utils import estimator_checks

from finetune import Classifier, Predictor, Regressor, outputs
from finetune.errors import InputError
from finetune.estimators import going_on, parameters
from tests.conftest import ROOT
from tests.estimators.conftest import SMALL, X, Y


def small(tiny, made=Classifier, **values):
    return made(tiny, **{**SMALL, "num_train_epochs": 1.0, "verbose": False, **values})


# ---- scikit-learn's own checks


@pytest.mark.parametrize("made", [Classifier, Regressor])
def test_the_checks_of_scikit_learn_that_need_no_numbers(made):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it says that it has no texts to try
        found = estimator_checks.check_estimator(made(), on_fail=None)
    ran = {one["check_name"]: one["status"] for one in found or []}
    assert set(ran.values()) <= {"passed"}, ran
    for check in (estimator_checks.check_estimator_cloneable, estimator_checks.check_estimator_repr,
                  estimator_checks.check_no_attributes_set_in_init,
                  estimator_checks.check_get_params_invariance,
                  estimator_checks.check_set_params,
                  estimator_checks.check_parameters_default_constructible):
        check(made.__name__, made())


def test_parameters_are_kept_as_they_are():
    given = {"learning_rate": 0.25, "output_dir": pathlib.Path("x"), "xla": "wrong"}
    model = Classifier("c", **given)
    assert {name: model.get_params()[name] for name in given} == given
    other = clone(model).set_params(warmup_proportion=0.5)
    assert other.get_params() == {**model.get_params(), "warmup_proportion": 0.5}
    with pytest.raises(ValueError, match="Invalid parameter 'nothing'"):
        other.set_params(nothing=1)
    assert repr(Classifier(seed=1)) == "Classifier(seed=1)"


def test_answers(fitted):
    assert fitted.classes_.tolist() == ["bug", "feature", "question"]
    probabilities = fitted.predict_proba(X)
    assert probabilities.shape == (15, 3) and probabilities.dtype == np.float32
    predicted = fitted.predict(pd.Series(X))
    assert predicted.tolist() == fitted.classes_[probabilities.argmax(1)].tolist()
    assert fitted.score(X, Y) == np.mean(predicted == np.array(Y))
    assert fitted.predict([]).shape == (0,)
    assert set(fitted.dev_scores_) > {"eval_accuracy", "f1_macro"}
    assert fitted.history_["step"] == [1, 2, 3, 4, 5, 6] and len(fitted.history_["loss"]) == 6
    with pytest.raises(ValueError, match="X: row 1 is None"):
        fitted.predict(["a", None])


def test_what_would_be_answered_without_meaning(fitted, tmp_path):
    for ask in (fitted.predict, fitted.predict_proba, fitted.explain):
        with pytest.raises(InputError, match="text 1 is a pair, but the model was trained on sing"):
            ask(["a", ("a", "b")])
    with pytest.raises(InputError, match="y: row 14 is 'bugs', which .* did you mean bug?"):
        fitted.score(X, [*Y[:-1], "bugs"])
    fitted.save(tmp_path / "kept")
    with pytest.raises(InputError, match="text 0 is a pair"):
        Classifier.load(tmp_path / "kept").predict([("a", "b")])
    for work in (fitted.save, Classifier.load):
        with pytest.raises(InputError, match="folder=5: must be a string or a path"):
            work(5)


def test_explanations_show_in_a_notebook(fitted):
    found = fitted.explain(["the <b>app crashes", ("save", "")])
    assert [len(one.texts) for one in found] == [1, 1]
    shown = found._repr_html_()
    assert "&lt;" in shown and "<b>app" not in shown and "background:rgb" in shown
    assert fitted.explain(X[:1], label="question")[0].label == "question"
    with pytest.raises(InputError, match=r"'bugg' is not one of bug.*; did you mean bug\?"):
        fitted.explain(X[:1], label="bugg")


def test_not_fitted():
    for ask in (Classifier().predict, Regressor().predict, Classifier().explain,
                Classifier().predict_proba, Classifier().save):
        with pytest.raises(NotFittedError):
            ask(X)
    with pytest.raises(NotFittedError):
        Classifier().score(X, Y)


def test_labels_keep_their_type_and_cross_validation_works(tiny, tmp_path):
    numbers = [{"bug": 2, "feature": 10, "question": -1}[label] for label in Y]
    pipeline = make_pipeline(FunctionTransformer(lambda texts: [text.upper() for text in texts]),
                             small(tiny))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        scores = cross_val_score(pipeline, np.array(X), numbers, cv=2)
    assert scores.shape == (2,) and np.isfinite(scores).all()
    model = small(tiny).fit(X, numbers)
    assert model.classes_.tolist() == [-1, 2, 10] and model.predict(X[:2]).dtype.kind == "i"
    model.save(tmp_path / "kept")
    outputs.append_run(str(tmp_path / "kept"), {"command": "--do_eval, say"})  # in this folder
    again = Classifier.load(tmp_path / "kept")
    assert again.classes_.tolist() == [-1, 2, 10] and again.train_batch_size == 5
    np.testing.assert_array_equal(again.predict_proba(X), model.predict_proba(X))
    assert sorted(Predictor(tmp_path / "kept").labels) == ["-1", "10", "2"]


def test_grid_search_sets_any_flag(tiny):
    search = GridSearchCV(small(tiny), {"warmup_proportion": [0.9]}, cv=2, error_score="raise")
    search.fit(X, Y)
    assert search.best_estimator_.warmup_proportion == 0.9
    assert search.predict(X[:3]).shape == (3,)


def test_a_regression(tiny, tmp_path):
    model = small(tiny, Regressor).fit([(text, "why") for text in X], np.arange(15) / 4)
    found = model.predict([(text, "why") for text in X])
    assert found.dtype == np.float32 and found.shape == (15,)
    assert not hasattr(model, "classes_") and not hasattr(model, "predict_proba")
    assert model.score([(text, "why") for text in X], np.arange(15) / 4) <= 1
    model.save(tmp_path / "kept")
    with pytest.raises(InputError, match="a model for regression, which Regressor.load reads"):
        Classifier.load(tmp_path / "kept")
    pairs = [(text, "why") for text in X[:2]]
    np.testing.assert_array_equal(Regressor.load(tmp_path / "kept").predict(pairs),
                                  model.predict(pairs))
    with pytest.raises(InputError, match="text 0 is a single text, but the model was trained on "):
        model.score(X, np.arange(15))


# ---- folders


@pytest.mark.parametrize(("folder", "told"), [
    ("", "^folder='': must name a folder$"), (" ", "^folder=' ': must name a folder$"),
    (".", "is the current folder; name a new one"), ("~", "is the current folder; name a new")])
def test_the_current_folder_is_not_replaced(fitted, folder, told, tmp_path, monkeypatch):
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    monkeypatch.setenv("HOME", str(tmp_path / "here"))
    with pytest.raises(InputError, match=told):
        fitted.save(folder)
    assert os.listdir(tmp_path) == ["here"] and os.listdir(".") == []
    if not folder.strip():
        with pytest.raises(InputError, match=told):
            Classifier.load(folder)


def test_the_home_folder_is_known(fitted, tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    fitted.save("~/kept")
    assert os.path.exists(tmp_path / "kept" / "labels.txt")
    assert Classifier.load("~/kept").classes_.tolist() == fitted.classes_.tolist()
    made = small("~/kept", output_dir="~/made").fit(X, Y)
    assert made.predictor_.checkpoint.startswith(str(tmp_path / "made/model.ckpt-"))


def test_a_temporary_folder_goes_with_the_model(tiny, capfd):
    model = small(tiny).fit(X, Y)
    assert capfd.readouterr() == ("", "")  # as it is not verbose
    folder = os.path.dirname(model.predictor_.checkpoint)
    model.fit(X, Y)  # anew, in another one
    second = os.path.dirname(model.predictor_.checkpoint)
    assert not os.path.exists(folder) and os.path.exists(second)
    with pytest.raises(ValueError, match="X: row 0"):
        model.fit([None] * 15, Y)
    assert os.path.exists(second) and model.predict(X[:1]).shape == (1,)  # still the model before
    del model
    gc.collect()
    assert not os.path.exists(second)


def test_a_model_that_is_gone_leaves_no_graph_and_no_weights(tiny):
    from tensorflow.python.framework.func_graph import FuncGraph

    def kept():
        gc.collect()
        return [one.name for one in gc.get_objects() if isinstance(one, FuncGraph)]

    before, model = kept(), small(tiny).fit(X, Y)
    model.explain(X[:2])
    assert len(kept()) > len(before)
    del model
    assert len(kept()) <= len(before)


def test_a_folder_of_another_fit_is_refused(tiny, tmp_path):
    folder = tmp_path / "out"
    first = small(tiny, output_dir=folder).fit(X, Y).predict_proba(X)
    same = small(tiny, output_dir=folder).fit(X, Y)  # nothing is left to do
    np.testing.assert_array_equal(same.predict_proba(X), first)
    with pytest.raises(ValueError, match="holds the model of another fit or run .its train rows"):
        small(tiny, output_dir=folder).fit(X[::-1], Y[::-1])
    with pytest.raises(ValueError, match="learning_rate was 0.001"):
        small(tiny, output_dir=folder, learning_rate=0.1).fit(X, Y)
    of_a_module = parameters.make_config({**small(tiny).get_params(deep=False),
                                          "output_dir": str(folder)}, do_lower_case=None,
                                         do_train=True, task_type="classification")
    assert going_on.problems(of_a_module, {}, "") == []
    small(tiny, output_dir=folder, overwrite_output_dir=True).fit(X[:6], Y[:6])
    assert Classifier.load(folder).output_dir is None


def test_what_is_fitted_is_saved_not_pickled(fitted):
    assert pickle.loads(pickle.dumps(Classifier(seed=3))).seed == 3
    for work in (pickle.dumps, copy.deepcopy):
        for kind in (TypeError, InputError):
            with pytest.raises(kind, match=r"save\(folder\) writes it, Classifier.load\(folder\) "
                                           r"or finetune.Predictor\(folder\) reads it, in each "):
                work(fitted)
    assert not hasattr(clone(fitted), "predictor_")


# ---- what is shown, and what is imported


def test_what_is_shown_is_what_the_command_shows(tiny, capfd, tmp_path):
    small(tiny, verbose=True, output_dir=tmp_path / "x").fit(X, Y)
    out, said = capfd.readouterr()
    lines = [line.split()[0] for line in said.splitlines()]
    assert (out, lines) == ("", ["device", "model", "labels", "train", "tokens", "training",
                                 "output", "train", "done"])


def test_importing_it_imports_no_tensorflow():
    code = ("import sys, finetune; assert 'sklearn' not in sys.modules; "
            "finetune.Classifier('x', learning_rate=1.0).get_params(); "
            "assert 'tensorflow' not in sys.modules")
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True)
