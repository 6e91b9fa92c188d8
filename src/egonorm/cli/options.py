"""Options that several commands share, each written once."""

from dataclasses import dataclass, fields
from typing import Annotated, Any, Literal

import tyro

from egonorm.cli.words import named
from egonorm.core.training import OptimizerName, Precision, Schedule, WindowAverage
from egonorm.methods import Method
from egonorm.nets.net import Fusion
from egonorm.runs.config import Run
from egonorm.runs.presets import PRESETS, configure, usual_preset
from egonorm.runs.run import Options


@dataclass(frozen=True)
class RunOptions:
    """What a run is: network, inputs, optimisation."""

    preset: Annotated[Literal[tuple(PRESETS)] | None, named("{" + ",".join(PRESETS) + "}")] = None  # type: ignore[valid-type]
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
    optimizer: Annotated[OptimizerName | None, named("{sgd,adamw}")] = None
    """What descends: SGD with momentum (the presets'), or AdamW, which wants a smaller --lr, such as 0.001."""
    lr: Annotated[float | None, named("FLOAT")] = None
    """Learning rate of the first steps, or after the warm-up; it falls by the schedule."""
    schedule: Annotated[Schedule | None, named("{steps,cosine}")] = None
    """How the learning rate falls: in the preset's steps, or along half a cosine to 0."""
    warm_up: Annotated[float | None, named("FLOAT")] = None
    """Steps in which it rises evenly at first, or their share of all steps where below 1."""
    momentum: Annotated[float | None, named("FLOAT")] = None
    """Momentum of SGD."""
    betas: Annotated[tuple[float, float] | None, named("FLOAT FLOAT")] = None
    """Of AdamW: how much of the running means of the gradient and of its square a step keeps."""
    weight_decay: Annotated[float | None, named("FLOAT")] = None
    """Weight decay of either."""
    lr_factor: Annotated[tyro.conf.UseAppendAction[tuple[str, ...]], named("BLOCK=FLOAT")] = ()
    """What a block's learning rate is multiplied by, for example rgb.encoder=0.1; may be given several times."""
    freeze: Annotated[tyro.conf.UseAppendAction[tuple[str, ...]], named("BLOCK")] = ()
    """A block that stays as it is, for example rgb.encoder or rgb.encoder.mixed_3; may be given several times."""
    average: Annotated[WindowAverage | None, named("{softmax,logits}")] = None
    """What is averaged over a clip's windows when it is judged: probabilities (the presets'), or logits."""
    standardise: bool = True
    """Standardise each column of stored features by the sources' training clips; without, one factor is all columns'."""
    precision: Precision = "float32"
    """Precision of the networks; losses are always float32."""

    def configure(self, data: str, setting: str, method: Method, seed: int = 0) -> Run:
        """A run of these options."""
        changes: dict[str, Any] = {field.name: getattr(self, field.name) for field in fields(self)}
        preset, precision = usual_preset(data, changes.pop("preset")), changes.pop("precision")
        return configure(data, setting, method, preset, seed, precision, **changes)


@dataclass(frozen=True)
class MachineOptions:
    """Where it runs, which changes none of its numbers."""

    device: str = "auto"
    """auto, cpu, or a GPU such as cuda:0."""
    workers: int = 2
    """Processes that read clips, for each training process."""
    skip_broken: bool = False
    """Leave out clips whose media are broken or whose label is no class, and store which, instead of refusing to start."""

    def as_options(self, quiet: bool = False) -> Options:
        """The same for a run."""
        return Options(self.workers, self.skip_broken, quiet)
