"""What a page says first: what the method changed, by how much, how sure that is, and on how many clips."""

from collections.abc import Mapping, Sequence
from itertools import combinations
from statistics import fmean

from egonorm.report.data.predictions import changes
from egonorm.report.data.runs import REFERENCE, Pair, Source
from egonorm.report.page.model import Note, Player
from egonorm.report.sections.results import LEVEL, Numbers
from egonorm.report.style import label_of

FAMILIES = {
    "supervised": "supervised",
    "dg1": "single-source DG",
    "dgn": "multi-source DG",
    "uda": "UDA",
    "tta": "test-time adaptation",
}
"""The families of settings as people say them."""
NAMED = 3
"""Clips that are named before they are counted."""


def summary(
    source: Source,
    method: str,
    pairs: Sequence[Pair],
    numbers: Mapping[str, Numbers],
    players: Mapping[Pair, Sequence[Player]],
) -> tuple[Note, ...]:
    """A paragraph a shift; where there are many, one a family, in the paper's order.

    Args:
        pairs: those of the settings' own targets.
        numbers: what the tables of results hold, by family, so that both say the same.
        players: the clips of each pair that changed most.
    """
    if not pairs:
        names = ", ".join(map(label_of, source.methods))
        return (
            Note(
                f"This page compares nothing: there are runs of {names}, and not of {label_of(REFERENCE)} and another "
                "method with the same seeds in the same setting.",
                is_warning=True,
            ),
        )
    if len(pairs) <= 3:
        return tuple(_of_shift(source, method, pair, numbers[pair.shift.family], players[pair]) for pair in pairs)
    families = dict.fromkeys(pair.shift.family for pair in pairs)
    return tuple(
        _of_family(method, [p for p in pairs if p.shift.family == family], numbers[family]) for family in families
    )


def _of_shift(source: Source, method: str, pair: Pair, numbers: Numbers, players: Sequence[Player]) -> Note:
    words = [
        f"Trained in {' and '.join(pair.shift.sources)}, tested in {pair.shift.domain}: "
        f"{label_of(method)} {_accuracies(pair)}, {_gain(numbers, [pair])}.",
        *_differences(pair),
    ]
    if found := changes(pair, source):
        seed, right, wrong = (
            pair.with_method[0].run.seed,
            _clips(found.newly_right, "right"),
            _clips(found.newly_wrong, "wrong"),
        )
        words.append(
            f"By the mean scores of seed {seed}'s checkpoints, {right} and {wrong} of {found.num_clips} clips."
        )
    if players:
        words.append("The clips whose true class's score changed most:")
    return Note(" ".join(words), links=_links(players))


def _links(players: Sequence[Player]) -> tuple[tuple[str, str], ...]:
    """Where the clips that changed most are to be played."""
    return tuple((f"{player.uid}, {player.title.partition('. ')[2]}", player.name) for player in players)


def _clips(uids: Sequence[str], how: str) -> str:
    """How many clips became right or wrong, and the first few."""
    told = f" ({', '.join(uids[:NAMED])}{', …' if len(uids) > NAMED else ''})" if uids else ""
    return f"{len(uids)} became {how}{told}"


def _of_family(method: str, pairs: Sequence[Pair], numbers: Numbers) -> Note:
    before, after = (fmean(_mean(pair, side, "top1") for pair in pairs) for side in (0, 1))
    better = sum(_mean(pair, 1, "top1") > _mean(pair, 0, "top1") for pair in pairs)
    family, many = FAMILIES.get(pairs[0].shift.family, pairs[0].shift.family), len(pairs) > 1
    return Note(
        f"{family}: {label_of(method)} {after:.1f} % against {before:.1f} % of {label_of(REFERENCE)} on average over "
        f"{len(pairs)} shift{'s' * many}, {_gain(numbers, pairs)}; higher in {better} of them."
    )


def _accuracies(pair: Pair) -> str:
    before, after = _mean(pair, 0, "top1"), _mean(pair, 1, "top1")
    seeds = len(pair.without)
    return f"{after:.1f} % against {before:.1f} % of {label_of(REFERENCE)} ({seeds} seed{'s' * (seeds > 1)})"


def _gain(numbers: Numbers, pairs: Sequence[Pair]) -> str:
    """The gain over all these pairs as the table of results has it, and whether it can be told from chance."""
    shifts, run = {pair.shift for pair in pairs}, pairs[0].with_method[0]
    found = [
        n
        for (entry, column), n in numbers.items()
        if set(column.shifts) == shifts and run in entry.by_shift.get(pairs[0].shift, ())
    ]
    if not found or found[0].gain is None or found[0].gain.test is None:
        return f"no test: {found[0].gain.missing if found and found[0].gain else 'not all shifts with the same seeds'}"
    test, p = found[0].gain.test, found[0].p
    low, high = (100 * end for end in test.interval())
    told = f"gain {100 * test.mean:+z.1f} [{low:+z.1f}, {high:+z.1f}]"
    if test.num_seeds == 1:
        return f"{told} over new clips alone; what another seed would give cannot be known from one"
    certain = "which chance alone would seldom give" if p < LEVEL else "which cannot be told from chance"
    return f"{told}, {certain} (p {p:.2g})"


def _differences(pair: Pair) -> list[str]:
    """How far apart the modalities' mean norms are, without and with the method (Eq. 1)."""
    measured = pair.without[0].measured[pair.shift.domain]
    streams = [metric.partition("/")[2] for metric in measured if metric.startswith("mean_norm/")]
    norms = [{m: _mean(pair, side, f"mean_norm/{m}") for m in streams} for side in (0, 1)]
    gaps = {pair: [of[pair[0]] - of[pair[1]] for of in norms] for pair in combinations(streams, 2)}
    return [
        f"The mean norms of {a} and {b} differed by {before:+.2f}, now by {after:+.2f}: "
        f"{'closer' if abs(after) < abs(before) else 'not closer'}."
        for (a, b), (before, after) in gaps.items()
    ]


def _mean(pair: Pair, side: int, metric: str) -> float:
    records = (pair.without, pair.with_method)[side]
    return fmean(record.measured[pair.shift.domain][metric][0] for record in records)
