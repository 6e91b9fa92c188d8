"""From a suite to the runs that it needs, each once, and which of them must wait for another."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from egonorm.core import Setting, SettingError
from egonorm.core.by_path import split_choice
from egonorm.core.errors import some
from egonorm.core.shard import Shard
from egonorm.methods import check, methods, parse_method
from egonorm.methods.base import given_options, target_moments, unresolved
from egonorm.runs.config import ANYWHERE, Run, to_json
from egonorm.sweeps.paper import Part, System


@dataclass(frozen=True)
class PlannedRun:
    """A run of a sweep, and what comes before it."""

    run: Run
    """With the usual values where other runs decide; see `resolve.py`."""
    needs: tuple[Run, ...] = ()
    """Runs whose trainings decide numbers of this one's method: complete before it is begun."""
    reuse: Run | None = None
    """A run that trains in the same way for another target, and does so first; neither sees its target in training."""

    @property
    def waits_for(self) -> tuple[str, ...]:
        """The names of the runs that come before this one."""
        return tuple(run.name for run in (self.reuse, *self.needs) if run is not None)


@dataclass(frozen=True)
class Plan:
    """The runs of a sweep, and what the suite names but cannot be done here, in words."""

    runs: tuple[PlannedRun, ...]
    left_out: tuple[str, ...]

    def share(self, shard: Shard) -> "Plan":
        """A shard of the runs, as many as of any other. Runs that wait for each other stay together."""
        heads = self._heads()
        sizes = Counter(heads.values())
        loads, mine = [0] * shard.of, set()
        for head, size in sizes.most_common():
            lightest = loads.index(min(loads))
            loads[lightest] += size
            if lightest == shard.number - 1:
                mine.add(head)
        return replace(self, runs=tuple(planned for planned in self.runs if heads[planned.run.name] in mine))

    def _heads(self) -> dict[str, str]:
        """For each run, the first of those that wait for each other."""
        heads: dict[str, str] = {}
        for planned in self.runs:
            heads[planned.run.name] = next((heads[name] for name in planned.waits_for), planned.run.name)
        return heads


def make_plan(
    parts: Sequence[Part],
    base: Run,
    domains: Sequence[str],
    seeds: Sequence[int],
    given: Mapping[str, float] | None = None,
    names: Sequence[str] | None = None,
    settings: Sequence[Setting] | None = None,
) -> Plan:
    """The runs of the parts' systems in all their settings and with all seeds, in the network and training of `base`.

    Args:
        given: values of options that other runs would decide (`Method.from_runs`), for every method that has them.
        names: methods to keep, as `parse_method` reads them; those that no part has are added to each, in the plain network.
        settings: settings to keep. They may be of some of the domains alone: what the parts would have were there no others.

    Raises:
        SettingError: for a method that cannot be used, or a setting that no part has.
    """
    domains = tuple(domains)
    chosen = None if names is None else _chosen(names)
    wanted = [(_systems(part, parts, chosen), _possible(part, domains, settings)) for part in parts]
    known = [setting for part in parts for setting in _possible(part, domains)]
    _check_settings(settings, known, [setting for _, found in wanted for setting in found])
    planned: dict[tuple[str, bool], PlannedRun] = {}
    left_out: dict[str, None] = {}
    for systems, possible in wanted:
        for system in systems:
            for setting in possible:
                _add(planned, left_out, _with_given(system, given or {}), setting, base, seeds)
    offered = [(part, systems) for part, (systems, _) in zip(parts, wanted, strict=True)]
    used = {system.method for systems, possible in wanted if possible for system in systems}
    for choice in chosen or ():
        if choice.method not in used:
            having = (part for part, systems in offered if choice.method in {system.method for system in systems})
            where = some([str(setting) for part in having for setting in _possible(part, domains)])
            left_out[f"{choice.name}: none of the settings is one that it has here. Its own: {where}."] = None
    return Plan(_trained_once(planned.values()), tuple(left_out))


def _add(
    planned: dict[tuple[str, bool], PlannedRun],
    left_out: dict[str, None],
    system: System,
    setting: Setting,
    base: Run,
    seeds: Sequence[int],
) -> None:
    """Add a system's runs of one setting, after those that they wait for, each once.

    Until other runs have decided a number, a run is called as if it had the usual one, and so may be called like a run that was
    given that one.
    """
    try:
        run = run_of(system, setting, base)
        check(run.method, setting, run.net.streams)
    except SettingError as error:
        left_out[f"{system.name}: {error.what} {error.got}"] = None
        return
    deciding = [of for field, of in system.method.from_runs.items() if field not in system.given]
    plain = replace(run, setting=_without_target(setting), seed=seeds[0])
    needs = tuple(replace(plain, method=method) for method in dict.fromkeys(deciding))
    for needed in needs:
        planned.setdefault((needed.name, False), PlannedRun(needed))
    for seeded in (replace(run, seed=seed) for seed in seeds):
        planned.setdefault((seeded.name, bool(needs)), PlannedRun(seeded, needs))


def _trained_once(several: Iterable[PlannedRun]) -> tuple[PlannedRun, ...]:
    """The runs, each with the one before it that trains as it does."""
    first: dict[tuple[object, ...], Run] = {}
    found = []
    for planned in several:
        if target_moments(planned.run.method, planned.run.setting) & {"training", "after"}:
            found.append(planned)
            continue
        training = planned.run.setting.sources, planned.needs != (), to_json(replace(planned.run, setting=ANYWHERE))
        other = first.setdefault(training, planned.run)
        found.append(planned if other is planned.run else replace(planned, reuse=other))
    return tuple(found)


def run_of(system: System, setting: Setting, base: Run) -> Run:
    """The run of a system in a setting, as `base` in all else. SettingError for streams that `base` does not have."""
    net = base.net if system.modalities is None else base.net.choose(system.modalities)
    fusion = base.net.fusion if system.fusion == "sum" else system.fusion
    optim = base.optim.without(base.net.streams.keys() - net.streams.keys())
    return replace(base, setting=setting, method=system.method, net=replace(net, fusion=fusion), optim=optim)


def _without_target(setting: Setting) -> Setting:
    """The setting with the same sources and target in which nothing is seen of the target."""
    if setting.target_visible == "never":
        return setting
    return replace(setting, family="dg1" if len(setting.sources) == 1 else "dgn")


def _chosen(names: Sequence[str]) -> tuple[System, ...]:
    """The named methods in the plain network. SettingError for a name of no method, as `parse_method`."""
    known = methods()
    unknown = [name for name in (split_choice(text)[0] for text in names) if ":" not in name and name not in known]
    if unknown:
        raise SettingError(
            "There are no such methods.",
            got=", ".join(unknown),
            expected=", ".join([*known, "package.module:Class"]),
            remedy="Correct --methods.",
        )
    found = [(parse_method(name), given_options(name)) for name in names]
    return tuple(System(method.label(), method, given=given) for method, given in found)


def _systems(part: Part, parts: Sequence[Part], chosen: Sequence[System] | None) -> tuple[System, ...]:
    """The part's systems with a chosen method, then the chosen methods that are in no part."""
    if chosen is None:
        return part.systems
    of = lambda system: unresolved(system.method)  # noqa: E731
    kept = [replace(s, method=c.method, given=c.given) for s in part.systems for c in chosen if of(c) == of(s)]
    present = {of(system) for part in parts for system in part.systems}
    return (*kept, *(choice for choice in chosen if of(choice) not in present))


def _with_given(system: System, given: Mapping[str, float]) -> System:
    """The system with the values that were given for all methods in place of those that other runs decide."""
    mine = {field: given[field] for field in system.method.from_runs if field in given and field not in system.given}
    if not mine:
        return system
    return replace(system, method=replace(system.method, **mine), given=system.given | mine.keys())


def _possible(part: Part, domains: Sequence[str], chosen: Sequence[Setting] | None = None) -> tuple[Setting, ...]:
    """The part's settings among these domains, none where there are too few; or those of the chosen that it has among some."""
    if chosen is not None:
        mine = (one for one in chosen if set(one.domains) <= set(domains) and one in _possible(part, one.domains))
        return tuple(dict.fromkeys(mine))
    try:
        return part.family(domains)
    except SettingError:
        return ()


def _check_settings(chosen: Sequence[Setting] | None, known: Iterable[Setting], possible: Iterable[Setting]) -> None:
    known, possible = list(dict.fromkeys(known)), set(possible)
    strange = [str(setting) for setting in chosen or () if setting not in possible]
    if strange or not possible:
        raise SettingError(
            "The suite has no such settings.",
            got=", ".join(strange) or "too few domains",
            expected=", ".join(map(str, known)) or "two domains or more",
            remedy="Correct --setting." if strange else "Bring clips of further domains, or choose another suite.",
        )
