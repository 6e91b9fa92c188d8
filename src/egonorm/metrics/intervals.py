"""How sure one can be of an accuracy: intervals with the test clips as the unit and the models fixed."""

from collections.abc import Sequence

from scipy.special import ndtri


def accuracy_interval(percent: float, n: int, confidence: float = 0.95) -> tuple[float, float]:
    """Wilson's interval of an accuracy measured on `n` clips, in percent (J. Am. Stat. Assoc. 1927).

    An accuracy averaged over checkpoints and seeds, which is seldom a whole number of clips, is taken as one of the same size on
    the same clips; the mean varies less from clip to clip, so that the interval is wide enough.
    """
    return _wilson(percent / 100, n, confidence)


def mean_accuracy_interval(
    percents: Sequence[float], ns: Sequence[int], shares: Sequence[float], confidence: float = 0.95
) -> tuple[float, float]:
    """The interval of a weighted mean of accuracies that were measured on different clips, in percent.

    Wilson's, for as many clips as a single sample would need to vary as much: Kish's effective size. Accuracies on the same
    clips must be averaged before.

    Args:
        shares: the weight of each accuracy, 1 in sum.
    """
    parts = [(percent / 100, n, share) for percent, n, share in zip(percents, ns, shares, strict=True)]
    mean = min(1.0, sum(share * x for x, _, share in parts))
    variance = sum(share**2 * x * (1 - x) / n for x, n, share in parts)
    size = mean * (1 - mean) / variance if variance > 0 else 1 / sum(share**2 / n for _, n, share in parts)
    return _wilson(mean, size, confidence)


def _wilson(x: float, n: int | float, confidence: float) -> tuple[float, float]:
    z2 = float(ndtri((1 + confidence) / 2)) ** 2
    centre = (x + z2 / (2 * n)) / (1 + z2 / n)
    half = (z2 * (x * (1 - x) / n + z2 / (4 * n * n))) ** 0.5 / (1 + z2 / n)
    return 100 * max(0.0, centre - half), 100 * min(1.0, centre + half)
