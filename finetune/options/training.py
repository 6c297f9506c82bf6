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
