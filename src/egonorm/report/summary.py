"""What a page says first: what the method changed, by how much, how sure that is, and on how many clips."""

from collections.abc import Sequence
from statistics import fmean

from egonorm.bench.evidence import Contest
from egonorm.metrics import mean_norm_difference
from egonorm.report.answers import changes
from egonorm.report.names import label_of
from egonorm.report.outline import Note
from egonorm.report.source import REFERENCE, Pair, Source

FAMILIES = {
    "supervised": "supervised",
    "dg1": "single-source DG",
    "dgn": "multi-source DG",
    "uda": "UDA",
    "tta": "test-time adaptation",
}
"""The families of settings as people say them."""
LEVEL = 0.05
"""Above it, a difference is not told from chance."""
NAMED = 3
"""Clips that are named before they are counted."""


def summary(source: Source, method: str, pairs: Sequence[Pair]) -> tuple[Note, ...]:
    """A paragraph a shift; where there are many, one a family, in the paper's order."""
    judged = [pair for pair in pairs if pair.shift.is_unseen or pair.shift.domain == pair.shift.target]
    if not judged:
        names = ", ".join(map(label_of, source.methods))
        return (Note(f"There is no method beside {label_of(REFERENCE)} with the same seeds and settings (here: {names}), so "
                     "this page compares nothing.", is_warning=True),)  # fmt: skip
    if len(judged) <= 3:
        return tuple(Note(_of_shift(source, method, pair)) for pair in judged)
    families = dict.fromkeys(pair.shift.family for pair in judged)
    return tuple(_of_family(source, method, [p for p in judged if p.shift.family == family]) for family in families)


def _of_shift(source: Source, method: str, pair: Pair) -> str:
    words = [f"{pair.shift.title}: {label_of(method)} {_accuracies(pair)}, {_gain(source, [pair])}."]
    for measure in _differences(pair):
        words.append(measure)
    if found := changes(pair, source):
        words.append(f"Of {found.num_clips} clips, {_clips(found.newly_right, 'right')} and {_clips(found.newly_wrong, 'wrong')} "
                     f"(seed {pair.with_method[0].run.seed}).")  # fmt: skip
    return " ".join(words)


def _clips(uids: Sequence[str], how: str) -> str:
    """How many clips became right or wrong, and the first few."""
    told = f" ({', '.join(uids[:NAMED])}{', …' if len(uids) > NAMED else ''})" if uids else ""
    return f"{len(uids)} became {how}{told}"


def _of_family(source: Source, method: str, pairs: Sequence[Pair]) -> Note:
    before, after = (fmean(_mean(pair, side, "top1") for pair in pairs) for side in (0, 1))
    seeds = {tuple(record.run.seed for record in pair.with_method) for pair in pairs}
    gain = _gain(source, pairs) if len(seeds) == 1 else "seeds differ between shifts: no test"
    better = sum(_mean(pair, 1, "top1") > _mean(pair, 0, "top1") for pair in pairs)
    family = FAMILIES.get(pairs[0].shift.family, pairs[0].shift.family)
    return Note(f"{family}: {label_of(method)} {after:.1f} against {before:.1f} of {label_of(REFERENCE)} on average over "
                f"{len(pairs)} shifts, {gain}; higher in {better} of them.")  # fmt: skip


def _accuracies(pair: Pair) -> str:
    before, after = _mean(pair, 0, "top1"), _mean(pair, 1, "top1")
    seeds = len(pair.without)
    return f"{after:.1f} % against {before:.1f} % of {label_of(REFERENCE)} ({seeds} seed{'s' * (seeds > 1)})"


def _gain(source: Source, pairs: Sequence[Pair]) -> str:
    """The gain over pairs with the same seeds, and whether it can be told from chance."""
    found = source.compare([Contest(pair.with_method, pair.without, pair.shift.domain) for pair in pairs])
    if found.test is None:
        return f"no test: {found.missing}"
    low, high = (100 * end for end in found.test.interval())
    told = f"gain {100 * found.test.mean:+.1f} [{low:+.1f}, {high:+.1f}]"
    if found.test.num_seeds == 1:
        return f"{told} over new clips alone; what another seed would give cannot be known from one"
    certain = "which chance alone would seldom give" if found.test.p < LEVEL else "which cannot be told from chance"
    return f"{told}, {certain} (p {found.test.p:.2g})"


def _differences(pair: Pair) -> list[str]:
    """How far apart the modalities' mean norms are, without and with the method (Eq. 1)."""
    domain = pair.shift.domain
    streams = [
        metric.partition("/")[2] for metric in pair.without[0].measured[domain] if metric.startswith("mean_norm/")
    ]
    deltas = [mean_norm_difference({m: _mean(pair, side, f"mean_norm/{m}") for m in streams}) for side in (0, 1)]
    told = lambda name: " and ".join(name.split("-", 1))  # noqa: E731
    return [f"The mean norms of {told(name)} differed by {before:+.2f}, now by {deltas[1][name]:+.2f}."
            for name, before in deltas[0].items()]  # fmt: skip


def _mean(pair: Pair, side: int, metric: str) -> float:
    records = (pair.without, pair.with_method)[side]
    return fmean(record.measured[pair.shift.domain][metric][0] for record in records)
