"""Painting in a thing's own coordinates: heights of the picture from where it stands, turned and scaled with it."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import cos, sin
from typing import Any

import numpy as np

from egonorm.data.sets.synthetic.lens import Lens, Number, Point
from egonorm.data.sets.synthetic.painting import Paint, capsule, ellipse, polygon


@dataclass(frozen=True)
class Brush:
    """Paints on a picture at a place (x, y), `size` times as large and turned by `angle` clockwise."""

    picture: np.ndarray
    lens: Lens
    x: Number
    y: Number
    size: Number = 1.0
    angle: Number = 0.0

    @property
    def unit(self) -> Number:
        """Pixels in one unit of the thing's coordinates."""
        return self.size * self.lens.scale

    def at(self, along: Number, down: Number) -> Point:
        """The pixel at a place of the thing."""
        cosine, sine = self.size * cos(self.angle), self.size * sin(self.angle)
        return self.lens.at(self.x + along * cosine - down * sine, self.y + along * sine + down * cosine)

    def disc(self, centre: Point, radii: Point, colour: Paint, **style: Any) -> None:
        """Paint an ellipse."""
        radii = radii[0] * self.unit, radii[1] * self.unit
        ellipse(self.picture, self.at(*centre), radii, colour, self.angle, **style)

    def bar(self, start: Point, stop: Point, radii: Point, colour: Paint, **style: Any) -> None:
        """Paint a rounded bar."""
        radii = radii[0] * self.unit, radii[1] * self.unit
        capsule(self.picture, self.at(*start), self.at(*stop), radii, colour, **style)

    def shape(self, corners: Sequence[Point], colour: Paint, **style: Any) -> None:
        """Paint a convex polygon."""
        polygon(self.picture, [self.at(*corner) for corner in corners], colour, **style)

    def shadow(self, centre: Point, radii: Point, opacity: Number = 0.4) -> None:
        """Darken the ground under something."""
        self.disc(centre, radii, (0, 0, 0), opacity=opacity, shade=0, soft=max(min(radii) * self.unit, 1.0))
