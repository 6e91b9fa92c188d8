"""Text for people: whatever names it repeats, nothing in it acts on a terminal, a page or a spreadsheet."""

import csv
import io
import re
import sys
from collections.abc import Iterable
from typing import TextIO

_ACTING = re.compile(
    r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u2028\u2029"  # controls, and ends of lines of Unicode's own
    r"\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069"  # the direction of writing
    r"\xad\u180e\u200b\u2060-\u2065\u206a-\u206f\ufeff\ufff9-\ufffb\U000e0000-\U000e007f"  # nothing that one sees
    r"\ud800-\udfff]"  # half a character, or a byte of a name that is not UTF-8
)
"""Without the two joiners, by which some languages write words."""


def printable(text: str) -> str:
    """The text with what one does not see made visible, but for ends of lines: an escape becomes `\\x1b`."""
    return _ACTING.sub(lambda found: _visible(found[0]), text)


def one_line(text: str) -> str:
    """The same on one line, as a cell of a table or a label is."""
    return printable(text).replace("\n", _visible("\n"))


def _visible(character: str) -> str:
    return character.encode("unicode_escape").decode()


def say(text: str, to: TextIO | None = None) -> None:
    """Print a text on standard output, or another stream; what its encoding lacks becomes visible too."""
    stream = sys.stdout if to is None else to
    encoding = getattr(stream, "encoding", None) or "utf-8"
    print(printable(text).encode(encoding, "backslashreplace").decode(encoding), file=stream)


def csv_of(header: Iterable[object], rows: Iterable[Iterable[object]]) -> str:
    """Lines under a header as CSV; a text that a spreadsheet would compute has an apostrophe before it."""
    file = io.StringIO()
    csv.writer(file, lineterminator="\n").writerows([_cell(cell) for cell in row] for row in (header, *rows))
    return file.getvalue()


_FORMULA = re.compile(r"\s*[=+\-@＝＋－＠]")
_NUMBER = re.compile(r"[+-]?\d+(\.\d*)?(e[+-]?\d+)?")


def _cell(cell: object) -> object:
    if not isinstance(cell, str) or _NUMBER.fullmatch(cell):
        return cell
    text = one_line(cell)
    return f"'{text}" if _FORMULA.match(text) else text
