"""Reads optical flow that lies as pairs of grey JPEG pictures: displacements to the right (u) and down (v)."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import floor, inf
from pathlib import Path
from typing import ClassVar

import numpy as np
import torch
from jaxtyping import UInt8
from torch import Tensor

from egonorm.core import DataError, PartlyBrokenError
from egonorm.data.readers.image_sequence import (
    LOOKED_AT_PICTURES,
    PREFIXES,
    PictureIndex,
    holds_pictures,
    open_pictures,
    resize,
)
from egonorm.data.readers.io.container import TIME_TOLERANCE
from egonorm.data.windows import Span, Window, shown_between

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

    LOOKED_AT: ClassVar[tuple[str, str]] = LOOKED_AT_PICTURES
    EXAMINED_HERE: ClassVar[bool] = True

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

    def reach(self, start: float, stop: float, seconds: float) -> tuple[float, float]:
        """From when to when it looks for the windows of a clip."""
        return shown_between(start, stop, self.span)

    def examine(self, media: str, thorough: bool = False) -> float:
        """Seconds from the first to the last pair. Of each the size is looked at; the first and the last, or all, are decoded.

        Raises:
            PartlyBrokenError: for pictures that are missing, empty or cannot be decoded.
        """
        u, v = self.halves(media)
        counts = f"{len(u.numbers)} from number {u.first} on in u, {len(v.numbers)} from number {v.first} on in v"
        unequal = self._unequal(media, "as many pictures in u as in v", counts)
        if u.first != v.first:
            raise unequal
        shorter, seconds = min(u.length, v.length), max(u.length, v.length) / self.rate
        faults: list[tuple[float, float, DataError]] = []
        if u.length != v.length:
            faults.append((self.time_of(shorter), inf, unequal))
        for pictures in (u, v):
            for first, after, error in pictures.faults("GRAY", thorough):
                begin, end = first - pictures.first, after - pictures.first
                start = self.time_of(begin) if begin else -inf
                faults.append((start, self.time_of(end) if end < pictures.length else inf, error))
        if faults:
            raise PartlyBrokenError.of(faults, seconds)
        return seconds

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
