"""The panorama of a kitchen: wall, counter and the fixtures of every place, painted once; a frame is a part of it."""

from functools import lru_cache

import numpy as np
from scipy import ndimage

from egonorm.data.sets.synthetic.drawing import Lens, Number, capsule, ellipse, polygon
from egonorm.data.sets.synthetic.factors import generator
from egonorm.data.sets.synthetic.looks import BAY_WIDTH, Look, bay_centre
from egonorm.data.sets.synthetic.motions import DOOR_WIDTH
from egonorm.data.sets.synthetic.props import paint_door, paint_utensil

WALL_MARGIN = 1.2
"""What is painted to the left, right and below of what the camera looks at, in heights of the picture."""


def extent(look: Look, height: int) -> tuple[int, int]:
    """Height and width of the panorama in pixels."""
    scale = height * look.zoom
    return int(scale * (1 + WALL_MARGIN / 2)) + 1, int(scale * (BAY_WIDTH * len(look.bays) + 2 * WALL_MARGIN)) + 1


@lru_cache(maxsize=4)
def panorama(look: Look, height: int, address: tuple[int, int]) -> np.ndarray:
    """The whole wall as float32, channel x height x width; its top left corner lies at (-MARGIN, -MARGIN / 4)."""
    scale, shape = height * look.zoom, extent(look, height)
    rng = generator(*address, 0, "panorama")
    lens = Lens(scale, scale * WALL_MARGIN, scale * WALL_MARGIN / 4)
    picture = np.empty((3, *shape), np.float32)
    edge = int(lens.at(0, look.horizon)[1])
    picture[:, :edge] = np.asarray(look.wall, np.float32)[:, None, None] * _tiles(look, scale, (edge, shape[1]), rng)
    picture[:, edge:] = np.asarray(look.counter, np.float32)[:, None, None] * _grain(
        look, scale, (shape[0] - edge, shape[1]), rng
    )
    shadow = np.exp(-np.arange(shape[0] - edge, dtype=np.float32) / (0.05 * scale))
    picture[:, edge:] *= (1 - 0.45 * shadow)[None, :, None]
    for bay, kind in enumerate(look.bays):
        _FIXTURES[kind](picture, lens, look, bay_centre(bay), rng)
    return np.minimum(picture, 255)


def _tiles(look: Look, scale: float, shape: tuple[int, int], rng: np.random.Generator) -> np.ndarray:
    """How bright the wall is: tiles of slightly different brightness between lines of grout."""
    tall, wide = look.tile * scale, look.tile * look.tile_shape * scale
    row, column = np.arange(shape[0]) / tall, np.arange(shape[1]) / wide
    shades = rng.uniform(0.92, 1.06, (int(row.max(initial=0)) + 1, int(column.max()) + 1))
    bright = shades[row.astype(int)[:, None], column.astype(int)[None]]
    line = max(0.012 * scale, 1.0)
    grout = ((row % 1) * tall < line)[:, None] | ((column % 1) * wide < line)[None]
    return np.where(grout, 1 + look.grout, bright).astype(np.float32)


def _grain(look: Look, scale: float, shape: tuple[int, int], rng: np.random.Generator) -> np.ndarray:
    """How bright the counter is: smoothed noise, stretched along the counter if it is wood."""
    bright = np.ones(shape, np.float32)
    for size, strength in ((look.grain, 1.0), (look.grain / 4, 0.7)):
        size = max(size * scale, 0.4)
        noise = ndimage.gaussian_filter(rng.standard_normal(shape, np.float32), (size, size * look.grain_stretch))
        bright += strength * look.grain_contrast * np.clip(noise / noise.std(), -2.0, 2.0)
    return bright


def _counter(picture: np.ndarray, lens: Lens, look: Look, x: Number, rng: np.random.Generator) -> None:
    """Two things that nobody touches stand near the wall."""
    for place in rng.permutation([-0.6, -0.35, 0.35, 0.6])[:2]:
        paint_utensil(picture, lens, look, x + float(place), look.horizon + 0.1, 0.8, 0.0, int(rng.integers(3)))


def _sink(picture: np.ndarray, lens: Lens, look: Look, x: Number, rng: np.random.Generator) -> None:
    metal = np.full(3, look.metal, np.float32)
    for grow, shade in ((0.03, 1.1), (0.0, 0.62), (-0.05, 0.5)):
        corners = [
            (x - 0.42 - grow, 0.46 - grow),
            (x + 0.42 + grow, 0.46 - grow),
            (x + 0.5 + grow, 0.94 + grow),
            (x - 0.5 - grow, 0.94 + grow),
        ]
        polygon(picture, [lens.at(*corner) for corner in corners], metal * shade)
    thick = 0.028 * lens.scale, 0.028 * lens.scale
    capsule(picture, lens.at(x + 0.12, look.horizon + 0.06), lens.at(x + 0.12, 0.1), thick, metal, shade=0.5)
    capsule(picture, lens.at(x + 0.12, 0.1), lens.at(x, 0.14), thick, metal * 1.1, shade=0.5)
    capsule(picture, lens.at(x, 0.14), lens.at(x, 0.25), thick, metal, shade=0.5)
    ellipse(picture, lens.at(x, 0.84), (0.05 * lens.scale, 0.025 * lens.scale), metal * 0.3)


def _hob(picture: np.ndarray, lens: Lens, look: Look, x: Number, rng: np.random.Generator) -> None:
    corners = [(x - 0.55, 0.47), (x + 0.55, 0.47), (x + 0.66, 1.06), (x - 0.66, 1.06)]
    polygon(picture, [lens.at(*corner) for corner in corners], (38, 38, 42))
    for dx, y in ((-0.4, 0.56), (0.4, 0.56), (-0.45, 0.92), (0.45, 0.92), (0.0, 0.74)):
        for size, tone in ((1.0, 95.0), (0.85, 45.0), (0.45, 80.0), (0.35, 45.0)):
            radii = 0.13 * size * lens.scale, 0.065 * size * lens.scale
            ellipse(picture, lens.at(x + dx, y), radii, (tone, tone, tone), shade=0)


def _cupboard(picture: np.ndarray, lens: Lens, look: Look, x: Number, rng: np.random.Generator) -> None:
    front = [(x - 0.75, -0.4), (x + 0.75, -0.4), (x + 0.75, 1.6), (x - 0.75, 1.6)]
    polygon(picture, [lens.at(*corner) for corner in front], np.asarray(look.cupboard) * 0.8)
    paint_door(picture, lens, look, x + 0.5 * DOOR_WIDTH * look.hinge, 0.0, look.hinge)


def _board(picture: np.ndarray, lens: Lens, look: Look, x: Number, rng: np.random.Generator) -> None:
    paint_utensil(
        picture, lens, look, x + float(rng.choice([-0.55, 0.55])), look.horizon + 0.12, 0.8, 0.0, int(rng.integers(3))
    )


_FIXTURES = {"counter": _counter, "sink": _sink, "hob": _hob, "cupboard": _cupboard, "board": _board}
