"""Which clips to look at, by rules and not by taste: what a method changed most, and what a run was surest of and wrong."""

from dataclasses import dataclass

import numpy as np

from egonorm.core import RunError
from egonorm.core.training import FUSED
from egonorm.runs.predictions import Predicted


@dataclass(frozen=True)
class Change:
    """What became of a clip's fused score for its true class."""

    uid: str
    label: int
    before: float
    """In the run that is compared with."""
    after: float

    @property
    def gain(self) -> float:
        """By how much it rose."""
        return self.after - self.before


@dataclass(frozen=True)
class Mistake:
    """A clip that was taken for another class."""

    uid: str
    label: int
    answer: int
    score: float
    """The fused score of the answer."""


def largest_changes(before: Predicted, after: Predicted, k: int) -> tuple[tuple[Change, ...], tuple[Change, ...]]:
    """The `k` clips whose true class's fused score rose most, and the `k` for which it fell most, by uid among equals.

    Scores are the means over each run's selected checkpoints. Clips that one of the runs was not judged on do not count, and
    clips whose score did not change are in neither list.

    Raises:
        RunError: when a clip has different labels in the two runs.
    """
    uids, first, second = np.intersect1d(before.uids, after.uids, assume_unique=True, return_indices=True)
    labels = before.labels[first]
    if not np.array_equal(labels, after.labels[second]):
        raise RunError(
            "The two runs cannot be compared.",
            got="other labels for the same clips",
            expected="the same clips",
            remedy="Keep runs on different data in different folders.",
        )
    scores = [one.scores[FUSED][rows, labels] for one, rows in ((before, first), (after, second))]
    changes = [
        Change(str(uid), int(label), float(a), float(b)) for uid, label, a, b in zip(uids, labels, *scores, strict=True)
    ]
    rose = sorted((c for c in changes if c.gain > 0), key=lambda c: (-c.gain, c.uid))
    fell = sorted((c for c in changes if c.gain < 0), key=lambda c: (c.gain, c.uid))
    return tuple(rose[:k]), tuple(fell[:k])


def most_confidently_wrong(predicted: Predicted, k: int) -> tuple[Mistake, ...]:
    """The `k` wrongly answered clips whose answer has the highest fused score, by uid among equals."""
    scores = predicted.scores[FUSED]
    answers = scores.argmax(axis=1)
    wrong = np.flatnonzero(answers != predicted.labels)
    found = [
        Mistake(str(predicted.uids[n]), int(predicted.labels[n]), int(answers[n]), float(scores[n, answers[n]]))
        for n in wrong
    ]
    return tuple(sorted(found, key=lambda mistake: (-mistake.score, mistake.uid))[:k])
