"""The index of numbered JPEG pictures in a folder, or in a tar file that stays packed: which there are, and where."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Literal

import numpy as np
import simplejpeg
from jaxtyping import Int64, UInt8

from egonorm.core import DataError
from egonorm.core.listing import some
from egonorm.data.readers.scan import AGAIN, PREFIXES, find_pictures

Colours = Literal["RGB", "GRAY"]
_CHANNELS = {"RGB": 3, "GRAY": 1}
TOGETHER = 64
"""Pictures that are decoded together where all are."""


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

    def at(self, ticks: Iterable[int], colours: Colours) -> UInt8[np.ndarray, "frame height width channel"]:
        """The pictures of some ticks of the clock, held at both ends; one that is missing between them is an error."""
        numbers = [self.number_at(tick) for tick in ticks]
        wanted = sorted(set(numbers))
        decoded = self.decode(wanted, colours)
        return decoded if wanted == numbers else decoded[np.searchsorted(wanted, numbers)]

    def check(self, colours: Colours, thorough: bool) -> None:
        """Refuse an index with holes; decode the first picture and the last, or all of them."""
        missing = np.setdiff1d(np.arange(self.first, self.numbers[-1] + 1), self.numbers)
        if holes := [self.name(number) for number in missing.tolist()]:
            raise DataError(f"{self.path} lacks pictures.", got=f"{some(holes, 3)} missing", remedy=AGAIN,
                            expected=f"every number from {self.first} to {self.numbers[-1]}")  # fmt: skip
        numbers = (self.numbers if thorough else self.numbers[[0, -1]]).tolist()
        for begin in range(0, len(numbers), TOGETHER):
            self.decode(numbers[:1] + numbers[begin : begin + TOGETHER], colours)

    def decode(self, numbers: list[int], colours: Colours) -> UInt8[np.ndarray, "picture height width channel"]:
        """Decode some pictures, which must have one size, into one array."""
        decoded = None
        for row, (number, data) in enumerate(self.read(numbers)):
            where = f"{self.name(number)} in {self.path}"
            try:
                size = simplejpeg.decode_jpeg_header(data)[:2]
                if decoded is None:
                    decoded = np.empty((len(numbers), *size, _CHANNELS[colours]), dtype=np.uint8)
                if size != decoded.shape[1:3]:
                    raise DataError(f"{where} has another size than those before it.", got=size,
                                    expected=decoded.shape[1:3], remedy=AGAIN)  # fmt: skip
                simplejpeg.decode_jpeg(data, colorspace=colours, buffer=decoded[row])
            except ValueError as error:
                raise DataError(f"{where} cannot be decoded.", got=f"{len(data)} bytes: {error}",
                                expected="a whole JPEG picture", remedy=AGAIN) from None  # fmt: skip
        return decoded

    def read(self, numbers: list[int]) -> Iterator[tuple[int, bytes]]:
        """The numbers and the bytes of some pictures. DataError for one that is not there."""
        found = np.searchsorted(self.numbers, numbers)
        absent = [number for number, row in zip(numbers, found, strict=True) if self.numbers[row] != number]
        try:
            if absent:
                raise FileNotFoundError(f"{some([self.name(number) for number in absent], 3)} missing")
            if self.places is None:
                for number in numbers:
                    with open(f"{self.path}/{self.name(number)}", "rb", buffering=0) as file:  # noqa: PTH123 - faster
                        yield number, file.readall()
                return
            with self.path.open("rb", buffering=0) as file:
                for number, (offset, size) in zip(numbers, self.places[found].tolist(), strict=True):
                    file.seek(offset)
                    yield number, file.read(size)
        except OSError as error:
            raise DataError(f"A picture of {self.path} cannot be read.", got=error, remedy=AGAIN,
                            expected="every picture up to the last") from None  # fmt: skip


def open_pictures(path: Path, prefixes: tuple[str, ...] = PREFIXES) -> Pictures:
    """Index a folder or a tar file, once a process for as long as the file or folder stays unchanged.

    What is named otherwise is not looked at; a prefix may begin with a folder of the tar file, as `u/frame_`.
    """
    try:
        status = path.stat()
    except OSError:
        raise DataError(f"{path} does not exist.", got="no such folder or file", expected="a folder or tar of pictures",
                        remedy="Check the root folder of the data and the names of its videos.") from None  # fmt: skip
    return _index(path, prefixes, status.st_size, status.st_mtime_ns)


@lru_cache(maxsize=1024)
def _index(path: Path, prefixes: tuple[str, ...], size: int, changed: int) -> Pictures:
    found = find_pictures(path, prefixes, size, changed)
    names = (str(found["prefix"][0]), int(found["width"][0]), str(found["suffix"][0]))
    return Pictures(path, *names, found["number"][0], found["place"][0] if path.is_file() else None)
