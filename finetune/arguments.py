"""What is wrong with the arguments of Predictor, Classifier and Regressor: their names and types.

    @arguments.checked                                  # all public methods, and the constructor
    class Predictor: ...

    arguments.refuse_unknown(["max_seq_lenght"], ["labels", "max_seq_length"])
"""

import difflib
import functools
import inspect
import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from numbers import Integral
from typing import Any, TypeVar

from finetune.config_problems import named, shown
from finetune.errors import ArgumentError

_Class = TypeVar("_Class", bound=type)
_THEIRS = {  # names that Keras, ktrain, Hugging Face and scikit-learn have -> ours
    **dict.fromkeys(("epochs", "n_epochs", "nb_epoch", "num_epochs", "max_iter"),
                    "num_train_epochs"),
    **dict.fromkeys(("batch_size", "per_device_train_batch_size"), "train_batch_size"),
    **dict.fromkeys(("predict(batch_size)", "predict_proba(batch_size)"), "predict_batch_size"),
    **dict.fromkeys(("lr", "learning_rate_init"), "learning_rate"),
    **dict.fromkeys(("max_length", "max_len", "maxlen"), "max_seq_length"),
    **dict.fromkeys(("validation_data", "val_data", "eval_set", "eval_data", "eval_dataset",
                     "validation_set"), "dev"),
    **dict.fromkeys(("model", "model_name", "model_name_or_path"), "init_checkpoint"),
    "random_state": "seed", "class_weight": "class_weights", "warmup_ratio": "warmup_proportion",
    "lr_scheduler_type": "lr_schedule", "texts": "X", "X": "texts", "explain(class_names)": "label"}
_ADVICE = {  # names that stand for something that is done otherwise here
    **dict.fromkeys(("num_labels", "num_classes", "n_classes", "classes", "class_names"),
                    "labels are those of y; of a trained model those of its folder"),
    **dict.fromkeys(("validation_split", "validation_fraction"),
                    "give the rows to be scored: fit(X, y, dev=(texts, labels))"),
    "weight_decay": "it is 0.01, as in the paper",
    "sample_weight": "rows have no weights; class_weights of the constructor weighs labels",
    "n_jobs": "one training, or one call, uses all cores",
    "Classifier.predict(abstain)": "predictor_.predict(texts, abstain=True) does it",
    "save(overwrite)": "nothing is overwritten: name a new folder"}


def checked(made: _Class) -> _Class:
    """Makes the constructor and the public methods of a class tell which arguments do not fit.

    Python's own TypeError says neither what a method takes nor what is near. Signatures and
    docstrings stay as they are, for scikit-learn and help().
    """
    for name, one in list(vars(made).items()):
        if name != "__init__" and name.startswith("_"):
            continue
        if isinstance(one, classmethod):
            setattr(made, name, classmethod(_checked(one.__func__, type)))
        elif inspect.isfunction(one):
            setattr(made, name, _checked(one, made))
    return made


def _checked(method: Callable[..., Any], owner: type) -> Callable[..., Any]:
    """Returns a method whose arguments have to fit: ArgumentError else.

    Args:
        owner: what it is called on is one.
    """
    signature = inspect.signature(method)

    @functools.wraps(method)
    def call(*given: Any, **named: Any) -> Any:
        if not given or not isinstance(given[0], owner):
            on = " or ".join(f"{kind.__name__}(...).{method.__name__}(...)" for kind in
                             owner.__subclasses__() or [owner])
            raise ArgumentError(f"{method.__name__} is called on the class; call it on an object: "
                                f"{on}")
        try:
            signature.bind(*given, **named)
        except TypeError as error:
            raise ArgumentError(_misfits(method, given, named) or str(error)) from None
        return method(*given, **named)
    return call


def _misfits(method: Callable[..., Any], given: Sequence[Any], named: Mapping[str, Any]
             ) -> list[str]:
    """Returns what does not fit the signature of a method; given[0] is its self or its class."""
    owner = given[0] if isinstance(given[0], type) else type(given[0])
    takes = list(inspect.signature(method).parameters.values())[1:]
    by_place = [one.name for one in takes if one.kind is one.POSITIONAL_OR_KEYWORD]
    known = [one.name for one in takes if one.kind is not one.VAR_KEYWORD]
    placed = by_place[:len(given) - 1]
    found = []
    if len(given) - 1 > len(by_place):
        found.append(f"{len(given) - 1} positional arguments, and it takes {len(by_place)}"
                     + "; name the others" * (len(takes) > len(by_place)))
    if len(known) == len(takes):  # there are no **flags
        found += [f"unexpected keyword argument {name!r}{_instead(name, known, method, owner)}"
                  for name in named if name not in known]
    found += [f"{name} is given twice" for name in placed if name in named]
    lacking = [one.name for one in takes if one.default is one.empty and one.name in known
               and one.name not in {*placed, *named}]
    if lacking:
        found.append(f"{' and '.join(lacking)} {'are' if len(lacking) > 1 else 'is'} missing")
    called = owner.__name__ if method.__name__ == "__init__" else (
        f"{owner.__name__}.{method.__name__}")
    return [f"{called}({_listed(takes)}): {problem}" for problem in found]


def _listed(takes: Iterable[inspect.Parameter]) -> str:
    """Returns parameters as a signature has them, without types; those by name alone are "..."."""
    found = []
    for one in takes:
        if one.kind is not one.POSITIONAL_OR_KEYWORD:
            return ", ".join([*found, "..."])
        found.append(one.name if one.default is one.empty else f"{one.name}={one.default!r}")
    return ", ".join(found)


def _instead(name: str, known: Sequence[str], method: Callable[..., Any], owner: type) -> str:
    """Returns what to write instead of an argument that a method has not; "" without an idea."""
    of_class = inspect.signature(owner).parameters
    ours = _THEIRS.get(f"{method.__name__}({name})", _THEIRS.get(name, name))
    if ours in known:
        return f"; it is called {ours} here"
    for one in (name, ours):
        if one in of_class:
            called = "it" if one == name else one
            return f"; {called} is given to the constructor: {owner.__name__}({one}=...)"
    advice = _advice(name, method.__name__, f"{owner.__name__}.{method.__name__}")
    if advice:
        return f"; {advice}"
    near = difflib.get_close_matches(name, [*known, *of_class], 1, 0.5)
    if not near:
        return "; help() lists those that there are" * (method.__name__ == "__init__")
    return f"; did you mean {near[0]}" + (
        "?" if near[0] in known else f" of the constructor, {owner.__name__}({near[0]}=...)?")


def _advice(name: str, *methods: str) -> str | None:
    """Returns what to do instead of giving a name that others have and that has no other here."""
    asked = [*(f"{method}({name})" for method in methods), name]
    return next((_ADVICE[one] for one in asked if one in _ADVICE), None)


def refuse_unknown(given: Iterable[str], known: Iterable[str],
                   why: Mapping[str, str] | None = None) -> None:
    """Refuses keyword arguments that there are not.

    Args:
        given: their names.
        known: the names that there are.
        why: by name, what to do instead.

    Raises:
        ArgumentError: there is one, with the closest that there is.
    """
    known, problems = list(known), []
    for name in given:
        ours = _THEIRS.get(name)
        near = [ours] if ours in known else difflib.get_close_matches(name, known, 1, 0.5)
        hint = (why or {}).get(name) or _advice(name) or (f"did you mean {near[0]}?" if near else
                                         "help() lists those that there are")
        problems.append(f"unexpected keyword argument {name!r}; {hint}")
    if problems:
        raise ArgumentError(problems)


def path(folder: Any) -> str:
    """Returns a path as text; a leading ~ is the home folder.

    Raises:
        ArgumentError: it is none.
    """
    if not isinstance(folder, (str, os.PathLike)):
        raise ArgumentError(f"folder={shown(folder)}: must be a string or a path")
    found = os.path.expanduser(os.fspath(folder))
    if not found.strip():
        raise ArgumentError(f"folder={shown(folder)}: must name a folder")
    return found


def no_such_label(label: Any, labels: Sequence[str]) -> str:
    """Says that a model has no such label, and which it has."""
    near = difflib.get_close_matches(str(label), labels, 1, 0.5)
    return (f"label {label!r} is not one of {named(labels)}"
            + (f"; did you mean {near[0]}?" if near else ""))


def type_problems(batch_size: Any, max_seq_length: Any, labels: Any, **truths: Any) -> list[str]:
    """Returns which arguments of a Predictor are of a wrong type.

    Args:
        truths: what has to be True, False or None, by name.
    """
    found = [f"{name}={shown(value)}: must be True or False" for name, value in truths.items()
             if not isinstance(value, bool | None)]
    if not _is_whole(batch_size) or batch_size < 1:
        found.append(f"batch_size={shown(batch_size)}: must be a whole number, 1 or more")
    if max_seq_length is not None and not _is_whole(max_seq_length):
        found.append(f"max_seq_length={shown(max_seq_length)}: must be a whole number")
    if labels is not None and (isinstance(labels, str) or not isinstance(labels, Iterable)):
        found.append(f"labels={shown(labels)}: must be a list of names")
    return found


def _is_whole(value: Any) -> bool:
    return isinstance(value, Integral) and not isinstance(value, bool)
