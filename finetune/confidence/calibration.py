"""What a fitted temperature and threshold make of a model's probabilities; pure numpy.

    calibration = Calibration(temperature=1.8, threshold=0.83)
    calibration.probabilities(answers)       # softmax(logits / 1.8)
    calibration.answered(answers)            # which rows reach 0.83

A softmax's logarithm is the logits but for a constant in each row, which softmax does not see. So
softmax(logits / T) comes from the probabilities alone, up to the rounding of a float32.
"""

import dataclasses

import numpy as np

YES_NO = {True: "yes", False: "no"}  # whether a row is answered, as files have it
# A label whose probability a float32 cannot hold (logits more than 87 apart) is given this one.
SMALLEST = float(np.finfo(np.float32).tiny)


@dataclasses.dataclass(frozen=True)
class Calibration:
    """How probabilities are changed, and from where on a row counts as answered.

    Attributes:
        temperature: the logits are divided by it; 1 leaves every bit as it is.
        threshold: least confidence of an answered row; None: every row is answered.
    """

    temperature: float = 1.0
    threshold: float | None = None

    def probabilities(self, answers: np.ndarray) -> np.ndarray:
        """Returns the calibrated probabilities.

        The order of a row's labels stays, so that no prediction changes.

        Args:
            answers: float32[N, L], a model's own.

        Returns:
            float64[N, L]; for temperature 1 the very array that was given.
        """
        if self.temperature == 1:
            return answers
        scaled = np.exp(log_softmax(logits(answers) / self.temperature))
        return scaled / scaled.sum(1, keepdims=True)

    def answered(self, answers: np.ndarray) -> np.ndarray | None:
        """Returns bool[N], which rows reach the threshold; None without one.

        Args:
            answers: float32[N, L], a model's own.
        """
        if self.threshold is None:
            return None
        return self.probabilities(answers).max(1, initial=0) >= self.threshold


RAW = Calibration()


def logits(probabilities: np.ndarray) -> np.ndarray:
    """Returns float64[N, L], the logits but for a constant in each row."""
    return np.log(np.maximum(probabilities.astype(np.float64), SMALLEST))


def log_softmax(values: np.ndarray) -> np.ndarray:
    """Returns float64[N, L], the logarithms of the softmax of each row."""
    values = values - values.max(1, keepdims=True)
    return values - np.log(np.exp(values).sum(1, keepdims=True))
