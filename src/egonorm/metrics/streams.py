"""What accuracies are held against: one answer for all clips, and the best single stream; and streams that are dead."""

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np

from egonorm.metrics.statistics import accuracy_interval

Measured = Mapping[str, tuple[float, int]]
"""What a network measured on a domain: by metric, as `Predictions.measure` calls them, the value and on how many clips."""


def answer_share(scores: np.ndarray) -> float:
    """The share of clips that get the answer which comes most often, in percent. Shape: `clip label`."""
    return 100.0 * float(np.bincount(scores.argmax(axis=1)).max()) / len(scores)


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
        elif kind == "mean_norm" and (value == 0 or max(norms.values()) >= 100 * value):
            longest = max(norms, key=norms.__getitem__)
            beside = f" where {longest}'s is {norms[longest]:.3g}" if longest != modality else ""
            found.append(DeadStream(modality, SHORT, f"its mean norm is {value:.3g}{beside}"))
    return tuple(found)


def describe_dead(dead: tuple[DeadStream, ...]) -> str:
    """A clause a stream: `rgb: 12.5 % where chance is 12.5 %, its mean norm is 0`; empty if there is none."""
    of = {modality: [one.found for one in dead if one.modality == modality] for modality, *_ in dead}
    return "; ".join(f"{modality}: {', '.join(words)}" for modality, words in of.items())
