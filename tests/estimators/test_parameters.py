"""The parameters are the command's flags: names, defaults, types, messages."""

import inspect

import numpy as np
import pytest

from finetune import Classifier, Predictor, Regressor
from finetune.config import RunConfig
from finetune.errors import InputError, UserError
from finetune.estimators import parameters
from tests.estimators.conftest import X, Y


def test_defaults_are_the_command_s():
    signature = inspect.signature(Classifier)
    assert str(signature) == str(inspect.signature(Regressor))
    default = RunConfig().as_dict()
    for name in parameters.NAMES:
        if name not in ("init_checkpoint", "overwrite_output_dir"):
            assert signature.parameters[name].default == default[name], name
    assert set(signature.parameters) == {*parameters.NAMES, "verbose"}
    assert {"precision", "xla", "early_stopping_patience", "vocab_file"} < set(parameters.NAMES)
    assert not {"data_dir", "do_train", "labels", "sweep", "engine", "text_column"} & set(
        parameters.NAMES)
    made = Classifier("somewhere", warmup_proportion=0.5)
    assert (made.init_checkpoint, made.warmup_proportion, made.seed) == ("somewhere", 0.5, 42)


@pytest.mark.parametrize(("name", "told"), [
    ("learnin_rate", "'learnin_rate'; did you mean learning_rate?"),
    ("text_column", "'text_column'; rows are given to fit"),
    ("task_type", "'task_type'; Classifier gives a text one label, Regressor a number; several"),
    ("label_threshold", "'label_threshold'; Classifier gives a text one label"),
    ("kfold", "'kfold'; scikit-learn's cross_val_score and cross_val_predict do it"),
    ("do_train", "'do_train'; fit trains"),
    ("engine", "'engine'; it is for the command$"),
    ("epochs", r"'epochs'; did you mean num_train_epochs\?$"),
    ("batch_size", r"'batch_size'; did you mean train_batch_size\?$"),
    ("lr", r"'lr'; did you mean learning_rate\?$"),
    ("weight_decay", "'weight_decay'; it is 0.01, as in the paper$"),
    ("num_labels", "'num_labels'; labels are those of y; of a trained"),
    ("classes", "'classes'; labels are those of y"), ("n_jobs", "'n_jobs'; one training, or one "),
    ("zzz", r"unexpected keyword argument 'zzz'; help\(\) lists those that there are$")])
def test_unknown_names(name, told):
    for kind in (TypeError, InputError):  # Python's own, and that of every mistake
        with pytest.raises(kind, match=told):
            Classifier(**{name: 1})


@pytest.mark.parametrize(("made", "method", "given", "named", "told"), [
    (Classifier, "fit", [X], {}, r"^Classifier.fit\(X, y, dev=None\): y is missing$"),
    (Regressor, "fit", [], {}, "^Regressor.fit.*: X and y are missing$"),
    (Classifier, "fit", [X, Y], {"epochs": 3}, "keyword argument 'epochs'; num_train_epochs is giv"
     r"en to the constructor: Classifier\(num_train_epochs=...\)$"),
    (Classifier, "fit", [X, Y], {"lr": 1}, "'lr'; learning_rate is given to the constructor"),
    (Classifier, "fit", [X, Y], {"batch_size": 1}, "; train_batch_size is given to the constr"),
    (Classifier, "fit", [X, Y], {"seed": 1}, r"; it is given to the constructor: Classifier\(see"),
    (Classifier, "fit", [X, Y], {"learnin_rate": 1},
     r"; did you mean learning_rate of the constructor, Classifier\(learning_rate=...\)\?$"),
    (Classifier, "fit", [X, Y], {"validation_data": 1}, "; it is called dev here$"),
    (Classifier, "fit", [X, Y], {"dew": 1}, r"; did you mean dev\?$"),
    (Classifier, "fit", [X, Y], {"validation_split": 0.1}, r"; give the rows to be scored: f"),
    (Regressor, "fit", [X, Y], {"sample_weight": Y}, "'; rows have no weights; class_weights o"),
    (Classifier, "fit", [], {"texts": X, "y": Y}, "'texts'; it is called X here\n.*X is missing$"),
    (Classifier, "predict", [X], {"abstain": True}, r"'abstain'; predictor_.predict\(texts, abst"),
    (Classifier, "explain", [X], {"class_names": 1}, "'class_names'; it is called label here$"),
    (Classifier, "save", ["a"], {"overwrite": True}, "'; nothing is overwritten: name a new fol"),
    (Classifier, "fit", [X, Y], {"y": 1}, ": y is given twice$"),
    (Classifier, "fit", [X, Y, None, 3], {}, ": 4 positional arguments, and it takes 3$"),
    (Classifier, "fit", [X], {"epochs": 3, "zzz": 3}, "'zzz'\nClassifier.fit.*: y is missing"),
    (Classifier, "predict", [X], {"batch_size": 9}, "; predict_batch_size is given to the constr"),
    (Classifier, "predict_proba", [], {}, r"^Classifier.predict_proba\(X\): X is missing$"),
    (Classifier, "score", [X], {}, "^Classifier.score.*: y is missing$"),
    (Regressor, "score", [X], {}, "^Regressor.score.*: y is missing$"),
    (Classifier, "save", [], {}, r"^Classifier.save\(folder\): folder is missing$"),
    (Classifier, "load", [], {}, r"^Classifier.load\(folder\): folder is missing$"),
    (Regressor, "load", [], {"path": "x"}, "^Regressor.load.*: unexpected keyword argument 'path'"),
    (Classifier, "__init__", ["a", "b"], {}, r"^Classifier\(init_checkpoint='checkpoints/minilm', "
     r"...\): 2 positional arguments, and it takes 1; name the others$")])
def test_arguments_that_do_not_fit_a_method(made, method, given, named, told):
    for kind in (TypeError, InputError):
        with pytest.raises(kind, match=told):
            getattr(made(), method)(*given, **named)


def test_checked_methods_keep_signature_and_docstring():
    assert str(inspect.signature(Classifier.score)) == (
        "(self, X: Any, y: Any, sample_weight: Any = None) -> float")
    assert list(inspect.signature(Classifier.fit).parameters) == ["self", "X", "y", "dev"]
    assert list(inspect.signature(Classifier.load).parameters) == ["folder"]
    assert Classifier.fit.__doc__.startswith("Fine-tunes the checkpoint")


@pytest.mark.parametrize(("method", "given", "told"), [
    (Classifier.fit, [X, Y], r"^fit is called on the class; call it on an object: Classifier\(...\)"
     r".fit\(...\) or Regressor\(...\).fit\(...\)$"),
    (Classifier.fit, [X, Y, (X, Y)], "^fit is called on the class"),
    (Classifier.fit, [], "^fit is called on the class"),
    (Classifier.predict_proba, [X], r"on an object: Classifier\(...\).predict_proba\(...\)$"),
    (Predictor.predict, ["a"], r"on an object: Predictor\(...\).predict\(...\)$")])
def test_methods_called_on_the_class(method, given, told):
    for kind in (TypeError, InputError):
        with pytest.raises(kind, match=told):
            method(*given)


def config(**values):
    return parameters.make_config({**Classifier().get_params(), **values})


def test_numbers_of_numpy_are_taken():
    made = config(train_batch_size=np.int64(8), learning_rate=np.float32(0.5), xla=np.bool_(True),
                  num_train_epochs=2, export_formats=["onnx"])
    assert made.as_dict()["train_batch_size"] == 8
    types = [type(value) for value in (made.train_batch_size, made.learning_rate, made.xla,
                                       made.num_train_epochs, made.export_formats)]
    assert types == [int, float, bool, float, tuple]


def test_a_module_of_the_hub_tells_its_casing():
    assert config(init_checkpoint=None, bert_hub_module_handle="a").do_lower_case is None
    assert config().do_lower_case is True


@pytest.mark.parametrize(("values", "told"), [
    ({"train_batch_size": 8.0}, "train_batch_size=8.0: must be a whole number"),
    ({"train_batch_size": True}, "train_batch_size=True: must be a whole number"),
    ({"learning_rate": "1e-4"}, "learning_rate='1e-4': must be a number"),
    ({"learning_rate": None}, "learning_rate=None: must be a number"),
    ({"xla": 1}, "xla=1: must be True or False"),
    ({"verbose": "yes"}, "verbose='yes': must be True or False"),
    ({"init_checkpoint": 3}, "init_checkpoint=3: must be a string"),
    ({"class_weights": {"a": 1}}, "class_weights={'a': 1}: must be \"balanced\" or the name of a"),
    ({"export_formats": "onnx"}, "export_formats='onnx': must be a list of strings"),
    ({"precision": "float8"}, "precision='float8': must be one of float32, bfloat16, float16"),
    ({"distribution": "multi_worker"}, "distribution='multi_worker': every worker has to run")])
def test_values_of_another_type(values, told):
    with pytest.raises(UserError) as error:
        config(**values)
    assert len(error.value.problems) == 1 and error.value.problems[0].startswith(told)


def test_messages_name_parameters_not_flags():
    with pytest.raises(ValueError) as error, parameters.errors_in_python():
        raise UserError("--learning_rate=0: a --train_batch_size, -- and --no-such")
    assert str(error.value) == "learning_rate=0: a train_batch_size, -- and --no-such"


@pytest.mark.parametrize(("values", "X", "y", "dev", "told"), [
    ({"learning_rate": -1.0, "train_batch_size": 0}, X, Y, None,
     ["learning_rate=-1.0: must be a number above 0", "train_batch_size=0: must be 1 or more"]),
    ({"init_checkpoint": "nowhere"}, X, Y, None,
     ["init_checkpoint=nowhere: there is no such folder and no nowhere"]),
    ({"learning_rate": -1.0}, [*X[:-1], None], Y, None,  # rows and settings in one message
     ["X: row 14 is None", "learning_rate=-1.0"]),
    ({}, X, Y[:-1], None, ["X: 15 rows, but y has 14"]),
    ({}, [], [], ([], []), ["X: there are no rows\ntexts of dev: there are no rows"]),
    ({}, X, ["bug"] * 15, None, ["labels: a classifier needs two labels or more, here ['bug']"]),
    ({}, X, [0.5] * 14 + [0.25], None, ["y: holds numbers that are no classes; Regressor learns"]),
    ({}, X, ["a", 1] * 7 + ["a"], None,
     ["y: labels of one type are needed, str, int or bool; here int, str"]),
    ({}, X, [b"a", b"b", b"c"] * 5, None, ["y: labels of one type are needed, str, int or bo"]),
    ({}, list(zip(X, Y, strict=True)), Y, None, ["X: the second text of every row is its label"]),
    ({}, X, Y, (X, ["bugs"] * 15), ['example dev-0: label "bugs" is not one of "bug", "feature"']),
    ({}, X, Y, X, ["dev has to be two: (texts, labels)"]),
    ({}, X, Y, (X, Y[1:]), ["texts of dev: 15 rows, but labels of dev has 14"]),
    ({"eval_every_steps": 2}, X, Y, None, ["eval_every_steps=2: needs rows to score: fit(X, y, d"]),
    ({"max_seq_length": 41}, X, Y, None, ["max_seq_length=41: the model of"])])
def test_every_mistake_at_once(values, X, y, dev, told, tiny):  # noqa: N803
    model = Classifier(**{"init_checkpoint": tiny, "train_batch_size": 5, **values})
    with pytest.raises(ValueError) as error:
        model.fit(X, y, dev=dev)
    assert isinstance(error.value, InputError)
    text = str(error.value)
    for one in told:
        assert one in text
    assert "--" not in text and "GivenRows" not in text


@pytest.mark.parametrize("name", ["calibrate", "baseline"])
def test_what_needs_dev_is_told_once(name, tiny):
    with pytest.raises(InputError) as error:
        Classifier(tiny, max_seq_length=16, **{name: True}).fit(X, Y)
    assert error.value.problems == (
        f"{name}=True: needs rows to score: fit(X, y, dev=(texts, labels))",)


@pytest.mark.parametrize(("y", "dev", "told"), [
    (["NUM"] * 15, None, "y: row 0 is 'NUM'; it has to be a finite number (15 such rows)"),
    ([1.0] * 14 + [np.inf], None, "y: row 14 is inf; it has to be a finite number"),
    ([1.0] * 15, (X[:1], ["a"]), "labels of dev: row 0 is 'a'; it has to be a finite number")])
def test_what_is_no_number(y, dev, told, tiny):
    with pytest.raises(InputError) as error:
        Regressor(tiny, train_batch_size=5, max_seq_length=16).fit(X, y, dev=dev)
    assert error.value.problems == (told,)
