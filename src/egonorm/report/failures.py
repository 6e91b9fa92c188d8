"""Where it fails: which classes are taken for which, with and without the method, and the clips whose answer changed."""

from collections.abc import Mapping, Sequence

import numpy as np
from jaxtyping import Float

from egonorm.bench.predictions import Predicted
from egonorm.core.training import FUSED
from egonorm.metrics import accuracy_interval
from egonorm.report.answers import changes
from egonorm.report.exhibit import csv_of
from egonorm.report.names import label_of
from egonorm.report.opinions import judged, opinion_of
from egonorm.report.outline import Grid, GridCell, Matrix, Note
from egonorm.report.source import Pair, Source


def confusion(pair: Pair, source: Source) -> tuple[Matrix, ...] | tuple[Note]:
    """For each side, how often clips of a class were taken for another: the mean over checkpoints, then over seeds."""
    sides = judged(pair, source)
    if isinstance(sides, Note):
        return (sides,)
    return tuple(
        Matrix(
            f"{pair.name}-confusion-{method}",
            f"{label_of(method)} on {pair.shift.domain}: what was taken for what",
            side[0].classes,
            tuple(tuple(map(float, row)) for row in _percents(side, FUSED)),
            _support(side[0]),
            f"Row: the true class. Column: the fused answer. Mean over the selected checkpoints and over {_seeds(pair)}.",
        )
        for method, side in sides.items()
    )


def recall_by_class(pair: Pair, source: Source) -> Grid | Note:
    """For each class, how often its clips were recognised: fused on each side with its interval, and by each stream alone."""
    sides = judged(pair, source)
    if isinstance(sides, Note):
        return sides
    first = sides[pair.method][0]
    recalls = {
        (method, stream): np.diag(_percents(side, stream))
        for stream in _streams(first)
        for method, side in sides.items()
    }
    support = dict(zip(first.classes, _support(first), strict=True))
    rows = tuple(
        (GridCell(name), GridCell(str(n), float(n)), *_recalls(n, {at: float(x[k]) for at, x in recalls.items()}))
        for k, (name, n) in enumerate(support.items())
    )
    alone = (f"{stream} alone, {label_of(method)}" for method, stream in recalls if stream != FUSED)
    return Grid(
        f"{pair.name}-recall",
        f"How often each class is recognised on {pair.shift.domain}, in percent",
        ("class", "clips", *map(label_of, sides), "difference", *alone),
        rows,
        f"Recall of the fused answers, mean over the selected checkpoints and over {_seeds(pair)}; in brackets the 95 % interval "
        "over the class's clips (Wilson). difference: in points. alone: by that stream's own scores.",
        csv_of(("method", "stream", "class", "clips", "recall", "low", "high"), _lines(recalls, support)),
    )


def changed_answers(pair: Pair, source: Source, places: Mapping[str, str]) -> Grid | Note:
    """Every clip whose fused answer differs between the sides' runs of the first seed; `places` are where some can be played."""
    sides = judged(pair, source)
    if isinstance(sides, Note):
        return sides
    found = changes(pair, source)
    kinds = {"newly right": found.newly_right, "newly wrong": found.newly_wrong, "wrong otherwise": found.other_answer}
    lines = [
        (uid, kind, *_compared(uid, [side[0] for side in sides.values()]))
        for kind, uids in kinds.items()
        for uid in uids
    ]
    each = lambda words: [f"{words}, {label_of(method)}" for method in sides]  # noqa: E731
    norms = [name for stream in sides[pair.method][0].norms for name in each(f"{stream} norm")]
    header = ("clip", "change", "true class", *each("answer"), *each("score of the true class"), *norms)
    counts = ", ".join(f"{len(uids)} {kind}" for kind, uids in kinds.items())
    return Grid(
        f"{pair.name}-changed",
        f"Clips of {pair.shift.domain} whose answer changed",
        header,
        tuple((GridCell(uid, link=places.get(uid, "")), *map(_cell, line)) for uid, *line in lines),
        f"From {' to '.join(map(label_of, sides))}, seed {pair.without[0].run.seed}: {counts}, of {found.num_clips} clips. "
        "The answer is the class with the highest fused score; scores and norms are means over the selected checkpoints.",
        csv_of(header, lines),
    )


def _percents(side: Sequence[Predicted], stream: str) -> Float[np.ndarray, "label label"]:
    """Of each true class the percent of answers by class, averaged over the seeds that have clips of it."""
    tables = np.stack([_shares(predicted, stream) for predicted in side])
    there = tables.any(axis=2, keepdims=True).sum(axis=0)
    return 100 * tables.sum(axis=0) / np.maximum(there, 1)


def _shares(predicted: Predicted, stream: str) -> Float[np.ndarray, "label label"]:
    table = np.zeros((len(predicted.classes),) * 2)
    np.add.at(table, predicted.labels, predicted.votes[stream])
    return table / np.maximum(table.sum(axis=1, keepdims=True), 1)


def _support(predicted: Predicted) -> tuple[int, ...]:
    return tuple(map(int, np.bincount(predicted.labels, minlength=len(predicted.classes))))


def _streams(predicted: Predicted) -> tuple[str, ...]:
    """The fused decision, then the streams; one stream alone is the fused decision."""
    streams = tuple(name for name in predicted.votes if name != FUSED)
    return (FUSED, *(streams if len(streams) > 1 else ()))


def _seeds(pair: Pair) -> str:
    return f"{len(pair.without)} seed{'s' * (len(pair.without) > 1)}"


def _lines(
    recalls: Mapping[tuple[str, str], Float[np.ndarray, " label"]], support: Mapping[str, int]
) -> list[tuple[object, ...]]:
    return [
        (*at, name, n, *_measured(float(recall), n))
        for at, of_classes in recalls.items()
        for recall, (name, n) in zip(of_classes, support.items(), strict=True)
    ]


def _measured(recall: float, n: int) -> tuple[float, float, float] | tuple[None, None, None]:
    """A recall and its interval; nothing for a class without clips."""
    return (recall, *accuracy_interval(recall, n)) if n else (None, None, None)


def _recalls(n: int, recalls: dict[tuple[str, str], float]) -> list[GridCell]:
    """A class's recalls: fused, the difference, then each stream alone."""
    fused = [recall for (_, stream), recall in recalls.items() if stream == FUSED]
    alone = [recall for (_, stream), recall in recalls.items() if stream != FUSED]
    if not n:
        return [GridCell("")] * (len(recalls) + 1)
    ends = [accuracy_interval(recall, n) for recall in fused]
    cells = [GridCell(f"{x:.1f}", x, (f"[{a:.0f}, {b:.0f}]",)) for x, (a, b) in zip(fused, ends, strict=True)]
    return [
        *cells,
        GridCell(f"{fused[-1] - fused[0]:+z.1f}", fused[-1] - fused[0]),
        *(GridCell(f"{x:.1f}", x) for x in alone),
    ]


def _compared(uid: str, sides: Sequence[Predicted]) -> tuple[str | float, ...]:
    """The true class, the answers, the scores of the true class, and each stream's norms."""
    fused = [opinion_of(predicted, uid, FUSED) for predicted in sides]
    at = lambda predicted: int(np.searchsorted(predicted.uids, uid))  # noqa: E731
    norms = [float(predicted.norms[stream][at(predicted)]) for stream in sides[0].norms for predicted in sides]
    return (fused[0].truth, *(one.answer for one in fused), *(one.of_truth for one in fused), *norms)


def _cell(value: str | float) -> GridCell:
    return GridCell(value) if isinstance(value, str) else GridCell(f"{value:.2f}", value)
