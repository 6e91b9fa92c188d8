"""The verbs on data: render the procedural kitchens, and check what is there."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import tyro

from egonorm.core.progress import bar
from egonorm.core.text import say
from egonorm.data.check import (
    broken,
    describe_other_classes,
    describe_problems,
    describe_unlabelled,
    find_problems,
    looked_at,
)
from egonorm.data.manifest import SPLITS, Manifest
from egonorm.data.sets import Verifiable, open_clip_set
from egonorm.data.sets.synthetic import KitchensConfig, render_kitchens
from egonorm.runs.presets import preset_on, split_names


@dataclass(frozen=True)
class RenderKitchens:
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
    flow: bool = False
    """Optical flow too, as a third modality; it can also be added to a finished rendering."""

    def __call__(self) -> None:
        config = KitchensConfig(self.clips, self.kitchens, self.seed, self.size)
        with bar(f"Rendering {self.kitchens} kitchens") as progress:
            path = render_kitchens(self.folder, config, progress=progress, flow=self.flow)
        say(f"{path}\nNext: egonorm data check kitchens:{self.folder}" + " --modalities rgb,audio,flow" * self.flow)


@dataclass(frozen=True)
class Check:
    """Examine every medium: what is there, what is missing or broken, and for which clips."""

    data: tyro.conf.Positional[str]
    """KIND:PATH, the kind being kitchens, folder, epic55, packed or features."""
    modalities: Annotated[str | None, tyro.conf.arg(metavar="NAMES")] = None
    """Which modalities to examine: of media rgb,audio unless named (there is flow too), of features all."""
    thorough: bool = False
    """Decode all of every medium instead of walking its packets, and compare packed media with their digests."""

    def __call__(self) -> None:
        data, parts = open_clip_set(self.data), preset_on(self.data, "paper")
        net = parts.net if self.modalities is None else parts.choose(split_names(self.modalities))
        for note in data.notes:
            say(note)
        _print_counts(data.manifest, data.manifest.domains, "clips")
        for told in filter(None, (describe_unlabelled(data.manifest), describe_other_classes(data.manifest))):
            say(told)
        for modality, found in data.layouts().items():
            if modality in net.streams:
                lying = ", ".join(f"{number} x {layout}" for layout, number in found.items())
                say(f"{modality}: {lying or 'none found'}")
        for note in data.verify(self.thorough) if isinstance(data, Verifiable) else ():
            say(note)
        readers = {name: data.reader(name, stream.input) for name, stream in net.streams.items()}
        with bar("Examining media") as progress:
            problems = find_problems(data.manifest, readers, self.thorough, progress)
        seen, all_of_it = (looked_at(readers, data.manifest, thorough) for thorough in (self.thorough, True))
        for modality, texts in seen.items():
            say(f"{modality}: looked at: {'; '.join(texts)}")
        if lost := {uid for problem in problems for uid in problem.uids}:
            usable = data.manifest.without(lost)
            _print_counts(usable, data.manifest.domains, "usable clips")
            raise broken(problems)
        which = f"media of {len(data.manifest)} clips are there"
        if problems:
            say(f"Broken where no clip is:\n{describe_problems(problems)}")
            say(f"What is needed of the {which} ({', '.join(readers)}).")
        elif seen == all_of_it:
            say(f"All {which} and whole ({', '.join(readers)}).")
        else:
            say(f"All {which} ({', '.join(readers)}). To decode all of them: --thorough")


def _print_counts(manifest: Manifest, domains: tuple[str, ...], what: str) -> None:
    """How many clips each domain has for training and for testing."""
    for domain in domains:
        counts = [f"{len(manifest.select([domain], split))} {split}" for split in SPLITS]
        say(f"{domain}: {what}: {', '.join(counts)}")
