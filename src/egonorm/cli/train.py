"""The verbs that make runs: train and test."""

import inspect
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Literal

import tyro

from egonorm.aggregate.render import render
from egonorm.aggregate.summary import summarise
from egonorm.cli.words import named
from egonorm.core import RunError
from egonorm.core.training import Precision
from egonorm.methods import Method, methods
from egonorm.nets.fusion import Fusion
from egonorm.runs.config import Run, read_run
from egonorm.runs.presets import PRESETS, configure, usual_preset
from egonorm.runs.run import Options, RunContext, execute, measure
from egonorm.runs.selection import parse_selector
from egonorm.train.runtime import start_runtime

_no_method = Annotated[None, tyro.conf.subcommand("none", description="No method: with --resume, which knows its own.")]


def _method_choice():
    known = {name: method() for name, method in sorted(methods().items())}
    told = {name: inspect.getdoc(method).splitlines()[0] for name, method in known.items()}
    return tyro.extras.subcommand_type_from_defaults(known, told) | _no_method


@dataclass(frozen=True)
class Train:
    """Train a method on the sources of a setting and judge it on every domain that the setting names."""

    data: Annotated[str | None, named("KIND:PATH")] = None
    """The clips; the kind is kitchens, folder, epic55, packed or features."""
    setting: Annotated[str | None, named("FAMILY:SOURCES:TARGET")] = None
    """For example dg1:D1:D2, dgn:D1+D2:D3, supervised:D1:D1, uda:D1:D2 or tta:D1:D2."""
    preset: Annotated[Literal[tuple(PRESETS)] | None, named("{" + ",".join(PRESETS) + "}")] = None
    """Networks, inputs and optimisation; without it those for features on features, else the small ones."""
    seed: int = 0
    """What the first weights, the order of clips, the windows and the dropout are drawn from."""
    out: Path = Path("runs")
    """The folder of runs; each run gets a folder of its own below it."""
    resume: Annotated[Path | None, named("RUN")] = None
    """Go on with this run's folder; no other option but the machine's is read."""
    modalities: Annotated[str | None, named("NAMES")] = None
    """Some of the preset's or the data's modalities, in the order of the pairs: rgb,audio (the default), rgb,audio,flow."""
    fusion: Annotated[Fusion | None, named("{sum,concat}")] = None
    """Sum the modalities' logits, or concatenate their features."""
    steps: Annotated[int | None, named("INT")] = None
    """Training steps."""
    batch: Annotated[int | None, named("INT")] = None
    """Clips of each domain in a step."""
    micro_batch: Annotated[int | None, named("INT")] = None
    """How many of them pass the encoders at a time, where the memory cannot hold more; the losses are of the whole batch."""
    lr: Annotated[float | None, named("FLOAT")] = None
    """Learning rate of the first steps; it falls as in the preset."""
    width: Annotated[float | None, named("FLOAT")] = None
    """Factor on the networks' numbers of channels."""
    weights: Annotated[tyro.conf.UseAppendAction[tuple[str, ...]], named("MODALITY=PATH_OR_URL[#SHA256]")] = ()
    """Published weights that an encoder starts from, for example rgb=rgb_imagenet.pt; once for each modality."""
    precision: Precision = "float32"
    """Precision of the networks; losses are always float32."""
    device: str = "auto"
    """auto, cpu, or a GPU such as cuda:0."""
    workers: int = 2
    """Processes that read clips, for each training process."""
    skip_broken: bool = False
    """Leave out clips whose media are missing or broken, and store which, instead of refusing to start."""
    method: Annotated[Method | None, tyro.conf.arg(constructor_factory=_method_choice)] = None
    """The method, with options of its own."""

    def __call__(self) -> None:
        run, folder = (read_run(self.resume), self.resume) if self.resume else self._new()
        with start_runtime(self.device, run.precision) as runtime:
            execute(RunContext(run, folder, runtime, Options(self.workers, self.skip_broken)))
            if runtime.is_first:
                _print_table([folder])
                print(f"The run lies in {folder}")

    def _new(self) -> tuple[Run, Path]:
        given = {"--data": self.data, "--setting": self.setting, "METHOD": self.method}
        missing = [name for name, value in given.items() if value is None]
        if missing:
            raise RunError(
                "A new run needs more.",
                got=f"no {', '.join(missing)}",
                expected=", ".join(given),
                remedy="Write for example: egonorm train --data kitchens:demo/kitchens --setting dg1:D1:D2 "
                "--preset demo rna, or go on with --resume RUN.",
            )
        names = ("modalities", "fusion", "steps", "batch", "micro_batch", "lr", "width", "weights")
        changes = {name: getattr(self, name) for name in names}
        preset = usual_preset(self.data, self.preset)
        run = configure(self.data, self.setting, self.method, preset, self.seed, self.precision, **changes)
        return run, self.out / run.name


@dataclass(frozen=True)
class Test:
    """Judge a trained run on a domain's test clips, also one that its setting does not name."""

    run: tyro.conf.Positional[Path]
    """The folder of a run."""
    domain: Annotated[str | None, named("NAME")] = None
    """Which domain; without it, the setting's target."""
    data: Annotated[str | None, named("KIND:PATH")] = None
    """The clips, when they have moved since the training."""
    device: str = "auto"
    """auto, cpu, or a GPU such as cuda:0."""
    workers: int = 2
    """Processes that read clips."""
    skip_broken: bool = False
    """Leave out clips whose media are missing or broken, and store which."""

    def __call__(self) -> None:
        run = read_run(self.run)
        here = run if self.data is None else replace(run, data=self.data)
        with start_runtime(self.device, run.precision) as runtime:
            context = RunContext(here, self.run, runtime, Options(self.workers, self.skip_broken))
            measure(context, self.domain or run.setting.target)
            if runtime.is_first:
                _print_table([self.run])


def _print_table(folders) -> None:
    print(render(summarise(folders, parse_selector("last-mean:9"), "last-mean:9"), "text"))
