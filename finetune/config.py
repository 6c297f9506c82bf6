"""What a run is: one frozen RunConfig, every setting declared once.

The entry point makes its flags from these declarations (name, type, default, help, group), so
there is no second list of flags. `RunConfig.problems()` checks all that can be known without
opening a file and reports every problem together, each quoting its flag.
"""

import dataclasses
import typing
from typing import Any

from finetune import config_problems
from finetune.export import formats


def setting(group: str, help_text: str, default: Any = None, original: bool = False,
            choices: tuple[str, ...] | None = None) -> Any:
    """Declares one field of RunConfig and so one flag.

    Args:
        group: the heading it stands under in --help.
        help_text: what it does, with units.
        default: its value when the flag is not given.
        original: whether google-research/bert's run_classifier.py has this flag; name, type and
            default are then the original's.
        choices: the values allowed, for a flag with few.
    """
    return dataclasses.field(default=default, metadata={
        "group": group, "help": help_text, "original": original, "choices": choices})


@dataclasses.dataclass(frozen=True)
class RunConfig:
    """All settings of a run. Read the fields as the manual: `--help` prints the same text."""

    # What to do
    do_train: bool = setting("What to do", "Fine-tune on the training split.", False, True)
    do_eval: bool = setting("What to do", "Score the dev split.", False, True)
    do_predict: bool = setting("What to do", "Predict the test split.", False, True)
    do_check: bool = setting(
        "What to do", "Look at the data first: duplicates, leaks between splits, labels, lengths, "
        "what the vocabulary does not know, and what the run will cost. Alone, it stops there.",
        False)
    baseline: bool = setting(
        "What to do", "Score a simple model, TF-IDF with logistic regression (ridge regression for "
        "scores), on dev beside BERT.", False)
    do_explain: bool = setting(
        "What to do", "Say what each word of the first rows of the test split adds to their "
        "answers (docs/explain.md).", False)
    do_export: bool = setting(
        "What to do", "Write the classifier into output_dir/export in the forms that other "
        "programs load, with a model card; needs no data (docs/export.md).", False)
    export_formats: tuple[str, ...] | None = setting(
        "What to do", "What --do_export writes, comma-separated: saved_model, tflite, onnx, "
        "huggingface (default: all but onnx, which needs scripts/setup.sh --export).")
    output_dir: str | None = setting(
        "What to do", "Folder for everything the run writes (required).", None, True)
    overwrite_output_dir: bool = setting(
        "What to do", "Delete what an earlier run wrote into output_dir and start anew; without "
        "it the same command goes on where it stopped.", False)
    config: str | None = setting(
        "What to do", "A YAML or JSON file of flags (name: value); the command line wins. "
        "output_dir/run_config.json is such a file.")
    sweep: str | None = setting(
        "What to do", "A YAML or JSON file of values to try for some flags: one run for each "
        "combination, in folders within output_dir; the best on dev is chosen (docs/sweep.md).")
    engine: str = setting(
        "What to do", "What trains and answers: fast, this program; original, google-research/"
        "bert's own flow on TensorFlow 2.15 in an environment that scripts/setup_original.sh "
        "makes.", "fast", choices=("fast", "original"))
    seed: int = setting(
        "What to do", "Decides the head's first weights, dropout and the order of the rows; the "
        "same seed gives the same bits on the same machine.", 42)
    show_stage_times: bool = setting(
        "What to do", "Show at the end where the time went (start, features, compile, train, eval, "
        "checkpoint, predict, explain, export), and write it into output_dir/stage_times.json.",
        False)

    # Data
    data_dir: str | None = setting("Data", "Folder of the data files.", None, True)
    task_name: str | None = setting(
        "Data", "A task with a known file layout; without it your own files are read.", None, True)
    processor: str | None = setting(
        "Data", "Your own DataProcessor, as package.module:ClassName; one written for "
        "google-research/bert runs unchanged.")
    task_type: str | None = setting(
        "Data", "Whether a row is given one of several labels or a number, its score (default: the "
        "task's own; for your own files classification, or what the checkpoint was trained for).",
        choices=("classification", "regression"))
    labels: tuple[str, ...] | None = setting(
        "Data", "The labels, comma-separated; their order is the order of the columns of "
        "test_results.tsv. Without it: the task's own list, or the training split's labels, "
        "sorted.")
    labels_file: str | None = setting(
        "Data", "The labels, one a line (for names with commas).")
    data_format: str | None = setting(
        "Data", "Format of your own files; by their extension when not given.",
        choices=("tsv", "csv", "jsonl", "json"))
    train_file: str | None = setting(
        "Data", "Training file within data_dir (default: train.tsv, .csv, .jsonl or .json).")
    dev_file: str | None = setting("Data", "Dev file within data_dir (default: dev.*).")
    test_file: str | None = setting("Data", "Test file within data_dir (default: test.*).")
    text_column: tuple[str, ...] | None = setting(
        "Data", "Text column by name or position (from 0); several, comma-separated, are joined "
        "by a blank (default: text, else sentence, else title,body).")
    text_b_column: tuple[str, ...] | None = setting(
        "Data", "Column of the second text of a pair, by name or position.")
    label_column: str | None = setting(
        "Data", "Label column by name or position (default: label).")
    id_column: str | None = setting(
        "Data", "Column of the row's own id, repeated in predictions.tsv (default: id, if there "
        "is one).")
    header: str = setting(
        "Data", "Whether the first line names the columns; auto: it does when columns are given "
        "by name, or when it is the known header of the task.", "auto",
        choices=("auto", "true", "false"))
    encoding: str = setting("Data", "Encoding of the data files.", "utf-8")
    language: str = setting("Data", "Language of the xnli task, one of its 15.", "zh")

    # Model
    init_checkpoint: str | None = setting(
        "Model", "Checkpoint to start from: a prefix (.../bert_model.ckpt) or its folder.",
        None, True)
    bert_config_file: str | None = setting(
        "Model", "bert_config.json of the model (default: the one beside the checkpoint).",
        None, True)
    vocab_file: str | None = setting(
        "Model", "vocab.txt of the model (default: the one beside the checkpoint).", None, True)
    bert_hub_module_handle: str | None = setting(
        "Model", "TensorFlow Hub module to start from, instead of --init_checkpoint: an address "
        "(https://tfhub.dev/...) or a folder. Vocabulary, configuration and casing come with it.")
    do_lower_case: bool | None = setting(  # None, which no flag can give: what the module says
        "Model", "Lower-case the text and strip accents: true for uncased models, false for "
        "cased ones.", True, True)
    max_seq_length: int = setting(
        "Model", "Longest input in WordPiece tokens, [CLS] and [SEP] included; longer ones are "
        "cut, shorter ones cost only what they have.", 128, True)

    # Training
    train_batch_size: int = setting("Training", "Rows in a training step.", 32, True)
    gradient_accumulation_steps: int = setting(
        "Training", "Parts in which the rows of a training step are computed, one after the other: "
        "the same update in less memory.", 1)
    learning_rate: float = setting("Training", "Highest learning rate of Adam.", 5e-5, True)
    num_train_epochs: float = setting(
        "Training", "Passes over the training split; fractions allowed.", 3.0, True)
    warmup_proportion: float = setting(
        "Training", "Share of the steps in which the rate rises from 0; 0.1 = 10 %.", 0.1, True)
    shuffle_buffer_size: int = setting(
        "Training", "0: every epoch is a new order of all rows. Else rows are drawn from a buffer "
        "of so many, as in the original, whose buffer is 100: a sorted file then stays sorted.", 0)
    save_checkpoints_steps: int = setting(
        "Training", "Steps between checkpoints; one more is written at the end.", 1000, True)
    keep_checkpoint_max: int = setting(
        "Training", "Newest checkpoints kept (the best one comes on top); 0 keeps all.", 5)
    eval_every_steps: int = setting(
        "Training", "Steps between evaluations during training; 0: none. The best checkpoint is "
        "then the one evaluated and used for prediction.", 0)
    early_stopping_patience: int = setting(
        "Training", "Stop after so many evaluations without a better one; 0: never.", 0)
    metric_for_best: str | None = setting(
        "Training", "Metric that decides which checkpoint is best (default: the task's first; "
        "a loss or an error is best when lowest).")
    log_every_steps: int = setting("Training", "Steps between lines in the log.", 20)

    # Evaluation and prediction
    eval_batch_size: int = setting(
        "Evaluation and prediction", "Rows in an evaluation step, of the longest; of shorter rows "
        "as many more as take the same room.", 8, True)
    predict_batch_size: int = setting(
        "Evaluation and prediction", "Rows in a prediction step, in the same way.", 8, True)

    explain_rows: int = setting(
        "Evaluation and prediction", "Rows that --do_explain explains, from the first on; 0: all.",
        100)
    explain_label: str | None = setting(
        "Evaluation and prediction", "The label whose logit --do_explain explains (default: of "
        "each row the one predicted).")

    # Devices
    precision: str = setting(
        "Devices", "Type in which the encoder's layers compute; weights, optimizer and loss stay "
        "float32. bfloat16 is for TPUs and newer GPUs and processors, float16 for GPUs.",
        "float32", choices=("float32", "bfloat16", "float16"))
    xla: bool = setting(
        "Devices", "Compile the model with XLA, for rows padded to one of a few lengths: once for "
        "each length that occurs.", False)
    distribution: str | None = setting(
        "Devices", "Which devices share the work: one_device, the first GPU or else the CPU (the "
        "default); mirrored, all GPUs of this machine; multi_worker, the machines that TF_CONFIG "
        "names; tpu, the same as --use_tpu.",
        choices=("one_device", "mirrored", "multi_worker", "tpu"))
    use_tpu: bool = setting("Devices", "Run on a Cloud TPU.", False, True)
    tpu_name: str | None = setting(
        "Devices", "Name of the TPU; 'local' on a TPU VM (the default there).", None, True)
    tpu_zone: str | None = setting("Devices", "Zone of the TPU, if it cannot be found.",
                                   None, True)
    gcp_project: str | None = setting("Devices", "Project of the TPU, if it cannot be found.",
                                      None, True)
    master: str | None = setting(
        "Devices", "TensorFlow master of the original; TPU Nodes, which it named, are gone.",
        None, True)
    num_tpu_cores: int = setting(
        "Devices", "Cores of the TPU; accepted as in the original, TensorFlow finds them itself.",
        8, True)
    tpu_job_name: str | None = setting("Devices", "Name of the TPU worker's job.", None, True)
    iterations_per_loop: int = setting(
        "Devices", "Steps inside one call on a TPU, as far as no evaluation and no checkpoint lies "
        "between; elsewhere a call makes one.", 1000, True)
    inter_op_threads: int = setting(
        "Devices", "Operations that TensorFlow runs beside each other on the CPU; 0: it chooses.",
        0)
    intra_op_threads: int = setting(
        "Devices", "Threads that share one operation on the CPU; 0: TensorFlow chooses.", 0)

    @property
    def kind_of_distribution(self) -> str:
        """The --distribution that is meant: its own value, that of --use_tpu, or the default."""
        return self.distribution or ("tpu" if self.use_tpu else "one_device")

    @property
    def only_checks(self) -> bool:
        """Whether the run looks at the data and ends there."""
        return self.do_check and not (self.do_train or self.do_eval or self.do_predict
                                      or self.do_explain or self.do_export)

    def looked_at(self) -> "RunConfig":
        """Returns the settings of the run that is checked: a check alone is that of a training."""
        return dataclasses.replace(self, do_train=True) if self.only_checks else self

    def missing(self) -> list[str]:
        """Returns what has to be given before anything else can be checked."""
        found = []
        reads_data = (self.do_train or self.do_eval or self.do_predict or self.do_explain
                      or self.do_check)
        if not (reads_data or self.do_export):
            found.append("nothing to do: give at least one of --do_train, --do_eval, --do_predict, "
                         "--do_explain, --do_export, --do_check")
        if not self.output_dir:
            found.append("--output_dir is required: the folder for everything the run writes")
        files = self.data_dir or self.train_file or self.dev_file or self.test_file
        if not files and (reads_data or not self.do_export):
            found.append("--data_dir is required: the folder of the data files")
        return found

    def problems(self) -> list[str]:
        """Returns all that is wrong with the settings themselves, a message each."""
        return [*config_problems.of_numbers(self), *self.label_problems(),
                *config_problems.of_modes(self), *config_problems.of_explanation(self),
                *config_problems.of_devices(self), *formats.problems(self)]

    def label_problems(self) -> list[str]:
        """Returns what is wrong with --labels."""
        if self.labels is not None and self.labels_file:
            return ["--labels and --labels_file exclude each other: give one of them"]
        return config_problems.of_labels(self.labels, "--labels") if self.labels is not None else []

    def as_dict(self) -> dict[str, Any]:
        """Returns the settings as JSON-ready values; `--config` reads them back.

        What would delete something or name another file of settings is left out.
        """
        return {key: list(value) if isinstance(value, tuple) else value
                for key, value in dataclasses.asdict(self).items()
                if key not in ("config", "overwrite_output_dir", "sweep")}


def flag_type(field: dataclasses.Field) -> type:
    """Returns bool, int, float, str or tuple (a comma-separated list) for a field of RunConfig."""
    if field.type == tuple[str, ...] | None:
        return tuple
    return next(iter(typing.get_args(field.type)), field.type)
