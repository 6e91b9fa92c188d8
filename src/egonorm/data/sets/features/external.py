"""Features that other programs computed: a table of clips and an array for each modality, in a folder or in one file."""

import re
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import torch
from jaxtyping import Float32, Float64
from torch import Tensor, nn

from egonorm.core import DataError
from egonorm.core.errors import some
from egonorm.data.sets.features.arrays import Array, arrays_in
from egonorm.data.sets.features.dataset import FeatureSet, Stored
from egonorm.data.sets.features.tables import (
    NAMES,
    TABLE_COLUMNS,
    FeatureTable,
    read_table,
    table_of_arrays,
    table_of_metadata,
)
from egonorm.data.windows import Span

ARRAYS, TABLES = (".npy", ".npz", ".safetensors"), (".csv", ".tsv")
IGNORED = ("media", "start", "stop")
"""What a file may tell of its clips that is of no use here."""


@dataclass(frozen=True)
class ForeignModality:
    """One modality: an array by `clip feature` or `clip window feature`, and the row of each clip."""

    array: Array
    rows: tuple[int, ...]

    @property
    def layout(self) -> str:
        """Where it lies."""
        return str(self.array)

    @property
    def num_windows(self) -> int:
        """Features of a clip."""
        return self.array.shape[1] if len(self.array.shape) == 3 else 1

    def starts(self) -> Float64[Tensor, "clip window"]:
        """The windows' places in a clip from 0 to 1: each is the nearest to an equal share of the ticks of `_span`."""
        number = self.num_windows
        places = (torch.arange(number, dtype=torch.float64) * number + (number + 1) / 2) / number**2
        return places.expand(len(self.rows), -1)

    def load(self) -> Float32[Tensor, "clip window feature"]:
        """The features, in memory."""
        found = self.array.numbers()[list(self.rows)]
        return found if found.ndim == 3 else found.unsqueeze(1)


def _span(num_windows: int) -> Span:
    """A clock on which every window of a clip from 0 to 1 is drawn equally often, and is one of the evenly spread ones."""
    return Span(1, 1, float(num_windows**2))


def open_foreign(path: Path) -> FeatureSet:
    """Open a folder with a table and arrays, an .npz file with both, or a safetensors file with a table beside or in it.

    Raises:
        DataError: for files that do not belong together, or that cannot be read without running code.
    """
    table, files = _open_folder(path) if path.is_dir() else _open_file(path)
    manifest, rows, notes = table.manifest()
    found: dict[str, ForeignModality] = {}
    for file in files:
        order = _Order(table, rows, file.uids())
        for name, array in file.modalities().items():
            if name in found:
                raise DataError(
                    f"{path} has two arrays of {name}.",
                    got=f"{found[name].array} and {array}",
                    expected="one array for each modality",
                    remedy="Remove or rename one.",
                )
            _check(name, array)
            found[name] = ForeignModality(array, order.rows_of(array))
        notes += order.notes(file.path)
    windows = _num_windows(path, found)
    names = [*(name for name in ("rgb", "audio") if name in found), *sorted(set(found) - {"rgb", "audio"})]
    stored = Stored({name: found[name].array.shape[-1] for name in names}, _span(windows), windows)
    return FeatureSet(path, manifest, stored, {name: found[name] for name in names}, notes)


@dataclass(frozen=True)
class _File:
    """The arrays of one file."""

    path: Path
    arrays: tuple[Array, ...]
    is_alone: bool
    """Whether there is no other file; then keys are modalities, also when there is only one."""

    def modalities(self) -> dict[str, Array]:
        """The arrays of features; one alone in one of several files is named like its file."""
        found = {x.key: x for x in self.arrays if x.key not in NAMES and x.key not in IGNORED}
        return {self.path.stem: next(iter(found.values()))} if len(found) == 1 and not self.is_alone else found

    def uids(self) -> tuple[str, ...] | None:
        """The uids of its rows, if it says them."""
        return next((array.texts() for array in self.arrays if NAMES.get(array.key) == "uid"), None)


@dataclass(frozen=True)
class _Order:
    """From the rows of a file's arrays to the clips of the manifest."""

    table: FeatureTable
    rows: tuple[int, ...]
    """The clips' rows in the table."""
    uids: tuple[str, ...] | None
    """The uids of the arrays' rows; without them the rows are the table's."""

    def rows_of(self, array: Array) -> tuple[int, ...]:
        """The row of each clip in an array."""
        expected = self.table.columns["uid"] if self.uids is None else self.uids
        if array.shape[0] != len(expected):
            raise DataError(
                f"{array} has not a row for each clip.",
                got=f"{array.shape[0]} rows",
                expected=len(expected),
                remedy="Correct it, or put the uids of its rows beside it as an array uids.",
            )
        if self.uids is None:
            return self.rows
        counts, places = Counter(self.uids), {uid: row for row, uid in enumerate(self.uids)}
        wanted = [self.table.columns["uid"][row] for row in self.rows]
        repeated, missing = [u for u in wanted if counts[u] > 1], [u for u in wanted if u not in places]
        if repeated or missing:
            told = f"without {some(missing)}" if missing else f"several rows of {some(repeated)}"
            raise DataError(
                f"{array} does not fit the table.",
                got=told,
                expected="one row for each clip of the table",
                remedy="Complete it, or remove these clips from the table.",
            )
        return tuple(places[uid] for uid in wanted)

    def notes(self, path: Path) -> tuple[str, ...]:
        """Whether there are rows that no clip is for."""
        extra = len(set(self.uids or ()) - set(self.table.columns["uid"]))
        return (f"{path.name} has {extra} uids that the table has not; they are not used.",) if extra else ()


def _open_folder(path: Path) -> tuple[FeatureTable, list[_File]]:
    entries = sorted(entry for entry in path.iterdir() if entry.is_file() and not entry.name.startswith("."))
    tables = [entry for entry in entries if entry.suffix in TABLES]
    chosen = [entry for entry in tables if entry.name == "manifest.csv"] or tables
    arrays = [entry for entry in entries if entry.suffix in ARRAYS]
    if len(chosen) != 1 or not arrays:
        raise DataError(
            f"{path} holds no features that can be read.",
            got=f"{len(tables)} tables and {len(arrays)} files of arrays",
            expected=f"a table ({' or '.join(TABLES)}; manifest.csv among several) and arrays ({', '.join(ARRAYS)})",
            remedy=f"Write a table with the columns {', '.join(TABLE_COLUMNS)} and a file for each modality.",
        )
    return read_table(chosen[0]), [_File(entry, arrays_in(entry), False) for entry in arrays]


def _open_file(path: Path) -> tuple[FeatureTable, list[_File]]:
    if path.suffix not in (".npz", ".safetensors"):
        raise DataError(
            f"{path} is no file of features.",
            got=path.suffix or "no suffix",
            expected=".npz or .safetensors",
            remedy="Name the folder that the table and the arrays lie in.",
        )
    file = _File(path, arrays_in(path), True)
    beside = [path.with_suffix(suffix) for suffix in TABLES if path.with_suffix(suffix).is_file()]
    if beside:
        return read_table(beside[0]), [file]
    if path.suffix == ".npz":
        return table_of_arrays(path, file.arrays), [file]
    return table_of_metadata(path), [file]


def _check(name: str, array: Array) -> None:
    if not re.fullmatch(r"[A-Za-z][\w-]*", name) or hasattr(nn.Module, name) or hasattr(dict, name):
        raise DataError(
            f"{name!r} cannot be the name of a modality.",
            got=array,
            remedy="Rename the file or the array.",
            expected="letters, digits, _ and -, but no word such as train or values",
        )
    if array.kind != "number" or len(array.shape) not in (2, 3) or 0 in array.shape:
        raise DataError(
            f"{array} is no array of features.",
            got=f"{array.kind}s of shape {array.shape}",
            expected="numbers by [clip, feature] or [clip, window, feature]",
            remedy="Correct it, or remove it from the file.",
        )


def _num_windows(path: Path, found: dict[str, ForeignModality]) -> int:
    """The windows of a clip; a modality may have one where others have several."""
    if not found:
        raise DataError(
            f"{path} holds no features.",
            got="no array beside the table's",
            expected="one for each modality",
            remedy="Add them.",
        )
    numbers = {name: modality.num_windows for name, modality in found.items()}
    if len(set(numbers.values()) - {1}) > 1:
        raise DataError(
            f"{path} has modalities with different numbers of windows.",
            got=", ".join(f"{name}: {number}" for name, number in numbers.items()),
            expected="one number for all, or 1",
            remedy="Take as many windows of each.",
        )
    return max(numbers.values())
