"""Options that several commands share, each written once."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Literal

import tyro

from egonorm.cli.words import named
from egonorm.core.training import Precision
from egonorm.methods import Method
from egonorm.nets.fusion import Fusion
from egonorm.runs.config import Run
from egonorm.runs.presets import PRESETS, configure, usual_preset
from egonorm.runs.run import Options


@dataclass(frozen=True)
class RunOptions:
    """What a run is: network, inputs, optimisation."""

    preset: Annotated[Literal[tuple(PRESETS)] | None, named("{" + ",".join(PRESETS) + "}")] = None
    """Networks, inputs and optimisation; without it those for features on features, else the small ones."""
    modalities: Annotated[str | None, named("NAMES")] = None
    """Some of the preset's or the data's modalities, in the order of the pairs: rgb,audio (the default), rgb,audio,flow."""
    fusion: Annotated[Fusion | None, named("{sum,concat}")] = None
    """Sum the modalities' logits, or concatenate their features; a suite's systems with a fusion of their own keep it."""
    width: Annotated[float | None, named("FLOAT")] = None
    """Factor on the networks' numbers of channels."""
    encoder: Annotated[tyro.conf.UseAppendAction[tuple[str, ...]], named("MODALITY=NAME[:KEY=VALUE]")] = ()
    """An encoder in place of the preset's, rgb=lite0, or your own, rgb=my.module:Net:depth=18; once for each modality."""
    weights: Annotated[tyro.conf.UseAppendAction[tuple[str, ...]], named("MODALITY=PATH_OR_URL[#SHA256]")] = ()
    """Published weights that an encoder starts from, for example rgb=rgb_imagenet.pt; once for each modality."""
    steps: Annotated[int | None, named("INT")] = None
    """Training steps."""
    batch: Annotated[int | None, named("INT")] = None
    """Clips of each domain in a step."""
    micro_batch: Annotated[int | None, named("INT")] = None
    """How many of them pass the encoders at a time, where the memory cannot hold more; the losses are of the whole batch."""
    lr: Annotated[float | None, named("FLOAT")] = None
    """Learning rate of the first steps; it falls as in the preset."""
    precision: Precision = "float32"
    """Precision of the networks; losses are always float32."""

    def configure(self, data: str, setting: str, method: Method, seed: int = 0) -> Run:
        """A run of these options."""
        preset = usual_preset(data, self.preset)
        return configure(data, setting, method, preset, seed, self.precision, **self._changes())

    def _changes(self) -> Mapping[str, object]:
        names = ("modalities", "fusion", "width", "encoder", "weights", "steps", "batch", "micro_batch", "lr")
        return {name: getattr(self, name) for name in names}


@dataclass(frozen=True)
class MachineOptions:
    """Where it runs, which changes none of its numbers."""

    device: str = "auto"
    """auto, cpu, or a GPU such as cuda:0."""
    workers: int = 2
    """Processes that read clips, for each training process."""
    skip_broken: bool = False
    """Leave out clips whose media are missing or broken, and store which, instead of refusing to start."""

    def as_options(self, quiet: bool = False) -> Options:
        """The same for a run."""
        return Options(self.workers, self.skip_broken, quiet)
