"""The dataset: its manifest, and for each modality a reader of whichever layout each video has."""

from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from egonorm.core import DataError
from egonorm.data.manifest import Manifest
from egonorm.data.readers.audio import AudioReader
from egonorm.data.readers.flow import FlowReader
from egonorm.data.readers.image_sequence import FrameReader
from egonorm.data.readers.protocol import Reader
from egonorm.data.readers.video import VideoReader
from egonorm.data.readers.wav import WavReader
from egonorm.data.sets.epic55.labels import PARTICIPANTS, VERBS, read_annotations
from egonorm.data.sets.epic55.layouts import LAYOUTS, EpicVideo, Place, PlacedReader, find_places
from egonorm.data.transforms import Input, as_frame_input, as_sound_input


def _rgb(root: Path, given: Input) -> dict[str, Reader]:
    """Readers by kind of medium."""
    frames = as_frame_input(given, "rgb")
    return {
        "pictures": FrameReader(root, frames.span, frames.short_side),
        "video": VideoReader(root, frames.span, frames.short_side),
    }


def _audio(root: Path, given: Input) -> dict[str, Reader]:
    """Readers by kind of medium."""
    spectrogram = as_sound_input(given, "audio").spectrogram
    return {"wav": WavReader(root, spectrogram), "soundtrack": AudioReader(root, spectrogram)}


def _flow(root: Path, given: Input) -> dict[str, Reader]:
    """Readers by kind of medium."""
    frames = as_frame_input(given, "flow")
    return dict.fromkeys(("flow", "flow among pictures"), FlowReader(root, frames.span, frames.short_side))


_READERS = {"rgb": _rgb, "audio": _audio, "flow": _flow}


@dataclass(frozen=True)
class Epic55:
    """EPIC-Kitchens-55 below `root`. Where the media of a modality lie is looked up when it is asked for."""

    root: Path
    manifest: Manifest
    """Domains D1 (P08), D2 (P01) and D3 (P22), splits train and test, eight verbs; media are ids of videos."""
    notes: tuple[str, ...]
    """Remarks for people, such as which splits are missing and where to get them."""

    def reader(self, modality: str, given: Input) -> Reader:
        """The reader of one modality: `rgb`, `flow` or `audio`.

        Raises:
            DataError: for another modality; and where the reader is asked for a video that lacks this one.
        """
        readers = _READERS[_known(modality)](self.root, given)
        return PlacedReader(self.root, LAYOUTS[modality], self.places(modality), readers)

    def layouts(self) -> dict[str, dict[str, int]]:
        """Per modality, how many videos lie in each layout that was found: "name: pattern" to a number."""
        found = {modality: [place.layout for place in self.places(modality).values()] for modality in LAYOUTS}
        return {
            modality: dict(Counter(f"{layout.name}: {layout.pattern} ({layout.kind})" for layout in layouts))
            for modality, layouts in found.items()
        }

    def places(self, modality: str) -> dict[str, Place]:
        """Where each video lies in one modality; looked up anew at every call."""
        videos = sorted({EpicVideo(c.media, PARTICIPANTS[c.domain], c.domain, c.split) for c in self.manifest.clips})
        return find_places(self.root, LAYOUTS[modality], videos)


def open_epic55(root: Path) -> Epic55:
    """EPIC-Kitchens-55 below `root`: MM-SADA's splits or EPIC's public labels, and media in any of the usual layouts.

    Raises:
        DataError: without labels, or with labels that are not what they should be.
    """
    clips, notes = read_annotations(root)
    return Epic55(root, Manifest(clips, VERBS), notes)


def _known(modality: str) -> str:
    if modality not in LAYOUTS:
        raise DataError(
            f"EPIC-Kitchens-55 has no modality {modality}.",
            got=modality,
            expected=", ".join(LAYOUTS),
            remedy="Choose one of these.",
        )
    return modality
