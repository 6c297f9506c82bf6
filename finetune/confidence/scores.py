"""How well probabilities say how often they are right: pure functions of them and the truth."""

import numpy as np

from finetune.confidence.calibration import SMALLEST

BINS = 15  # of Guo et al., 2017


def figures(probabilities: np.ndarray, label_ids: np.ndarray) -> dict[str, float]:
    """Scores probabilities; of all three less is better.

    Args:
        probabilities: float[N, L].
        label_ids: int[N], the truth.

    Returns:
        ece, see `expected_calibration_error`; nll, the mean negative logarithm of the true label's
        probability; brier, the mean over rows of the squared differences, summed over the labels,
        between probabilities and truth (0 to 2).
    """
    rows = np.arange(len(label_ids))
    values = probabilities.astype(np.float64)
    off = values.copy()
    off[rows, label_ids] -= 1
    return {"ece": expected_calibration_error(values.max(1), values.argmax(1) == label_ids),
            "nll": float(-np.log(np.maximum(values[rows, label_ids], SMALLEST)).mean()),
            "brier": float(np.square(off).sum(1).mean())}


def expected_calibration_error(confidence: np.ndarray, right: np.ndarray) -> float:
    """Returns the mean distance, over the rows, of a bin's confidence from its share of hits.

    Args:
        confidence: float[N], of the predicted label.
        right: bool[N], whether that is the true one.

    Returns:
        A fraction. The bins are BINS of equal width, each without its lower and with its upper
        end, as in Guo et al., 2017.
    """
    bins = np.clip(np.ceil(confidence * BINS).astype(int) - 1, 0, BINS - 1)
    gaps = np.bincount(bins, weights=confidence - right, minlength=BINS)
    return float(np.abs(gaps).sum() / len(confidence))
