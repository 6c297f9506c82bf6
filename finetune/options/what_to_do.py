"""What a run does, and where it writes."""

import dataclasses

from finetune.options.declaration import setting

GROUP = "What to do"


@dataclasses.dataclass(frozen=True)
class WhatToDo:
    """The flags under "What to do"."""

    do_train: bool = setting(GROUP, "Fine-tune on the training split.", False, True)
    do_eval: bool = setting(GROUP, "Score the dev split.", False, True)
    do_predict: bool = setting(GROUP, "Predict the test split.", False, True)
    do_check: bool = setting(
        GROUP, "Look at the data first: duplicates, leaks between splits, labels, lengths, "
        "what the vocabulary does not know, and what the run will cost. Alone, it stops there.",
        False)
    baseline: bool = setting(
        GROUP, "Score a simple model, TF-IDF with logistic regression (ridge regression for "
        "scores), on dev beside BERT.", False)
    find_lr: bool = setting(
        GROUP, "Look for a learning rate: some steps at rising rates, of which nothing is kept "
        "but the losses, in output_dir/lr_finder.tsv and .svg. Alone, with the flags of the "
        "training to come (docs/training.md).", False)
    do_explain: bool = setting(
        GROUP, "Say what each word of the first rows of the test split adds to their "
        "answers (docs/explain.md).", False)
    do_export: bool = setting(
        GROUP, "Write the classifier into output_dir/export in the forms that other "
        "programs load, with a model card; needs no data (docs/export.md).", False)
    export_formats: tuple[str, ...] | None = setting(
        GROUP, "What --do_export writes, comma-separated: saved_model, tflite, onnx, "
        "huggingface (default: all but onnx, which needs scripts/setup.sh --export).")
    output_dir: str | None = setting(
        GROUP, "Folder for everything the run writes (required).", None, True)
    overwrite_output_dir: bool = setting(
        GROUP, "Delete what an earlier run wrote into output_dir and start anew; without "
        "it the same command goes on where it stopped.", False)
    config: str | None = setting(
        GROUP, "A YAML or JSON file of flags (name: value); the command line wins. "
        "output_dir/run_config.json is such a file.")
    sweep: str | None = setting(
        GROUP, "A YAML or JSON file of values to try for some flags: one run for each "
        "combination, in folders within output_dir; the best on dev is chosen (docs/sweep.md).")
    kfold: int = setting(
        GROUP, "Deal the training rows to so many folds (2 to 20) and train once for each on all "
        "others: every row is predicted by a model that has not seen it (docs/folds.md); 0: no "
        "folds.", 0)
    ensemble: int = setting(
        GROUP, "Train so many times (2 to 100), with --seed and the seeds after it; the mean of "
        "their answers is scored and predicted (docs/folds.md); 0: a single training.", 0)
    engine: str = setting(
        GROUP, "What trains and answers: fast, this program; original, google-research/"
        "bert's own flow on TensorFlow 2.15 in an environment that scripts/setup_original.sh "
        "makes.", "fast", choices=("fast", "original"))
    seed: int = setting(
        GROUP, "Decides the head's first weights, dropout and the order of the rows; the "
        "same seed gives the same bits on the same machine.", 42)
    show_stage_times: bool = setting(
        GROUP, "Show at the end where the time went (start, features, compile, train, eval, "
        "checkpoint, predict, explain, export), and write it into output_dir/stage_times.json.",
        False)
