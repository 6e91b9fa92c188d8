"""Pictures from video files: the frames that a player shows at given moments, upright, in RGB."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import torch
from av.video.frame import VideoFrame
from av.video.reformatter import VideoReformatter
from jaxtyping import UInt8
from torch import Tensor

from egonorm.data.readers.io.duration import stream_duration
from egonorm.data.readers.io.video_decode import decode_frames
from egonorm.data.windows import Span, Window, neighbours, shown_between

VIDEO_GAP = 2.0
"""Seconds between two windows that are rather decoded through than jumped over."""


@dataclass(frozen=True)
class VideoReader:
    """The pictures of video files, read frame by frame with FFmpeg.

    Time zero is the container's start, as in players; where the picture begins later than the sound, the first frame is
    shown until then. Of several video streams FFmpeg's best one is read. Files that are marked as rotated or mirrored
    come out upright. Pixels are taken as square, whatever the file says. Colours follow the file's tag, else bt601.
    """

    LOOKED_AT: ClassVar[tuple[str, str]] = ("every packet, and the first picture decoded", "every picture decoded")

    root: Path
    """The folder that media are named in."""
    span: Span
    """How the frames of a window are spread over time."""
    short_side: int | None = None
    """Frames are scaled so that their shorter side has this many pixels (bilinear, as `scale=-2:` does)."""

    def __call__(self, media: str, windows: Sequence[Window]) -> UInt8[Tensor, "window frame height width 3"]:
        """The frames shown at the times of the span in each window; what lies between neighbours is decoded once.

        Raises:
            DataError: when the file is missing, has no picture, or is corrupt in a window, between neighbours or after the
                last keyframe before them.
        """
        shown = []
        for group in neighbours(windows, VIDEO_GAP):
            times = [time for window in group for time in self.span.times(window.start)]
            shown.append(read_frames(self.root / media, times, self.short_side))
        return torch.cat(shown).unflatten(0, (len(windows), -1))

    def reach(self, start: float, stop: float, seconds: float) -> tuple[float, float]:
        """From when to when it looks for the windows of a clip."""
        return shown_between(start, stop, self.span)

    def examine(self, media: str, thorough: bool = False) -> float:
        """How many seconds of picture the file holds; `thorough` decodes every frame.

        Raises:
            DataError: when it is missing, truncated, corrupt or has no picture.
        """
        return stream_duration(self.root / media, "video", thorough)


def read_frames(
    path: Path, times: Sequence[float], short_side: int | None = None
) -> UInt8[Tensor, "frame height width 3"]:
    """What a player shows at each of these times, in seconds, upright and in RGB (see `decode_frames`)."""
    return pictures_of(decode_frames(path, times), short_side)


def pictures_of(frames: list[VideoFrame], short_side: int | None) -> UInt8[Tensor, "frame height width 3"]:
    """Scale, convert to RGB and put upright; a frame that is shown several times is converted once."""
    reformatter = VideoReformatter()
    pictures: dict[int, np.ndarray] = {}
    for frame in frames:
        if id(frame) not in pictures:
            width, height = scaled_size(frame.width, frame.height, short_side)
            rgb = reformatter.reformat(frame, width, height, format="rgb24", interpolation="BILINEAR", threads=1)
            pictures[id(frame)] = _upright(rgb.to_ndarray(), frame)
    return torch.from_numpy(np.stack([pictures[id(frame)] for frame in frames]))


def scaled_size(width: int, height: int, short_side: int | None) -> tuple[int, int]:
    """The size with the shorter side given and the longer one rounded to an even number, as `scale=-2:` rounds it."""
    if short_side is None:
        return width, height
    short, long = sorted((width, height))
    other = 2 * ((long * short_side + short) // (2 * short))
    return (other, short_side) if width > height else (short_side, other)


def _upright(picture: np.ndarray, frame: VideoFrame) -> np.ndarray:
    """Apply the display matrix as FFmpeg's autorotation does: mirroring and multiples of 90 degrees, the nearest one.

    The matrix (16.16 numbers, rows of three) takes a pixel (x, y) to (m0 x + m3 y, m1 x + m4 y).
    """
    side_data: Any = frame.side_data.get("DISPLAYMATRIX")
    if side_data is None:
        return picture
    matrix = np.frombuffer(bytes(side_data), dtype=np.int32)
    across, down = matrix[0], matrix[4]
    if abs(int(matrix[3])) > abs(int(matrix[0])):
        picture = picture.swapaxes(0, 1)
        across, down = matrix[3], matrix[1]
    return picture[:: -1 if down < 0 else 1, :: -1 if across < 0 else 1]
