"""Which runs belong together: those of one configuration, by the domains that they learnt from and are judged on, one a seed."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

from egonorm.core.types import Setting, Shift
from egonorm.methods import Method, SourceOnly
from egonorm.methods.base import unresolved
from egonorm.runs.config import ANYWHERE, Run, to_json
from egonorm.runs.records import Record, Runs


@dataclass(frozen=True, eq=False)
class RunGroup:
    """The runs of one configuration: they differ in seed and setting alone."""

    run: Run
    """What they have in common: see `plain`."""
    by_shift: Mapping[Shift, Runs]
    """Those of one setting in each shift: the one whose target the domain is, else the first that was judged there."""
    records: tuple[Record, ...]
    """All of them, also those that `by_shift` does without."""

    @property
    def method(self) -> str:
        """The method's label; a number from other runs is in it where there are runs with several."""
        return self.run.method.label()

    @cached_property
    def text(self) -> str:
        """The configuration as JSON: equal for equal ones."""
        return to_json(self.run)

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
                found[record.run.setting.sources, domain].append(record)
        order = lambda setting, domain: (setting.target_visible != "never", setting.target != domain)  # noqa: E731
        return {
            key: _one_a_seed(sorted(some, key=lambda record: order(record.run.setting, key[1])))
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
    kinds, texts = defaultdict(list), {}
    for record in records:
        run = record.run
        key = run.data, run.precision, repr(run.method), *map(id, (run.net, run.optim, run.evaluation))
        if key not in texts:  # runs that were read together share what they have in common
            texts[key] = to_json(plain(run))
        kinds[texts[key]].append(record)
    return tuple(group for kind in kinds.values() for group in _apart(kind))


def find_reference(group: RunGroup, groups: Iterable[RunGroup]) -> RunGroup | None:
    """What a group's gain is over: Source Only in the same network; None where there are no runs of that.

    Source Only itself is compared with Source Only in the network with most streams, late fusion first, so that what a stream
    and the fusion give is tested too; there, None for that network itself.
    """
    references = [other for other in groups if other.run.method == SourceOnly()]
    if group.run.method != SourceOnly():
        wanted = to_json(replace(group.run, method=SourceOnly()))
        return next((other for other in references if other.text == wanted), None)
    fuller = [other for other in references if _extends(other.run, group.run)]
    best = max(fuller, key=lambda other: _size(other.run))
    return best if _size(best.run) > _size(group.run) else None


def describe_differences(runs: Sequence[Run]) -> list[str]:
    """For each run, in words, what of its network and optimisation is not so in all; its method's label says the rest."""
    aspects = [_aspects(run) for run in runs]
    words: dict[str, set[str]] = defaultdict(set)
    for aspect, said in (item for of_run in aspects for item in of_run.items()):
        words[aspect].add(said)
    counts = Counter(text for run in runs for text in run.optim.unusual)
    different = [[said for aspect, said in of_run.items() if len(words[aspect]) > 1] for of_run in aspects]
    unusual = [[text for text in run.optim.unusual if counts[text] < len(runs)] for run in runs]
    return [" ".join([*own, *further]) for own, further in zip(different, unusual, strict=True)]


def label_groups(groups: Sequence[RunGroup]) -> list[tuple[str, str]]:
    """Each group's method, and where it has several configurations in what they differ; digits where words do not tell."""
    methods = [group.method for group in groups]
    differences = describe_differences([group.run for group in groups])
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


def _apart(records: Sequence[Record]) -> list[RunGroup]:
    """The runs of one configuration as one group, or as several where a shift has runs with other numbers from other runs."""
    several = {
        shift.family
        for shift, found in _by_shift(records).items()
        if len({repr(record.run.method) for record in found}) > 1
    }
    groups = defaultdict(list)
    for record in records:
        groups[repr(record.run.method) if record.run.setting.family in several else ""].append(record)
    return [_group(some, some[0].run.method if key else None) for key, some in groups.items()]


def _group(records: Sequence[Record], method: Method | None) -> RunGroup:
    run = plain(records[0].run)
    by_shift = {shift: _one_a_seed(some) for shift, some in _by_shift(records).items()}
    return RunGroup(run if method is None else replace(run, method=method), by_shift, tuple(records))


def _by_shift(records: Iterable[Record]) -> dict[Shift, list[Record]]:
    """The runs of each shift: of the setting whose target the domain is, else of the first that was judged on it."""
    found: dict[Shift, dict[Setting, list[Record]]] = defaultdict(lambda: defaultdict(list))
    for record in records:
        for domain in record.measured:
            found[Shift.of(record.run.setting, domain)][record.run.setting].append(record)
    return {
        shift: next((some for setting, some in of.items() if setting.target == shift.domain), next(iter(of.values())))
        for shift, of in found.items()
    }


def _one_a_seed(records: Iterable[Record]) -> dict[int, Record]:
    """The first record of each seed, in the order of seeds."""
    found: dict[int, Record] = {}
    for record in records:
        found.setdefault(record.run.seed, record)
    return dict(sorted(found.items()))


def _extends(run: Run, other: Run) -> bool:
    """Whether a network has all of the other's streams, and runs differ in streams, fusion and what is set for those alone."""
    optim = run.optim.without(run.net.streams.keys() - other.net.streams.keys())
    same = replace(run, net=replace(run.net, streams=other.net.streams, fusion=other.net.fusion), optim=optim)
    return other.net.streams.items() <= run.net.streams.items() and same == other


def _size(run: Run) -> tuple[int, bool]:
    return len(run.net.streams), run.net.fusion == "sum"
