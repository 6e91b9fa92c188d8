"""Where a method fails: its surest mistakes, what was taken for what, and how often each class was recognised."""

from collections.abc import Mapping, Sequence
from itertools import chain, zip_longest
from shlex import quote
from typing import Any

import numpy as np
from jaxtyping import Float

from egonorm.core.training import FUSED
from egonorm.export.examples import most_confidently_wrong
from egonorm.export.saved_clip import video_path
from egonorm.metrics import accuracy_interval
from egonorm.report.data.predictions import Opinion, Sides, changes, judged, opinion_of
from egonorm.report.data.runs import Comparison, ReportData
from egonorm.report.page.model import Facts, Grid, GridCell, Matrix, Note, Player
from egonorm.runs.predictions import Predicted
from egonorm.sweeps.paper import display_name

NOT_ASKED = "No clips were asked for; egonorm report shows some with --clips 2."
_RULE = "Of the first seed's wrong fused answers, those with the highest score (mean over the selected checkpoints) are shown."


def mistakes(comparison: Comparison, data: ReportData, most: int = 3) -> tuple[Player | Note, ...]:
    """The surest mistakes of each side, `most` at most of one, what every stream thought of them, and the clips if saved."""
    sides = judged(comparison, data)
    if isinstance(sides, Note):
        return (sides,)
    if not most:
        return (Note(NOT_ASKED),)
    chosen = _chosen(sides, most)
    if not chosen:
        return (
            Note(
                f"No clip of {comparison.shift.domain} got a wrong answer with seed {comparison.without[0].run.seed}."
            ),
        )
    told = Note(f"The surest mistakes, {most} at most of {' and '.join(map(display_name, sides))}. {_RULE}")
    return (
        told,
        *(
            _player(comparison, sides, uid, number, whose)
            for number, (uid, whose) in enumerate(chosen.items(), start=1)
        ),
    )


def _chosen(sides: Sides, most: int) -> dict[str, list[str]]:
    """Clips, the sides in turn, and whose mistakes they are."""
    own = {method: [wrong.uid for wrong in most_confidently_wrong(side[0], most)] for method, side in sides.items()}
    clips = dict.fromkeys(uid for uid in chain(*zip_longest(*own.values())) if uid is not None)
    return {uid: [method for method, uids in own.items() if uid in uids] for uid in clips}


def _player(comparison: Comparison, sides: Sides, uid: str, number: int, whose: list[str]) -> Player:
    opinions = {method: opinion_of(sides[method][0], uid, FUSED) for method in whose}
    own = opinions[whose[0]]
    assert own is not None
    facts = {
        "clip": uid,
        "true class": own.truth,
        "mistake of": " and ".join(
            f"{display_name(method)} ({opinion.answer})" for method, opinion in opinions.items() if opinion
        ),
    }
    video, missing = video_of(comparison, uid, whose)
    name = f"{comparison.name}-mistake-{number}"
    title = f"{number}. {own.truth} taken for {own.answer}"
    return Player(name, title, uid, Facts(tuple(facts.items())), thoughts(comparison, sides, uid, name), video, missing)


def thoughts(comparison: Comparison, sides: Sides, uid: str, name: str) -> Grid:
    """What every stream of each side's first run thought of a clip."""
    header = ("method, stream", "answer", "score", "score of the true class", "norm", "percentile")
    rows = tuple(
        (GridCell(f"{display_name(method)}, {stream}"), *_thought(opinion_of(side[0], uid, stream)))
        for method, side in sides.items()
        for stream in side[0].scores
    )
    caption = f"percentile: of the norm, percent of the clips of {comparison.shift.domain} whose feature is shorter."
    return Grid(
        f"{name}-thoughts", f"What the streams thought, seed {comparison.without[0].run.seed}", header, rows, caption
    )


def _thought(opinion: Opinion | None) -> list[GridCell]:
    if opinion is None:
        return [GridCell("not judged"), *[GridCell("")] * 4]
    number = lambda x, form: GridCell("") if x is None else GridCell(format(x, form), x)  # noqa: E731
    above = GridCell("") if opinion.above is None else GridCell(f"{opinion.above:.0f} %", opinion.above)
    return [
        GridCell(opinion.answer),
        number(opinion.score, ".2f"),
        number(opinion.of_truth, ".2f"),
        number(opinion.norm, ".2f"),
        above,
    ]


def video_of(comparison: Comparison, uid: str, first: Sequence[str]) -> tuple[bytes | None, str]:
    """The clip as one of the first seed's runs saved it, those of the methods named first, or why there is none."""
    folders = [comparison.sides[method][0].folder for method in (*first, *comparison.sides)]
    for path in (video_path(folder, uid) for folder in folders):
        try:
            return path.read_bytes(), ""
        except FileNotFoundError:
            continue
        except OSError as error:
            return None, f"{path.name} cannot be read: {error.strerror}."
    return (
        None,
        f"The clip was not saved. Where the data are, this saves it: egonorm cam RUNS/{folders[0].name} --clip {quote(uid)}",
    )


def confusion(comparison: Comparison, data: ReportData) -> tuple[Matrix, ...] | tuple[Note]:
    """For each side, how often clips of a class were taken for another: the mean over checkpoints, then over seeds."""
    sides = judged(comparison, data)
    if isinstance(sides, Note):
        return (sides,)
    return tuple(
        Matrix(
            f"{comparison.name}-confusion-{method}",
            f"{display_name(method)} on {comparison.shift.domain}: what was taken for what",
            side[0].classes,
            tuple(tuple(map(float, row)) for row in _percents(side, FUSED)),
            _support(side[0]),
            f"Row: the true class. Column: the fused answer. Mean over the selected checkpoints and over {_seeds(comparison)}.",
        )
        for method, side in sides.items()
    )


def recall_by_class(comparison: Comparison, data: ReportData) -> Grid | Note:
    """For each class, how often its clips were recognised: fused on each side with its interval, and by each stream alone."""
    sides = judged(comparison, data)
    if isinstance(sides, Note):
        return sides
    first = sides[comparison.method][0]
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
    alone = (f"{stream} alone, {display_name(method)}" for method, stream in recalls if stream != FUSED)
    return Grid(
        f"{comparison.name}-recall",
        f"How often each class is recognised on {comparison.shift.domain}, in percent",
        ("class", "clips", *map(display_name, sides), "difference", *alone),
        rows,
        f"Recall of the fused answers, mean over the selected checkpoints and over {_seeds(comparison)}; in brackets the 95 % "
        "interval over the class's clips (Wilson). difference: in points. alone: by that stream's own scores.",
        (("method", "stream", "class", "clips", "recall", "low", "high"), *_lines(recalls, support)),
    )


def changed_answers(comparison: Comparison, data: ReportData, places: Mapping[str, str]) -> Grid | Note:
    """Every clip whose fused answer differs between the sides' runs of the first seed; `places` are where some can be played."""
    sides = judged(comparison, data)
    if isinstance(sides, Note):
        return sides
    found = changes(comparison, data)
    assert found is not None
    kinds = {"newly right": found.newly_right, "newly wrong": found.newly_wrong, "wrong otherwise": found.other_answer}
    lines: list[Any] = [
        (uid, kind, *_compared(uid, [side[0] for side in sides.values()]))
        for kind, uids in kinds.items()
        for uid in uids
    ]
    each = lambda words: [f"{words}, {display_name(method)}" for method in sides]  # noqa: E731
    norms = [name for stream in sides[comparison.method][0].norms for name in each(f"{stream} norm")]
    header = ("clip", "change", "true class", *each("answer"), *each("score of the true class"), *norms)
    counts = ", ".join(f"{len(uids)} {kind}" for kind, uids in kinds.items())
    return Grid(
        f"{comparison.name}-changed",
        f"Clips of {comparison.shift.domain} whose answer changed",
        header,
        tuple((GridCell(uid, link=places.get(uid, "")), *map(_cell, line)) for uid, *line in lines),
        f"From {' to '.join(map(display_name, sides))}, seed {comparison.without[0].seed}: {counts}, "
        f"of {found.num_clips} clips. "
        "The answer is the class with the highest fused score; scores and norms are means over the selected checkpoints.",
        (header, *lines),
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


def _seeds(comparison: Comparison) -> str:
    return f"{len(comparison.without)} seed{'s' * (len(comparison.without) > 1)}"


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
    fused = [opinion for predicted in sides if (opinion := opinion_of(predicted, uid, FUSED))]
    at = lambda predicted: int(np.searchsorted(predicted.uids, uid))  # noqa: E731
    norms = [float(predicted.norms[stream][at(predicted)]) for stream in sides[0].norms for predicted in sides]
    return (fused[0].truth, *(one.answer for one in fused), *(one.of_truth for one in fused), *norms)


def _cell(value: str | float) -> GridCell:
    return GridCell(value) if isinstance(value, str) else GridCell(f"{value:.2f}", value)
