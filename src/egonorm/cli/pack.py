"""The verb that turns the media of any data into pictures and sound that load fast."""

import os
import time
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, cast

import tyro

from egonorm.cli.words import named
from egonorm.core import DataError, RunError
from egonorm.core.progress import bar
from egonorm.core.text import say
from egonorm.data.check import LEFT_OUT, broken, describe_problems, write_left_out
from egonorm.data.sets import FeatureSet, open_clip_set
from egonorm.data.sets.packed.packing import Made, pack_data
from egonorm.data.sets.packed.store import Packing, finish
from egonorm.data.transforms import SOUND, AudioInput, Input, VideoInput
from egonorm.runs.presets import from_root, paper
from egonorm.signal import Waveform


@dataclass(frozen=True)
class Pack:
    """Turn the media of any data into JPEG pictures and WAV files, once: they load many times faster. A stopped call goes on."""

    data: Annotated[tyro.conf.Positional[str], named("KIND:PATH")]
    """The kind is kitchens, folder, epic55 or packed."""
    out: Annotated[Path, named("DIR")]
    """Where to; made if it is not there. It is then data of the kind packed."""
    modalities: Annotated[str, named("NAMES")] = "rgb,audio"
    """Which modalities to pack; there is flow too."""
    short_side: int = Packing.short_side
    """Larger pictures are scaled down to so many pixels on their shorter side; smaller ones stay as they are."""
    quality: int = Packing.quality
    """Of the JPEG pictures, 1 to 100. Pictures that are JPEG already and need no scaling keep their bytes."""
    rate: int = Packing.rate
    """Samples of sound a second."""
    clips_only: bool = False
    """Leave out pictures that are more than two seconds from every clip. Sound is kept whole."""
    workers: int = os.cpu_count() or 1
    """Processes that pack."""
    skip_broken: bool = False
    """Leave out clips whose media are missing or broken, and store which, instead of ending without data."""

    def __call__(self) -> None:
        self._check()
        data, names, began = open_clip_set(self.data), tuple(self.modalities.split(",")), time.monotonic()
        if isinstance(data, FeatureSet):
            raise DataError(
                "Features cannot be packed.", got=self.data, expected="media", remedy="Train on them as they are."
            )
        digest = data.manifest.digest() if self.clips_only else None
        packing = Packing(from_root(self.data), names, self.short_side, self.quality, self.rate, digest)
        with bar("Packing media") as progress:
            done = pack_data(data, self._inputs(names), self.out, packing, self.workers, progress)
        usable = data.manifest.without({uid for problem in done.problems for uid in problem.uids})
        if done.problems and not (self.skip_broken and len(usable)):
            raise broken(done.problems)
        (self.out / LEFT_OUT).unlink(missing_ok=True)
        if done.problems:
            say(f"Left out:\n{describe_problems(done.problems)}")
            write_left_out(self.out / LEFT_OUT, done.problems)
        finish(self.out, packing, usable)
        say(f"{describe_cost(done.made, time.monotonic() - began)}\nNext: egonorm data check packed:{self.out}")

    def _check(self) -> None:
        for name, value, most in (
            ("short-side", self.short_side, 65500),
            ("quality", self.quality, 100),
            ("rate", self.rate, 384000),
            ("workers", self.workers, 1024),
        ):
            if not 1 <= value <= most:
                raise RunError(
                    f"--{name} cannot be used.", got=value, expected=f"1 to {most}", remedy=f"Correct --{name}."
                )

    def _inputs(self, names: tuple[str, ...]) -> dict[str, Input]:
        """How the source is looked at: as the paper's preset does, but for the options."""
        inputs = {name: stream.input for name, stream in paper().choose(names).streams.items()}
        return {
            name: AudioInput(Waveform(self.rate))
            if given.reads == SOUND
            else replace(cast(VideoInput, given), short_side=self.short_side)
            for name, given in inputs.items()
        }


def describe_cost(made: Sequence[Made], seconds: float) -> str:
    """What a call has cost, and what the packed media take against what they were packed of."""
    lasting: defaultdict[str, float] = defaultdict(float)
    for one in made:
        lasting[one.media] = max(lasting[one.media], one.seconds)
    minutes, size = sum(lasting.values()) / 60, sum(one.size for one in made)
    source = sum(map(size_of, {one.source for one in made}))
    if not made:
        return "All of it was packed before."
    return (
        f"Packed {len(lasting)} media of {minutes:.1f} minutes in {seconds:.0f} s: {size / 1e6:.1f} MB, "
        f"{size / minutes / 1e6:.2f} MB a minute; the source takes {source / minutes / 1e6:.2f}."
    )


def size_of(path: Path) -> int:
    """The bytes of a file, or of all files in a folder."""
    return (
        sum(file.stat().st_size for file in path.rglob("*") if file.is_file()) if path.is_dir() else path.stat().st_size
    )
