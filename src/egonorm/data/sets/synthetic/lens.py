"""Where a place in the kitchen is in a picture."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Lens:
    """`scale` pixels are one height of the picture; the kitchen's origin lies at the pixel (left, top)."""

    scale: float
    left: float
    top: float

    def at(self, x: float, y: float) -> tuple[float, float]:
        """The pixel at a place."""
        return self.left + self.scale * x, self.top + self.scale * y
