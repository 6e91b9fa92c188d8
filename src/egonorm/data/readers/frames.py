"""Reads frames that lie as numbered JPEG pictures in a folder, or in a tar file that stays packed."""

import os
import re
import tarfile
from collections import defaultdict, deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from math import floor
from pathlib import Path

import numpy as np
import simplejpeg
import torch
from jaxtyping import Int64, UInt8
from torch import Tensor

from egonorm.core import DataError
from egonorm.data.readers.video import scaled_size
from egonorm.data.sampling import Span

PREFIXES = ("frame_", "img_")
"""What stands before the number, in EPIC-Kitchens and in Temporal Binding Network."""
_AGAIN = "Extract or copy the pictures of this video again."
_PICTURE = re.compile(rf"(?:(.*)/)?({'|'.join(PREFIXES)})(\d+)(\.jpe?g)", re.IGNORECASE)
_Place = tuple[int, int]
"""Offset and size in a tar file; nothing of meaning for a folder."""


@dataclass(frozen=True)
class FrameReader:
    """Frames of a medium that is a folder or a tar file below `root`.

    The picture of tick 0 has number 0 where there is one, else number 1. Before the first picture the first is shown,
    after the last the last; a picture that is missing between them is an error.
    """

    root: Path
    span: Span
    short_side: int | None
    """Pictures are resized so that the shorter side has so many pixels; None leaves them as they are."""
    rate: float = 60.0
    """Pictures a second."""

    def __call__(self, media: str, start: float, stop: float) -> UInt8[Tensor, "frame height width 3"]:
        """The pictures shown at `span.times(start)`."""
        pictures = open_pictures(self.root / media)
        numbers = [pictures.number_at(floor(time * self.rate)) for time in self.span.times(start)]
        decoded = dict(pictures.decode(sorted(set(numbers))))
        return _resize(torch.from_numpy(np.stack([decoded[number] for number in numbers])), self.short_side)

    def examine(self, media: str, thorough: bool = False) -> float:
        """Seconds from the first to the last picture; the first and the last, or all of them, are decoded."""
        pictures = open_pictures(self.root / media)
        if holes := [pictures.name(number) for number in pictures.holes()]:
            raise DataError(f"{pictures.path} lacks pictures.", got=f"{_some(holes)} missing", remedy=_AGAIN,
                            expected=f"every number from {pictures.first} to {pictures.numbers[-1]}")  # fmt: skip
        numbers = pictures.numbers if thorough else pictures.numbers[[0, -1]]
        deque(pictures.decode(sorted(set(numbers.tolist()))), maxlen=0)
        return len(pictures.numbers) / self.rate


@dataclass(frozen=True, eq=False)
class Pictures:
    """The index of one folder or tar file; two small arrays, because a video has a hundred thousand pictures."""

    path: Path
    prefix: str
    width: int
    """Digits of the number, at least."""
    suffix: str
    numbers: Int64[np.ndarray, " picture"]
    """Sorted."""
    places: Int64[np.ndarray, "picture 2"] | None
    """Offset and size of each picture in the tar file; None for a folder."""

    @property
    def first(self) -> int:
        """The number of tick 0."""
        return 0 if self.numbers[0] == 0 else 1

    def name(self, number: int) -> str:
        """The file name of a picture."""
        return f"{self.prefix}{number:0{self.width}d}{self.suffix}"

    def number_at(self, tick: int) -> int:
        """The number of the picture of a tick of the clock, held at both ends."""
        return min(max(tick + self.first, self.first), int(self.numbers[-1]))

    def holes(self) -> list[int]:
        """The numbers that are missing before the last picture."""
        return np.setdiff1d(np.arange(self.first, self.numbers[-1] + 1), self.numbers).tolist()

    def decode(self, numbers: list[int]) -> Iterator[tuple[int, UInt8[np.ndarray, "height width 3"]]]:
        """Decode some pictures, which must have one size."""
        shape = None
        for number, data in self._read(numbers):
            where = f"{self.name(number)} in {self.path}"
            try:
                picture = simplejpeg.decode_jpeg(data, colorspace="RGB")
            except ValueError as error:
                raise DataError(f"{where} cannot be decoded.", got=f"{len(data)} bytes: {error}",
                                expected="a whole JPEG picture", remedy=_AGAIN) from None  # fmt: skip
            shape = shape or picture.shape
            if picture.shape != shape:
                raise DataError(f"{where} has another size than those before it.", got=picture.shape[:2],
                                expected=shape[:2], remedy=_AGAIN)  # fmt: skip
            yield number, picture

    def _read(self, numbers: list[int]) -> Iterator[tuple[int, bytes]]:
        found = np.searchsorted(self.numbers, numbers)
        absent = [number for number, row in zip(numbers, found, strict=True) if self.numbers[row] != number]
        try:
            if absent:
                raise FileNotFoundError(f"{_some([self.name(number) for number in absent])} missing")
            if self.places is None:
                yield from ((number, (self.path / self.name(number)).read_bytes()) for number in numbers)
                return
            with self.path.open("rb", buffering=0) as file:
                for number, (offset, size) in zip(numbers, self.places[found].tolist(), strict=True):
                    file.seek(offset)
                    yield number, file.read(size)
        except OSError as error:
            raise DataError(f"A picture of {self.path} cannot be read.", got=error, remedy=_AGAIN,
                            expected="every picture up to the last") from None  # fmt: skip


def open_pictures(path: Path) -> Pictures:
    """Index a folder or a tar file, once a process for as long as the file or folder stays unchanged."""
    try:
        status = path.stat()
    except OSError:
        raise DataError(f"{path} does not exist.", got="no such folder or file", expected="a folder or tar of pictures",
                        remedy="Check the root folder of the data and the names of its videos.") from None  # fmt: skip
    return _index(path, status.st_size, status.st_mtime_ns)


def holds_pictures(folder: Path) -> bool:
    """Whether a folder has at least one numbered picture."""
    if not folder.is_dir():
        return False
    with os.scandir(folder) as entries:
        return any(_PICTURE.fullmatch(entry.name) for entry in entries)


@lru_cache(maxsize=1024)
def _index(path: Path, size: int, changed: int) -> Pictures:
    packed = path.is_file()
    members = _tar_members(path, size) if packed else ((file.name, (0, 0)) for file in path.iterdir())
    (prefix, suffix), series = _one_series(path, members)
    numbers = np.array([int(digits) for digits in series], dtype=np.int64)
    order = np.argsort(numbers)
    places = np.array(list(series.values()), dtype=np.int64)[order] if packed else None
    return Pictures(path, prefix, min(map(len, series)), suffix, numbers[order], places)


def _one_series(path: Path, members: Iterable[tuple[str, _Place]]) -> tuple[tuple[str, str], dict[str, _Place]]:
    """The one prefix and suffix of the pictures among the members, and where each number (still digits) lies."""
    series: dict[tuple[str, ...], dict[str, _Place]] = defaultdict(dict)
    for name, place in members:
        if match := _PICTURE.fullmatch(name):
            folder, prefix, digits, suffix = match.groups(default="")
            series[folder, prefix, suffix][digits] = place  # of a name that a tar file holds twice, the last counts
    if not series:
        raise DataError(f"{path} holds no pictures.", got="no name that fits", remedy=_AGAIN,
                        expected="frame_0000000001.jpg or img_0000000001.jpg, and so on")  # fmt: skip
    (_, *names), digits = next(iter(series.items()))
    if len(series) > 1 or len(set(map(int, digits))) < len(digits):
        raise DataError(f"{path} holds more than one series of pictures.", expected="every number once",
                        got=_some([f"{folder}/{prefix}*{suffix}".lstrip("/") for folder, prefix, suffix in series]),
                        remedy="Keep one series in a folder or tar file.")  # fmt: skip
    return tuple(names), digits


def _tar_members(path: Path, size: int) -> Iterator[tuple[str, _Place]]:
    """Names, offsets and sizes, read from the headers alone."""
    try:
        with tarfile.open(path, "r:") as tar:
            for member in tar:
                if member.isreg():
                    if member.offset_data + member.size > size:
                        raise tarfile.ReadError(f"{member.name} ends behind the end of the file")
                    yield member.name, (member.offset_data, member.size)
    except (tarfile.TarError, OSError) as error:
        raise DataError(f"{path} cannot be read as a tar file.", got=error, expected="a whole tar file, not compressed",
                        remedy="Download it again; unpack it if it is compressed.") from None  # fmt: skip


def _resize(frames: UInt8[Tensor, "frame height width 3"], short_side: int | None) -> UInt8[Tensor, "frame h w 3"]:
    height, width = frames.shape[1:3]
    if short_side in (None, min(height, width)):
        return frames
    size = scaled_size(width, height, short_side)[::-1]
    scaled = torch.nn.functional.interpolate(frames.permute(0, 3, 1, 2), size, mode="bilinear", antialias=True)
    return scaled.permute(0, 2, 3, 1).contiguous()


def _some(names: list[str]) -> str:
    return ", ".join(names[:3]) + f" and {len(names) - 3} more" * (len(names) > 3)
