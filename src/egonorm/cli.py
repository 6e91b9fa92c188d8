"""The command line: a thin edge that turns words into the objects of the library, and errors into three lines."""

import sys
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Literal

import tyro

from egonorm.bench.config import Run, read_run
from egonorm.bench.demo import run_demo
from egonorm.bench.formats import Format, render
from egonorm.bench.presets import PRESETS
from egonorm.bench.progress import bar
from egonorm.bench.run import Options, execute, measure
from egonorm.bench.screen import broken
from egonorm.bench.select import parse_selector
from egonorm.bench.summary import summarise
from egonorm.bench.table import find_runs
from egonorm.core import EgonormError, RunError, Setting
from egonorm.data.check import find_problems
from egonorm.data.sets import open_data
from egonorm.data.sets.synthetic import KitchensConfig, render_kitchens
from egonorm.methods import Method, methods
from egonorm.nets.fusion import Fusion
from egonorm.train.runtime import Precision, start_runtime

AnyMethod = Annotated[
    Method | None,
    tyro.conf.arg(
        constructor_factory=lambda: (
            tyro.extras.subcommand_type_from_defaults({name: method() for name, method in sorted(methods().items())})
            | Annotated[
                None, tyro.conf.subcommand("none", description="No method: with --resume, which knows its own.")
            ]
        )
    ),
]


@dataclass(frozen=True)
class Kitchens:
    """Render the procedural kitchens as videos with sound, and their manifest."""

    folder: tyro.conf.Positional[Path]
    """Where to; made if it is not there. A finished rendering of the same options is kept."""
    clips: int = KitchensConfig.clips
    """Clips of each kitchen, train and test together."""
    kitchens: int = KitchensConfig.kitchens
    """How many kitchens: D1, D2, and so on."""
    seed: int = KitchensConfig.seed
    """What every look, room and movement is drawn from."""
    size: tuple[int, int] = KitchensConfig.size
    """Height and width of the pictures."""

    def __call__(self) -> None:
        with bar(f"Rendering {self.kitchens} kitchens") as progress:
            path = render_kitchens(
                self.folder, KitchensConfig(self.clips, self.kitchens, self.seed, self.size), progress=progress
            )
        print(f"{path}\nNext: egonorm data check kitchens:{self.folder}")


@dataclass(frozen=True)
class Check:
    """Examine every medium: what is there, what is missing or broken, and for which clips."""

    data: tyro.conf.Positional[str]
    """KIND:PATH, the kind being kitchens, folder or epic55."""
    modalities: tuple[str, ...] = ("rgb", "audio")
    """Which modalities to examine."""
    thorough: bool = False
    """Decode all of every medium instead of walking its packets."""

    def __call__(self) -> None:
        data, net = open_data(self.data), PRESETS["paper"]().net.choose(self.modalities)
        for note in data.notes:
            print(note)
        for domain in data.manifest.domains:
            counts = ", ".join(f"{len(data.manifest.select([domain], split))} {split}" for split in ("train", "test"))
            print(f"{domain}: {counts}")
        for modality, found in data.layouts().items():
            print(
                f"{modality}: {', '.join(f'{number} x {layout}' for layout, number in found.items()) or 'nothing found'}"
            )
        readers = {name: data.reader(name, stream.input) for name, stream in net.streams.items()}
        with bar("Examining media") as progress:
            problems = find_problems(data.manifest, readers, self.thorough, progress)
        if problems:
            raise broken(problems)
        print(f"All media of {len(data.manifest)} clips are there and whole ({', '.join(readers)}).")


@dataclass(frozen=True)
class Train:
    """Train a method on the sources of a setting and judge it on every domain that the setting names."""

    data: Annotated[str | None, tyro.conf.arg(metavar="KIND:PATH")] = None
    """KIND:PATH, the kind being kitchens, folder or epic55."""
    setting: Annotated[str | None, tyro.conf.arg(metavar="FAMILY:SOURCES:TARGET")] = None
    """FAMILY:SOURCES:TARGET, for example dg1:D1:D2, dgn:D1+D2:D3, supervised:D1:D1 or uda:D1:D2."""
    preset: Literal["demo", "small", "paper"] = "small"
    """Networks, inputs and optimisation: the demo's, a small one's, or the paper's."""
    seed: int = 0
    """What the first weights, the order of clips, the windows and the dropout are drawn from."""
    out: Path = Path("runs")
    """The folder of runs; each run gets a folder of its own below it."""
    resume: Annotated[Path | None, tyro.conf.arg(metavar="RUN")] = None
    """Go on with this run's folder; no other option but the machine's is read."""
    modalities: Annotated[str | None, tyro.conf.arg(metavar="NAMES")] = None
    """Some of the preset's modalities, in the order of the pairs: rgb,audio."""
    fusion: Fusion | None = None
    """Sum the modalities' logits, or concatenate their features."""
    steps: Annotated[int | None, tyro.conf.arg(metavar="INT")] = None
    """Training steps."""
    batch: Annotated[int | None, tyro.conf.arg(metavar="INT")] = None
    """Clips of each domain in a step."""
    width: Annotated[float | None, tyro.conf.arg(metavar="FLOAT")] = None
    """Factor on the networks' numbers of channels."""
    precision: Precision = "float32"
    """Precision of the networks; losses are always float32."""
    device: str = "auto"
    """auto, cpu, or a GPU such as cuda:0."""
    workers: int = 2
    """Processes that read clips, for each training process."""
    skip_broken: bool = False
    """Leave out clips whose media are missing or broken, and store which, instead of refusing to start."""
    method: AnyMethod = None
    """The method, with options of its own."""

    def __call__(self) -> None:
        run, folder = self._resumed() if self.resume else self._new()
        with start_runtime(self.device, run.precision) as runtime:
            execute(run, folder, runtime, Options(self.workers, self.skip_broken))
            if runtime.is_first:
                print(render(summarise([folder], parse_selector("last-mean:9"), "last-mean:9"), "text"))
                print(f"The run lies in {folder}")

    def _resumed(self) -> tuple[Run, Path]:
        return read_run(self.resume), self.resume

    def _new(self) -> tuple[Run, Path]:
        given = {"--data": self.data, "--setting": self.setting, "METHOD": self.method}
        missing = [name for name, value in given.items() if value is None]
        if missing:
            raise RunError("A new run needs more.", got=f"no {', '.join(missing)}", expected=", ".join(given),
                           remedy="Write for example: egonorm train --data kitchens:demo/kitchens --setting dg1:D1:D2 "
                                  "--preset demo rna, or go on with --resume RUN.")  # fmt: skip
        preset = PRESETS[self.preset]()
        net = preset.net if self.modalities is None else preset.net.choose(tuple(self.modalities.split(",")))
        net = net if self.width is None else net.widen(self.width)
        net = net if self.fusion is None else replace(net, fusion=self.fusion)
        changes = {
            name: value for name, value in {"steps": self.steps, "batch": self.batch}.items() if value is not None
        }
        run = Run(
            data=absolute(self.data),
            setting=Setting.parse(self.setting),
            net=net,
            method=self.method,
            optim=replace(preset.optim, **changes),
            evaluation=preset.evaluation,
            seed=self.seed,
            precision=self.precision,
        )
        return run, self.out / run.name


@dataclass(frozen=True)
class Test:
    """Judge a trained run on a domain's test clips, also one that its setting does not name."""

    run: tyro.conf.Positional[Path]
    """The folder of a run."""
    domain: Annotated[str | None, tyro.conf.arg(metavar="NAME")] = None
    """Which domain; without it, the setting's target."""
    data: Annotated[str | None, tyro.conf.arg(metavar="KIND:PATH")] = None
    """KIND:PATH, when the data have moved since the training."""
    device: str = "auto"
    """auto, cpu, or a GPU such as cuda:0."""
    workers: int = 2
    """Processes that read clips."""
    skip_broken: bool = False
    """Leave out clips whose media are missing or broken, and store which."""

    def __call__(self) -> None:
        run = read_run(self.run)
        moved = run if self.data is None else replace(run, data=absolute(self.data))
        with start_runtime(self.device, run.precision) as runtime:
            measure(
                moved, self.run, self.domain or run.setting.target, runtime, Options(self.workers, self.skip_broken)
            )
            if runtime.is_first:
                print(render(summarise([self.run], parse_selector("last-mean:9"), "last-mean:9"), "text"))


@dataclass(frozen=True)
class Tabulate:
    """One table of runs: accuracies with intervals, norms and their differences."""

    runs: tyro.conf.Positional[Path]
    """The folder that was given to --out, or one run."""
    select: str = "last-mean:9"
    """Which checkpoints speak for a run: last-mean:K, last, best-on-source or oracle."""
    format: Format = "text"
    """How to write it."""

    def __call__(self) -> None:
        print(render(summarise(find_runs(self.runs), parse_selector(self.select), self.select), self.format))


@dataclass(frozen=True)
class Demo:
    """The main job without data or GPU: render kitchens, train Source Only and RNA-Net in one, test in the others."""

    out: Path = Path("demo")
    """Where videos and runs are put; a second call reuses them."""
    workers: int = 2
    """Processes that read clips."""

    def __call__(self) -> None:
        run_demo(self.out, self.workers)


def absolute(data: str) -> str:
    """`KIND:PATH` with the path from the root, so that a run finds its data from any folder."""
    kind, colon, path = data.partition(":")
    return f"{kind}{colon}{Path(path).expanduser().absolute()}" if path else data


COMMANDS = {
    "data": {"kitchens": Kitchens, "check": Check, "": "Render or examine data."},
    "train": Train,
    "test": Test,
    "table": Tabulate,
    "demo": Demo,
}


def main(arguments: list[str] | None = None) -> None:
    """Run a command; exit with 1 and three lines on an error that the user can mend."""
    command = tyro.cli(_union(COMMANDS), args=arguments, prog="egonorm", description="First-person action recognition "
                       "from video and sound, in places the model has never seen.",
                       config=(tyro.conf.OmitArgPrefixes, tyro.conf.OmitSubcommandPrefixes, tyro.conf.FlagCreatePairsOff))  # fmt: skip
    try:
        command()
    except EgonormError as error:
        sys.exit(f"error: {error}")
    except KeyboardInterrupt:
        sys.exit("Stopped. The last checkpoint stands: go on with egonorm train --resume RUN.")


def _union(commands: dict):
    """A choice among commands; a nested dictionary is a group of them, described under the empty name."""
    union = None
    for name, command in commands.items():
        if isinstance(command, dict):
            group = {key: value for key, value in command.items() if key}
            choice = Annotated[_union(group), tyro.conf.subcommand(name, description=command[""])]
        else:
            choice = Annotated[command, tyro.conf.subcommand(name)]
        union = choice if union is None else union | choice
    return union
