"""All numbers of a folder of runs, computed once: each configuration in each shift and over all of them, with its gain.

Every table, figure and page shows these, so that a number is the same wherever it stands.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from functools import cache, cached_property, partial
from operator import attrgetter
from statistics import fmean, stdev
from typing import TypeVar

from egonorm.aggregate.group import RunGroup, find_reference, group_runs
from egonorm.aggregate.paired import NO_REFERENCE, Family, Gain, PairedRuns, compare, match_seeds, read_hits
from egonorm.core.types import Shift
from egonorm.methods import SourceOnly
from egonorm.metrics import holm, mean_accuracy_interval
from egonorm.runs.records import Record, Runs

Comparer = Callable[[PairedRuns], Gain]
"""From paired runs to their gain, whose p is not corrected yet."""


@dataclass(frozen=True)
class Average:
    """A metric: the mean over shifts of the mean over seeds, and how far to trust it."""

    mean: float
    deviation: float | None
    """The standard deviation, over the seeds that all shifts have, of the mean over shifts; None with fewer than two."""
    interval: tuple[float, float] | None
    """Of an accuracy, Wilson's 95 % interval over the test clips; None for other metrics."""
    n: int
    """Test clips, of the run that was judged on the fewest; those that shifts share count once."""
    seeds: tuple[int, ...]
    """Those that all shifts have."""
    shifts: tuple[Shift, ...]
    """Those in which the metric was measured."""


def average(runs: Mapping[Shift, Runs], metric: str = "top1") -> Average | None:
    """The average of a metric over runs; None where none of them was measured so."""
    measured = {shift: _measured(some, shift.domain, metric) for shift, some in runs.items()}
    measured = {shift: by_seed for shift, by_seed in measured.items() if by_seed}
    if not measured:
        return None
    seeds = sorted(set.intersection(*map(set, measured.values())))
    of_seed = [fmean(by_seed[seed][0] for by_seed in measured.values()) for seed in seeds]
    means = {shift: fmean(value for value, _ in by_seed.values()) for shift, by_seed in measured.items()}
    percents: defaultdict[str, list[float]] = defaultdict(list)
    ns: defaultdict[str, list[int]] = defaultdict(list)
    for shift, by_seed in measured.items():
        percents[shift.domain].append(means[shift])
        ns[shift.domain] += [n for _, n in by_seed.values()]
    sizes, interval = [min(some) for some in ns.values()], None
    if metric.partition("/")[0] == "top1":
        shares = [len(some) / len(measured) for some in percents.values()]
        interval = mean_accuracy_interval([fmean(some) for some in percents.values()], sizes, shares)
    deviation = stdev(of_seed) if len(seeds) > 1 else None
    return Average(fmean(means.values()), deviation, interval, sum(sizes), tuple(seeds), tuple(measured))


def _measured(runs: Runs, domain: str, metric: str) -> dict[int, tuple[float, int]]:
    """What each seed's run measured, and on how many clips."""
    of = {seed: record.measured.get(domain, {}).get(metric) for seed, record in runs.items()}
    return {seed: found for seed, found in of.items() if found}


@dataclass(frozen=True, eq=False)
class Aggregate:
    """One configuration in one shift, or over several: its runs, and what they prove."""

    group: RunGroup
    runs: Mapping[Shift, Runs]
    """With the same seeds in every shift."""
    gain: Gain | None = None
    """Over Source Only; None for Source Only itself, and on a domain that was learnt from and is not the target."""

    @property
    def records(self) -> tuple[Record, ...]:
        """All runs."""
        return tuple(record for some in self.runs.values() for record in some.values())

    @property
    def shifts(self) -> tuple[Shift, ...]:
        """Where they were judged."""
        return tuple(self.runs)

    @property
    def seeds(self) -> tuple[int, ...]:
        """The seeds of each shift."""
        return tuple(next(iter(self.runs.values())))

    @cached_property
    def top1(self) -> Average | None:
        """The accuracy of the fused scores, in percent."""
        return average(self.runs)

    def average(self, metric: str) -> Average | None:
        """A metric's average; None where none of the runs was measured so."""
        return self.top1 if metric == "top1" else average(self.runs, metric)


class Aggregates:
    """The aggregates of all runs of a folder, each computed once, when it is first asked for.

    Holm's correction has one rule. All comparisons with Source Only in one family of settings (on domains without training
    labels, or, when supervised, on the target) are corrected together; so are, apart from them, those of its means over the
    same shifts. What a table shows of them does not matter.
    """

    def __init__(self, records: Iterable[Record], comparer: Comparer | None = None):
        """Take complete runs in the order in which tables shall have them; nothing is read yet.

        Args:
            comparer: what is done to compare; without it predictions are read, each file once, and a damaged one is refused.
        """
        self.records = tuple(records)
        self.groups = group_runs(self.records)
        self.compare = comparer or partial(compare, read=cache(read_hits))
        self.references = {group: find_reference(group, self.groups) for group in self.groups}
        """By group, the runs of Source Only that its gains are over."""
        self._has_reference = any(group.run.method == SourceOnly() for group in self.groups)
        self._family, self._means = cache(self._compute_family), cache(self._compute_means)

    def of(self, group: RunGroup, shift: Shift) -> Aggregate | None:
        """A configuration in one shift; None where it was not judged."""
        return self._family(shift.family).get((group, shift))

    def mean(self, group: RunGroup, shifts: Iterable[Shift]) -> Aggregate | None:
        """A configuration over several shifts of one family; None where a shift is missing or has other seeds."""
        return self._means(tuple(sorted(set(shifts), key=_ORDER))).get(group)

    def in_shifts(self) -> tuple[Aggregate, ...]:
        """Every configuration in every shift that it was judged in, in the order of the records."""
        return tuple(self._family(shift.family)[group, shift] for group, shift in self._places)

    def shifts(self, family: str) -> tuple[Shift, ...]:
        """Where runs of a family of settings are compared, in the order of the records."""
        found = dict.fromkeys(shift for _, shift in self._places if shift.family == family and shift.is_compared)
        return tuple(found)

    def official_shifts(self, family: str) -> tuple[Shift, ...]:
        """Those of them that the settings are about: what a family's mean is over."""
        return tuple(shift for shift in self.shifts(family) if shift.is_official)

    @property
    def not_shown(self) -> int:
        """How many times runs were judged besides: another one of the same configuration and seed stands for the shift."""
        return sum(len(record.measured) for record in self.records) - sum(
            len(some) for group in self.groups for some in group.by_shift.values()
        )

    @cached_property
    def _places(self) -> tuple[tuple[RunGroup, Shift], ...]:
        """The groups' shifts, in the order of the records."""
        group_of = {record: group for group in self.groups for record in group.records}
        places: dict[tuple[RunGroup, Shift], None] = {}
        for record in self.records:
            for domain in record.measured:
                group, shift = group_of[record], Shift.of(record.run.setting, domain)
                if group.by_shift[shift].get(record.run.seed) is record:
                    places[group, shift] = None
        return tuple(places)

    def _compute_family(self, family: str) -> dict[tuple[RunGroup, Shift], Aggregate]:
        """By configuration and shift, the aggregates of a family of settings."""
        runs = {key: {key[1]: key[0].by_shift[key[1]]} for key in self._places if key[1].family == family}
        gains = {key: self._gain(key[0], some) for key, some in runs.items() if key[1].is_compared}
        gains = _correct(family, gains)
        return {key: Aggregate(key[0], some, gains.get(key)) for key, some in runs.items()}

    def _compute_means(self, shifts: tuple[Shift, ...]) -> dict[RunGroup, Aggregate]:
        """By configuration, the aggregates over several shifts."""
        runs = {group: runs for group in self.groups if (runs := same_seeds(group.by_shift, shifts))}
        is_whole = set(shifts) == set(self.official_shifts(shifts[0].family))
        name = f"{shifts[0].family} means{'' if is_whole else f' over {len(shifts)} shifts'}"
        gains = _correct(name, {group: self._gain(group, some) for group, some in runs.items()})
        return {group: Aggregate(group, some, gains[group]) for group, some in runs.items()}

    def _gain(self, group: RunGroup, runs: Mapping[Shift, Runs]) -> Gain | None:
        """What runs gain over Source Only, with the seeds that both have in all shifts, before Holm's correction."""
        reference = self.references[group]
        if reference is None:
            is_method = self._has_reference and group.run.method != SourceOnly()
            return Gain(None, NO_REFERENCE) if is_method else None
        paired = match_seeds(runs, {shift: reference.trained_on(shift.sources, shift.domain) for shift in runs})
        return Gain(None, paired) if isinstance(paired, str) else self.compare(paired)


_ORDER = attrgetter("family", "sources", "target", "domain")


def same_seeds(runs: Mapping[Shift, Runs], shifts: Iterable[Shift]) -> dict[Shift, Runs]:
    """The runs of these shifts; none where a shift has no runs, or has other seeds."""
    found = {shift: runs.get(shift, {}) for shift in shifts}
    return found if len({tuple(some) for some in found.values()}) == 1 and all(found.values()) else {}


Key = TypeVar("Key")


def _correct(name: str, gains: Mapping[Key, Gain | None]) -> dict[Key, Gain | None]:
    """The gains with their p values after Holm's correction, as one family."""
    tests = {key: gain.test for key, gain in gains.items() if gain is not None and gain.test is not None}
    ps = dict(zip(tests, holm([test.p for test in tests.values()]), strict=True))
    family = Family(name, len(tests))
    return {key: replace(gain, p=ps[key], family=family) if gain and key in ps else gain for key, gain in gains.items()}
