"""Packed media as a kind of data: the clips of what was packed, and readers of the pictures and the sound."""

from dataclasses import dataclass
from functools import partial
from pathlib import Path

from egonorm.core import DataError
from egonorm.data.manifest import Manifest
from egonorm.data.readers.protocol import Reader, Renamed
from egonorm.data.readers.timed_images import TimedReader
from egonorm.data.readers.wav import WavReader
from egonorm.data.sets.packed.store import Packing, file_of, read_packed_clips, read_packed_description, verify_digests
from egonorm.data.transforms import SOUND, Input, as_frame_input, as_sound_input

TAR, WAV = ".tar", ".wav"


@dataclass(frozen=True)
class PackedSet:
    """Clips whose media were packed into `root`."""

    root: Path
    manifest: Manifest
    packing: Packing

    @property
    def notes(self) -> tuple[str, ...]:
        """What was packed, and how."""
        p = self.packing
        where = " around its clips" if p.clips else ""
        return (
            f"Packed of {p.source}{where}: pictures of at most {p.short_side} pixels on the shorter side, "
            f"sound of {p.rate} samples a second.",
        )

    def reader(self, modality: str, given: Input) -> Reader:
        """The reader of one modality.

        Raises:
            DataError: for one that was not packed.
        """
        if modality not in self.packing.modalities:
            raise DataError(
                f"{self.root} has no modality {modality!r}.",
                got=modality,
                expected=" or ".join(self.packing.modalities),
                remedy="Choose among these with --modalities, or pack the data again with it.",
            )
        return reader_in(self.root / modality, given)

    def verify(self, thorough: bool) -> tuple[str, ...]:
        """Compare all media with their digests where `thorough`; a remark about those that have none.

        Raises:
            DataError: for a medium that is not as it was packed.
        """
        names = [
            file_of(media, ending) for media in {clip.media for clip in self.manifest.clips} for ending in (TAR, WAV)
        ]
        paths = [self.root / modality / name for modality in self.packing.modalities for name in names]
        found = [verify_digests(path, thorough) for path in sorted(paths) if path.is_file()]
        number = found.count(False)
        return (
            (f"No digest, so that damage could not be seen: {number} of {len(found)} packed media.",) if number else ()
        )

    def layouts(self) -> dict[str, dict[str, int]]:
        """How many media were packed, of each modality."""
        number = len({clip.media for clip in self.manifest.clips})
        return {modality: {f"packed: {modality}/MEDIUM": number} for modality in self.packing.modalities}


def reader_in(folder: Path, given: Input) -> Reader:
    """The reader of one modality's packed media."""
    if given.reads == SOUND:
        return Renamed(WavReader(folder, as_sound_input(given, folder.name).spectrogram), partial(file_of, ending=WAV))
    frames = as_frame_input(given, folder.name)
    return Renamed(TimedReader(folder, frames.span, frames.short_side), partial(file_of, ending=TAR))


def open_packed(root: Path) -> PackedSet:
    """Open what `egonorm data pack` has finished.

    Raises:
        DataError: for a folder of something else, or media that are still being packed.
    """
    about = read_packed_description(root)
    return PackedSet(root, read_packed_clips(root, about), about.packing)
