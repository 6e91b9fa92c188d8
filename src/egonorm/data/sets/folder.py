"""A folder of one's own clips: `manifest.csv` and the media that it names, of any kind that FFmpeg reads."""

import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from egonorm.core import DataError
from egonorm.data.manifest import CLASSES_FILE, Manifest, read_classes, read_manifest
from egonorm.data.readers.audio import AudioReader
from egonorm.data.readers.protocol import Reader
from egonorm.data.readers.video import VideoReader
from egonorm.data.transforms import Input, as_frame_input, as_sound_input

MOST, MOST_OF_PATH = 255, 3000
"""Bytes of a file's name, and of all names on the way to it."""


@dataclass(frozen=True)
class Folder:
    """Clips whose media are files below `root`."""

    root: Path
    manifest: Manifest
    notes: tuple[str, ...] = ()

    def reader(self, modality: str, given: Input) -> Reader:
        """The reader of one modality: `rgb` from the pictures of a file, `audio` from its sound."""
        if modality == "rgb":
            frames = as_frame_input(given, modality)
            return VideoReader(self.root, frames.span, frames.short_side)
        if modality == "audio":
            return AudioReader(self.root, as_sound_input(given, modality).spectrogram)
        raise DataError(
            f"{self.root} has no modality {modality!r}.",
            got=modality,
            expected="rgb or audio",
            remedy="Choose among these with --modalities.",
        )

    def layouts(self) -> dict[str, dict[str, int]]:
        """All media are files that the manifest names; those that are there are counted."""
        number = sum((self.root / media).is_file() for media in {clip.media for clip in self.manifest.clips})
        return {modality: {"files named in manifest.csv": number} for modality in ("rgb", "audio")}


def open_set(root: Path) -> Folder:
    """Read `root/manifest.csv`, and the classes that `root/classes.txt` declares, if it is there."""
    manifest = read_manifest(root / "manifest.csv", read_classes(root / CLASSES_FILE))
    refuse_names(root / "manifest.csv", manifest.clips.media.found())
    return Folder(root, manifest)


def refuse_names(path: Path, media: Iterable[str]) -> None:
    """Refuse a table whose media are named as no file can be. DataError."""
    for name in media:
        sizes = [len(os.fsencode(part)) for part in Path(name).parts]
        if not Path(name).name or "\0" in name or max(sizes, default=0) > MOST or sum(sizes) > MOST_OF_PATH:
            raise DataError(
                f"{path} names a medium as no file can be called.",
                got=f"{name[:60]!r}, {len(name)} letters",
                expected=f"at most {MOST} bytes, {MOST_OF_PATH} with its folders, a last part and no NUL",
                remedy="Correct the column media.",
            )
