"""Whose answer changed: the clips that one side got right and the other wrong."""

from dataclasses import dataclass

import numpy as np

from egonorm.bench.predictions import Predicted
from egonorm.core.training import FUSED
from egonorm.report.source import Pair, Source


@dataclass(frozen=True)
class Changes:
    """The fused answers (highest mean score over the selected checkpoints) of two runs with one seed on the same clips."""

    num_clips: int
    newly_right: tuple[str, ...]
    """Clips that Source Only gets wrong and the method right."""
    newly_wrong: tuple[str, ...]
    other_answer: tuple[str, ...]
    """Wrong on both sides, differently."""


def changes(pair: Pair, source: Source) -> Changes | None:
    """What changed from the first seed's Source Only run to that of the method; None where they cannot be compared."""
    domain = pair.shift.domain
    sides = source.predicted(pair.without[0], domain), source.predicted(pair.with_method[0], domain)
    if sides[0] is None or sides[1] is None:
        return None
    common = np.intersect1d(sides[0].uids, sides[1].uids)
    (before, labels), (after, others) = (_answers(side, common) for side in sides)
    if sides[0].classes != sides[1].classes or not np.array_equal(labels, others):
        return None
    pick = lambda mask: tuple(map(str, common[mask]))  # noqa: E731
    return Changes(
        len(common),
        pick((before != labels) & (after == labels)),
        pick((before == labels) & (after != labels)),
        pick((before != labels) & (after != labels) & (before != after)),
    )


def _answers(side: Predicted, uids: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    places = np.searchsorted(side.uids, uids)
    return side.scores[FUSED][places].argmax(axis=1), side.labels[places]
