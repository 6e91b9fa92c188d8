"""How sure one can be of an accuracy."""

from scipy.stats import binomtest


def accuracy_interval(percent: float, n: int, confidence: float = 0.95) -> tuple[float, float]:
    """Wilson's interval of an accuracy measured on `n` clips, in percent: the clips are the unit, the model is fixed.

    An accuracy averaged over checkpoints is taken as one of the same size on the same clips.
    """
    interval = binomtest(round(percent / 100 * n), n).proportion_ci(confidence_level=confidence, method="wilson")
    return 100 * interval.low, 100 * interval.high
