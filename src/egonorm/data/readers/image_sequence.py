"""Videos as numbered pictures, in a folder or a tar file: which there are, and a reader of their windows."""

import os
import re
import tarfile
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import lru_cache, partial
from math import floor, inf
from pathlib import Path
from typing import Any, ClassVar, Literal

import numpy as np
import simplejpeg
import torch
from jaxtyping import Int64, Shaped, UInt8
from torch import Tensor

from egonorm.core import DataError, PartlyBrokenError
from egonorm.core.errors import some
from egonorm.data.readers.io.cache import STAMP, kept
from egonorm.data.readers.io.container import MAX_PIXELS, TIME_TOLERANCE
from egonorm.data.readers.video import scaled_size
from egonorm.data.transforms import resized
from egonorm.data.windows import Span, Window, shown_between

PREFIXES = ("frame_", "img_")
"""What stands before the number of a picture, in EPIC-Kitchens and in Temporal Binding Network."""
AGAIN = "Extract or copy the pictures of this video again."
LARGE = 1 << 26
"""Bytes from which on what a tar file holds is kept for later: its thousands of headers take a tenth of a second or more."""
MOST_DIGITS = 18
"""Of a picture's number."""
TarPlace = tuple[int, int]
"""Offset and size in a tar file; nothing of meaning for a folder."""


def find_pictures(path: Path, prefixes: tuple[str, ...], size: int, changed: int) -> Shaped[np.ndarray, "1"]:
    """The one record of `_record_type` of a folder or tar file, which has this size and was changed then.

    Raises:
        DataError: when it cannot be read, or holds no pictures or several series of them.
    """
    scan = partial(_scan, path, prefixes, size, changed)
    if size < LARGE or not path.is_file():
        return scan()
    return kept(f"pictures 1 {path.absolute()} {prefixes}", (size, changed), scan)


def holds_pictures(folder: Path, prefixes: tuple[str, ...] = PREFIXES) -> bool:
    """Whether a folder has at least one numbered picture."""
    if not folder.is_dir():
        return False
    pattern = _pattern(prefixes)
    with os.scandir(folder) as entries:
        return any(pattern.fullmatch(entry.name) for entry in entries)


def _pattern(prefixes: tuple[str, ...]) -> re.Pattern:
    """Folder, prefix, digits and suffix of a picture's name."""
    return re.compile(rf"(?:(.*)/)?({'|'.join(prefixes)})(\d+)(\.jpe?g)", re.IGNORECASE)


def _record_type(number: int) -> np.dtype:
    """What is known of so many pictures; the numbers are sorted, `width` is how many digits they have at least."""
    return np.dtype(
        [
            ("stamp", STAMP),
            ("prefix", "<U32"),
            ("width", "<i8"),
            ("suffix", "<U8"),
            ("number", "<i8", (number,)),
            ("place", "<i8", (number, 2)),
        ]
    )


def _scan(path: Path, prefixes: tuple[str, ...], size: int, changed: int) -> Shaped[np.ndarray, "1"]:
    packed = path.is_file()
    members = _tar_members(path, size, changed) if packed else ((file.name, (0, 0)) for file in path.iterdir())
    (prefix, suffix), series = _one_series(path, prefixes, members)
    record = np.zeros(1, _record_type(len(series)))
    if len(longest := max(series, key=len)) > MOST_DIGITS:
        raise DataError(
            f"{path} holds a picture with a number that makes no sense.",
            got=f"{prefix}{longest}{suffix}",
            expected=f"at most {MOST_DIGITS} digits",
            remedy="Remove it or name it otherwise.",
        )
    numbers = np.array([int(digits) for digits in series], dtype=np.int64)
    order = np.argsort(numbers)
    record["prefix"], record["suffix"], record["width"] = prefix, suffix, min(map(len, series))
    record["number"], record["place"] = numbers[order], np.array(list(series.values()), dtype=np.int64)[order]
    return record


def _one_series(
    path: Path, prefixes: tuple[str, ...], members: Iterable[tuple[str, TarPlace]]
) -> tuple[tuple[str, str], dict[str, TarPlace]]:
    """The one prefix and suffix of the pictures among the members, and where each number (still digits) lies."""
    series: dict[tuple[str, str, str], dict[str, TarPlace]] = defaultdict(dict)
    pattern = _pattern(prefixes)
    for name, place in members:
        if match := pattern.fullmatch(name):
            folder, prefix, digits, suffix = match.groups(default="")
            series[folder, prefix, suffix][digits] = place  # of a name that a tar file holds twice, the last counts
    if not series:
        names = " or ".join(f"{prefix}0000000001.jpg" for prefix in prefixes)
        raise DataError(
            f"{path} holds no pictures.", got="no name that fits", remedy=AGAIN, expected=f"{names}, and so on"
        )
    (_, before, after), found = next(iter(series.items()))
    if len(series) > 1 or len(set(map(int, found))) < len(found):
        raise DataError(
            f"{path} holds more than one series of pictures.",
            expected="every number once",
            got=some([f"{folder}/{prefix}*{suffix}".lstrip("/") for folder, prefix, suffix in series], 3),
            remedy="Keep one series in a folder or tar file.",
        )
    return (before, after), found


@lru_cache(maxsize=1)  # two series of one tar file are asked for one after the other
def _tar_members(path: Path, size: int, changed: int) -> list[tuple[str, TarPlace]]:
    """Names, offsets and sizes, read from the headers alone."""
    try:
        with tarfile.open(path, "r:") as tar:
            members = [member for member in tar if member.isreg()]
        for member in members:
            if member.offset_data + member.size > size:
                raise tarfile.ReadError(f"{member.name} ends behind the end of the file")
        return [(member.name, (member.offset_data, member.size)) for member in members]
    except (tarfile.TarError, OSError) as error:
        raise DataError(
            f"{path} cannot be read as a tar file.",
            got=error,
            expected="a whole tar file, not compressed",
            remedy="Download it again; unpack it if it is compressed.",
        ) from None


Colours = Literal["RGB", "GRAY"]
_CHANNELS = {"RGB": 3, "GRAY": 1}
DECODED_TOGETHER = 64
"""Pictures that are decoded together where all are."""


@dataclass(frozen=True, eq=False)
class PictureIndex:
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

    @property
    def length(self) -> int:
        """How many pictures there are, with those that are missing between them."""
        return int(self.numbers[-1]) - self.first + 1

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

    def faults(self, colours: Colours, thorough: bool) -> Iterator[tuple[int, int, DataError]]:
        """What is broken: numbers from a first up to another, and why.

        Looks for holes and at the size of every picture; decodes the first and the last, or all of them.
        """
        bounds = np.concatenate([[self.first - 1], self.numbers])
        for row in np.flatnonzero(np.diff(bounds) > 1).tolist():
            begin, end = int(bounds[row]) + 1, int(bounds[row + 1])
            yield begin, end, self._lacking(begin, end - 1)
        empty = set(self.numbers[self.sizes() == 0].tolist())
        for number in sorted(empty):
            yield number, number + 1, self._undecodable(number, "0 bytes")
        decoded = (self.numbers if thorough else self.numbers[[0, -1]]).tolist()
        for number, error in self.undecodable([number for number in decoded if number not in empty], colours):
            yield number, number + 1, error

    def undecodable(self, numbers: list[int], colours: Colours) -> Iterator[tuple[int, DataError]]:
        """Those of some pictures that cannot be decoded, or have another size than the first one that can be, and why."""
        model: list[int] = []
        for begin in range(0, len(numbers), DECODED_TOGETHER):
            together = numbers[begin : begin + DECODED_TOGETHER]
            try:
                self.decode(model + together, colours)
                model = model or together[:1]
            except DataError:
                for number in together:
                    try:
                        self.decode([*model, number], colours)
                        model = model or [number]
                    except DataError as error:
                        yield number, error

    def sizes(self) -> Int64[np.ndarray, " picture"]:
        """The bytes of each picture; a file that is gone, or a link to one, has none."""
        if self.places is not None:
            return self.places[:, 1]
        found = {}
        with os.scandir(self.path) as entries:
            for entry in entries:
                with suppress(OSError):
                    found[entry.name] = entry.stat().st_size
        return np.array([found.get(self.name(number), 0) for number in self.numbers.tolist()], dtype=np.int64)

    def decode(self, numbers: list[int], colours: Colours) -> UInt8[np.ndarray, "picture height width channel"]:
        """Decode some pictures, which must have one size, into one array."""
        decoded: Any = None
        for row, (number, data) in enumerate(self.read(numbers)):
            try:
                size = simplejpeg.decode_jpeg_header(data)[:2]
                if size[0] * size[1] > MAX_PIXELS:
                    raise self._undecodable(
                        number, f"a picture of {size[1]} x {size[0]}", f"at most {MAX_PIXELS} pixels"
                    )
                if decoded is None:
                    decoded = np.empty((len(numbers), *size, _CHANNELS[colours]), dtype=np.uint8)
                if size != decoded.shape[1:3]:
                    raise DataError(
                        f"{self.name(number)} in {self.path} has another size than those before it.",
                        got=size,
                        expected=decoded.shape[1:3],
                        remedy=AGAIN,
                    )
                simplejpeg.decode_jpeg(data, colorspace=colours, buffer=decoded[row])
            except ValueError as error:
                raise self._undecodable(number, f"{len(data)} bytes: {error}") from None
        return decoded

    def _undecodable(self, number: int, got: str, expected: str = "a whole JPEG picture") -> DataError:
        what = f"{self.name(number)} in {self.path} cannot be decoded."
        return DataError(what, got=got, expected=expected, remedy=AGAIN)

    def _lacking(self, first: int, last: int) -> DataError:
        names = [self.name(number) for number in (first, last)]
        return DataError(
            f"{self.path} lacks pictures.",
            got=f"{' to '.join(names[: 1 + (last > first)])} missing",
            remedy=AGAIN,
            expected=f"every number from {self.first} to {self.numbers[-1]}",
        )

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
            raise DataError(
                f"A picture of {self.path} cannot be read.",
                got=error,
                remedy=AGAIN,
                expected="every picture up to the last",
            ) from None


def open_pictures(path: Path, prefixes: tuple[str, ...] = PREFIXES) -> PictureIndex:
    """Index a folder or a tar file, once a process for as long as the file or folder stays unchanged.

    What is named otherwise is not looked at; a prefix may begin with a folder of the tar file, as `u/frame_`.
    """
    try:
        status = path.stat()
    except OSError:
        raise DataError(
            f"{path} does not exist.",
            got="no such folder or file",
            expected="a folder or tar of pictures",
            remedy="Check the root folder of the data and the names of its videos.",
        ) from None
    return _index(path, prefixes, status.st_size, status.st_mtime_ns)


@lru_cache(maxsize=1024)
def _index(path: Path, prefixes: tuple[str, ...], size: int, changed: int) -> PictureIndex:
    found = find_pictures(path, prefixes, size, changed)
    names = (str(found["prefix"][0]), int(found["width"][0]), str(found["suffix"][0]))
    return PictureIndex(path, *names, found["number"][0], found["place"][0] if path.is_file() else None)


LOOKED_AT_PICTURES = ("the number and size of every picture, the first and the last decoded", "every picture decoded")
"""What examining a folder of pictures looks at, quickly and thoroughly."""


@dataclass(frozen=True)
class FrameReader:
    """Frames of a medium that is a folder or a tar file below `root`.

    The picture of tick 0 has number 0 where there is one, else number 1. Before the first picture the first is shown,
    after the last the last; a picture that is missing between them is an error. As `VideoReader`, a picture that begins up to
    two microseconds after a time counts as shown then: at 30 looks a second every look falls on a change of picture.
    """

    LOOKED_AT: ClassVar[tuple[str, str]] = LOOKED_AT_PICTURES
    EXAMINED_HERE: ClassVar[bool] = True

    root: Path
    span: Span
    short_side: int | None
    """Pictures are resized so that the shorter side has so many pixels; None leaves them as they are."""
    rate: float = 60.0
    """Pictures a second."""

    def __call__(self, media: str, windows: Sequence[Window]) -> UInt8[Tensor, "window frame height width 3"]:
        """The pictures shown at the span's times in each window."""
        times = [time for window in windows for time in self.span.times(window.start)]
        ticks = [floor((time + TIME_TOLERANCE) * self.rate) for time in times]
        pictures = torch.from_numpy(open_pictures(self.root / media).at(ticks, "RGB"))
        return resize(pictures, self.short_side).unflatten(0, (len(windows), -1))

    def reach(self, start: float, stop: float, seconds: float) -> tuple[float, float]:
        """From when to when it looks for the windows of a clip."""
        return shown_between(start, stop, self.span)

    def examine(self, media: str, thorough: bool = False) -> float:
        """Seconds from the first to the last picture. Of each the size is looked at; the first and the last, or all, are decoded.

        Raises:
            PartlyBrokenError: for pictures that are missing, empty or cannot be decoded.
        """
        pictures = open_pictures(self.root / media)
        faults, seconds = list(pictures.faults("RGB", thorough)), pictures.length / self.rate
        if faults:
            raise PartlyBrokenError.of([(*self._shown(pictures, *part), error) for *part, error in faults], seconds)
        return seconds

    def _shown(self, pictures: PictureIndex, first: int, after: int) -> tuple[float, float]:
        """When pictures from one number up to another are shown: the first one from ever, the last one for ever."""
        start = -inf if first == pictures.first else (first - pictures.first) / self.rate
        return start, inf if after > pictures.numbers[-1] else (after - pictures.first) / self.rate


def resize(
    frames: UInt8[Tensor, "frame height width channel"], short_side: int | None
) -> UInt8[Tensor, "frame h w channel"]:
    """The frames with another length of the shorter side."""
    height, width = frames.shape[1:3]
    if short_side in (None, min(height, width)):
        return frames
    return resized(frames, scaled_size(width, height, short_side)[::-1])
