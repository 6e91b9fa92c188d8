"""The lines of a table of results: a method's runs by shift, what each shift gives, and the mean over all of them."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cache, cached_property
from statistics import fmean, stdev

from egonorm.aggregate.group import plain
from egonorm.aggregate.paired import Comparison, Contest, reference_key
from egonorm.aggregate.summary import unlike
from egonorm.methods import SourceOnly
from egonorm.metrics import mean_accuracy_interval
from egonorm.report.data.runs import Shift, Source
from egonorm.report.style import label_of
from egonorm.runs.config import ANYWHERE, Run
from egonorm.runs.records import Record

Shifts = tuple[Shift, ...]


@dataclass(frozen=True, eq=False)
class Entry:
    """Runs of one configuration that differ in seed and shift alone."""

    label: str
    by_shift: dict[Shift, tuple[Record, ...]]
    """One run a seed, sorted by it."""

    @cached_property
    def run(self) -> Run:
        """One of the runs."""
        return next(iter(self.by_shift.values()))[0].run

    def seeds(self, shifts: Shifts) -> tuple[int, ...]:
        """The seeds of all these shifts; none where one is missing or has others."""
        found = {tuple(record.run.seed for record in self.by_shift.get(shift, ())) for shift in shifts}
        return next(iter(found)) if len(found) == 1 else ()

    def average(self, shifts: Shifts) -> "Average":
        """The accuracy over shifts; those on one domain share its clips."""
        values = [[self._top1(shift, k)[0] for k in range(len(self.seeds(shifts)))] for shift in shifts]
        by_seed = [fmean(of_seed) for of_seed in zip(*values, strict=True)]
        domains = defaultdict(list)
        for shift, of_shift in zip(shifts, values, strict=True):
            domains[shift.domain].append((shift, fmean(of_shift)))
        percents = [fmean(mean for _, mean in found) for found in domains.values()]
        ns = [min(self._top1(shift, 0)[1] for shift, _ in found) for found in domains.values()]
        interval = mean_accuracy_interval(percents, ns, [len(found) / len(shifts) for found in domains.values()])
        return Average(fmean(by_seed), stdev(by_seed) if len(by_seed) > 1 else None, interval, sum(ns))

    def _top1(self, shift: Shift, place: int) -> tuple[float, int]:
        return self.by_shift[shift][place].measured[shift.domain]["top1"]


@dataclass(frozen=True)
class Average:
    """An accuracy in percent: its mean over seeds, their standard deviation, and the interval over `n` clips."""

    mean: float
    spread: float | None
    interval: tuple[float, float]
    n: int


def find_shifts(source: Source, family: str) -> Shifts:
    """The shifts of a family that its runs are judged by: domains without training labels, or the target."""
    found = {
        Shift.of(record.run.setting, domain): None
        for record in source.records
        if record.run.setting.family == family
        for domain in record.measured
        if domain not in record.run.setting.sources or (family == "supervised" and domain == record.run.setting.target)
    }
    return tuple(found)


def find_entries(source: Source, family: str) -> tuple[Entry, ...]:
    """A line for each configuration in a family, Source Only first; where it has none, that of another family stands there."""
    groups, name = defaultdict(lambda: defaultdict(dict)), cache(_name)
    runs = [record for record in source.records if record.run.setting.family == family]
    for record in runs:
        opposite = source.references.get(reference_key(record.run), {})
        for one in (*opposite.values(), record):
            by_shift = groups[name(one)]
            for domain in one.measured:
                by_shift[Shift.of(record.run.setting, domain)].setdefault(one.run.seed, one)
    firsts = [next(iter(next(iter(group.values())).values())).run for group in groups.values()]
    labels = _labels(list(groups), firsts)
    entries = [
        Entry(label, {shift: tuple(by[seed] for seed in sorted(by)) for shift, by in group.items()})
        for label, group in zip(labels, groups.values(), strict=True)
    ]
    return tuple(sorted(entries, key=lambda entry: source.methods.index(entry.run.method.name())))


def shared_seeds(entry: Entry, other: Entry, shifts: Shifts) -> tuple[int, ...]:
    """The seeds that both have in all of these shifts."""
    return tuple(seed for seed in entry.seeds(shifts) if seed in other.seeds(shifts))


def contest(source: Source, entry: Entry, other: Entry, shifts: Shifts) -> Comparison:
    """The first's gain over the second on these shifts, with the seeds that both have in all of them."""
    seeds = shared_seeds(entry, other, shifts)
    if not seeds:
        return Comparison(None, "seeds differ")
    pick = lambda one, shift: tuple(r for r in one.by_shift[shift] if r.run.seed in seeds)  # noqa: E731
    return source.compare([Contest(pick(entry, s), pick(other, s), s.domain) for s in shifts])


def reference_of(entry: Entry, entries: Sequence[Entry]) -> Entry | None:
    """Source Only in the same network; None for Source Only itself, and where there is none."""
    same = [other for other in entries if other.run.method == SourceOnly() and _world(other.run) == _world(entry.run)]
    return same[0] if same and entry.run.method != SourceOnly() else None


def _name(record: Record) -> tuple[str, str]:
    """A configuration whatever its seed and setting, and HNA's radius, which depends on it."""
    run = replace(plain(record.run), setting=ANYWHERE)
    return run.method.name(), run.name.rpartition("-")[2]


def _world(run: Run) -> Run:
    return replace(run, seed=0, setting=ANYWHERE, method=SourceOnly())


def _labels(names: Sequence[tuple[str, str]], runs: Sequence[Run]) -> list[str]:
    """The methods' names, where one has several configurations in what they differ, and where words do not tell, digits."""
    plain = [name for name, _ in names]
    told = [(name, unlike(run, runs) if plain.count(name) > 1 else "") for name, run in zip(plain, runs, strict=True)]
    labels = []
    for (name, digits), (_, words) in zip(names, told, strict=True):
        further = " ".join(filter(None, (words, digits if told.count((name, words)) > 1 else "")))
        labels.append(f"{label_of(name)} ({further})" if further else label_of(name))
    return labels
