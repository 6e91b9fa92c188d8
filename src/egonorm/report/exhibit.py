"""An exhibit: a figure of a page, what it shows in words, and the numbers that it is drawn from."""

import csv
import io
from collections.abc import Iterable
from dataclasses import dataclass, field

from matplotlib.figure import Figure


@dataclass(frozen=True)
class Exhibit:
    """A figure, or the reason why there is none."""

    name: str
    """The stem of its files, and its place in the page: letters, digits and dashes."""
    title: str
    figure: Figure | None = field(default=None, compare=False)
    text: str = ""
    """What one sees, in words and with its main numbers, for whoever does not see it."""
    caption: str = ""
    """How the numbers came about, and what the paper has instead."""
    header: tuple[str, ...] = ()
    rows: tuple[tuple[object, ...], ...] = ()
    """The numbers that are drawn, all of them."""
    is_picture: bool = False
    """Whether it is made of photographs, and is stored as pixels rather than lines."""
    missing: str = ""
    """Why there is no figure, and what would make one; empty if there is one."""

    def csv(self) -> str:
        """The numbers, one line each under the header."""
        return csv_of(self.header, self.rows)


def csv_of(header: Iterable[object], rows: Iterable[Iterable[object]]) -> str:
    """Lines under a header as CSV."""
    file = io.StringIO()
    csv.writer(file, lineterminator="\n").writerows([header, *rows])
    return file.getvalue()
