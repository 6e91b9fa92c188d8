"""A sheet that is filled from top to bottom with axes and lines of text, in inches."""

from dataclasses import dataclass

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from egonorm.core.text import one_line

SHEET_WIDTH = 7.2
"""Inches, as all lengths here."""
MARGIN, GAP, LINE = 0.5, 0.05, 0.2


@dataclass
class Sheet:
    """A figure that is filled from top to bottom."""

    figure: Figure
    height: float
    used: float = GAP

    def skip(self, inches: float) -> None:
        self.used += inches

    def axes(self, left: float, width: float, height: float, below: float = 0.0) -> Axes:
        """Axes whose upper edge is where the sheet is filled to, or so much below."""
        bottom = self.height - self.used - below - height
        return self.figure.add_axes(
            (left / SHEET_WIDTH, bottom / self.height, width / SHEET_WIDTH, height / self.height)
        )

    def write(self, left: float, text: str, **style) -> None:
        """A line of text as it is, without mathematics."""
        at = (left / SHEET_WIDTH, 1 - self.used / self.height)
        self.figure.text(*at, one_line(text), va="top", **({"size": 8, "parse_math": False} | style))
