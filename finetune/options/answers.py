"""How rows are answered: evaluation, prediction, explanation."""

import dataclasses

from finetune.options.declaration import setting

GROUP = "Evaluation and prediction"


@dataclasses.dataclass(frozen=True)
class Answers:
    """The flags under "Evaluation and prediction"."""

    eval_batch_size: int = setting(
        GROUP, "Rows in an evaluation step, of the longest; of shorter rows "
        "as many more as take the same room.", 8, True)
    predict_batch_size: int = setting(
        GROUP, "Rows in a prediction step, in the same way.", 8, True)

    report: bool = setting(
        GROUP, "Write report.html with the scores of --do_eval: curves, tables, charts, likely "
        "label errors and the rows with the highest loss (docs/report.md).", True)
    explain_rows: int = setting(
        GROUP, "Rows that --do_explain explains, from the first on; 0: all.",
        100)
    explain_label: str | None = setting(
        GROUP, "The label whose logit --do_explain explains (default: of "
        "each row the one predicted).")
    label_threshold: float | None = setting(
        GROUP, "Give a row each label whose probability is this or more (--task_type=multilabel), "
        "in place of thresholds fitted to dev; 0.5, say. It is kept in thresholds.json "
        "(docs/multilabel.md).")
    calibrate: bool = setting(
        GROUP, "With --do_eval: fit a temperature on dev, which brings confidences closer to how "
        "often they are right; prediction then uses it (docs/confidence.md).", False)
    min_precision: float | None = setting(
        GROUP, "With --do_eval: find the least confidence from which on this share of dev's rows "
        "is right, for instance 0.95; prediction then marks the rows below it as not answered.")
    use_calibration: bool = setting(
        GROUP, "Predict with the calibration.json that belongs to the checkpoint, where there is "
        "one; false: with the model's own probabilities.", True)
