"""Where a place in the kitchen is in a picture."""

from dataclasses import dataclass

Number = float | int
Point = tuple[Number, Number]


@dataclass(frozen=True)
class Lens:
    """`scale` pixels are one height of the picture; the kitchen's origin lies at the pixel (left, top)."""

    scale: Number
    left: Number
    top: Number

    def at(self, x: Number, y: Number) -> Point:
        """The pixel at a place."""
        return self.left + self.scale * x, self.top + self.scale * y
