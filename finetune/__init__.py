"""HOW any task is run: features, encoder, training, evaluation, prediction.

    from finetune import Predictor        # a trained folder in a program of your own
    from finetune import Classifier       # fit, predict, score: in the manner of scikit-learn

Never imports `processors`, never reads flags. `runner.run(config, processor)` is the way in.

A map, in the order of a run:

    the story    runner
    settings     config, config_problems, settings, inputs, options/, manual, command, errors, log
    checks       preparation, preflight, reading, output_folder, run_folder, summary, check/,
                 baseline
    labels       labels, bound_labels, task_kind, multilabel/
    features     upstream, tokenization, features, feature_table, columns, example_proto,
                 records, windows, pooling, long_texts
    the graph    batches, layout, layers, encoder, heads, model, bert_config, distribution, workers,
                 traces, tensorflow_import
    weights      sources/, start, checkpoints/
    training     training/, stages, trouble, swept, sweep/, members/
    answers      evaluation, metrics, predictor, calibration, confidence/, explanation/, outputs,
                 eval_results, report/
    use          trained, trained_folder, texts, answers, arguments, estimators/, serving/,
                 export/
    the paper    glue/, original/
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from finetune.estimators.estimator import Classifier, Regressor
    from finetune.trained import Predictor

__all__ = ["Classifier", "Predictor", "Regressor"]


def __getattr__(name: str) -> Any:
    """Imports one of these, and TensorFlow with Predictor, when it is asked for and not before."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    if name != "Predictor":
        from finetune.estimators import estimator
        return getattr(estimator, name)
    from finetune import log, tensorflow_import
    with log.quiet():
        tensorflow_import.load()
        from finetune.trained import Predictor
    return Predictor
