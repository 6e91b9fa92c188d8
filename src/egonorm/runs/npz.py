"""Arrays of an `.npz` file, four times as soon as `numpy.load` has them: a table of a thousand runs reads ten thousand files.

Only what `numpy.savez` and `numpy.savez_compressed` write is read here, checksums compared. Anything else, and any damage, is
left to numpy, which reads it or says what is wrong.
"""

import io
import zlib
from collections.abc import Sequence
from functools import lru_cache
from math import prod
from pathlib import Path
from struct import Struct
from struct import error as StructError

import numpy as np

_ENTRY = Struct("<4s4xHH4xLLLHHH8xL")
"""An entry of a zip file's directory: signature, flags, method, checksum, sizes, lengths of what follows, the file's place."""
_END = Struct("<4s4xHHLLH")
"""The end of a zip file: signature, number of entries, the directory's size and place, and the length of a comment."""
_LENGTHS = Struct("<HH")
"""Before a file's content: the lengths of its name and of a remark."""
_METHODS = {0: lambda content, size: content, 8: lambda content, size: zlib.decompress(content, -zlib.MAX_WBITS, size)}


def read_npz(path: Path, names: Sequence[str] | None = None) -> dict[str, np.ndarray]:
    """Some arrays of a file, or all, in its order.

    Raises:
        OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile, zlib.error: as `numpy.load` does.
    """
    with open(path, "rb", buffering=0) as file:  # noqa: PTH123 - a path's own method takes longer than to read the file
        content = file.read()
    try:
        found = _arrays(content, None if names is None else {f"{name}.npy".encode() for name in names})
    except (StructError, ValueError, KeyError, IndexError, SyntaxError, zlib.error):
        found = {}
    if found and (names is None or len(found) == len(names)):
        return found if names is None else {name: found[name] for name in names}
    with np.load(io.BytesIO(content)) as arrays:
        return {name: arrays[name] for name in names or arrays.files}


def _arrays(content: bytes, wanted: set[bytes] | None) -> dict[str, np.ndarray]:
    """The wanted arrays by name. ValueError, or another of those that `read_npz` knows, for what is not as usual."""
    found = {}
    signature, _, number, _, place, comment = _END.unpack(content[-_END.size :])
    if signature != b"PK\x05\x06" or comment:
        raise ValueError("no plain zip file")
    for _ in range(number):
        signature, flags, method, checksum, packed, size, length, extra, remark, start = _ENTRY.unpack_from(
            content, place
        )
        name = content[place + 46 : place + 46 + length]
        if signature != b"PK\x01\x02" or flags & 1 or name[-4:] != b".npy":
            raise ValueError("no entry of an array")
        place += 46 + length + extra + remark
        if wanted is None or name in wanted:
            start += 30 + sum(_LENGTHS.unpack_from(content, start + 26))
            array = _METHODS[method](content[start : start + packed], size)
            if len(array) != size or zlib.crc32(array) != checksum:
                raise ValueError("another checksum")
            found[name[:-4].decode()] = _array(array)
            if wanted is not None and len(found) == len(wanted):
                break
    return found


def _array(content: bytes) -> np.ndarray:
    begin = 10 + int.from_bytes(content[8:10], "little")
    shape, is_fortran, dtype = _header(content[:begin])
    if dtype.hasobject or len(content) - begin != dtype.itemsize * prod(shape):
        raise ValueError("no plain array")
    return np.frombuffer(content, dtype, offset=begin).reshape(shape, order="F" if is_fortran else "C")


@lru_cache(maxsize=1024)
def _header(header: bytes) -> tuple[tuple[int, ...], bool, np.dtype]:
    """Shape, order and type of an array; files of one run have few different headers."""
    if header[:8] != b"\x93NUMPY\x01\x00":
        raise ValueError("another version of the format")
    return np.lib.format.read_array_header_1_0(io.BytesIO(header[8:]))
