"""Which runs of a folder are which systems of the paper: those that its suites would have made in the same network."""

from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from egonorm.core import RunError, Setting, SettingError
from egonorm.core.training import Optim
from egonorm.methods import SourceOnly
from egonorm.methods.base import unresolved
from egonorm.runs.config import ANYWHERE, Run, Stream
from egonorm.runs.presets import paper
from egonorm.runs.records import Record
from egonorm.sweeps.paper import System
from egonorm.sweeps.plan import run_of

NO_RUN = "no run"


@dataclass(frozen=True)
class Found:
    """A system's runs in one setting, one a seed, sorted by it; or why there are none."""

    records: tuple[Record, ...]
    missing: str = ""

    @property
    def seeds(self) -> tuple[int, ...]:
        """The runs' seeds."""
        return tuple(record.run.seed for record in self.records)


@dataclass(frozen=True)
class Sweep:
    """Runs on the same data in the same network with the same training, and what all of them have in common."""

    base: Run
    """With every stream that a run has, and with late fusion if there is any."""
    runs: dict[str, list[Record]]
    """By the name that the run would have without its seed, and with the usual values where other runs decide."""

    def find(self, system: System, setting: Setting) -> Found:
        """The runs of a system in a setting."""
        try:
            records = self.runs.get(plain(run_of(system, setting, self.base)).name, [])
        except SettingError:  # a stream that no run has
            records = []
        if len({record.run.seed for record in records}) < len(records):
            several = ", ".join(sorted({record.variant for record in records}))
            return Found((), f"several runs a seed ({several})")
        for field in system.method.from_runs:
            values = sorted({getattr(record.run.method, field) for record in records})
            if len(values) > 1:
                return Found((), f"several values of {field} ({', '.join(f'{value:g}' for value in values)})")
        return Found(tuple(sorted(records, key=lambda r: r.run.seed)), "" if records else NO_RUN)

    def unlike_paper(self) -> list[str]:
        """What is not as in the paper, or in the preset that stands for it."""
        net, same = self.base.net, paper()
        plain = {name: _without_weights(stream) for name, stream in net.streams.items()}
        alike = {
            f"data ({self.base.data.partition(':')[0]})": self.base.data.startswith("epic55:"),
            "network": replace(net, streams=plain) == same.net and list(plain) == list(same.net.streams),
            "training": self.base.optim == same.optim,
            f"precision ({self.base.precision})": self.base.precision == "float32",
            "judgement": self.base.evaluation == same.evaluation,
            "first weights (random)": all(stream.encoder.weights for stream in net.streams.values()),
        }
        return [what for what, is_alike in alike.items() if not is_alike]


def as_sweep(records: Sequence[Record]) -> Sweep:
    """The runs as one sweep.

    Raises:
        RunError: when they differ in more than methods, settings, seeds, fusion and streams.
    """
    worlds, optim = defaultdict(list), _optim(records)
    for record in records:
        worlds[_world(record.run, optim).name].append(record)
    if len(worlds) > 1:
        _refuse(
            [f"{_describe(some[0].run)}: {len(some)} runs, such as {some[0].folder.name}" for some in worlds.values()]
        )
    runs = defaultdict(list)
    for record in records:
        runs[plain(record.run).name].append(record)
    fusion = "sum" if any(record.run.net.fusion == "sum" for record in records) else "concat"
    net = replace(records[0].run.net, streams=_streams(records), fusion=fusion)
    return Sweep(replace(_world(records[0].run, optim), net=net), dict(runs))


def _world(run: Run, optim: Callable[[Run], Optim]) -> Run:
    """What all runs of a sweep have in common."""
    net = replace(run.net, streams={}, fusion="sum")
    return replace(run, setting=ANYWHERE, method=SourceOnly(), seed=0, net=net, optim=optim(run))


def _optim(records: Sequence[Record]) -> Callable[[Run], Optim]:
    """The optimisation of the sweep that a run is of: what it names of streams that the run lacks, the run does not name."""
    whole = max((record.run.optim for record in records), key=lambda optim: len(optim.blocks))
    streams = {name for record in records for name in record.run.net.streams}
    return lambda run: whole if whole.without(streams - run.net.streams.keys()) == run.optim else run.optim


def plain(run: Run) -> Run:
    """The run without its seed; what a sweep takes from other runs, such as a norm, is as usual."""
    return replace(run, seed=0, method=unresolved(run.method))


def _streams(records: Sequence[Record]) -> dict[str, Stream]:
    """Every stream that a run has, in the order of the run with the most."""
    streams = {}
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
