"""The procedural kitchens, as `egonorm data kitchens` renders them: a folder of clips with EPIC's classes in its order."""

import shlex
from dataclasses import dataclass
from pathlib import Path

from egonorm.core import DataError
from egonorm.data.manifest import Manifest, read_manifest
from egonorm.data.readers.flow import FlowReader
from egonorm.data.readers.protocol import Reader, Renamed
from egonorm.data.sets.folder import Folder, refuse_names
from egonorm.data.sets.synthetic import CLASSES
from egonorm.data.sets.synthetic.displacement import PAIR_RATE
from egonorm.data.sets.synthetic.rendering import DESCRIPTION, MANIFEST, flow_of, read_config
from egonorm.data.transforms import Input, as_frame_input


@dataclass(frozen=True)
class Kitchens:
    """Rendered kitchens: a folder of videos, and their optical flow if it was rendered."""

    root: Path
    manifest: Manifest
    notes: tuple[str, ...] = ()

    def reader(self, modality: str, given: Input) -> Reader:
        """The reader of one modality: `rgb` and `audio` from the videos, `flow` from its own files.

        Raises:
            DataError: for another modality, and for flow that was not rendered for every video.
        """
        if modality != "flow":
            return Folder(self.root, self.manifest).reader(modality, given)
        videos, rendered = self._videos(), self._with_flow()
        if rendered < len(videos):
            raise DataError(
                f"{self.root} holds no flow of some videos.",
                got=f"flow of {rendered}",
                expected=f"flow of all {len(videos)}",
                remedy=f"Run: {_command(self.root)} --flow",
            )
        frames = as_frame_input(given, modality)
        return Renamed(FlowReader(self.root, frames.span, frames.short_side, PAIR_RATE), flow_of)

    def layouts(self) -> dict[str, dict[str, int]]:
        """How the videos lie, as in any folder, and how many have flow."""
        rendered = self._with_flow()
        flow = {flow_of("DOMAIN/VIDEO.mp4"): rendered} if rendered else {}
        return Folder(self.root, self.manifest).layouts() | {"flow": flow}

    def _videos(self) -> set[str]:
        return {clip.media for clip in self.manifest.clips}

    def _with_flow(self) -> int:
        return sum((self.root / flow_of(media)).is_file() for media in self._videos())


def open_set(root: Path) -> Kitchens:
    """Read the manifest of rendered kitchens. DataError for a folder that is none, or of another version."""
    if not (root / DESCRIPTION).is_file() or not (root / MANIFEST).is_file():
        raise DataError(
            f"{root} holds no rendered kitchens.",
            got=f"no {DESCRIPTION} or no {MANIFEST}",
            expected="a finished rendering",
            remedy=f"Run: {_command(root)}",
        )
    read_config(root)  # refuses another version
    manifest = read_manifest(root / MANIFEST, CLASSES)
    names = manifest.clips.media.found()
    refuse_names(root / MANIFEST, names)
    refuse_names(root / MANIFEST, map(flow_of, names))
    return Kitchens(root, manifest)


def _command(root: Path) -> str:
    """What renders the kitchens of a folder, or goes on with it."""
    command = f"egonorm data kitchens {shlex.quote(str(root))}"
    if not (root / DESCRIPTION).is_file():
        return command
    config = read_config(root)
    options = " ".join(f"--{name} {config[name]}" for name in ("clips", "kitchens", "seed"))
    return f"{command} {options} --size {' '.join(map(str, config['size']))}"
