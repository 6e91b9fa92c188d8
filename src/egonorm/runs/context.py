"""A trial: one run on its way from configuration to rows, and what it does that leaves its numbers alone."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from egonorm.core import RunError
from egonorm.core.progress import bar
from egonorm.data.check import Problem
from egonorm.data.dataset import Clips
from egonorm.data.manifest import Manifest
from egonorm.data.readers.protocol import Reader
from egonorm.data.sets import ClipSet, readers_of
from egonorm.methods.base import target_moments
from egonorm.runs.build import CHECKPOINTS
from egonorm.runs.checks import describe, screen, write_left_out
from egonorm.runs.config import Run
from egonorm.train.checkpoint import Checkpoints
from egonorm.train.runtime import Runtime


@dataclass(frozen=True)
class Options:
    """What a run does without changing its numbers."""

    workers: int = 0
    """Processes that read clips; 0 reads in the training process."""
    skip_broken: bool = False
    """Leave out clips whose media are missing or broken, instead of refusing to start."""
    quiet: bool = False
    """Show no progress; one of many runs side by side."""

    def __post_init__(self):
        if self.workers < 0:
            raise RunError("--workers cannot be used.", got=self.workers, expected="0 or more", remedy="Correct it.")


@dataclass(frozen=True)
class Trial:
    """A run, its folder, where it runs and how."""

    run: Run
    folder: Path
    runtime: Runtime
    options: Options
    twin: Path | None = None
    """The folder of a run that trains alike and has done so; see `twins.py`."""

    @property
    def checkpoints(self) -> Checkpoints:
        """The run's checkpoints on disk."""
        kept = self.run.evaluation
        return Checkpoints(self.folder / CHECKPOINTS, self.run.optim.steps, kept.every, kept.keep)

    @property
    def speaks(self) -> bool:
        """Whether this process tells a person how the run goes."""
        return self.runtime.is_first and not self.options.quiet

    @property
    def target_moments(self) -> frozenset[str]:
        """When the method sees unlabelled clips of the target: of {"training", "after", "test"}."""
        return target_moments(self.run.method, self.run.setting)

    @property
    def trained_on(self) -> tuple[str, ...]:
        """The domains whose training clips are needed, sources first."""
        setting = self.run.setting
        return setting.domains if self.target_moments & {"training", "after"} else setting.sources

    def readers(self, data: ClipSet) -> dict[str, Reader]:
        """The readers of the network's modalities."""
        return readers_of(data, {name: stream.input for name, stream in self.run.net.streams.items()})

    def clips(
        self, manifest: Manifest, readers: Mapping[str, Reader], unlabelled: frozenset[str] = frozenset()
    ) -> Clips:
        """Clips as the network sees them."""
        inputs = {name: stream.input for name, stream in self.run.net.streams.items()}
        return Clips(manifest, readers, inputs, self.run.net.span, self.run.seed, unlabelled)

    def screened(
        self, manifest: Manifest, readers: Mapping[str, Reader], listing: str
    ) -> tuple[Manifest, tuple[Problem, ...]]:
        """The usable clips, and what is wrong with the others. A list in the folder is a decision."""
        decided = self.options.skip_broken or (self.folder / listing).exists()
        with bar("Examining media", self.speaks) as progress:
            return screen(manifest, readers, decided, progress)

    def note_left_out(self, problems: tuple[Problem, ...], listing: str) -> None:
        """Say what is left out, on the terminal and in a file of the folder."""
        if self.runtime.is_first and problems:
            write_left_out(self.folder / listing, problems)
        if self.speaks and problems:
            print(f"Left out, and listed in {self.folder / listing}:\n{describe(problems)}")
