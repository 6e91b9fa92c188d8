"""Finds the numbered pictures in a folder or a tar file: what their names consist of, their numbers, and where they lie."""

import os
import re
import tarfile
from collections import defaultdict
from collections.abc import Iterable
from functools import lru_cache, partial
from pathlib import Path

import numpy as np
from jaxtyping import Shaped

from egonorm.core import DataError
from egonorm.core.listing import some
from egonorm.data.readers.kept import kept

PREFIXES = ("frame_", "img_")
"""What stands before the number of a picture, in EPIC-Kitchens and in Temporal Binding Network."""
AGAIN = "Extract or copy the pictures of this video again."
LARGE = 1 << 26
"""Bytes from which on what a tar file holds is kept for later: its thousands of headers take a tenth of a second or more."""
Place = tuple[int, int]
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
    return np.dtype([("stamp", "<i8", (2,)), ("prefix", "<U32"), ("width", "<i8"), ("suffix", "<U8"),
                     ("number", "<i8", (number,)), ("place", "<i8", (number, 2))])  # fmt: skip


def _scan(path: Path, prefixes: tuple[str, ...], size: int, changed: int) -> Shaped[np.ndarray, "1"]:
    packed = path.is_file()
    members = _tar_members(path, size, changed) if packed else ((file.name, (0, 0)) for file in path.iterdir())
    (prefix, suffix), series = _one_series(path, prefixes, members)
    record = np.zeros(1, _record_type(len(series)))
    numbers = np.array([int(digits) for digits in series], dtype=np.int64)
    order = np.argsort(numbers)
    record["prefix"], record["suffix"], record["width"] = prefix, suffix, min(map(len, series))
    record["number"], record["place"] = numbers[order], np.array(list(series.values()), dtype=np.int64)[order]
    return record


def _one_series(
    path: Path, prefixes: tuple[str, ...], members: Iterable[tuple[str, Place]]
) -> tuple[tuple[str, str], dict[str, Place]]:
    """The one prefix and suffix of the pictures among the members, and where each number (still digits) lies."""
    series: dict[tuple[str, ...], dict[str, Place]] = defaultdict(dict)
    pattern = _pattern(prefixes)
    for name, place in members:
        if match := pattern.fullmatch(name):
            folder, prefix, digits, suffix = match.groups(default="")
            series[folder, prefix, suffix][digits] = place  # of a name that a tar file holds twice, the last counts
    if not series:
        names = " or ".join(f"{prefix}0000000001.jpg" for prefix in prefixes)
        raise DataError(f"{path} holds no pictures.", got="no name that fits", remedy=AGAIN,
                        expected=f"{names}, and so on")  # fmt: skip
    (_, *names), digits = next(iter(series.items()))
    if len(series) > 1 or len(set(map(int, digits))) < len(digits):
        raise DataError(f"{path} holds more than one series of pictures.", expected="every number once",
                        got=some([f"{folder}/{prefix}*{suffix}".lstrip("/") for folder, prefix, suffix in series], 3),
                        remedy="Keep one series in a folder or tar file.")  # fmt: skip
    return tuple(names), digits


@lru_cache(maxsize=1)  # two series of one tar file are asked for one after the other
def _tar_members(path: Path, size: int, changed: int) -> list[tuple[str, Place]]:
    """Names, offsets and sizes, read from the headers alone."""
    try:
        with tarfile.open(path, "r:") as tar:
            members = [member for member in tar if member.isreg()]
        for member in members:
            if member.offset_data + member.size > size:
                raise tarfile.ReadError(f"{member.name} ends behind the end of the file")
        return [(member.name, (member.offset_data, member.size)) for member in members]
    except (tarfile.TarError, OSError) as error:
        raise DataError(f"{path} cannot be read as a tar file.", got=error, expected="a whole tar file, not compressed",
                        remedy="Download it again; unpack it if it is compressed.") from None  # fmt: skip
