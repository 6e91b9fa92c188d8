"""A table of clips and their classes: reading and writing it, checking it, choosing among its clips."""

import csv
import hashlib
import io
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import zip_longest
from pathlib import Path

import torch
from jaxtyping import Int64
from torch import Tensor

from egonorm.core import DataError
from egonorm.core.errors import some
from egonorm.core.files import write_atomically
from egonorm.data.clip import Clip
from egonorm.data.clip_table import ClipTable, clip_table

COLUMNS = ("uid", "media", "start", "stop", "label", "domain", "split")


@dataclass(frozen=True)
class Manifest:
    """Clips with unique uids, and the ordered class names that give every label its number."""

    clips: Sequence[Clip]
    """Held as a table, whatever sequence of clips is given."""
    classes: tuple[str, ...]

    def __post_init__(self):
        if not isinstance(self.clips, ClipTable):
            object.__setattr__(self, "clips", clip_table(self.clips))
        repeated = self.clips.uid.found(times=2)
        if repeated:
            raise DataError(
                "The manifest has clips with the same uid.",
                got=some(repeated),
                expected="each uid once",
                remedy="Give every clip a uid of its own.",
            )
        unknown = sorted(set(self.clips.label.found()) - set(self.classes))
        if unknown:
            raise DataError(
                "The manifest has labels that are not among its classes.",
                got=some(unknown),
                expected=f"one of {', '.join(self.classes)}",
                remedy="Correct the label, or add it to the classes.",
            )

    def __len__(self) -> int:
        return len(self.clips)

    @property
    def domains(self) -> tuple[str, ...]:
        """Every domain, sorted by name."""
        return tuple(sorted(self.clips.domain.found()))

    def label_of(self, clip: Clip) -> int:
        """The number of the clip's class."""
        return self._numbers[clip.label]

    @cached_property
    def _numbers(self) -> dict[str, int]:
        return {label: self.classes.index(label) for label in self.classes}

    def rows_of(self, domain: str) -> Int64[Tensor, " row"]:
        """The numbers of a domain's clips in the manifest, in its order."""
        return self.clips.domain.are_in({domain}).nonzero().flatten()

    def digest(self) -> str:
        """Sixteen digits that differ for any other clips or classes."""
        uids, digest = self.clips.uid.tolist(), hashlib.sha256()
        order = sorted(range(len(uids)), key=uids.__getitem__)
        digest.update(f"({self.classes!r}, [".encode())
        for number, clip in enumerate(self.clips.take(torch.tensor(order, dtype=torch.int64))):
            digest.update(f"{', ' * (number > 0)}{clip}".encode())
        digest.update(b"])")
        return digest.hexdigest()[:16]

    def select(self, domains: Iterable[str], split: str) -> "Manifest":
        """The clips of some domains and one split, in the manifest's order; the classes stay."""
        return self.within({split: domains})

    def within(self, domains: Mapping[str, Iterable[str]]) -> "Manifest":
        """The clips of some domains in each split."""
        wanted = torch.zeros(len(self), dtype=torch.bool)
        for split, names in domains.items():
            wanted |= self.clips.split.are_in({split}) & self.clips.domain.are_in(set(names))
        return replace(self, clips=self.clips.take(wanted))

    def without(self, uids: Collection[str]) -> "Manifest":
        """All clips but some."""
        return replace(self, clips=self.clips.take(~self.clips.uid.are_in(uids)))

    def keep(self, wanted: Callable[[Clip], bool]) -> "Manifest":
        """The clips for which `wanted` is true; at millions of clips the others are much faster."""
        rows = torch.tensor([bool(wanted(clip)) for clip in self.clips], dtype=torch.bool)
        return replace(self, clips=self.clips.take(rows))


def read_manifest(path: Path, classes: tuple[str, ...] | None = None) -> Manifest:
    """Read a CSV file with the columns uid, media, start, stop, label, domain and split.

    Without `classes`, the labels of the file's training clips, sorted, are the classes; a test clip with a label that no
    training clip has is then an unknown label.

    Raises:
        DataError: names the file, the line and the column of the first thing that is wrong.
    """
    clips = _read_clips(path)
    if classes is None:
        classes = tuple(sorted(clips.take(clips.split.are_in({"train"})).label.found()))
    try:
        return Manifest(clips, classes)
    except DataError as error:
        raise DataError(f"{path}: {error.what}", got=error.got, expected=error.expected, remedy=error.remedy) from None


def _read_clips(path: Path) -> ClipTable:
    if not path.is_file():
        raise DataError(
            f"{path} does not exist.",
            got="no such file",
            expected="a CSV file of clips",
            remedy=f"Write one with the columns {', '.join(COLUMNS)}.",
        )
    content = path.read_bytes()
    try:
        content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise DataError(
            f"{path} is not UTF-8 text.",
            got=f"byte {error.object[error.start]:#x} at {error.start}",
            expected="CSV in UTF-8",
            remedy="Save it again as CSV UTF-8.",
        ) from None
    rows = csv.reader(io.TextIOWrapper(io.BytesIO(content), "utf-8-sig", newline=""))
    found = tuple(next(rows, ()))
    missing = [column for column in COLUMNS if column not in found]
    if missing:
        raise DataError(
            f"{path} lacks the column{'s' * (len(missing) > 1)} {', '.join(missing)}.",
            got=", ".join(found) or "an empty file",
            expected=", ".join(COLUMNS),
            remedy="Add what is missing; names are in lower case, with commas between them.",
        )
    clips = clip_table(_clip(path, line, found, row) for line, row in enumerate(filter(None, rows), start=2))
    if not clips:
        raise DataError(
            f"{path} has no clips.", got="a header alone", expected="a line for each clip", remedy="Add the clips."
        )
    return clips


def write_manifest(path: Path, clips: Iterable[Clip]) -> None:
    """Write clips in the form that `read_manifest` reads; times with a precision of a microsecond."""
    file = io.StringIO()
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow(COLUMNS)
    for c in clips:
        writer.writerow((c.uid, c.media, f"{c.start:.6f}", f"{c.stop:.6f}", c.label, c.domain, c.split))
    write_atomically(path, file.getvalue().encode())


def _clip(path: Path, line: int, header: Sequence[str], row: Sequence[str]) -> Clip:
    if len(row) > len(header):
        raise DataError(
            f"{path}, line {line}: there are more values than columns.",
            got=row[len(header) :],
            expected="one value a column",
            remedy="Put quotation marks around values with commas.",
        )
    found = dict(zip_longest(header, row))
    text = {column: (found[column] or "").strip() for column in COLUMNS}
    if not all(text.values()):
        empty = ", ".join(column for column in COLUMNS if not text[column])
        raise DataError(
            f"{path}, line {line}: {empty} is empty.",
            got=", ".join(f"{name}={value}" for name, value in found.items()),
            expected="a value in every column",
            remedy="Fill it in, or remove the line.",
        )
    try:
        times = {column: float(text[column]) for column in ("start", "stop")}
    except ValueError:
        raise DataError(
            f"{path}, line {line}: a time is not a number.",
            got=f"{text['start']!r}, {text['stop']!r}",
            expected="seconds, for example 12.5",
            remedy="Write start and stop in seconds.",
        ) from None
    try:
        return Clip(**text | times)
    except DataError as error:
        raise DataError(
            f"{path}, line {line}: {error.what}", got=error.got, expected=error.expected, remedy=error.remedy
        ) from None
