"""Arrays in other people's files, .npy, .npz and .safetensors: found by their headers, read when asked for, never unpickled."""

import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Float32
from safetensors import SafetensorError, safe_open
from torch import Tensor

from egonorm.core import DataError
from egonorm.core.npz import UNREADABLE, header_of, read_header


@dataclass(frozen=True)
class Array:
    """An array in a file. Only its header was read."""

    path: Path
    key: str
    """Its name in the file; that of a file with one nameless array is the file's stem."""
    shape: tuple[int, ...]
    kind: str
    """`number`, `text`, or what else it is of."""

    def __str__(self) -> str:
        return self.path.name if self.key == self.path.stem else f"{self.key} in {self.path.name}"

    def numbers(self) -> Float32[Tensor, "..."]:
        """What it holds, as float32."""
        found = _read(self)
        return found.float() if isinstance(found, Tensor) else torch.from_numpy(found.astype(np.float32))

    def texts(self) -> tuple[str, ...]:
        """Its words, or its whole numbers as words."""
        found = _read(self)
        values = found.tolist() if found.ndim == 1 else None
        if values is None or not all(isinstance(x, str | bytes | int) for x in values):
            raise DataError(
                f"{self} is no list of names.",
                got=f"shape {self.shape}, {found.dtype}",
                expected="one dimension, of texts or whole numbers",
                remedy="Save it as np.array(names, dtype=str).",
            )
        return tuple(x.decode() if isinstance(x, bytes) else str(x) for x in values)


def arrays_in(path: Path) -> tuple[Array, ...]:
    """All arrays of a file. DataError when it cannot be read or holds pickled objects."""
    headers = {".npz": _npz, ".npy": _npy, ".safetensors": _safetensors}[path.suffix]
    found = _guarded(path, lambda: headers(path))
    for array in found:
        if array.kind == "object":
            raise DataError(
                f"{array} holds Python objects.",
                got="a pickled array, which could run code when read",
                expected="numbers or texts",
                remedy="Save it with dtype=str or a type of numbers.",
            )
    return found


def metadata_of(path: Path) -> dict[str, str]:
    """The metadata of a safetensors file."""
    with safe_open(path, "pt") as file:
        return file.metadata() or {}


def _guarded(path: Path, read: Callable[[], Any]) -> Any:
    try:
        return read()
    except (*UNREADABLE, SafetensorError) as error:
        raise DataError(
            f"{path} cannot be read.",
            got=f"{type(error).__name__}: {str(error)[:300]}",
            expected=f"a whole {path.suffix} file",
            remedy="Save or copy it again.",
        ) from None


def _read(array: Array) -> np.ndarray | Tensor:
    readers = {".npz": _read_npz, ".npy": _read_npy, ".safetensors": _read_safetensors}
    return _guarded(array.path, lambda: readers[array.path.suffix](array))


def _read_npy(array: Array) -> np.ndarray:
    return np.load(array.path, allow_pickle=False)


def _read_npz(array: Array) -> np.ndarray:
    with np.load(array.path, allow_pickle=False) as file:
        return file[array.key]


def _read_safetensors(array: Array) -> Tensor:
    with safe_open(array.path, "pt") as file:
        return file.get_tensor(array.key)


def _npy(path: Path) -> tuple[Array, ...]:
    with path.open("rb") as file:
        return (_of(path, path.stem, *read_header(file, path.stat().st_size)),)


def _npz(path: Path) -> tuple[Array, ...]:
    with zipfile.ZipFile(path) as archive:
        return tuple(_of(path, x.filename.removesuffix(".npy"), *header_of(archive, x)) for x in archive.infolist())


def _of(path: Path, key: str, shape: tuple[int, ...], dtype: np.dtype) -> Array:
    kinds = dict.fromkeys("fiu", "number") | dict.fromkeys("US", "text") | {"O": "object"}
    return Array(path, key, shape, kinds.get(dtype.kind, str(dtype)))


def _safetensors(path: Path) -> tuple[Array, ...]:
    with safe_open(path, "pt") as file:
        slices = {name: file.get_slice(name) for name in file.keys()}  # noqa: SIM118
        kind = lambda part: "number" if part.get_dtype()[0] in "FBIU" and part.get_dtype() != "BOOL" else "bool"  # noqa: E731
        return tuple(Array(path, name, tuple(part.get_shape()), kind(part)) for name, part in slices.items())
