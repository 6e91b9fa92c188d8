"""From a suite to the runs that it needs, each once, and which of them must wait for another."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from egonorm.core import Setting, SettingError
from egonorm.core.shard import Shard
from egonorm.methods import check, methods
from egonorm.methods.base import target_moments
from egonorm.methods.hna import Hna
from egonorm.runs.config import ANYWHERE, Run, to_json
from egonorm.sweeps.paper import SOURCE_ONLY, Part, System


@dataclass(frozen=True)
class Job:
    """A run of a sweep."""

    run: Run
    needs: Run | None = None
    """The Source Only run whose norms give this HNA run its radius."""
    twin: Run | None = None
    """A run that trains in the same way for another target, and does so first; neither sees its target in training."""

    @property
    def waits_for(self) -> tuple[str, ...]:
        """The names of the runs that come before this one."""
        return tuple(run.name for run in (self.twin, self.needs) if run is not None)


@dataclass(frozen=True)
class Plan:
    """The jobs of a sweep, and what the suite names but cannot be done here, in words."""

    jobs: tuple[Job, ...]
    left_out: tuple[str, ...]

    def share(self, shard: Shard) -> "Plan":
        """A shard of the jobs, as many as of any other. Jobs that wait for each other stay together."""
        heads = self._heads()
        sizes = Counter(heads.values())
        loads, mine = [0] * shard.of, set()
        for head, size in sizes.most_common():
            lightest = loads.index(min(loads))
            loads[lightest] += size
            if lightest == shard.number - 1:
                mine.add(head)
        return replace(self, jobs=tuple(job for job in self.jobs if heads[job.run.name] in mine))

    def _heads(self) -> dict[str, str]:
        """For each job, the first of those that wait for each other."""
        heads = {}
        for job in self.jobs:
            heads[job.run.name] = next((heads[name] for name in job.waits_for), job.run.name)
        return heads


def make_plan(
    parts: Sequence[Part],
    base: Run,
    domains: Sequence[str],
    seeds: Sequence[int],
    radius: float | None = None,
    names: Sequence[str] | None = None,
    settings: Sequence[Setting] | None = None,
) -> Plan:
    """The runs of the parts' systems in all their settings and with all seeds, in the network and training of `base`.

    Args:
        radius: HNA's R in every run; None takes it from the norms of the Source Only run with the first seed.
        names: methods to keep; those that no part has are added to each, in the plain network.
        settings: settings to keep.

    Raises:
        SettingError: for an unknown method, or a setting that no part has.
    """
    domains = tuple(domains)
    new = _new(parts, names)
    kept = lambda part: tuple(s for s in part.systems if names is None or s.method.name() in names)  # noqa: E731
    wanted = [(kept(part) + new, _possible(part, domains)) for part in parts]
    _check_settings(settings, [setting for _, found in wanted for setting in found])
    jobs, left_out = {}, {}
    for systems, possible in wanted:
        for system in systems:
            for setting in possible:
                if settings is None or setting in settings:
                    _add(jobs, left_out, system, setting, base, seeds, radius)
    return Plan(_with_twins(jobs.values()), tuple(left_out))


def _add(
    jobs: dict[str, Job],
    left_out: dict[str, None],
    system: System,
    setting: Setting,
    base: Run,
    seeds: Sequence[int],
    radius: float | None,
) -> None:
    """Add a system's runs of one setting, after those that they wait for, each once and by its name."""
    try:
        run = run_of(system, setting, base)
        check(run.method, setting, run.net.streams)
    except SettingError as error:
        left_out[f"{system.name}: {error.what} {error.got}"] = None
        return
    needs = None
    if isinstance(system.method, Hna) and radius is None:
        needs = replace(run_of(SOURCE_ONLY, _without_target(setting), base), seed=seeds[0])
        jobs.setdefault(needs.name, Job(needs))
    elif isinstance(system.method, Hna):
        run = replace(run, method=replace(run.method, radius=radius))
    for seeded in (replace(run, seed=seed) for seed in seeds):
        jobs.setdefault(seeded.name, Job(seeded, needs))


def _with_twins(jobs: Iterable[Job]) -> tuple[Job, ...]:
    """The jobs, those told their twin that train as one before them does."""
    first, found = {}, []
    for job in jobs:
        if target_moments(job.run.method, job.run.setting) & {"training", "after"}:
            found.append(job)
            continue
        training = job.run.setting.sources, to_json(replace(job.run, setting=ANYWHERE))
        twin = first.setdefault(training, job.run)
        found.append(job if twin is job.run else replace(job, twin=twin))
    return tuple(found)


def run_of(system: System, setting: Setting, base: Run) -> Run:
    """The run of a system in a setting, as `base` in all else. SettingError for streams that `base` does not have."""
    net = base.net if system.modalities is None else base.net.choose(system.modalities)
    fusion = base.net.fusion if system.fusion == "sum" else system.fusion
    return replace(base, setting=setting, method=system.method, net=replace(net, fusion=fusion))


def _without_target(setting: Setting) -> Setting:
    """The setting with the same sources and target in which nothing is seen of the target."""
    if setting.target_visible == "never":
        return setting
    return replace(setting, family="dg1" if len(setting.sources) == 1 else "dgn")


def _new(parts: Sequence[Part], names: Sequence[str] | None) -> tuple[System, ...]:
    """The named methods that are in no part. SettingError for names of no method."""
    known = methods()
    unknown = [name for name in names or () if name not in known]
    if unknown:
        raise SettingError(
            "There are no such methods.", got=", ".join(unknown), expected=", ".join(known), remedy="Correct --methods."
        )
    present = {system.method.name() for part in parts for system in part.systems}
    return tuple(System(name, known[name]()) for name in names or () if name not in present)


def _possible(part: Part, domains: Sequence[str]) -> tuple[Setting, ...]:
    """The part's settings among these domains; none where there are too few of them."""
    try:
        return part.family(domains)
    except SettingError:
        return ()


def _check_settings(settings: Sequence[Setting] | None, found: Iterable[Setting]) -> None:
    known = list(dict.fromkeys(found))
    strange = [str(setting) for setting in settings or () if setting not in known]
    if strange or not known:
        raise SettingError(
            "The suite has no such settings.",
            got=", ".join(strange) or "too few domains",
            expected=", ".join(map(str, known)) or "two domains or more",
            remedy="Correct --setting.",
        )
