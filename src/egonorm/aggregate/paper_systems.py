"""Which runs of a folder are which systems of the paper: those that its suites would have made in the same network."""

from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from egonorm.aggregate.aggregate import Aggregate, Aggregates, RunGroup, plain
from egonorm.core import RunError, Setting, SettingError
from egonorm.core.training import Optim
from egonorm.core.types import Shift
from egonorm.methods import SourceOnly
from egonorm.nets.net import Fusion
from egonorm.runs.config import ANYWHERE, Run, Stream, to_json
from egonorm.runs.presets import paper
from egonorm.runs.results import Record
from egonorm.sweeps.paper import System
from egonorm.sweeps.plan import run_of

NO_RUN = "no run"


def shared_base(records: Sequence[Record]) -> Run:
    """What runs of a sweep have in common, with every stream that one of them has, and with late fusion if there is any.

    Raises:
        RunError: when they differ in more than methods, settings, seeds, fusion and streams.
    """
    kinds, optim = defaultdict(list), _optim(records)
    for record in records:
        kinds[_bare(record.run, optim).name].append(record)
    if len(kinds) > 1:
        _refuse(
            [f"{_describe(some[0].run)}: {len(some)} runs, such as {some[0].folder.name}" for some in kinds.values()]
        )
    fusion: Fusion = "sum" if any(record.run.net.fusion == "sum" for record in records) else "concat"
    return replace(
        _bare(records[0].run, optim), net=replace(records[0].run.net, streams=_streams(records), fusion=fusion)
    )


def unlike_paper(base: Run) -> list[str]:
    """What of a sweep is not as in the paper, or in the preset that stands for it."""
    net, same = base.net, paper()
    untrained = {name: _without_weights(stream) for name, stream in net.streams.items()}
    alike = {
        f"data ({base.data.partition(':')[0]})": base.data.startswith("epic55:"),
        "network": replace(net, streams=untrained) == same.net and list(untrained) == list(same.net.streams),
        "training": base.optim == same.optim,
        f"precision ({base.precision})": base.precision == "float32",
        "judgement": base.evaluation == same.evaluation,
        "first weights (random)": all(stream.encoder.weights for stream in net.streams.values()),
    }
    return [what for what, is_alike in alike.items() if not is_alike]


@dataclass(frozen=True)
class SystemRuns:
    """What a folder has of a system in one setting, or in several whose mean is asked for."""

    records: tuple[Record, ...]
    """Its runs, also where they are too few for a mean."""
    aggregate: Aggregate | None
    missing: str = ""
    """Why there is no aggregate; empty if there is one."""


def find_system(aggregates: Aggregates, base: Run, system: System, settings: Sequence[Setting]) -> SystemRuns:
    """A system's runs in these settings. Several settings have a mean where all of them have runs, with the same seeds."""
    shifts = [Shift.of(setting, setting.target) for setting in settings]
    candidates = _groups(aggregates, base, system)
    found = {shift: [group for group in candidates if shift in group.by_shift] for shift in shifts}
    single = {shift: groups[0] for shift, groups in found.items() if len(groups) == 1}
    records = tuple(record for shift, group in single.items() for record in group.by_shift[shift].values())
    if len(single) < len(shifts):
        reasons = sorted({_describe_several(groups, shift) for shift, groups in found.items() if len(groups) > 1})
        counted = [f"{len(single)} of {len(shifts)} shifts"] if single else []
        return SystemRuns(records, None, "; ".join([*counted, *reasons]) or NO_RUN)
    if len(set(single.values())) > 1:
        return SystemRuns(records, None, "several configurations")
    group = single[shifts[0]]
    aggregate = aggregates.of(group, shifts[0]) if len(shifts) == 1 else aggregates.mean(group, shifts)
    return SystemRuns(records, aggregate, "" if aggregate else "seeds differ")


def _groups(aggregates: Aggregates, base: Run, system: System) -> list[RunGroup]:
    """The runs of a system in whatever setting; none of one with a stream that no run has."""
    try:
        wanted = to_json(plain(run_of(system, ANYWHERE, base)))
    except SettingError:
        return []
    return [group for group in aggregates.groups if to_json(plain(group.run)) == wanted]


def _describe_several(groups: Sequence[RunGroup], shift: Shift) -> str:
    """Why runs of one system in one shift are several lines, and none of the paper's."""
    seeds = [seed for group in groups for seed in group.by_shift[shift]]
    if len(set(seeds)) < len(seeds):
        return f"several runs a seed ({', '.join(sorted(group.digits for group in groups))})"
    values = {field: sorted({getattr(g.configured, field) for g in groups}) for field in groups[0].configured.from_runs}
    return "; ".join(
        f"several values of {field} ({', '.join(f'{value:g}' for value in found)})"
        for field, found in values.items()
        if len(found) > 1
    )


def _bare(run: Run, optim: Callable[[Run], Optim]) -> Run:
    """What all runs of a sweep have in common."""
    net = replace(run.net, streams={}, fusion="sum")
    return replace(run, setting=ANYWHERE, method=SourceOnly(), seed=0, net=net, optim=optim(run))


def _optim(records: Sequence[Record]) -> Callable[[Run], Optim]:
    """The optimisation of the sweep that a run is of: what it names of streams that the run lacks, the run does not name."""
    whole = max((record.run.optim for record in records), key=lambda optim: len(optim.blocks))
    streams = {name for record in records for name in record.run.net.streams}
    return lambda run: whole if whole.without(streams - run.net.streams.keys()) == run.optim else run.optim


def _streams(records: Sequence[Record]) -> dict[str, Stream]:
    """Every stream that a run has, in the order of the run with the most."""
    streams: dict[str, Stream] = {}
    for record in sorted(records, key=lambda record: -len(record.run.net.streams)):
        for name, stream in record.run.net.streams.items():
            if streams.setdefault(name, stream) != stream:
                _refuse([f"two networks for {name}", f"one of them in {record.folder.name}"])
    return streams


def _without_weights(stream: Stream) -> Stream:
    return replace(stream, encoder=replace(stream.encoder, weights=None, sha256=None))


def _describe(run: Run) -> str:
    optim, evaluation = run.optim, run.evaluation
    at_once = f", {optim.micro_batch} at a time" if optim.micro_batch else ""
    unusual = "".join(f", {words}" for words in optim.unusual)
    return (
        f"{run.data}, {optim.steps} steps of {optim.batch} clips{at_once} at {optim.lr:g}{unusual}, "
        f"{evaluation.num_windows} windows, checkpoints every {evaluation.every}, {run.precision}"
    )


def _refuse(several: list[str]) -> None:
    raise RunError(
        "These runs are not one sweep.",
        got="; ".join(several),
        expected="the same data, network, training and precision in all runs",
        remedy="Move the runs of each kind to a folder of their own.",
    )
