"""Reads pictures that carry their own times: a tar file of JPEG pictures and its stored index, which processes share."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Shaped, UInt8
from torch import Tensor

from egonorm.core import DataError
from egonorm.data.readers.container import TOLERANCE
from egonorm.data.readers.frames import resize
from egonorm.data.readers.kept import mapped
from egonorm.data.readers.pictures import TOGETHER, Colours, Pictures
from egonorm.data.readers.shots import ONE, PAIR, index_of, index_type
from egonorm.data.sampling import Span, Window


@dataclass(frozen=True)
class TimedReader:
    """Pictures of a medium that is a tar file below `root`: one series in colour, or two in grey, as flow's.

    What is shown at a time is the picture with the largest time that is not later, before the first one the first, as
    `VideoReader` shows it. A picture that was left out when the medium was packed is an error.
    """

    root: Path
    span: Span
    short_side: int | None
    """Pictures are resized so that the shorter side has so many pixels; None leaves them as they are."""

    def __call__(self, media: str, windows: Sequence[Window]) -> UInt8[Tensor, "window frame height width channel"]:
        """The pictures shown at the span's times in each window; those of several series side by side as channels."""
        timed = open_timed(self.root / media)
        rows = timed.rows_at([time for window in windows for time in self.span.times(window.start)])
        pictures = [series.at(rows, timed.colours) for series in timed.series()]
        shown = torch.from_numpy(pictures[0] if len(pictures) == 1 else np.concatenate(pictures, axis=3))
        return resize(shown, self.short_side).unflatten(0, (len(windows), -1))

    def examine(self, media: str, thorough: bool = False) -> float:
        """How many seconds the medium lasted; the first and the last picture that is there, or all, are decoded."""
        timed = open_timed(self.root / media)
        stored = np.flatnonzero(timed.index["place"][:, 0, 1])
        numbers = timed.index["number"][stored if thorough else stored[[0, -1][: len(stored)]]].tolist()
        for series in timed.series():
            for begin in range(0, len(numbers), TOGETHER):
                series.decode(numbers[begin : begin + TOGETHER], timed.colours)
        return float(timed.index["time"][-1])


@dataclass(frozen=True, eq=False)
class Timed:
    """A tar file and its index, which stays on the disk but for what is looked at."""

    path: Path
    index: Shaped[np.ndarray, " row"]
    """See `index_type`."""

    @property
    def colours(self) -> Colours:
        """One series is in colour, several are in grey."""
        return "RGB" if self.index["place"].shape[1] == 1 else "GRAY"

    def series(self) -> list[Pictures]:
        """The pictures of each series."""
        number, place = self.index["number"][:-1], self.index["place"][:-1]
        names = ONE if place.shape[1] == 1 else PAIR
        return [Pictures(self.path, name, 10, ".jpg", number, place[:, k]) for k, name in enumerate(names)]

    def rows_at(self, times: Sequence[float]) -> list[int]:
        """Which picture is shown at each time. DataError for one that was left out."""
        rows = np.searchsorted(self.index["time"][:-1], np.array(times) + TOLERANCE, side="right") - 1
        rows = rows.clip(min=0)
        absent = np.flatnonzero(self.index["place"][rows, 0, 1] == 0)
        if len(absent):
            raise DataError(f"What {self.path} shows at {times[absent[0]]:.3f} s was left out when it was packed.",
                            got="a window far from the packed clips", expected="times near them",
                            remedy="Pack the data again without --clips-only, or for these clips.")  # fmt: skip
        return rows.tolist()


def open_timed(path: Path) -> Timed:
    """Open the index, once a process for as long as the tar file stays unchanged.

    Raises:
        DataError: when one of both is missing, or they do not belong together.
    """
    try:
        status = path.stat()
        return _open(path, status.st_size, status.st_mtime_ns)
    except (OSError, ValueError, EOFError) as error:
        raise DataError(f"{path} cannot be opened.", got=error, expected="a tar file of pictures and its index",
                        remedy="Remove both if they are there, and pack the data again: the rest is kept.") from None  # fmt: skip


@lru_cache(maxsize=1024)
def _open(path: Path, size: int, changed: int) -> Timed:
    index = mapped(index_of(path))
    if index.dtype not in (index_type(1), index_type(2)) or index.ndim != 1 or len(index) < 2:
        raise ValueError(f"{index_of(path).name} is no index of pictures")
    end = int(index["place"].sum(axis=2).max())
    if end > size:
        raise ValueError(f"{size} bytes, where its index tells of pictures up to byte {end}")
    return Timed(path, index)
