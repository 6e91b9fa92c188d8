"""Clips and their table: reading, writing and checking a manifest, its columns in shared memory, choosing among its clips."""

import csv
import hashlib
import io
import re
from array import array
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import accumulate, islice, zip_longest
from operator import attrgetter, eq
from pathlib import Path
from typing import Any, overload

import numpy as np
import torch
from jaxtyping import Bool, Float64, Int32, Int64, Shaped, UInt8
from torch import Tensor

from egonorm.core import DataError
from egonorm.core.errors import some
from egonorm.core.files import write_atomically

SPLITS = ("train", "test")
RESERVED = frozenset("/\\+:")
"""What settings and files put between or before domains."""


@dataclass(frozen=True)
class Clip:
    """One action. `start` and `stop` are seconds into the medium, half-open; `media` is a name that readers resolve."""

    uid: str
    media: str
    start: float
    stop: float
    label: str
    domain: str
    split: str

    def __post_init__(self):
        if not 0 <= self.start < self.stop < float("inf"):
            raise DataError(
                f"Clip {self.uid} of {self.media} has no duration.",
                got=f"start {self.start:g}, stop {self.stop:g}",
                expected="0 <= start < stop, in seconds",
                remedy="Correct its times, or remove the clip.",
            )
        if not RESERVED.isdisjoint(self.domain) or self.domain.startswith("."):
            raise DataError(
                f"Clip {self.uid} has a domain whose name cannot be used.",
                got=repr(self.domain),
                expected="a name without / \\ + and :, and no dot in front",
                remedy="Rename the domain: settings and files are named after it.",
            )
        if self.split not in SPLITS:
            raise DataError(
                f"Clip {self.uid} has an unknown split.",
                got=repr(self.split),
                expected=" or ".join(SPLITS),
                remedy="Correct the column split.",
            )


ROWS = 4096
"""How many clips are objects at the same time while all of them are looked at."""


@dataclass(frozen=True)
class Texts:
    """A text in each row. Every different text is stored once and has a number.

    The tensors are looked at through NumPy for a moment only: sharing a tensor with another process may move it.
    """

    numbers: Int32[Tensor, " row"]
    content: UInt8[Tensor, " byte"]
    """All different texts in UTF-8, one behind the other."""
    bounds: Int64[Tensor, " bound"]
    """Where in `content` each begins, and where the last one ends."""

    def __getitem__(self, rows: slice | Shaped[Tensor, " any"]) -> "Texts":
        return Texts(self.numbers[rows], self.content, self.bounds)

    def at(self, row: int) -> str:
        """The text in one row."""
        number = self.numbers.numpy()[row]
        begin, end = self.bounds.numpy()[number : number + 2].tolist()
        return self.content.numpy()[begin:end].tobytes().decode("utf-8", "surrogatepass")

    def tolist(self) -> list[str]:
        """The text in every row."""
        different, places = np.unique(self.numbers.numpy(), return_inverse=True)
        return list(map(self._spelled(different).__getitem__, places.tolist()))

    def found(self, times: int = 1) -> list[str]:
        """The different texts that stand in at least so many rows."""
        return self._spelled(np.flatnonzero(np.bincount(self.numbers.numpy()) >= times))

    def are_in(self, texts: Collection[str]) -> Bool[Tensor, " row"]:
        """Whether each row's text is one of some."""
        every = self._spelled(np.arange(len(self.bounds) - 1))
        return torch.tensor([text in texts for text in every], dtype=torch.bool)[self.numbers]

    def _spelled(self, numbers: np.ndarray) -> list[str]:
        content, bounds = self.content.numpy().data, self.bounds.numpy()
        places = zip(bounds[numbers].tolist(), bounds[numbers + 1].tolist(), strict=True)
        return [str(content[begin:end], "utf-8", "surrogatepass") for begin, end in places]


@dataclass(frozen=True, eq=False)
class ClipTable(Sequence[Clip]):
    """A sequence of clips, each made when it is asked for; the columns are a clip's fields, in their order."""

    uid: Texts
    media: Texts
    start: Float64[Tensor, " clip"]
    stop: Float64[Tensor, " clip"]
    label: Texts
    domain: Texts
    split: Texts

    def __len__(self) -> int:
        return len(self.start)

    @overload
    def __getitem__(self, rows: int) -> Clip: ...

    @overload
    def __getitem__(self, rows: slice) -> "ClipTable": ...

    def __getitem__(self, rows: int | slice) -> "Clip | ClipTable":
        chosen = range(len(self))[rows]
        if isinstance(chosen, range):
            return self.take(torch.from_numpy(np.arange(chosen.start, chosen.stop, chosen.step)))
        times = self.start[chosen].item(), self.stop[chosen].item()
        return Clip(
            self.uid.at(chosen),
            self.media.at(chosen),
            *times,
            self.label.at(chosen),
            self.domain.at(chosen),
            self.split.at(chosen),
        )

    def __iter__(self) -> Iterator[Clip]:
        for first in range(0, len(self), ROWS):
            yield from map(Clip, *(column[first : first + ROWS].tolist() for column in self._columns))

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, ClipTable | tuple):
            return NotImplemented
        return len(self) == len(other) and all(map(eq, self, other))

    def take(self, rows: Shaped[Tensor, " any"]) -> "ClipTable":
        """The clips of some rows, given by number, or by true and false for each."""
        return ClipTable(**{name: column[rows] for name, column in vars(self).items()})

    @property
    def _columns(self) -> tuple[Texts | Tensor, ...]:
        return tuple(vars(self).values())


def clip_table(clips: Iterable[Clip]) -> ClipTable:
    """The table of clips, which may come one by one."""
    fields = ClipTable.__match_args__
    columns: list[Any] = [_Times() if field in ("start", "stop") else _Numbered() for field in fields]
    clips = iter(clips)
    while some := list(map(attrgetter(*fields), islice(clips, ROWS))):
        for column, values in zip(columns, zip(*some, strict=True), strict=True):
            column.extend(values)
    return ClipTable(**{field: column.finished() for field, column in zip(fields, columns, strict=True)})


class _Times(array):
    """A column of times that grows."""

    def __new__(cls):
        return super().__new__(cls, "d")

    def finished(self) -> Float64[Tensor, " clip"]:
        return torch.from_numpy(np.array(self, dtype=np.float64))


class _Numbered(dict[str, int]):
    """A column of texts that grows: the number of each different text."""

    def __init__(self):
        self.numbers = array("i")

    def __missing__(self, text: str) -> int:
        number = self[text] = len(self)
        return number

    def extend(self, texts: Iterable[str]) -> None:
        self.numbers.extend(map(self.__getitem__, texts))

    def finished(self) -> Texts:
        spelled = [text.encode("utf-8", "surrogatepass") for text in self]
        content = np.frombuffer(bytearray().join(spelled), dtype=np.uint8)
        bounds = np.fromiter(accumulate(map(len, spelled), initial=0), np.int64, len(spelled) + 1)
        return Texts(*map(torch.from_numpy, (np.array(self.numbers, dtype=np.int32), content, bounds)))


COLUMNS = ("uid", "media", "start", "stop", "label", "domain", "split")


@dataclass(frozen=True, init=False)
class Manifest:
    """Clips with unique uids, and the ordered class names that give every label its number."""

    clips: ClipTable
    """Held as a table, whatever sequence of clips is given."""
    declared: tuple[str, ...]
    """The classes that the data declare, in their order; none where the labels of those that one learns from decide."""

    def __init__(self, clips: Sequence[Clip], declared: Sequence[str] = ()):
        object.__setattr__(self, "clips", clips if isinstance(clips, ClipTable) else clip_table(clips))
        object.__setattr__(self, "declared", tuple(declared))
        repeated = self.clips.uid.found(times=2)
        if repeated:
            raise DataError(
                "The manifest has clips with the same uid.",
                got=some(repeated),
                expected="each uid once",
                remedy="Give every clip a uid of its own.",
            )

    def __len__(self) -> int:
        return len(self.clips)

    @property
    def domains(self) -> tuple[str, ...]:
        """Every domain, sorted by name."""
        return tuple(sorted(self.clips.domain.found()))

    @cached_property
    def classes(self) -> tuple[str, ...]:
        """The declared classes; else the labels of all training clips, sorted, numbers by their size."""
        return self.declared or _sorted(self.clips.take(self.clips.split.are_in({"train"})))

    def classes_of(self, sources: Iterable[str]) -> tuple[str, ...]:
        """The declared classes; else the labels that the training clips of some domains have: no other domain has a say."""
        return self.declared or _sorted(self.select(sources, "train").clips)

    def with_classes(self, classes: Sequence[str]) -> "Manifest":
        """The same clips with these classes, such as those that a network has learnt.

        Raises:
            DataError: when the data declare others, or the same in another order.
        """
        if self.declared not in ((), tuple(classes)):
            raise DataError(
                "The data have other classes than the network was trained on.",
                got=some(self.declared),
                expected=some(classes),
                remedy="Give data with the same classes in the same order.",
            )
        return replace(self, declared=tuple(classes))

    def label_of(self, clip: Clip) -> int:
        """The number of the clip's class; -1 for a clip without a label, or of another class."""
        return self._numbers.get(clip.label, -1)

    @cached_property
    def _numbers(self) -> dict[str, int]:
        return {label: number for number, label in enumerate(self.classes)}

    @property
    def labelled(self) -> "Manifest":
        """The clips whose label is one of the classes."""
        return replace(self, clips=self.clips.take(self.clips.label.are_in(set(self.classes))))

    @property
    def unlabelled(self) -> "Manifest":
        """The clips whose label nobody knows."""
        return replace(self, clips=self.clips.take(self.clips.label.are_in({""})))

    def without_unlabelled(self, domains: Mapping[str, Iterable[str]]) -> "Manifest":
        """All clips but those of some domains in each split whose label nobody knows."""
        return self.without(self.within(domains).unlabelled.clips.uid.tolist())

    @property
    def of_other_classes(self) -> "Manifest":
        """The clips with a label that is none of the classes."""
        return replace(self, clips=self.clips.take(~self.clips.label.are_in({"", *self.classes})))

    def rows_of(self, domain: str) -> Int64[Tensor, " row"]:
        """The numbers of a domain's clips in the manifest, in its order."""
        return self.clips.domain.are_in({domain}).nonzero().flatten()

    def digest(self, hidden: Collection[str] = ()) -> str:
        """Sixteen digits that differ for any other clips or classes; the labels of `hidden` domains do not matter."""
        uids, digest = self.clips.uid.tolist(), hashlib.sha256()
        order = sorted(range(len(uids)), key=uids.__getitem__)
        digest.update(f"({self.classes!r}, [".encode())
        for number, clip in enumerate(self.clips.take(torch.tensor(order, dtype=torch.int64))):
            shown = replace(clip, label="") if clip.domain in hidden else clip
            digest.update(f"{', ' * (number > 0)}{shown}".encode())
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


def _sorted(clips: ClipTable) -> tuple[str, ...]:
    """The different labels, sorted by name, or by size where all are whole numbers."""
    labels = set(clips.label.found()) - {""}
    are_numbers = all(re.fullmatch(r"-?\d+", label) for label in labels)
    return tuple(sorted(labels, key=int if are_numbers else None))


CLASSES_FILE = "classes.txt"
"""The file beside a table of clips that may declare the classes, one a line."""


def read_classes(path: Path) -> tuple[str, ...]:
    """The classes that a file declares, one a line, in its order; none where there is no file.

    Raises:
        DataError: for a file that cannot be read, declares nothing, or one class twice.
    """
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines() if path.exists() else None
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(
            f"{path} cannot be read.",
            got=error,
            expected="a class a line, in UTF-8",
            remedy="Save it again as UTF-8 text.",
        ) from None
    if lines is None:
        return ()
    classes = [line.strip() for line in lines if line.strip()]
    if not classes or len(set(classes)) < len(classes):
        twice = some(sorted(name for name, times in Counter(classes).items() if times > 1))
        raise DataError(
            f"{path} does not declare classes.",
            got=f"{twice} more than once" if twice else "no line",
            expected="each class once, one a line",
            remedy="Correct it, or remove it: then the training clips' labels are the classes.",
        )
    return tuple(classes)


def read_manifest(path: Path, declared: Sequence[str] = ()) -> Manifest:
    """Read a CSV file with the columns uid, media, start, stop, label, domain and split; a label may be empty.

    Raises:
        DataError: names the file, the line and the column of the first thing that is wrong.
    """
    try:
        clips = _read_clips(path)
    except csv.Error as error:
        raise unreadable_table(path, error) from None
    try:
        return Manifest(clips, declared)
    except DataError as error:
        raise error.at(path) from None


def unreadable_table(path: Path, error: csv.Error) -> DataError:
    """What Python's reader of tables refuses, such as a cell without end."""
    return DataError(
        f"{path} cannot be read.",
        got=str(error),
        expected=f"a table with cells of at most {csv.field_size_limit()} letters",
        remedy="Correct it; a quotation mark that is never closed makes one cell of all that follows.",
    )


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
    clips = clip_table(_clip(path, line, found, row) for line, row in _numbered(rows) if row)
    if not clips:
        raise DataError(
            f"{path} has no clips.", got="a header alone", expected="a line for each clip", remedy="Add the clips."
        )
    return clips


def _numbered(rows: Any) -> Iterator[tuple[int, list[str]]]:
    """The rows of a CSV reader, each with the number of the file's line on which it begins."""
    begin = rows.line_num + 1
    for row in rows:
        yield begin, row
        begin = rows.line_num + 1


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
    if empty := [column for column in COLUMNS if not text[column] and column != "label"]:
        raise DataError(
            f"{path}, line {line}: {', '.join(empty)} is empty.",
            got=", ".join(f"{name}={value}" for name, value in found.items()),
            expected="a value in every column; only a label may be unknown",
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
        values: dict[str, Any] = {**text, **times}
        return Clip(**values)
    except DataError as error:
        raise error.at(f"{path}, line {line}") from None
