"""What a page consists of: tabs, sections, and the parts of a section. All text is plain text, whoever wrote it."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from egonorm.core.text import csv_of
from egonorm.report.style import Exhibit


@dataclass(frozen=True)
class Note:
    """A paragraph."""

    text: str
    is_warning: bool = False
    """Whether it says what is missing or must not be overlooked."""
    links: tuple[tuple[str, str], ...] = ()
    """Words, and the name of the part of the page that they lead to."""


@dataclass(frozen=True)
class Facts:
    """Names and what they are, line by line."""

    items: tuple[tuple[str, str], ...]
    title: str = ""


@dataclass(frozen=True)
class GridCell:
    """A cell of a grid."""

    text: str
    value: float | None = None
    """What it is sorted by; its text where there is none."""
    lines: tuple[str, ...] = ()
    """Smaller lines below."""
    mark: str = ""
    """`best`, `tied` (not told from the best), or nothing; shown by weight and a sign, not by colour alone."""
    link: str = ""
    """The name of a part of the page that its text leads to."""


@dataclass(frozen=True)
class Grid:
    """A table that the reader can sort and filter. The first cell of a row is its name."""

    name: str
    """The stem of its data file, and its place in the page."""
    title: str
    header: tuple[str, ...]
    rows: tuple[tuple[GridCell, ...], ...]
    caption: str = ""
    numbers: tuple[tuple[object, ...], ...] = ()
    """A header and its lines, in more detail than the cells show; the cells' texts where there are none."""

    def csv(self) -> str:
        """The numbers, or what the cells say."""
        header, *lines = self.numbers or (self.header, *(tuple(cell.text for cell in row) for row in self.rows))
        return csv_of(header, lines)


@dataclass(frozen=True)
class Matrix:
    """How often clips of a class (row) were taken for another (column)."""

    name: str
    title: str
    classes: tuple[str, ...]
    percents: tuple[tuple[float, ...], ...]
    """A row sums to 100; rows of classes without clips are zeros."""
    support: tuple[int, ...]
    """Clips of each class."""
    caption: str = ""

    def csv(self) -> str:
        """The percents, a line for each true class."""
        rows = zip(self.classes, self.support, self.percents, strict=True)
        lines = ((name, clips, *percents) for name, clips, percents in rows)
        return csv_of(("true class", "clips", *self.classes), lines)


@dataclass(frozen=True)
class Player:
    """A clip that one can play, and what was thought of it."""

    name: str
    title: str
    uid: str
    facts: Facts
    """Plain facts: the true class, why it is shown."""
    table: Grid | None = None
    """What each run and stream thought of it: the answer, its score, the norm."""
    video: bytes | None = None
    """MP4; None where it could not be saved."""
    missing: str = ""
    """Why there is no video."""
    pictures: tuple[Exhibit, ...] = ()
    """Activation maps and the like."""


@dataclass(frozen=True)
class Choice:
    """Several bodies of which one is shown; the reader chooses by name."""

    name: str
    label: str
    options: Mapping[str, tuple["Element", ...]]
    first: str = ""
    """The one that is shown until another is chosen; the first of all if empty."""


Element = Note | Facts | Grid | Matrix | Player | Choice | Exhibit


@dataclass(frozen=True)
class Section:
    """A heading and what stands under it."""

    name: str
    title: str
    parts: tuple[Element, ...]


@dataclass(frozen=True)
class Tab:
    """One family of settings."""

    name: str
    title: str
    sections: tuple[Section, ...]


@dataclass(frozen=True)
class Page:
    """A report: what it says first, a tab for each family of settings, and what concerns all of them."""

    title: str
    summary: tuple[Note, ...]
    tabs: tuple[Tab, ...]
    sections: tuple[Section, ...] = field(default=())
    """After the tabs."""

    def parts(self) -> Iterator[Element]:
        """All parts, those within others too, in the order of the page."""
        sections = (*(section for tab in self.tabs for section in tab.sections), *self.sections)
        return _within(part for section in sections for part in section.parts)


def _within(parts: Iterable[Element]) -> Iterator[Element]:
    for part in parts:
        yield part
        if isinstance(part, Player):
            yield from part.pictures
        if isinstance(part, Choice):
            for option in part.options.values():
                yield from _within(option)
