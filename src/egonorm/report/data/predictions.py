"""What the runs of a comparison answered on single clips, and what changed from one side to the other."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from egonorm.core.training import FUSED
from egonorm.report.data.runs import Comparison, ReportData
from egonorm.report.page.model import Note
from egonorm.runs.predictions import Predicted

Sides = dict[str, tuple[Predicted, ...]]
"""By method, what the run of each seed says of a domain's clips."""


@dataclass(frozen=True)
class Opinion:
    """What one stream of a run says of a clip: the mean over the run's selected checkpoints."""

    answer: str
    score: float
    """Of the answer."""
    truth: str
    """The true class."""
    of_truth: float
    """The score of the true class."""
    norm: float | None
    """The length of the stream's feature; None for the fused decision, which has none."""
    above: float | None
    """The percent of the domain's clips whose feature is shorter."""


def judged(comparison: Comparison, data: ReportData) -> Sides | Note:
    """The predictions of both sides, or a warning that says which are missing and what would make them."""
    domain = comparison.shift.domain
    found: dict[str, tuple[Predicted, ...]] = {}
    missing: list[str] = []
    for method, runs in comparison.sides.items():
        predicted = {run.folder.name: data.predicted(run, domain) for run in runs}
        missing += [name for name, there in predicted.items() if there is None]
        found[method] = tuple(there for there in predicted.values() if there is not None)
    if missing:
        return Note(
            f"There are no predictions on {domain} by {', '.join(missing)}, so nothing can be said of single classes and "
            f"clips. This makes them: egonorm test RUN --domain {domain}",
            is_warning=True,
        )
    if len({one.classes for side in found.values() for one in side}) > 1:
        return Note(f"The runs judged on {domain} know different classes, so their answers cannot be compared.", True)
    if not _agree([one for side in found.values() for one in side]):
        return Note(
            f"Clips of {domain} have other labels in some runs than in others: they were judged on different data, and "
            "their answers cannot be compared. Keep such runs in different folders.",
            is_warning=True,
        )
    return found


def _agree(several: Sequence[Predicted]) -> bool:
    """Whether clips that several runs were judged on have the same labels in all of them."""
    labels: dict[str, int] = {}
    return all(
        labels.setdefault(uid, label) == label
        for predicted in several
        for uid, label in zip(predicted.uids.tolist(), predicted.labels.tolist(), strict=True)
    )


def opinion_of(predicted: Predicted, uid: str, stream: str) -> Opinion | None:
    """A stream's opinion of a clip; None for a clip that was not judged."""
    place = int(np.searchsorted(predicted.uids, uid))
    if place == len(predicted.uids) or predicted.uids[place] != uid:
        return None
    scores, label = predicted.scores[stream][place], int(predicted.labels[place])
    answer, norms = int(scores.argmax()), predicted.norms.get(stream)
    norm = None if norms is None else float(norms[place])
    above = None if norms is None else 100 * float((norms < norms[place]).mean())
    return Opinion(
        predicted.classes[answer], float(scores[answer]), predicted.classes[label], float(scores[label]), norm, above
    )


@dataclass(frozen=True)
class Changes:
    """The fused answers (highest mean score over the selected checkpoints) of two runs with one seed on the same clips."""

    num_clips: int
    newly_right: tuple[str, ...]
    """Clips that Source Only gets wrong and the method right."""
    newly_wrong: tuple[str, ...]
    other_answer: tuple[str, ...]
    """Wrong on both sides, differently."""


def changes(comparison: Comparison, data: ReportData) -> Changes | None:
    """What changed from the first seed's Source Only run to that of the method; None where they cannot be compared."""
    domain = comparison.shift.domain
    first, second = data.predicted(comparison.without[0], domain), data.predicted(comparison.with_method[0], domain)
    if first is None or second is None:
        return None
    common = np.intersect1d(first.uids, second.uids)
    (before, labels), (after, others) = (_answers(side, common) for side in (first, second))
    if first.classes != second.classes or not np.array_equal(labels, others):
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
