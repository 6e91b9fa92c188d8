"""Reads optical flow that lies as pairs of grey JPEG pictures: displacements to the right (u) and down (v)."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import floor
from pathlib import Path

import numpy as np
import torch
from jaxtyping import UInt8
from torch import Tensor

from egonorm.core import DataError
from egonorm.data.readers.image_sequence import PREFIXES, PictureIndex, holds_pictures, open_pictures, resize
from egonorm.data.readers.io.container import TIME_TOLERANCE
from egonorm.data.windows import Span, Window

HALVES = {"u": ("u/frame_", "x_"), "v": ("v/frame_", "y_")}
"""What stands before the number of each half's pictures, in EPIC-Kitchens and in Temporal Binding Network."""


@dataclass(frozen=True)
class FlowReader:
    """Flow of a medium below `root`: a folder or tar file that holds folders u and v, or a folder of `x_` and `y_`.

    Pictures are counted as `FrameReader` counts them, each half by itself. A pair is shown while it is the one whose
    middle is nearest: the pair of tick k from (k + 0.5) to (k + 1.5) ticks of the clock, so that of EPIC's pictures, 60 a
    second, number i goes with pair i / 2, rounded down, as in MM-SADA. Values are as they are stored, in pixels of the
    stored pictures; resizing does not change them.
    """

    root: Path
    span: Span
    short_side: int | None
    """Pictures are resized so that the shorter side has so many pixels; None leaves them as they are."""
    rate: float = 30.0
    """Pairs a second."""

    def __call__(self, media: str, windows: Sequence[Window]) -> UInt8[Tensor, "window frame height width 2"]:
        """The pairs shown at the span's times in each window: u, then v."""
        ticks = [self.tick_at(time) for window in windows for time in self.span.times(window.start)]
        u, v = (pictures.at(ticks, "GRAY") for pictures in self.halves(media))
        if u.shape != v.shape:
            raise self._unequal(media, "pictures of one size", f"{u.shape[1:3]} in u, {v.shape[1:3]} in v")
        pairs = resize(torch.from_numpy(np.concatenate([u, v], axis=3)), self.short_side)
        return pairs.unflatten(0, (len(windows), -1))

    def tick_at(self, time: float) -> int:
        """Which pair, counted from 0, is shown at a time, if the medium has it."""
        return floor((time + TIME_TOLERANCE) * self.rate - 0.5)

    def examine(self, media: str, thorough: bool = False) -> float:
        """Seconds from the first to the last pair; the first and the last, or all of them, are decoded."""
        u, v = self.halves(media)
        for pictures in (u, v):
            pictures.check("GRAY", thorough)
        if (u.first, len(u.numbers)) != (v.first, len(v.numbers)):
            counts = ", ".join(
                f"{len(x.numbers)} from number {x.first} on in {name}" for name, x in (("u", u), ("v", v))
            )
            raise self._unequal(media, "as many pictures in u as in v", counts)
        return len(u.numbers) / self.rate

    def time_of(self, tick: int) -> float:
        """From when on a pair is shown."""
        return (tick + 0.5) / self.rate

    def halves(self, media: str) -> list[PictureIndex]:
        """The pictures of u and of v."""
        return [_open_half(self.root / media, name) for name in HALVES]

    def _unequal(self, media: str, expected: str, got: str) -> DataError:
        return DataError(
            f"The halves of the flow in {self.root / media} do not go together.",
            got=got,
            expected=expected,
            remedy="Extract or copy the flow of this video again.",
        )


def holds_flow(folder: Path) -> bool:
    """Whether a folder has at least one numbered picture of at least one half."""
    return any(holds_pictures(folder / name) for name in HALVES) or holds_pictures(folder, HALVES["u"] + HALVES["v"])


def _open_half(path: Path, name: str) -> PictureIndex:
    """The pictures of one half: in a folder of its own, or beside the other half."""
    inside = path / name
    return open_pictures(inside, PREFIXES[:1]) if inside.is_dir() else open_pictures(path, HALVES[name])
