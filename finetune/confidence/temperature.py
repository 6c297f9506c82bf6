"""The temperature under which dev's labels are likeliest (Guo et al., 2017, arXiv:1706.04599)."""

import numpy as np

from finetune.confidence.calibration import log_softmax, logits

LEAST, MOST = 0.05, 20.0  # temperatures looked at; networks that were measured lie between 1 and 4


def fit(probabilities: np.ndarray, label_ids: np.ndarray) -> float | None:
    """Returns the temperature with the least negative log-likelihood.

    That is convex in 1 / T, so there is one minimum, if there is any: where every row is right,
    the smaller T the better; where the true labels' logits lie on average no higher than the
    others', the larger T the better.

    Args:
        probabilities: float32[N, L].
        label_ids: int[N], the truth.

    Returns:
        A number from LEAST to MOST; None where no temperature is best.
    """
    from scipy import optimize  # takes a second to import

    values = logits(probabilities)
    true = values[np.arange(len(values)), label_ids]
    if (true == values.max(1)).all() or (values.mean(1) - true).mean() >= 0:
        return None

    def loss(log_temperature: float) -> float:
        scaled = log_softmax(values / np.exp(log_temperature))
        return -float(scaled[np.arange(len(scaled)), label_ids].mean())

    found = optimize.minimize_scalar(loss, bounds=(np.log(LEAST), np.log(MOST)), method="bounded",
                                     options={"xatol": 1e-6})
    return float(np.exp(found.x))
