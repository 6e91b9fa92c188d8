"""Painting: a lens, pictures in layers, brushes for shapes and textures."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import cos, sin
from typing import Any

import numpy as np

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


Paint = Sequence[Number] | np.ndarray


def ellipse(
    picture: np.ndarray,
    centre: Point,
    radii: Point,
    colour: Paint,
    angle: Number = 0.0,
    *,
    opacity: Number = 1.0,
    shade: Number = 0.25,
    soft: Number = 1.0,
) -> None:
    """Paint an ellipse; `angle` turns its first radius from the x axis towards the y axis."""
    reach = max(radii) + soft
    patch, x, y = _patch(picture, centre[0] - reach, centre[0] + reach, centre[1] - reach, centre[1] + reach)
    if patch.size:
        x, y, cosine, sine = x - centre[0], y - centre[1], np.cos(angle), np.sin(angle)
        along, across = (x * cosine + y * sine) / radii[0], (y * cosine - x * sine) / radii[1]
        thickness = min(radii)
        distance = (np.sqrt(along * along + across * across) - 1) * thickness
        _blend(patch, distance, thickness, colour, opacity, shade, soft)


def capsule(
    picture: np.ndarray,
    start: Point,
    stop: Point,
    radii: Point,
    colour: Paint,
    *,
    opacity: Number = 1.0,
    shade: Number = 0.25,
    soft: Number = 1.0,
) -> None:
    """Paint a rounded bar from `start` to `stop`, whose radius goes from the first to the second."""
    reach = max(radii) + soft
    patch, x, y = _patch(
        picture,
        min(start[0], stop[0]) - reach,
        max(start[0], stop[0]) + reach,
        min(start[1], stop[1]) - reach,
        max(start[1], stop[1]) + reach,
    )
    if patch.size:
        x, y, dx, dy = x - start[0], y - start[1], stop[0] - start[0], stop[1] - start[1]
        share = np.minimum(np.maximum((x * dx + y * dy) / max(dx * dx + dy * dy, 1e-6), 0), 1)
        x, y = x - share * dx, y - share * dy
        distance = np.sqrt(x * x + y * y) - (radii[0] + share * (radii[1] - radii[0]))
        _blend(patch, distance, max(radii), colour, opacity, shade, soft)


def polygon(
    picture: np.ndarray,
    corners: Sequence[Point],
    colour: Paint,
    *,
    opacity: Number = 1.0,
    shade: Number = 0.0,
    soft: Number = 1.0,
) -> None:
    """Paint a convex polygon, its corners given in either sense."""
    xs, ys = zip(*corners, strict=True)
    patch, x, y = _patch(picture, min(xs) - soft, max(xs) + soft, min(ys) - soft, max(ys) + soft)
    if not patch.size:
        return
    edges = list(zip(corners, (*corners[1:], corners[0]), strict=True))
    sense = 1.0 if sum(ax * by - bx * ay for (ax, ay), (bx, by) in edges) > 0 else -1.0
    distance: Any = np.float32(-1e9)
    for (ax, ay), (bx, by) in edges:
        length = max(float(np.hypot(bx - ax, by - ay)), 1e-6) * sense
        distance = np.maximum(distance, (x - ax) * ((by - ay) / length) - (y - ay) * ((bx - ax) / length))
    _blend(patch, distance, min(max(xs) - min(xs), max(ys) - min(ys)) / 2, colour, opacity, shade, soft)


def _patch(picture: np.ndarray, left: Number, right: Number, top: Number, bottom: Number) -> tuple:
    """The part of the picture within the bounds, and the centres of its pixels along x and y."""
    height, width = picture.shape[1:]
    left, right = max(int(np.floor(left)), 0), min(int(np.ceil(right)) + 1, width)
    top, bottom = max(int(np.floor(top)), 0), min(int(np.ceil(bottom)) + 1, height)
    patch = picture[:, top : max(top, bottom), left : max(left, right)]
    x = np.arange(left, left + patch.shape[2], dtype=np.float32)[None]
    return patch, x, np.arange(top, top + patch.shape[1], dtype=np.float32)[:, None]


def _blend(
    patch: np.ndarray,
    distance: np.ndarray,
    thickness: Number,
    colour: Paint,
    opacity: Number,
    shade: Number,
    soft: Number,
) -> None:
    cover = np.minimum(np.maximum(0.5 - (distance if soft == 1 else distance / np.float32(soft)), 0), 1)
    if opacity != 1:
        cover *= np.float32(opacity)
    change = np.asarray(colour, np.float32)[:, None, None]
    if shade:
        light = distance * np.float32(-shade / max(thickness, 1e-6))
        light += np.float32(1 - shade)
        change = change * np.minimum(light, 1) if shade > 0 else change * np.maximum(light, 1)
    change = change - patch
    change *= cover
    patch += change


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
