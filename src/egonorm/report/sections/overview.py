"""What a page says first: what the method changed, by how much, how sure that is, and on how many clips."""

from collections.abc import Mapping, Sequence
from itertools import combinations

from egonorm.aggregate.aggregate import average
from egonorm.report.data.predictions import changes
from egonorm.report.data.runs import REFERENCE, Comparison, ReportData, chance_of, runs_of
from egonorm.report.page.model import Note, Player
from egonorm.report.sections.results import LEVEL, Results
from egonorm.sweeps.paper import display_name

FAMILY_TITLES = {
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
    data: ReportData,
    method: str,
    comparisons: Sequence[Comparison],
    found: Mapping[str, Results],
    players: Mapping[Comparison, Sequence[Player]],
) -> tuple[Note, ...]:
    """A paragraph a shift; where there are many, one a family, in the paper's order.

    Args:
        comparisons: those of the settings' own targets.
        found: what the tables of results hold, by family, so that both say the same.
        players: the clips of each comparison that changed most.
    """
    if not comparisons:
        names = ", ".join(map(display_name, data.methods))
        return (
            Note(
                f"This page compares nothing: there are runs of {names}, and not of {display_name(REFERENCE)} and another "
                "method with the same seeds in the same setting.",
                is_warning=True,
            ),
        )
    if len(comparisons) <= 3:
        return tuple(
            _of_shift(data, method, comparison, found[comparison.shift.family], players[comparison])
            for comparison in comparisons
        )
    families = dict.fromkeys(comparison.shift.family for comparison in comparisons)
    return tuple(
        _of_family(method, [p for p in comparisons if p.shift.family == family], found[family]) for family in families
    )


def _of_shift(data: ReportData, method: str, comparison: Comparison, found: Results, players: Sequence[Player]) -> Note:
    words = [
        f"Trained in {' and '.join(comparison.shift.sources)}, tested in {comparison.shift.domain}: "
        f"{display_name(method)} {_accuracies(comparison)}, {_gain(found, [comparison])}.",
        *_differences(comparison),
    ]
    if changed := changes(comparison, data):
        seed, right, wrong = (
            comparison.with_method[0].run.seed,
            _clips(changed.newly_right, "right"),
            _clips(changed.newly_wrong, "wrong"),
        )
        words.append(
            f"By the mean scores of seed {seed}'s checkpoints, {right} and {wrong} of {changed.num_clips} clips."
        )
    if players:
        words.append("The clips whose true class's score changed most:")
    return Note(" ".join(words), links=_links(players))


def _links(players: Sequence[Player]) -> tuple[tuple[str, str], ...]:
    """Where the clips that changed most are to be played."""
    return tuple((f"{player.uid}, {player.title.partition('. ')[2]}", player.name) for player in players)


def _clips(uids: Sequence[str], how: str) -> str:
    """How many clips became right or wrong, and the first few."""
    names = f" ({', '.join(uids[:NAMED])}{', …' if len(uids) > NAMED else ''})" if uids else ""
    return f"{len(uids)} became {how}{names}"


def _of_family(method: str, comparisons: Sequence[Comparison], found: Results) -> Note:
    before, after = (_mean(comparisons, side) for side in comparisons[0].sides)
    better = sum(_mean([one], one.method) > _mean([one], REFERENCE) for one in comparisons)
    family, many = FAMILY_TITLES.get(comparisons[0].shift.family, comparisons[0].shift.family), len(comparisons) > 1
    return Note(
        f"{family}: {display_name(method)} {after:.1f} % against {before:.1f} % of {display_name(REFERENCE)} on average over "
        f"{len(comparisons)} shift{'s' * many}{_chance(comparisons)}, {_gain(found, comparisons)}; higher in {better} of them."
    )


def _accuracies(comparison: Comparison) -> str:
    before, after = (_mean([comparison], side) for side in comparison.sides)
    seeds = len(comparison.without)
    told = f"{seeds} seed{'s' * (seeds > 1)}{_chance([comparison])}"
    return f"{after:.1f} % against {before:.1f} % of {display_name(REFERENCE)} ({told})"


def _chance(comparisons: Sequence[Comparison]) -> str:
    found = chance_of(comparisons)
    return "" if found is None else f", chance {found:.1f} %"


def _gain(found: Results, comparisons: Sequence[Comparison]) -> str:
    """The gain over all these comparisons as the table of results has it, and whether it may be luck."""
    gain = found.gain(comparisons[0].group, [comparison.shift for comparison in comparisons])
    if gain is None or gain.test is None:
        return f"no test: {gain.missing if gain else 'not all shifts with the same seeds'}"
    low, high = gain.interval
    words = f"gain {gain.mean:+z.1f} [{low:+z.1f}, {high:+z.1f}]"
    if gain.test.num_seeds == 1:
        return f"{words} over new clips alone; what another seed would give cannot be known from one"
    assert gain.p is not None
    certain = "which luck alone would seldom give" if gain.p < LEVEL else "which may be luck"
    return f"{words}, {certain} (p {gain.p:.2g})"


def _differences(comparison: Comparison) -> list[str]:
    """How far apart the modalities' mean norms are, without and with the method (Eq. 1)."""
    measured = comparison.without[0].measured[comparison.shift.domain]
    streams = [metric.partition("/")[2] for metric in measured if metric.startswith("mean_norm/")]
    norms = [{m: _mean([comparison], side, f"mean_norm/{m}") for m in streams} for side in comparison.sides]
    gaps = {pair: [of[pair[0]] - of[pair[1]] for of in norms] for pair in combinations(streams, 2)}
    return [
        f"The mean norms of {a} and {b} differed by {before:+.2f}, now by {after:+.2f}: "
        f"{'closer' if abs(after) < abs(before) else 'not closer'}."
        for (a, b), (before, after) in gaps.items()
    ]


def _mean(comparisons: Sequence[Comparison], side: str, metric: str = "top1") -> float:
    """The mean over shifts of one side's runs."""
    found = average(runs_of(comparisons, side), metric)
    assert found is not None
    return found.mean
