"""Reads frames that lie as numbered JPEG pictures in a folder, or in a tar file that stays packed."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import floor
from pathlib import Path

import torch
from jaxtyping import UInt8
from torch import Tensor

from egonorm.data.inputs import resized
from egonorm.data.readers.container import TOLERANCE
from egonorm.data.readers.pictures import open_pictures
from egonorm.data.readers.video import scaled_size
from egonorm.data.sampling import Span, Window


@dataclass(frozen=True)
class FrameReader:
    """Frames of a medium that is a folder or a tar file below `root`.

    The picture of tick 0 has number 0 where there is one, else number 1. Before the first picture the first is shown,
    after the last the last; a picture that is missing between them is an error. As `VideoReader`, a picture that begins up to
    two microseconds after a time counts as shown then: at 30 looks a second every look falls on a change of picture.
    """

    root: Path
    span: Span
    short_side: int | None
    """Pictures are resized so that the shorter side has so many pixels; None leaves them as they are."""
    rate: float = 60.0
    """Pictures a second."""

    def __call__(self, media: str, windows: Sequence[Window]) -> UInt8[Tensor, "window frame height width 3"]:
        """The pictures shown at the span's times in each window."""
        times = [time for window in windows for time in self.span.times(window.start)]
        ticks = [floor((time + TOLERANCE) * self.rate) for time in times]
        pictures = torch.from_numpy(open_pictures(self.root / media).at(ticks, "RGB"))
        return resize(pictures, self.short_side).unflatten(0, (len(windows), -1))

    def examine(self, media: str, thorough: bool = False) -> float:
        """Seconds from the first to the last picture; the first and the last, or all of them, are decoded."""
        pictures = open_pictures(self.root / media)
        pictures.check("RGB", thorough)
        return len(pictures.numbers) / self.rate


def resize(
    frames: UInt8[Tensor, "frame height width channel"], short_side: int | None
) -> UInt8[Tensor, "frame h w channel"]:
    """The frames with another length of the shorter side."""
    height, width = frames.shape[1:3]
    if short_side in (None, min(height, width)):
        return frames
    return resized(frames, scaled_size(width, height, short_side)[::-1])
