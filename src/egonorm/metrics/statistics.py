"""How sure one can be of an accuracy and of a gain: intervals, a paired test over seeds and clips, Holm's correction.

And what an accuracy is held against: one answer for all clips; streams that are not told from that are dead.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np
from jaxtyping import Float
from scipy.special import ndtri, stdtrit


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


Differences = Float[np.ndarray, "seed _"]
"""A row a seed, a column a clip: a method's correctness minus the reference's, each in [-1, 1]."""


@dataclass(frozen=True)
class PairedTest:
    """A mean difference in correctness, and how much of it chance could make: the chance of seeds, and that of clips."""

    mean: float
    by_seeds: float
    """Variance of the mean from one training to the next; 0 with a single seed, which cannot show it."""
    by_clips: float
    """Variance of the mean from one sample of clips to the next."""
    num_seeds: int
    num_clips: int
    """Of the target with the fewest clips."""

    @property
    def standard_error(self) -> float:
        """The standard deviation of the mean over new seeds and new clips."""
        return (self.by_seeds + self.by_clips) ** 0.5

    @cached_property
    def p(self) -> float:
        """How probable a mean so far from 0, or farther, is at most when the true one is 0 (two-sided)."""
        if abs(self.mean) < _ROUNDING:
            return 1.0
        if self.standard_error < _ROUNDING:
            return 2.0 ** (1 - self.num_clips)  # all equal: what turning the clips' signs at random would give
        low, high = (
            _SMALLEST,
            0.0,
        )  # of its logarithm; halved here, for to import scipy.optimize takes longer than all tests
        for _ in range(52):
            middle = (low + high) / 2
            low, high = (middle, high) if self._half_width(np.exp(middle)) > abs(self.mean) else (low, middle)
        return float(np.exp(low))

    def interval(self, confidence: float = 0.95) -> tuple[float, float]:
        """The differences that a test at this level would not refuse."""
        half = self._half_width(1 - confidence)
        return self.mean - half, self.mean + half

    def _half_width(self, level: float) -> float:
        """Each variance with Student's quantile of its own degrees of freedom: never too narrow (Banerjee, Sankhya 1960).

        Where nothing varies: the share of clips of another kind that could still have been missed.
        """
        if self.standard_error == 0:
            return 1 - (level / 2) ** (1 / self.num_clips)
        seeds, clips = (stdtrit(max(1, n - 1), level / 2) for n in (self.num_seeds, self.num_clips))
        return float(np.sqrt(self.by_seeds * seeds**2 + self.by_clips * clips**2))


_SMALLEST, _ROUNDING = float(np.log(1e-12)), 1e-12


def paired_test(targets: Sequence[Differences], shares: Sequence[float] = (1.0,)) -> PairedTest:
    """Whether the mean difference is 0, when seeds and clips are both samples: a two-way layout of random effects.

    So readers and cases are in radiology (Obuchowski and Rockette, Commun. Stat. Simul. 1995; Hillis, Stat. Med. 2007). With the
    mean squares of seeds, clips and residuals of S seeds and C clips, the mean has the variance
    `(MS_seed + max(MS_clip - MS_error, 0)) / (S C)`, raised to `MS_error / (S C)` where chance made it smaller.

    Args:
        targets: one array for each set of clips; the same seeds in all of them.
        shares: the weight of each set's mean, 1 in sum. A seed is one sample in all sets: what it decides is shared.
    """
    means = sum(share * d.mean(axis=1) for d, share in zip(targets, shares, strict=True))
    num_seeds, num_clips = len(means), min(d.shape[1] for d in targets)
    clips, error = (sum(parts) for parts in zip(*map(_of_clips, targets, shares), strict=True))
    seeds = _variance(means) / num_seeds
    by_clips = max(clips - error, error - seeds, 0.0) if num_seeds > 1 else clips
    return PairedTest(float(means.mean()), float(seeds), float(by_clips), num_seeds, num_clips)


def _of_clips(differences: Differences, share: float) -> tuple[float, float]:
    """The variances of the weighted mean that the clips' and the residuals' mean squares give."""
    num_seeds, num_clips = differences.shape
    clips = differences.mean(axis=0)
    residuals = differences - clips - differences.mean(axis=1, keepdims=True) + differences.mean()
    freedom = max(1, (num_seeds - 1) * (num_clips - 1))
    error = np.square(residuals).sum() / freedom / num_seeds
    return share**2 * _variance(clips) / num_clips, share**2 * float(error) / num_clips


def _variance(samples: Float[np.ndarray, " sample"]) -> float:
    return float(samples.var(ddof=1)) if len(samples) > 1 else 0.0


def holm(p_values: Sequence[float]) -> tuple[float, ...]:
    """Holm's corrected p values, in the same order: below 0.05, the whole family errs once in twenty (Scand. J. Stat. 1979)."""
    order = np.argsort(p_values, kind="stable")
    factors = np.arange(len(p_values), 0, -1)
    corrected = np.empty(len(p_values))
    corrected[order] = np.minimum(1.0, np.maximum.accumulate(factors * np.asarray(p_values)[order]))
    return tuple(corrected.tolist())


Measured = Mapping[str, tuple[float, int]]
"""What a network measured on a domain: by metric, as `Predictions.measure` calls them, the value and on how many clips."""


def chance(measured: Measured) -> float | None:
    """The accuracy of one answer for all clips, in percent: the share of the class that most have; None where none is known."""
    sizes = [n for metric, (_, n) in measured.items() if metric.startswith("recall/")]
    return 100.0 * max(sizes) / sum(sizes) if sizes else None


class DeadStream(NamedTuple):
    """A stream that says nothing, or is not heard."""

    modality: str
    why: str
    """One of `NOT_ABOVE_CHANCE`, `ONE_ANSWER` and `SHORT`."""
    found: str
    """The numbers that say so."""


NOT_ABOVE_CHANCE = "its accuracy is not above chance"
ONE_ANSWER = "95 % of its answers or more are one class"
SHORT = "its mean norm is 0, or another's is 100 times it"


def dead_streams(measured: Measured) -> tuple[DeadStream, ...]:
    """The streams of a network that are dead on a domain, and why; one may be so for several reasons.

    An accuracy is not above chance where Wilson's 95 % interval reaches down to it. Where all clips are of one class, or as good
    as that, a stream that gives one answer is right, and not dead.
    """
    norms = {
        metric.partition("/")[2]: value for metric, (value, _) in measured.items() if metric.startswith("mean_norm/")
    }
    expected, found = chance(measured), []
    for metric, (value, n) in measured.items():
        kind, _, modality = metric.partition("/")
        if kind == "top1" and modality and expected is not None and expected < 100:
            if accuracy_interval(value, n)[0] <= expected:
                found.append(DeadStream(modality, NOT_ABOVE_CHANCE, f"{value:.1f} % where chance is {expected:.1f} %"))
        elif kind == "answer_share" and value >= 95 and (expected is None or expected < 90):
            found.append(DeadStream(modality, ONE_ANSWER, f"{value:.1f} % of its answers are one class"))
        elif kind == "mean_norm" and max(norms.values()) >= 100 * value:
            longest = max(norms, key=norms.__getitem__)
            beside = f" where {longest}'s is {norms[longest]:.3g}" if longest != modality else ""
            found.append(DeadStream(modality, SHORT, f"its mean norm is {value:.3g}{beside}"))
    return tuple(found)


def describe_dead(dead: tuple[DeadStream, ...]) -> str:
    """A clause a stream: `rgb: 12.5 % where chance is 12.5 %, its mean norm is 0`; empty if there is none."""
    of = {modality: [one.found for one in dead if one.modality == modality] for modality, *_ in dead}
    return "; ".join(f"{modality}: {', '.join(words)}" for modality, words in of.items())
