"""All numbers of a folder of runs, computed once: each configuration in each shift and over all of them, with its gain.

Every table, figure and page shows these, so that a number is the same wherever it stands.
"""

import json
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache, cached_property, partial
from operator import attrgetter
from pathlib import Path
from statistics import fmean, stdev
from typing import Any, TypeVar

from egonorm.aggregate.paired import NO_REFERENCE, Family, Gain, Hits, PairedRuns, compare, match_seeds, read_hits
from egonorm.core import RunError
from egonorm.core.training import Optim
from egonorm.core.types import Setting, Shift
from egonorm.methods import Method, SourceOnly
from egonorm.methods.base import unresolved
from egonorm.metrics import chance, dead_streams, holm, mean_accuracy_interval
from egonorm.runs.config import ANYWHERE, Run, to_json
from egonorm.runs.results import Record, Runs, Selector, read_records


@dataclass(frozen=True, eq=False)
class RunGroup:
    """The runs of one configuration: they differ in seed and setting alone."""

    configured: Method
    """Their method; what it takes from other runs, such as a norm, is as usual where that differs by shift alone."""
    by_shift: Mapping[Shift, Runs]
    """Those of one setting in each shift: the one whose target the domain is, else the first that was judged there."""
    records: tuple[Record, ...]
    """All of them, also those that `by_shift` does without."""

    @property
    def method(self) -> str:
        """The method's label; a number from other runs is in it where there are runs with several."""
        return self.configured.label()

    @property
    def common(self) -> str:
        """The configuration without method, setting and seed, as JSON: equal for equal ones."""
        return self.records[0].stored.common

    @cached_property
    def run(self) -> Run:
        """What they have in common: see `plain`."""
        return replace(plain(self.records[0].run), method=self.configured)

    @property
    def digits(self) -> str:
        """Eight digits that differ for any other configuration."""
        return self.run.name.rpartition("-")[2]

    def trained_on(self, sources: tuple[str, ...], domain: str) -> Runs:
        """The runs that learnt from these sources alone and were judged on a domain, whatever they were made for.

        For a method that has no use for a target: there they are trained alike. Of several with one seed that counts to
        which no target was shown, and among those the one whose target the domain is.
        """
        return self._alike.get((sources, domain), {})

    @cached_property
    def _alike(self) -> dict[tuple[tuple[str, ...], str], Runs]:
        found = defaultdict(list)
        for record in self.records:
            for domain in record.measured:
                found[record.setting.sources, domain].append(record)
        order = lambda setting, domain: (setting.target_visible != "never", setting.target != domain)  # noqa: E731
        return {
            key: _one_a_seed(sorted(some, key=lambda record: order(record.setting, key[1])))
            for key, some in found.items()
        }


def plain(run: Run) -> Run:
    """The run without seed and setting; what its method takes from other runs, such as a norm, is as usual."""
    return replace(run, seed=0, setting=ANYWHERE, method=unresolved(run.method))


def group_runs(records: Iterable[Record]) -> tuple[RunGroup, ...]:
    """The runs by configuration, in the order in which the first of each stands.

    A number that a method takes from other runs differs by shift, and tells no configurations apart. Where one shift has runs
    with several, those of its family of settings are configurations of their own.
    """
    kinds = defaultdict(list)
    for record in records:
        method = unresolved(record.method)
        kinds[record.stored.common, method.name(), repr(method)].append(record)
    return tuple(group for kind in kinds.values() for group in _apart(kind))


def find_reference(group: RunGroup, groups: Iterable[RunGroup]) -> RunGroup | None:
    """What a group's gain is over: Source Only in the same network; None where there are no runs of that.

    Source Only itself is compared with Source Only in the network with most streams, late fusion first, so that what a stream
    and the fusion give is tested too; there, None for that network itself.
    """
    references = [other for other in groups if other.configured == SourceOnly()]
    if group.configured != SourceOnly():
        return next((other for other in references if other.common == group.common), None)
    if len(references) == 1:
        return None
    fuller = [other for other in references if _extends(other.run, group.run)]
    best = max(fuller, key=lambda other: _size(other.run))
    return best if _size(best.run) > _size(group.run) else None


def describe_differences(runs: Sequence[Run]) -> list[str]:
    """For each run, in words, what of its configuration is not so in all; its method's label says the rest.

    Networks and optimisers have words of their own; other numbers are called as in `config.json`, where they are few.
    """
    aspects = [_aspects(run) for run in runs]
    words: dict[str, set[str]] = defaultdict(set)
    for aspect, said in (item for of_run in aspects for item in of_run.items()):
        words[aspect].add(said)
    counts = Counter(text for run in runs for text in run.optim.unusual)
    different = [[said for aspect, said in of_run.items() if len(words[aspect]) > 1] for of_run in aspects]
    unusual = [[text for text in run.optim.unusual if counts[text] < len(runs)] for run in runs]
    return [
        " ".join([*own, *further, *numbers])
        for own, further, numbers in zip(different, unusual, _other_numbers(runs), strict=True)
    ]


def label_groups(groups: Sequence[RunGroup]) -> list[tuple[str, str]]:
    """Each group's method, and where it has several configurations in what they differ; digits where words do not tell."""
    methods = [group.method for group in groups]
    several = len(set(methods)) < len(methods)
    differences = describe_differences([group.run for group in groups]) if several else [""] * len(groups)
    labels = [
        (name, words if methods.count(name) > 1 else "") for name, words in zip(methods, differences, strict=True)
    ]
    return [
        (name, " ".join(filter(None, (words, group.digits if labels.count((name, words)) > 1 else ""))))
        for group, (name, words) in zip(groups, labels, strict=True)
    ]


def _aspects(run: Run) -> dict[str, str]:
    """In what networks may differ, and how one says it."""
    encoders = {f"encoder of {name}": f"{name} by {stream.encoder}" for name, stream in run.net.streams.items()}
    return {"fusion": run.net.fusion, "streams": "+".join(run.net.streams), **encoders}


def _other_numbers(runs: Sequence[Run]) -> list[list[str]]:
    """For each run the numbers that are not so in all and have no words of their own; none where they are many."""
    found = [
        dict(_leaves(json.loads(to_json(replace(run, seed=0, setting=ANYWHERE, method=SourceOnly()))))) for run in runs
    ]
    shared = [key for key in found[0] if all(key in numbers for numbers in found)] if found else []
    keys = [
        key
        for key in shared
        if len({numbers[key] for numbers in found}) > 1 and not key.startswith(_TOLD) and ".encoder." not in key
    ]
    return [[f"{_short(key)} {numbers[key]}" for key in keys] if len(keys) <= MOST_NUMBERS else [] for numbers in found]


MOST_NUMBERS = 4
"""Of more than these nobody reads the words; digits stand for them."""
_TOLD = ("net.fusion", *(f"optim.{name}" for name in Optim().words))


def _leaves(tree: Any, at: str = "") -> Iterator[tuple[str, str]]:
    """The places of a tree that hold no further ones, and what they hold, as text."""
    if isinstance(tree, dict):
        for name, inside in tree.items():
            yield from _leaves(inside, f"{at}.{name}" if at else name)
    else:
        yield at, tree if isinstance(tree, str) else json.dumps(tree)


def _short(key: str) -> str:
    """`optim.batch` is `batch`, `net.streams.rgb.input.scale` is `rgb scale`."""
    return " ".join(word for word in key.split(".") if word not in ("optim", "evaluation", "net", "streams", "input"))


def _apart(records: Sequence[Record]) -> list[RunGroup]:
    """The runs of one configuration as one group, or as several where a shift has runs with other numbers from other runs."""
    several = {
        shift.family
        for shift, found in _by_shift(records).items()
        if len({repr(record.method) for record in found}) > 1
    }
    groups = defaultdict(list)
    for record in records:
        groups[repr(record.method) if record.setting.family in several else ""].append(record)
    return [_group(some, some[0].method if key else None) for key, some in groups.items()]


def _group(records: Sequence[Record], method: Method | None) -> RunGroup:
    by_shift = {shift: _one_a_seed(some) for shift, some in _by_shift(records).items()}
    return RunGroup(unresolved(records[0].method) if method is None else method, by_shift, tuple(records))


def _by_shift(records: Iterable[Record]) -> dict[Shift, list[Record]]:
    """The runs of each shift: of the setting whose target the domain is, else of the first that was judged on it."""
    found: dict[Shift, dict[Setting, list[Record]]] = defaultdict(lambda: defaultdict(list))
    for record in records:
        for domain in record.measured:
            found[Shift.of(record.setting, domain)][record.setting].append(record)
    return {
        shift: next((some for setting, some in of.items() if setting.target == shift.domain), next(iter(of.values())))
        for shift, of in found.items()
    }


def _one_a_seed(records: Iterable[Record]) -> dict[int, Record]:
    """The first record of each seed, in the order of seeds."""
    found: dict[int, Record] = {}
    for record in records:
        found.setdefault(record.seed, record)
    return dict(sorted(found.items()))


def _extends(run: Run, other: Run) -> bool:
    """Whether a network has all of the other's streams, and runs differ in streams, fusion and what is set for those alone."""
    optim = run.optim.without(run.net.streams.keys() - other.net.streams.keys())
    same = replace(run, net=replace(run.net, streams=other.net.streams, fusion=other.net.fusion), optim=optim)
    return other.net.streams.items() <= run.net.streams.items() and same == other


def _size(run: Run) -> tuple[int, bool]:
    return len(run.net.streams), run.net.fusion == "sum"


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
        if metric not in self._averages:
            self._averages[metric] = self.top1 if metric == "top1" else average(self.runs, metric)
        return self._averages[metric]

    @cached_property
    def _averages(self) -> dict[str, Average | None]:
        """Those that were asked for."""
        return {}

    @cached_property
    def chance(self) -> float | None:
        """The accuracy of one answer for all clips, averaged as accuracies are; None where that is not known everywhere."""
        found = [
            [chance(record.measured[shift.domain]) for record in some.values()] for shift, some in self.runs.items()
        ]
        known = [[value for value in some if value is not None] for some in found]
        return fmean(map(fmean, known)) if known == found else None

    @cached_property
    def dead(self) -> dict[tuple[str, str], int]:
        """By stream and why it is dead, in how many of the runs and shifts it is."""
        found = [dead_streams(one.measured[shift.domain]) for shift, some in self.runs.items() for one in some.values()]
        return dict(Counter((modality, why) for dead in found for modality, why, _ in dead))

    @cached_property
    def better_stream(self) -> tuple[str, float] | None:
        """The best single stream and its accuracy, where it is above that of the fused scores; None elsewhere."""
        names = [metric for shift in self.shifts for metric in self.records[0].measured.get(shift.domain, {})]
        streams = [metric for metric in dict.fromkeys(names) if metric.startswith("top1/")]
        means = {metric.partition("/")[2]: one.mean for metric in streams if (one := self.average(metric))}
        if self.top1 is None or len(means) < 2 or max(means.values()) <= self.top1.mean:
            return None
        best = max(means, key=means.__getitem__)
        return best, means[best]


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
        self._has_reference = any(group.configured == SourceOnly() for group in self.groups)
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
                group, shift = group_of[record], Shift.of(record.setting, domain)
                if group.by_shift[shift].get(record.seed) is record:
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
            is_method = self._has_reference and group.configured != SourceOnly()
            return Gain(None, NO_REFERENCE) if is_method else None
        paired = match_seeds(runs, {shift: reference.trained_on(shift.sources, shift.domain) for shift in runs})
        return Gain(None, paired) if isinstance(paired, str) else self.compare(paired)


def read_aggregates(
    folders: Iterable[Path], selector: Selector, order: Callable[[Record], Any] | None = None
) -> tuple[Aggregates, str]:
    """The aggregates of the complete runs among folders, and sentences about those that are left out; empty if there are none.

    A run whose predictions are damaged, or are not those that its rows speak of, is left out as one that cannot be read is.

    Args:
        order: by which runs are sorted; without it they stay in the order of the folders.

    Raises:
        EgonormError: when none is complete and whole.
    """
    records, left_out = read_records(folders, selector)
    records, broken = tuple(sorted(records, key=order)) if order else records, dict[Record, RunError]()

    @cache
    def read(record: Record, domain: str) -> Hits | None:
        try:
            return read_hits(record, domain)
        except RunError as error:
            broken[record] = error
            return None

    while True:
        whole = [record for record in records if record not in broken]
        if not whole:
            raise next(iter(broken.values()))
        known, aggregates = len(broken), Aggregates(whole, partial(compare, read=read))
        aggregates.in_shifts()
        if len(broken) == known:
            told = [f"Left out: {error.what} Got {error.got}." for error in broken.values()]
            return aggregates, " ".join(filter(None, [left_out, *told]))


_ORDER = attrgetter("family", "sources", "target", "domain")


def same_seeds(runs: Mapping[Shift, Runs], shifts: Iterable[Shift]) -> dict[Shift, Runs]:
    """The runs of these shifts; none where a shift has no runs, or has other seeds."""
    found = {shift: runs.get(shift, {}) for shift in shifts}
    return found if len({tuple(some) for some in found.values()}) == 1 and all(found.values()) else {}


_Key = TypeVar("_Key")


def _correct(name: str, gains: Mapping[_Key, Gain | None]) -> dict[_Key, Gain | None]:
    """The gains with their p values after Holm's correction, as one family."""
    tests = {key: gain.test for key, gain in gains.items() if gain is not None and gain.test is not None}
    ps = dict(zip(tests, holm([test.p for test in tests.values()]), strict=True))
    family = Family(name, len(tests))
    return {key: replace(gain, p=ps[key], family=family) if gain and key in ps else gain for key, gain in gains.items()}
