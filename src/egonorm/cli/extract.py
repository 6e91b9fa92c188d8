"""The verb that computes features once, for trainings without media."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Literal

import tyro

from egonorm.cli.options import MachineOptions
from egonorm.cli.words import named
from egonorm.core.shard import Shard
from egonorm.core.text import say
from egonorm.core.training import Precision
from egonorm.data.sets.features.store import Description
from egonorm.features.encoders import find_encoders
from egonorm.features.extract import Extraction, extract
from egonorm.runs.presets import from_root
from egonorm.training.runtime import start_runtime


@dataclass(frozen=True)
class Extract:
    """Compute the features of all clips once; trainings on them take seconds. A call that was stopped goes on."""

    sources: Annotated[tyro.conf.Positional[tuple[str, ...]], named("SOURCE")]
    """What computes them: folders of runs, and MODALITY=PATH_OR_URL[#SHA256], weights of the preset's encoders."""
    data: Annotated[str, named("KIND:PATH")]
    """The clips; the kind is kitchens, folder, epic55 or packed."""
    out: Annotated[Path, named("FEATURES")]
    """The folder of the features; made if it is not there."""
    encoder: Annotated[tyro.conf.UseAppendAction[tuple[str, ...]], named("MODALITY=NAME[:KEY=VALUE]")] = ()
    """A published encoder in place of the preset's, rgb=lite0, or yours, rgb=my.module:Net:depth=18; once for each modality."""
    preset: Literal["demo", "small", "paper"] = "small"
    """Whose encoders, inputs and windows are taken, for what is not a run."""
    windows: int = 5
    """Windows of a clip, evenly spread."""
    shard: Annotated[str, named("I/N")] = "1/1"
    """Do every N-th part of the work, from the I-th on; N calls, on as many machines, fill one folder."""
    batch: int = 16
    """Windows that are computed together."""
    precision: Precision = "float32"
    """Precision of the networks; features are stored in float32."""
    machine: tyro.conf.OmitArgPrefixes[MachineOptions] = field(default_factory=MachineOptions)

    def __call__(self) -> None:
        shard, options = Shard.parse(self.shard), self.machine.as_options()
        with start_runtime(self.machine.device, self.precision) as runtime:
            encoders = find_encoders(self.sources, self.encoder, self.preset, runtime)
            job = Extraction(
                from_root(self.data), self.out, encoders, runtime, self.windows, self.batch, shard, options
            )
            about = extract(job)
            if runtime.is_first:
                say(_farewell(self.out, shard, about))


def _farewell(out: Path, shard: Shard, about: Description | None) -> str:
    if about is None:
        return f"Shard {shard} is done; the last of the other shards completes {out}."
    lines = [
        f"{name}: {about.num_windows} windows a clip of {modality.size} numbers, by {modality.encoder} "
        f"({modality.source})"
        for name, modality in about.modalities.items()
    ]
    command = f"egonorm train --data features:{out} --preset features --setting FAMILY:SOURCES:TARGET --out runs METHOD"
    return "\n".join([f"The features lie in {out}", *lines, f"Next: {command}"])
