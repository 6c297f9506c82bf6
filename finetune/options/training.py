"""How it is trained."""

import dataclasses

from finetune.options.declaration import setting

GROUP = "Training"


@dataclasses.dataclass(frozen=True)
class Training:
    """The flags under "Training"."""

    train_batch_size: int = setting(GROUP, "Rows in a training step.", 32, True)
    gradient_accumulation_steps: int = setting(
        GROUP, "Parts in which the rows of a training step are computed, one after the other: "
        "the same update in less memory.", 1)
    learning_rate: float = setting(GROUP, "Highest learning rate of Adam.", 5e-5, True)
    num_train_epochs: float = setting(
        GROUP, "Passes over the training split; fractions allowed.", 3.0, True)
    warmup_proportion: float = setting(
        GROUP, "Share of the steps in which the rate rises from 0; 0.1 = 10 %.", 0.1, True)
    lr_schedule: str = setting(
        GROUP, "How the learning rate goes over the run: linear, the original's, rises and falls; "
        "constant, cosine, triangular, one_cycle: docs/training.md.", "linear",
        choices=("linear", "constant", "cosine", "triangular", "one_cycle"))
    one_cycle_rise: float = setting(
        GROUP, "Share of the steps in which the rate of one_cycle rises.", 0.3)
    layerwise_lr_decay: float = setting(
        GROUP, "Each layer learns at this share of the rate of the one above it: 0.95, say; "
        "1: all at the same.", 1.0)
    trainable_layers: int | None = setting(
        GROUP, "Train only so many layers, the top ones, with pooler and head; the embeddings "
        "and the layers below stay as they are. 0: pooler and head alone (default: all layers "
        "and the embeddings).")
    gradual_unfreezing: bool = setting(
        GROUP, "Train pooler and head alone in the first epoch, and one layer more, from the "
        "top, in each that follows.", False)
    class_weights: str | None = setting(
        GROUP, "How much the rows of each label count in training: balanced, all labels the "
        "same; or a file with a label, a tab and its weight on each line (default: all rows the "
        "same).")
    focal_gamma: float = setting(
        GROUP, "Focal loss: the larger, the less count rows that are answered right already; "
        "2, say; 0: cross-entropy.", 0.0)
    shuffle_buffer_size: int = setting(
        GROUP, "0: every epoch is a new order of all rows. Else rows are drawn from a buffer "
        "of so many, as in the original, whose buffer is 100: a sorted file then stays sorted.", 0)
    save_checkpoints_steps: int = setting(
        GROUP, "Steps between checkpoints; one more is written at the end.", 1000, True)
    keep_checkpoint_max: int = setting(
        GROUP, "Newest checkpoints kept (the best one comes on top); 0 keeps all.", 5)
    average_checkpoints: int = setting(
        GROUP, "After training, evaluate and predict with the mean of the weights of so many "
        "checkpoints, the last ones (docs/folds.md); 0: with the last one.", 0)
    eval_every_steps: int = setting(
        GROUP, "Steps between evaluations during training; 0: none. The best checkpoint is "
        "then the one evaluated and used for prediction.", 0)
    early_stopping_patience: int = setting(
        GROUP, "Stop after so many evaluations without a better one; 0: never.", 0)
    metric_for_best: str | None = setting(
        GROUP, "Metric that decides which checkpoint is best (default: the task's first; "
        "a loss or an error is best when lowest).")
    log_every_steps: int = setting(GROUP, "Steps between lines in the log.", 20)
