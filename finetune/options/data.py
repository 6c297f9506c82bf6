"""Which rows, and how a file of your own is read; handed on to the processor."""

import dataclasses

from finetune.options.declaration import setting

GROUP = "Data"


@dataclasses.dataclass(frozen=True)
class Data:
    """The flags under "Data"."""

    data_dir: str | None = setting(GROUP, "Folder of the data files.", None, True)
    task_name: str | None = setting(
        GROUP, "A task with a known file layout; without it your own files are read.", None, True)
    processor: str | None = setting(
        GROUP, "Your own DataProcessor, as package.module:ClassName; one written for "
        "google-research/bert runs unchanged.")
    task_type: str | None = setting(
        GROUP, "Whether a row is given one of several labels, any number of them (multilabel) or a "
        "number, its score (default: the task's own; for your own files classification, or what "
        "the checkpoint was trained for).",
        choices=("classification", "multilabel", "regression"))
    labels: tuple[str, ...] | None = setting(
        GROUP, "The labels, comma-separated; their order is the order of the columns of "
        "test_results.tsv. Without it: the task's own list, or the training split's labels, "
        "sorted.")
    labels_file: str | None = setting(
        GROUP, "The labels, one a line (for names with commas).")
    data_format: str | None = setting(
        GROUP, "Format of your own files; by their extension when not given.",
        choices=("tsv", "csv", "jsonl", "json"))
    train_file: str | None = setting(
        GROUP, "Training file within data_dir (default: train.tsv, .csv, .jsonl or .json).")
    dev_file: str | None = setting(GROUP, "Dev file within data_dir (default: dev.*).")
    test_file: str | None = setting(GROUP, "Test file within data_dir (default: test.*).")
    text_column: tuple[str, ...] | None = setting(
        GROUP, "Text column by name or position (from 0); several, comma-separated, are joined "
        "by a blank (default: text, else sentence, else title,body).")
    text_b_column: tuple[str, ...] | None = setting(
        GROUP, "Column of the second text of a pair, by name or position.")
    label_column: str | None = setting(
        GROUP, "Label column by name or position (default: label). With --task_type=multilabel "
        "also several, comma-separated, of 0 and 1: one for each label.")
    label_separator: str = setting(
        GROUP, "What stands between the labels of a row (--task_type=multilabel).", ",")
    id_column: str | None = setting(
        GROUP, "Column of the row's own id, repeated in predictions.tsv (default: id, if there "
        "is one).")
    header: str = setting(
        GROUP, "Whether the first line names the columns; auto: it does when columns are given "
        "by name, or when it is the known header of the task.", "auto",
        choices=("auto", "true", "false"))
    encoding: str = setting(GROUP, "Encoding of the data files.", "utf-8")
    language: str = setting(GROUP, "Language of the xnli task, one of its 15.", "zh")
