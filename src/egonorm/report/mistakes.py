"""The surest mistakes: clips that a run got wrong with the highest score, to be looked at and listened to."""

from collections.abc import Sequence
from itertools import chain, zip_longest
from shlex import quote

from egonorm.bench.choice import most_confidently_wrong
from egonorm.bench.clips import video_path
from egonorm.core.training import FUSED
from egonorm.report.names import label_of
from egonorm.report.opinions import Judged, Opinion, judged, opinion_of
from egonorm.report.outline import Facts, Grid, GridCell, Note, Player
from egonorm.report.source import Pair, Source

NOT_ASKED = "No clips were asked for; egonorm report shows some with --clips 2."
RULE = "Of the first seed's wrong fused answers, those with the highest score (mean over the selected checkpoints) are shown."


def mistakes(pair: Pair, source: Source, most: int = 3) -> tuple[Player | Note, ...]:
    """The surest mistakes of each side, `most` at most of one, what every stream thought of them, and the clips if saved."""
    sides = judged(pair, source)
    if isinstance(sides, Note):
        return (sides,)
    if not most:
        return (Note(NOT_ASKED),)
    chosen = _chosen(sides, most)
    if not chosen:
        return (Note(f"No clip of {pair.shift.domain} got a wrong answer with seed {pair.without[0].run.seed}."),)
    told = Note(f"The surest mistakes, {most} at most of {' and '.join(map(label_of, sides))}. {RULE}")
    return (
        told,
        *(_player(pair, sides, uid, number, whose) for number, (uid, whose) in enumerate(chosen.items(), start=1)),
    )


def _chosen(sides: Judged, most: int) -> dict[str, list[str]]:
    """Clips, the sides in turn, and whose mistakes they are."""
    own = {method: [wrong.uid for wrong in most_confidently_wrong(side[0], most)] for method, side in sides.items()}
    clips = dict.fromkeys(uid for uid in chain(*zip_longest(*own.values())) if uid is not None)
    return {uid: [method for method, uids in own.items() if uid in uids] for uid in clips}


def _player(pair: Pair, sides: Judged, uid: str, number: int, whose: list[str]) -> Player:
    own = opinion_of(sides[whose[0]][0], uid, FUSED)
    facts = {
        "clip": uid,
        "true class": own.truth,
        "mistake of": " and ".join(
            f"{label_of(method)} ({opinion_of(sides[method][0], uid, FUSED).answer})" for method in whose
        ),
    }
    video, missing = video_of(pair, uid, whose)
    name = f"{pair.name}-mistake-{number}"
    title = f"{number}. {own.truth} taken for {own.answer}"
    return Player(name, title, uid, Facts(tuple(facts.items())), thoughts(pair, sides, uid, name), video, missing)


def thoughts(pair: Pair, sides: Judged, uid: str, name: str) -> Grid:
    """What every stream of each side's first run thought of a clip."""
    header = ("method, stream", "answer", "score", "score of the true class", "norm", "percentile")
    rows = tuple(
        (GridCell(f"{label_of(method)}, {stream}"), *_thought(opinion_of(side[0], uid, stream)))
        for method, side in sides.items()
        for stream in side[0].scores
    )
    caption = f"percentile: of the norm, percent of the clips of {pair.shift.domain} whose feature is shorter."
    return Grid(f"{name}-thoughts", f"What the streams thought, seed {pair.without[0].run.seed}", header, rows, caption)


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


def video_of(pair: Pair, uid: str, first: Sequence[str]) -> tuple[bytes | None, str]:
    """The clip as one of the first seed's runs saved it, those of the methods named first, or why there is none."""
    folders = [pair.sides[method][0].folder for method in (*first, *pair.sides)]
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
