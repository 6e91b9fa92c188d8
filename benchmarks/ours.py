"""Our side of what is read: clips all over a recording, through the same objects that training and judging use."""

from collections.abc import Callable, Iterator
from pathlib import Path

import torch

from benchmarks.media import NAME, Recording
from egonorm.data import Clip, Clips, Manifest
from egonorm.data.loader import training_batches
from egonorm.data.readers.image_sequence import FrameReader
from egonorm.data.readers.protocol import Reader, Renamed
from egonorm.data.readers.wav import WavReader
from egonorm.runs.presets import paper

PAPER = paper()
INPUTS = {name: stream.input for name, stream in PAPER.net.streams.items()}
SPAN = PAPER.net.span
CPU = torch.device("cpu")
SECONDS = 3.0
"""The length of a clip."""
LABELS = ("take", "put", "open", "close", "wash", "cut", "mix", "pour")


def manifest(length: float, media: str = NAME, step: float = 1.7) -> Manifest:
    """Clips all over a medium of so many seconds."""
    count = int((length - SECONDS - 1) / step)
    starts = [1 + step * number for number in range(count)]
    clips = [Clip(f"{media}-{k}", media, s, s + SECONDS, LABELS[k % 8], "D1", "train") for k, s in enumerate(starts)]
    return Manifest(tuple(clips), LABELS)


def clips_of(clips: Manifest, rgb: Reader, audio: Reader) -> Clips:
    """The clips as the paper's preset looks at them."""
    return Clips(clips, {"rgb": rgb, "audio": audio}, INPUTS, SPAN)


def frame_reader(root: Path) -> FrameReader:
    """Pictures, as the paper's preset reads them."""
    return FrameReader(root, SPAN, INPUTS["rgb"].short_side)


def sound_reader(recording: Recording, media: str = f"{NAME}.wav") -> Reader:
    """The recording's sound, whatever the name of the medium is that a clip has in another modality."""
    return Renamed(WavReader(recording.folder, INPUTS["audio"].spectrogram), lambda _: media)


def samples(clips: Clips, batch: int) -> Callable[[], object]:
    """Reads the next `batch` training samples, as training does: read, viewed, collated, prepared on the device."""
    batches: Iterator = training_batches(clips, ["D1"], batch, 1, 1_000_000, 0, CPU)
    return lambda: next(batches)
