"""How figures look: colours, type, and the names of methods and modalities as people write them; a figure with its numbers."""

import io
import re
import warnings
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Literal, cast
from xml.etree import ElementTree

from matplotlib import rc_context
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine

from egonorm.core.text import csv_of, one_line, printable

WIDTH = 6.4
"""Inches; text of ten points in it can be read when the figure is 400 pixels wide."""
INK = "#010203"
"""Text, axes and outlines: nearly black in pixels, `currentColor` in drawings."""


LineStyle = Literal["-", "-.", ":", ""] | tuple[int, tuple[float, ...]]


@dataclass(frozen=True)
class Mark:
    """How one thing is drawn in every figure: by colour, and for print by hatch, line and marker."""

    color: str
    hatch: str
    line: LineStyle
    """As matplotlib writes it."""
    marker: str


SIDES = (Mark("#CC79A7", "", (0, (4.0, 1.5)), "o"), Mark("#009E73", "///", "-", "s"))
"""Without the method (Source Only) and with it; the colours are Okabe and Ito's."""
THIRD = Mark("#56B4E9", "..", ":", "D")
"""What is neither."""
_MODALITIES = (
    Mark("#0072B2", "", "-", "o"),
    Mark("#D55E00", "///", (0, (5.0, 1.5)), "s"),
    Mark("#E69F00", "\\\\\\", ":", "^"),
    Mark("#56B4E9", "...", "-.", "D"),
    Mark("#009E73", "xxx", (0, (1.0, 1.0)), "v"),
    Mark("#CC79A7", "+++", (0, (3.0, 1.0, 1.0, 1.0, 1.0, 1.0)), "P"),
)
MARKERS = ("", "o", "^", "s", "D", "v", "P", "X")
"""Along lines, by the order of what they tell apart."""
_RC: dict[Any, Any] = {
    "font.size": 10.5,
    "axes.titlesize": 10.5,
    "axes.labelsize": 10.5,
    "xtick.labelsize": 10,
    "ytick.labelsize": 10,
    "legend.fontsize": 10,
    "legend.frameon": False,
    "text.parse_math": False,
    "text.color": INK,
    "axes.labelcolor": INK,
    "axes.edgecolor": INK,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.titlelocation": "left",
    "axes.axisbelow": True,
    "xtick.color": INK,
    "ytick.color": INK,
    "grid.color": INK,
    "grid.alpha": 0.15,
    "hatch.color": INK,
    "hatch.linewidth": 0.5,
    "lines.linewidth": 1.7,
    "svg.fonttype": "none",
}


def mark_modalities(names: Iterable[str]) -> dict[str, Mark]:
    """A mark for each modality, by their order."""
    return {name: _MODALITIES[k % len(_MODALITIES)] for k, name in enumerate(names)}


@contextmanager
def column(height: float) -> Iterator[Figure]:
    """An empty figure, one column wide and so many inches high, to be drawn on; its parts are put in their places at the end."""
    with drawing():
        figure = Figure((WIDTH, height), layout="constrained", facecolor="white")
        cast(ConstrainedLayoutEngine, figure.get_layout_engine()).set(h_pad=0.07)
        yield figure
        for _ in range(2):  # places settle by being tried
            figure.draw_without_rendering()
        figure.set_layout_engine("none")


@contextmanager
def drawing(**changes: Any) -> Iterator[None]:
    """In this look, whatever is drawn or saved meanwhile."""
    with rc_context(_RC | changes), warnings.catch_warnings():
        warnings.filterwarnings("ignore", r"Glyph .* missing from font")  # a viewer has fonts of its own
        yield


def short(name: str, most: int = 24) -> str:
    """A name that fits a label, of characters that can be drawn."""
    name = one_line(name)
    return name if len(name) <= most else f"{name[: most - 1]}…"


def png_of(figure: Figure, dpi: int = 160) -> bytes:
    """The figure as pixels, dark on white."""
    return _pixels(figure, "png", dpi)


def jpeg_of(figure: Figure, dpi: int = 160) -> bytes:
    """The same in few bytes, for a figure made of photographs."""
    return _pixels(figure, "jpeg", dpi, pil_kwargs={"quality": 85})


def _pixels(figure: Figure, form: str, dpi: int, **options: Any) -> bytes:
    file = io.BytesIO()
    with drawing():
        figure.savefig(file, format=form, dpi=dpi, **options)
    return file.getvalue()


def svg_of(figure: Figure, name: str, title: str = "") -> str:
    """The figure as a drawing to stand in a page: no background, ink in the text's colour, and places named after `name`.

    Equal figures give equal text. Texts of the figure, whoever wrote them, stay text.
    """
    file = io.StringIO()
    with drawing(**{"svg.hashsalt": name}):
        figure.savefig(file, format="svg", transparent=True, metadata={"Date": None})
    root = ElementTree.fromstring(_as_xml(file.getvalue()))
    for parent in list(root.iter()):
        for child in list(parent):
            if _local(child.tag) in ("metadata", "style"):  # who made it, and a style that would hold in the whole page
                parent.remove(child)
    for element in root.iter():
        element.tag = _local(element.tag)
        element.attrib = {_local(key): _own(_local(key), value, name) for key, value in element.attrib.items()}
    root.attrib |= {"xmlns": "http://www.w3.org/2000/svg", "stroke-linejoin": "round", "font-family": _FONTS}
    if title:
        root.attrib |= {"role": "img", "aria-label": _as_xml(title)}
    return ElementTree.tostring(root, encoding="unicode")


_FONTS = "DejaVu Sans, Verdana, Arial, Helvetica, sans-serif"
_NOT_XML = re.compile(r"[\ufffe\uffff]")


def _as_xml(text: str) -> str:
    """The text without the characters that XML cannot hold or a reader does not see."""
    return _NOT_XML.sub("\N{REPLACEMENT CHARACTER}", printable(text))


def _local(name: str) -> str:
    return name.rpartition("}")[2]


def _own(key: str, value: str, name: str) -> str:
    """An attribute's value with the page's ink, and with places that no other figure has."""
    if key == "id":
        return f"{name}-{value}"
    if key == "href" and value.startswith("#"):
        return f"#{name}-{value[1:]}"
    if key == "d":
        return re.sub(r"\d+\.\d{3,}", lambda found: f"{float(found[0]):.2f}", " ".join(value.split()))
    if key == "style":
        value = re.sub(r"font-family: [^;]*;? ?", "", value)
    return value.replace(INK, "currentColor").replace("url(#", f"url(#{name}-")


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
