"""A table of clips: which medium, from when to when, what is done there, in which domain and split."""

import csv
import hashlib
import io
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from pathlib import Path

from egonorm.core import DataError
from egonorm.core.files import write_atomically
from egonorm.core.listing import some

COLUMNS = ("uid", "media", "start", "stop", "label", "domain", "split")
SPLITS = ("train", "test")


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
            raise DataError(f"Clip {self.uid} of {self.media} has no duration.",
                            got=f"start {self.start:g}, stop {self.stop:g}", expected="0 <= start < stop, in seconds",
                            remedy="Correct its times, or remove the clip.")  # fmt: skip
        if set(self.domain) & set("/\\+:") or self.domain.startswith("."):
            raise DataError(f"Clip {self.uid} has a domain whose name cannot be used.", got=repr(self.domain),
                            expected="a name without / \\ + and :, and no dot in front",
                            remedy="Rename the domain: settings and files are named after it.")  # fmt: skip
        if self.split not in SPLITS:
            raise DataError(f"Clip {self.uid} has an unknown split.", got=repr(self.split),
                            expected=" or ".join(SPLITS), remedy="Correct the column split.")  # fmt: skip


@dataclass(frozen=True)
class Manifest:
    """Clips with unique uids, and the ordered class names that give every label its number."""

    clips: tuple[Clip, ...]
    classes: tuple[str, ...]

    def __post_init__(self):
        counts = Counter(clip.uid for clip in self.clips)
        repeated = [uid for uid, count in counts.items() if count > 1]
        if repeated:
            raise DataError("The manifest has clips with the same uid.", got=some(repeated), expected="each uid once",
                            remedy="Give every clip a uid of its own.")  # fmt: skip
        unknown = sorted({clip.label for clip in self.clips} - set(self.classes))
        if unknown:
            raise DataError("The manifest has labels that are not among its classes.", got=some(unknown),
                            expected=f"one of {', '.join(self.classes)}",
                            remedy="Correct the label, or add it to the classes.")  # fmt: skip

    def __len__(self) -> int:
        return len(self.clips)

    @property
    def domains(self) -> tuple[str, ...]:
        """Every domain, sorted by name."""
        return tuple(sorted({clip.domain for clip in self.clips}))

    def label_of(self, clip: Clip) -> int:
        """The number of the clip's class."""
        return self.classes.index(clip.label)

    def digest(self) -> str:
        """Sixteen digits that differ for any other clips or classes."""
        text = repr((self.classes, sorted(self.clips, key=lambda clip: clip.uid)))
        return hashlib.sha256(text.encode()).hexdigest()[:16]

    def select(self, domains: Iterable[str], split: str) -> "Manifest":
        """The clips of some domains and one split, in the manifest's order; the classes stay."""
        domains = set(domains)
        return self.keep(lambda clip: clip.domain in domains and clip.split == split)

    def keep(self, wanted: Callable[[Clip], bool]) -> "Manifest":
        """The clips for which `wanted` is true."""
        return replace(self, clips=tuple(clip for clip in self.clips if wanted(clip)))


def read_manifest(path: Path, classes: tuple[str, ...] | None = None) -> Manifest:
    """Read a CSV file with the columns uid, media, start, stop, label, domain and split.

    Without `classes`, the labels of the file's training clips, sorted, are the classes; a test clip with a label that no
    training clip has is then an unknown label.

    Raises:
        DataError: names the file, the line and the column of the first thing that is wrong.
    """
    clips = _read_clips(path)
    if classes is None:
        classes = tuple(sorted({clip.label for clip in clips if clip.split == "train"}))
    try:
        return Manifest(clips, classes)
    except DataError as error:
        raise DataError(f"{path}: {error.what}", got=error.got, expected=error.expected, remedy=error.remedy) from None


def _read_clips(path: Path) -> tuple[Clip, ...]:
    if not path.is_file():
        raise DataError(f"{path} does not exist.", got="no such file", expected="a CSV file of clips",
                        remedy=f"Write one with the columns {', '.join(COLUMNS)}.")  # fmt: skip
    try:
        text = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise DataError(f"{path} is not UTF-8 text.", got=f"byte {error.object[error.start]:#x} at {error.start}",
                        expected="CSV in UTF-8", remedy="Save it again as CSV UTF-8.") from None  # fmt: skip
    reader = csv.DictReader(io.StringIO(text, newline=""))
    found = tuple(reader.fieldnames or ())
    missing = [column for column in COLUMNS if column not in found]
    if missing:
        raise DataError(f"{path} lacks the column{'s' * (len(missing) > 1)} {', '.join(missing)}.",
                        got=", ".join(found) or "an empty file", expected=", ".join(COLUMNS),
                        remedy="Add what is missing; names are in lower case, with commas between them.")  # fmt: skip
    clips = tuple(_clip(path, line, row) for line, row in enumerate(reader, start=2))
    if not clips:
        raise DataError(f"{path} has no clips.", got="a header alone", expected="a line for each clip",
                        remedy="Add the clips.")  # fmt: skip
    return clips


def write_manifest(path: Path, clips: Iterable[Clip]) -> None:
    """Write clips in the form that `read_manifest` reads; times with a precision of a microsecond."""
    file = io.StringIO()
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow(COLUMNS)
    for c in clips:
        writer.writerow((c.uid, c.media, f"{c.start:.6f}", f"{c.stop:.6f}", c.label, c.domain, c.split))
    write_atomically(path, file.getvalue().encode())


def _clip(path: Path, line: int, row: dict[str, str | None]) -> Clip:
    empty = [column for column in COLUMNS if not (row[column] or "").strip()]
    if None in row:
        raise DataError(f"{path}, line {line}: there are more values than columns.", got=row[None],
                        expected="one value a column", remedy="Put quotation marks around values with commas.")  # fmt: skip
    if empty:
        raise DataError(f"{path}, line {line}: {', '.join(empty)} is empty.",
                        got=", ".join(f"{name}={value}" for name, value in row.items()),
                        expected="a value in every column", remedy="Fill it in, or remove the line.")  # fmt: skip
    text = {column: (row[column] or "").strip() for column in COLUMNS}
    try:
        times = {column: float(text[column]) for column in ("start", "stop")}
    except ValueError:
        raise DataError(f"{path}, line {line}: a time is not a number.", got=f"{text['start']!r}, {text['stop']!r}",
                        expected="seconds, for example 12.5", remedy="Write start and stop in seconds.") from None  # fmt: skip
    try:
        return Clip(**text | times)
    except DataError as error:
        raise DataError(f"{path}, line {line}: {error.what}", got=error.got, expected=error.expected,
                        remedy=error.remedy) from None  # fmt: skip
