"""All pictures of a medium with the times from which they are shown, as one tar file of JPEG pictures and its index."""

import io
import tarfile
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import chain, pairwise
from math import inf
from pathlib import Path
from typing import BinaryIO

import numpy as np
import simplejpeg
from jaxtyping import UInt8

from egonorm.core.files import replacing, write_atomically

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


def write_shots(path: Path, shots: Iterable[Shot], seconds: float, quality: int,
                wanted: Callable[[float, float], bool]) -> None:  # fmt: skip
    """Write the pictures that are `wanted` in the time that they are shown, and then the index of all.

    `seconds` is how long the medium lasts.
    """
    rows = []
    with replacing(path) as file:
        for number, (shot, start, stop) in enumerate(_shown(shots), start=1):
            places = [(0, 0)] * len(shot.series)
            if wanted(start, stop):
                names = [f"{prefix}{number:010d}.jpg" for prefix in shot.series]
                places = [_append(file, name, _jpeg(picture, quality))
                          for name, picture in zip(names, shot.take(), strict=True)]  # fmt: skip
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
    for shot, following in pairwise(chain(shots, [None])):
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
