"""How far a classifier's confidence can be believed: pure functions of probabilities and truth.

    bins = reliability(probabilities, label_ids)
    expected_calibration_error(bins)            # 0.034: confidence is off by 3.4 points on average

The confidence of a row is the probability of its predicted label. Of a calibrated model's answers
with confidence 0.8, 80 % are right (Guo et al. 2017, "On Calibration of Modern Neural Networks").
"""

import dataclasses

import numpy as np

BINS = 15  # as in Guo et al.


@dataclasses.dataclass(frozen=True, eq=False)
class Bins:
    """Rows by confidence, in B bins of equal width; bin b holds b/B < confidence <= (b + 1)/B.

    Attributes:
        counts: int64[B], rows in each.
        confidence: float64[B], mean confidence of its rows; NaN where there are none.
        accuracy: float64[B], share of its rows that are right; NaN where there are none.
    """

    counts: np.ndarray
    confidence: np.ndarray
    accuracy: np.ndarray


def reliability(probabilities: np.ndarray, label_ids: np.ndarray, bins: int = BINS) -> Bins:
    """Sorts the rows into bins by their confidence.

    Args:
        probabilities: float[N, L].
        label_ids: int[N], the truth.
        bins: how many, B.
    """
    confidence = probabilities.max(1).astype(np.float64)
    right = probabilities.argmax(1) == label_ids
    places = np.clip(np.ceil(confidence * bins).astype(np.int64) - 1, 0, bins - 1)
    counts = np.bincount(places, minlength=bins)
    with np.errstate(invalid="ignore"):  # 0 / 0 of an empty bin is NaN
        return Bins(counts, np.bincount(places, confidence, bins) / counts,
                    np.bincount(places, right, bins) / counts)


def expected_calibration_error(bins: Bins) -> float:
    """Returns the mean distance of confidence and accuracy over the bins, weighted by their rows.

    It lies between 0 and 1 and leans upwards: with few rows a bin, chance alone parts the two.
    """
    filled = bins.counts > 0
    distances = np.abs(bins.accuracy[filled] - bins.confidence[filled])
    return float(np.average(distances, weights=bins.counts[filled])) if filled.any() else 0.0
