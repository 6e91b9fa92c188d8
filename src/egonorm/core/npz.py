"""Arrays in NumPy's files: what a header says is compared with the bytes that are there, before any memory is taken."""

import zipfile
import zlib
from math import prod
from pathlib import Path
from tokenize import TokenError
from typing import IO

import numpy as np

_MOST = 1032
"""Bytes that deflate can make of one."""
UNREADABLE = (
    OSError,
    ValueError,
    KeyError,
    TypeError,
    EOFError,
    OverflowError,
    RuntimeError,
    MemoryError,
    zipfile.BadZipFile,
    zlib.error,
)
"""What NumPy and zipfile raise for files that are damaged or something else."""


def check_npz(file: Path | IO[bytes]) -> None:
    """Refuse an `.npz` file that does not hold as much as it says.

    Raises:
        UNREADABLE: for that, and for a file that is none.
    """
    with zipfile.ZipFile(file) as archive:
        for entry in archive.infolist():
            header_of(archive, entry)


def header_of(archive: zipfile.ZipFile, entry: zipfile.ZipInfo) -> tuple[tuple[int, ...], np.dtype]:
    """Shape and type of an array in an `.npz` file. UNREADABLE for one that does not hold as much as it says."""
    if entry.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2):
        raise ValueError(f"{entry.filename} is packed by method {entry.compress_type}, which NumPy does not use")
    if entry.file_size > entry.compress_size * _MOST + 64:
        raise ValueError(f"{entry.filename} says to be of {entry.file_size} bytes, out of {entry.compress_size}")
    with archive.open(entry) as file:
        return read_header(file, entry.file_size)


def read_header(file: IO[bytes], size: int) -> tuple[tuple[int, ...], np.dtype]:
    """Shape and type of the array that begins here and has `size` bytes with its header. ValueError where it has not."""
    shape, dtype = _header(file)
    held = size - file.tell()
    if not dtype.hasobject and prod(shape) * dtype.itemsize != held:
        raise ValueError(f"an array of shape {shape} and {dtype}, in {held} bytes")
    return shape, dtype


def _header(file: IO[bytes]) -> tuple[tuple[int, ...], np.dtype]:
    """Shape and type of the array that begins here. ValueError for what is none."""
    version = np.lib.format.read_magic(file)
    header = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}
    if version not in header:
        raise ValueError(f"version {version} of the format, which only tables of several columns need")
    try:
        shape, _, dtype = header[version](file)
    except (SyntaxError, TokenError, RecursionError, MemoryError) as error:
        raise ValueError(f"a header that cannot be read: {type(error).__name__}") from None
    return shape, dtype
