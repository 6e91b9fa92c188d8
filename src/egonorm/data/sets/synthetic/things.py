"""How the things of a kitchen are painted: utensils, doors and what stands on the counter."""

from math import cos, sin

import numpy as np

from egonorm.data.sets.synthetic.brush import Brush
from egonorm.data.sets.synthetic.lens import Lens, Number
from egonorm.data.sets.synthetic.looks import Look
from egonorm.data.sets.synthetic.motions import DOOR_WIDTH


def paint_utensil(picture: np.ndarray, lens: Lens, look: Look, x: Number, y: Number, size: Number, angle: Number,
                  number: int) -> None:  # fmt: skip
    """Paint one of the kitchen's utensils; (x, y) is the middle of its body."""
    brush = Brush(picture, lens, x, y, size, angle)
    if size == 1 and not angle:
        brush.shadow((0.02, 0.1), (0.11, 0.035))
    _UTENSILS[look.utensils[number]](brush, np.asarray(look.utensil_colours[number], np.float32))


def _mug(brush: Brush, paint: np.ndarray) -> None:
    brush.bar((0.07, -0.03), (0.115, 0.0), (0.018, 0.018), paint * 0.8)
    brush.bar((0.115, 0.0), (0.07, 0.05), (0.018, 0.018), paint * 0.8)
    brush.shape([(-0.08, -0.08), (0.08, -0.08), (0.07, 0.09), (-0.07, 0.09)], paint, shade=0.35)
    brush.disc((0, 0.09), (0.07, 0.02), paint * 0.75)
    brush.disc((0, -0.08), (0.08, 0.025), paint * 1.15, shade=0)
    brush.disc((0, -0.077), (0.068, 0.018), paint * 0.35, shade=0)


def _bottle(brush: Brush, paint: np.ndarray) -> None:
    brush.bar((0, -0.1), (0, 0.07), (0.058, 0.062), paint, shade=0.45)
    brush.bar((0, -0.25), (0, -0.1), (0.022, 0.03), paint * 0.9, shade=0.45)
    brush.shape([(-0.026, -0.29), (0.026, -0.29), (0.026, -0.25), (-0.026, -0.25)], 255 - 0.8 * paint)
    brush.shape([(-0.058, -0.06), (0.058, -0.06), (0.06, 0.04), (-0.06, 0.04)], 255 - 0.5 * paint, shade=0.2)


def _jar(brush: Brush, paint: np.ndarray) -> None:
    brush.bar((0, -0.02), (0, 0.03), (0.085, 0.085), paint, shade=0.5)
    brush.shape([(-0.07, -0.15), (0.07, -0.15), (0.07, -0.09), (-0.07, -0.09)], 235 - 0.7 * paint, shade=0.3)
    brush.disc((0, -0.15), (0.07, 0.018), 255 - 0.7 * paint, shade=0)


def _bowl(brush: Brush, paint: np.ndarray) -> None:
    brush.disc((0, 0.0), (0.15, 0.09), paint * 0.8, shade=0.4)
    brush.disc((0, -0.03), (0.15, 0.06), paint * 1.1, shade=0)
    brush.disc((0, -0.025), (0.13, 0.047), paint * 0.6, shade=-0.3)


def _carton(brush: Brush, paint: np.ndarray) -> None:
    brush.shape([(-0.075, -0.16), (0.03, -0.16), (0.03, 0.1), (-0.075, 0.1)], paint)
    brush.shape([(0.03, -0.16), (0.085, -0.19), (0.085, 0.06), (0.03, 0.1)], paint * 0.65)
    brush.shape([(-0.075, -0.16), (-0.02, -0.2), (0.085, -0.19), (0.03, -0.16)], paint * 1.15)
    brush.shape([(-0.06, -0.1), (0.015, -0.1), (0.015, 0.0), (-0.06, 0.0)], 255 - paint)


_UTENSILS = {"mug": _mug, "bottle": _bottle, "jar": _jar, "bowl": _bowl, "carton": _carton}


def leaf(angle: Number, turn: int) -> tuple[Number, Number]:
    """Of a door turned by `angle`, where its edge is, seen from the hinge, and how much taller it is there."""
    return -turn * DOOR_WIDTH * cos(angle), 1 + 0.35 * sin(angle)


def paint_door(picture: np.ndarray, lens: Lens, look: Look, hinge: Number, angle: Number, turn: int) -> None:
    """Paint the leaf of a door turned by `angle` about a hinge; `turn` is 1 if the hinge is on the right."""
    brush = Brush(picture, lens, hinge, 0.5)
    paint, (edge, reach) = np.asarray(look.cupboard, np.float32), leaf(angle, turn)
    corners = [(0, -0.42), (edge, -0.42 * reach), (edge, 0.46 * reach), (0, 0.46)]
    light = 1.0 - 0.3 * sin(angle)
    brush.shape(corners, paint * light * 0.55)
    brush.shape([(0.04 * edge + 0.92 * x, 0.965 * y) for x, y in corners], paint * light)
    if angle < 1.45:
        brush.shape([(0.14 * edge + 0.72 * x, 0.8 * y) for x, y in corners], paint * light * 0.86)
    handle = 0.9 * edge, 0.0
    brush.bar((handle[0], -0.1 * reach), (handle[0], 0.14 * reach), (0.02, 0.02), np.full(3, look.metal), shade=0.5)


def paint_inside(picture: np.ndarray, lens: Lens, look: Look, hinge: Number, turn: int) -> None:
    """Paint the dark inside of a cupboard: two shelves with a few things."""
    brush, far = Brush(picture, lens, hinge, 0.5), -turn * DOOR_WIDTH
    brush.shape([(0, -0.42), (far, -0.42), (far, 0.46), (0, 0.46)], np.asarray(look.cupboard) * 0.1 + 8)
    for shelf in (-0.02, 0.38):
        brush.shape([(0, shelf), (far, shelf), (far, shelf + 0.03), (0, shelf + 0.03)], np.asarray(look.cupboard) * 0.5)
        for place, paint in zip((0.22, 0.5, 0.78), look.utensil_colours, strict=True):
            x, tall = far * place, 0.16 + 0.12 * ((place * 7 + shelf * 5) % 1)
            corners = [(x - 0.07, shelf - tall), (x + 0.07, shelf - tall), (x + 0.07, shelf), (x - 0.07, shelf)]
            brush.shape(corners, np.asarray(paint, np.float32) * 0.6, shade=0.3)
