"""How well probabilities say how often they are right: pure functions of them and the truth."""

import numpy as np

from finetune.calibration import expected_calibration_error, reliability
from finetune.confidence.calibration import SMALLEST


def figures(probabilities: np.ndarray, label_ids: np.ndarray) -> dict[str, float]:
    """Scores probabilities; of all three less is better.

    Args:
        probabilities: float[N, L].
        label_ids: int[N], the truth.

    Returns:
        ece, the expected calibration error in 15 bins of equal width; nll, the mean negative
        logarithm of the true label's probability; brier, the mean over rows of the squared
        differences, summed over the labels, between probabilities and truth (0 to 2).
    """
    rows = np.arange(len(label_ids))
    values = probabilities.astype(np.float64)
    off = values.copy()
    off[rows, label_ids] -= 1
    return {"ece": expected_calibration_error(reliability(values, label_ids)),
            "nll": float(-np.log(np.maximum(values[rows, label_ids], SMALLEST)).mean()),
            "brier": float(np.square(off).sum(1).mean())}
