"""Pictures with the times that they were taken at, read by time."""

import io
import tarfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import chain, pairwise
from math import inf
from pathlib import Path
from typing import BinaryIO, ClassVar

import numpy as np
import simplejpeg
import torch
from jaxtyping import Shaped, UInt8
from torch import Tensor

from egonorm.core import DataError, PartlyBrokenError
from egonorm.core.files import replacing, write_atomically
from egonorm.data.readers.image_sequence import Colours, PictureIndex, resize
from egonorm.data.readers.io.cache import mapped
from egonorm.data.readers.io.container import TIME_TOLERANCE
from egonorm.data.windows import Span, Window, shown_between


@dataclass(frozen=True)
class TimedReader:
    """Pictures of a medium that is a tar file below `root`: one series in colour, or two in grey, as flow's.

    What is shown at a time is the picture with the largest time that is not later, before the first one the first, as
    `VideoReader` shows it. A picture that was left out when the medium was packed is an error.
    """

    LOOKED_AT: ClassVar[tuple[str, str]] = (
        "the index, compared with the size of the file, the first and the last picture decoded",
        "every picture decoded",
    )
    EXAMINED_HERE: ClassVar[bool] = True

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

    def reach(self, start: float, stop: float, seconds: float) -> tuple[float, float]:
        """From when to when it looks for the windows of a clip."""
        return shown_between(start, stop, self.span)

    def examine(self, media: str, thorough: bool = False) -> float:
        """How many seconds the medium lasted; the first and the last picture that is there, or all, are decoded."""
        timed = open_timed(self.root / media)
        stored = np.flatnonzero(timed.index["place"][:, 0, 1])
        numbers = timed.index["number"][stored if thorough else stored[[0, -1][: len(stored)]]].tolist()
        times, seconds = timed.index["time"], float(timed.index["time"][-1])
        faults = [
            (-inf if number == 1 else times[number - 1], inf if number == len(times) - 1 else times[number], error)
            for series in timed.series()
            for number, error in series.undecodable(numbers, timed.colours)
        ]
        if faults:
            raise PartlyBrokenError.of(faults, seconds)
        return seconds


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

    def series(self) -> list[PictureIndex]:
        """The pictures of each series."""
        number, place = self.index["number"][:-1], self.index["place"][:-1]
        names = ONE if place.shape[1] == 1 else PAIR
        return [PictureIndex(self.path, name, 10, ".jpg", number, place[:, k]) for k, name in enumerate(names)]

    def rows_at(self, times: Sequence[float]) -> list[int]:
        """Which picture is shown at each time. DataError for one that was left out."""
        rows = np.searchsorted(self.index["time"][:-1], np.array(times) + TIME_TOLERANCE, side="right") - 1
        rows = rows.clip(min=0)
        absent = np.flatnonzero(self.index["place"][rows, 0, 1] == 0)
        if len(absent):
            raise DataError(
                f"What {self.path} shows at {times[absent[0]]:.3f} s was left out when it was packed.",
                got="a window far from the packed clips",
                expected="times near them",
                remedy="Pack the data again without --clips-only, or for these clips.",
            )
        return rows.tolist()


def open_timed(path: Path) -> Timed:
    """Open the index, once a process for as long as the tar file stays unchanged.

    Raises:
        DataError: when one of both is missing, or they do not belong together.
    """
    try:
        status = path.stat()
        return _open(path, status.st_size, status.st_mtime_ns)
    except (OSError, ValueError, EOFError, OverflowError) as error:
        raise DataError(
            f"{path} cannot be opened.",
            got=error,
            expected="a tar file of pictures and its index",
            remedy="Remove both if they are there, and pack the data again: the rest is kept.",
        ) from None


@lru_cache(maxsize=1024)
def _open(path: Path, size: int, changed: int) -> Timed:
    index = mapped(index_of(path))
    if index.dtype not in (index_type(1), index_type(2)) or index.ndim != 1 or len(index) < 2:
        raise ValueError(f"{index_of(path).name} is no index of pictures")
    place, time = index["place"], index["time"]
    if place.min() < 0 or place.max() >= 2**62 or not np.isfinite(time).all() or (np.diff(time[:-1]) < 0).any():
        raise ValueError(f"{index_of(path).name} tells of times or places that cannot be")
    if (index["number"] != np.arange(1, len(index) + 1)).any():
        raise ValueError(f"{index_of(path).name} does not number its pictures from 1 on")
    end = int(place.sum(axis=2).max())
    if end > size:
        raise ValueError(f"{size} bytes, where its index tells of pictures up to byte {end}")
    return Timed(path, index)


Picture = bytes | UInt8[np.ndarray, "height width channel"]
"""A whole JPEG file, or pixels: three channels in RGB, or one in grey."""
FULL, GREY = ("RGB", "420"), ("GRAY", "Gray")
"""How pixels of three channels and of one are encoded: their colours, and how coarse these are stored."""
ONE, PAIR = ("frame_",), ("u/frame_", "v/frame_")
"""What stands in a tar file before the number of a picture: of a video's one series, and of the two of optical flow."""
_BLOCK = 512
"""Bytes that everything in a tar file is a multiple of."""


@dataclass(frozen=True)
class Shot:
    """What is shown from a time on, until the next shot's."""

    time: float
    """In seconds."""
    take: Callable[[], tuple[Picture, ...]]
    """Reads or makes the picture of each series."""
    series: tuple[str, ...] = ONE


def index_of(path: Path) -> Path:
    """Where the index of a tar file lies."""
    return path.with_name(f"{path.name}.npy")


def index_type(num_series: int) -> np.dtype:
    """A row of an index: from when on a picture is shown, its number in that order, and where each series' lies in the tar file.

    A size of 0 tells that a picture was left out. The last row holds no picture, but when the medium ends.
    """
    return np.dtype([("time", "<f8"), ("number", "<i8"), ("place", "<i8", (num_series, 2))])


def write_shots(
    path: Path, shots: Iterable[Shot], seconds: float, quality: int, wanted: Callable[[float, float], bool]
) -> None:
    """Write the pictures that are `wanted` in the time that they are shown, and then the index of all.

    `seconds` is how long the medium lasts.
    """
    rows = []
    with replacing(path) as file:
        for number, (shot, start, stop) in enumerate(_shown(shots), start=1):
            places = [(0, 0)] * len(shot.series)
            if wanted(start, stop):
                names = [f"{prefix}{number:010d}.jpg" for prefix in shot.series]
                places = [
                    _append(file, name, _jpeg(picture, quality))
                    for name, picture in zip(names, shot.take(), strict=True)
                ]
            rows.append((shot.time, 0, places))
        file.write(bytes(2 * _BLOCK))
    rows.sort(key=lambda row: row[0])
    rows.append((seconds, 0, [(0, 0)] * len(shot.series)))
    index, content = np.array(rows, dtype=index_type(len(shot.series))), io.BytesIO()
    index["number"] = np.arange(1, len(rows) + 1)
    np.save(content, index)
    write_atomically(index_of(path), content.getvalue())


def _shown(shots: Iterable[Shot]) -> Iterator[tuple[Shot, float, float]]:
    """Each shot and the time that it is shown: the first from ever, the last for ever."""
    first = True
    for shot, following in pairwise(chain[Shot | None](shots, [None])):
        assert shot is not None
        yield shot, -inf if first else shot.time, inf if following is None else following.time
        first = False


def _jpeg(picture: Picture, quality: int) -> bytes:
    if isinstance(picture, bytes):
        return picture
    colours, coarseness = GREY if picture.shape[2] == 1 else FULL
    return simplejpeg.encode_jpeg(np.ascontiguousarray(picture), quality, colours, coarseness)


def _append(file: BinaryIO, name: str, content: bytes) -> tuple[int, int]:
    """Add a file to a tar file; where its content begins, and its size."""
    header = tarfile.TarInfo(name)
    header.size = len(content)
    file.write(header.tobuf(tarfile.USTAR_FORMAT))
    offset = file.tell()
    file.write(content + bytes(-len(content) % _BLOCK))
    return offset, len(content)
