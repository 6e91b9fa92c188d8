"""How what an action handles is painted: water, board and knife, vessel and spoon, jug and glass."""

from itertools import pairwise
from math import cos, sin

import numpy as np

from egonorm.data.sets.synthetic.brush import Brush
from egonorm.data.sets.synthetic.lens import Lens, Number
from egonorm.data.sets.synthetic.looks import Look
from egonorm.data.sets.synthetic.motions import Thing
from egonorm.data.sets.synthetic.things import paint_door, paint_inside, paint_utensil


def paint_thing(picture: np.ndarray, lens: Lens, look: Look, x: Number, thing: Thing, tick: int) -> None:
    """Paint a thing at a place whose middle is `x`; `tick`, the number of the frame, makes water flicker."""
    if thing.kind == "utensil":
        paint_utensil(picture, lens, look, x + thing.x, thing.y, thing.size, thing.angle, thing.number)
    elif thing.kind == "door":
        paint_door(picture, lens, look, x + thing.x, thing.angle, thing.number)
    elif thing.kind == "inside":
        paint_inside(picture, lens, look, x + thing.x, thing.number)
    else:
        _PAINTERS[thing.kind](Brush(picture, lens, x + thing.x, thing.y), look, thing, tick)


def _flicker(tick: int, count: int) -> np.ndarray:
    """Numbers in 0..1 that change with every frame."""
    return np.abs(np.sin(tick * 12.9898 + np.arange(count) * 78.233) * 43758.5453) % 1


def _stream(brush: Brush, look: Look, thing: Thing, tick: int) -> None:
    paint = np.asarray(look.water if thing.kind == "stream" else look.drink, np.float32)
    wide, *bright = _flicker(tick, 6)
    radius = (0.022 + 0.012 * wide) * thing.amount
    brush.bar((0, 0), (0, thing.size), (radius, radius * 1.25), paint, opacity=0.8, shade=0.3)
    for part, light in enumerate(bright):
        y = thing.size * (part + light) / len(bright)
        brush.disc((0.012 * (light - 0.5), y), (0.006, 0.03), np.minimum(paint * 1.3 + 30, 255), shade=0)


def _splash(brush: Brush, look: Look, thing: Thing, tick: int) -> None:
    drops = _flicker(tick, 20)
    for side, up in zip(drops[:10] - 0.5, drops[10:], strict=True):
        place = 0.42 * side * (1 + up), 0.06 - 0.2 * up * (1 - abs(side))
        brush.disc(place, (0.009, 0.012), look.water, opacity=0.9 * thing.amount, shade=0)
    brush.disc((0, 0.2), (0.2 + 0.06 * drops[0], 0.05), look.water, opacity=0.4 * thing.amount, shade=0.5)


def _plate(brush: Brush, look: Look, thing: Thing, tick: int) -> None:
    paint = np.asarray(look.vessel_colour, np.float32)
    brush.disc((0, 0), (0.17, 0.13), paint * 0.8 + 40)
    brush.disc((0, 0.005), (0.11, 0.08), paint * 0.7 + 30, shade=-0.2)


def _board(brush: Brush, look: Look, thing: Thing, tick: int) -> None:
    paint = np.asarray(look.board, np.float32)
    brush.shadow((0.0, 0.08), (0.5, 0.16), 0.3)
    corners = [(-0.38, -0.14), (0.38, -0.14), (0.44, 0.2), (-0.44, 0.2)]
    brush.shape([(x, y + 0.025) for x, y in corners], paint * 0.6)
    brush.shape(corners, paint)
    for y in (-0.05, 0.05, 0.13):
        brush.bar((-0.36, y), (0.36, y + 0.01), (0.004, 0.004), paint * 0.85, shade=0)


def _food(brush: Brush, look: Look, thing: Thing, tick: int) -> None:
    """A long piece from which `amount` has been cut into slices, which lie apart on the knife's side."""
    paint, side = np.asarray(look.food, np.float32), thing.number
    edge = 0.17 - 0.26 * thing.amount
    brush.bar((-0.26 * side, 0), ((edge - 0.045) * side, 0), (0.05, 0.055), paint, shade=0.45)
    brush.disc((edge * side, 0), (0.02, 0.052), paint * 0.5 + 120, shade=0.1)
    for slice_ in range(int(8 * thing.amount + 0.5)):
        place = (0.3 - 0.033 * slice_) * side, 0.01 + 0.02 * (slice_ % 2)
        brush.disc(place, (0.016, 0.052), paint, shade=0.2)
        brush.disc((place[0] + 0.006 * side, place[1]), (0.01, 0.044), paint * 0.5 + 120, shade=0.1)


def _knife(brush: Brush, look: Look, thing: Thing, tick: int) -> None:
    """A blade that points away from the hand; it shows when the hand works."""
    blade = Brush(brush.picture, brush.lens, brush.x, brush.y, 1.0, thing.angle)
    metal = np.full(3, look.metal, np.float32)
    blade.shape([(-0.02, -0.05), (0.022, -0.05), (0.018, -0.3), (0.0, -0.36), (-0.026, -0.3)], metal * 1.12)
    blade.shape([(-0.026, -0.06), (-0.014, -0.06), (-0.008, -0.33), (-0.026, -0.3)], metal * 0.7)
    blade.bar((0, -0.06), (0, 0.08), (0.024, 0.024), (45, 35, 32), shade=0.4)


def _vessel(brush: Brush, look: Look, thing: Thing, tick: int) -> None:
    """A bowl or pan of which the far wall and the stirred content are seen; the angle is that of the spoon."""
    paint, batter = np.asarray(look.vessel_colour, np.float32), np.asarray(look.batter, np.float32)
    if look.vessel == "pan":
        brush.bar((-0.26 * thing.number, 0), (-0.52 * thing.number, 0.1), (0.03, 0.028), (40, 38, 40), shade=0.4)
    brush.shadow((0, 0.09), (0.32, 0.12))
    brush.disc((0, 0.045), (0.27, 0.15), paint * 0.7, shade=0.4)
    brush.disc((0, 0), (0.28, 0.145), paint, shade=0)
    brush.disc((0, 0.012), (0.25, 0.12), batter, shade=-0.2)
    for part in range(5):
        turn = 0.6 * thing.angle + 1.257 * part
        place = 0.16 * cos(turn), 0.012 + 0.075 * sin(turn)
        brush.disc(place, (0.045, 0.018), batter * (0.7 + 0.12 * (part % 2)), shade=0)


def _rim(brush: Brush, look: Look, thing: Thing, tick: int) -> None:
    """The near rim of the vessel, before the spoon."""
    paint = np.asarray(look.vessel_colour, np.float32) * 1.15
    places = [(0.268 * cos(turn), 0.135 * sin(turn)) for turn in np.linspace(0.15, 2.99, 9)]
    for start, stop in pairwise(places):
        brush.bar(start, stop, (0.012, 0.012), paint, shade=0.2)


def _spoon(brush: Brush, look: Look, thing: Thing, tick: int) -> None:
    """A spoon from the hand to a tip that lies at (angle, amount) from it."""
    tip = thing.angle, thing.amount
    wood = np.asarray(look.board, np.float32) * 0.85
    brush.bar((-0.35 * tip[0], -0.35 * tip[1]), tip, (0.013, 0.015), wood, shade=0.4)
    brush.disc(tip, (0.04, 0.026), wood * 0.9, shade=0.3)


def _glass(brush: Brush, look: Look, thing: Thing, tick: int) -> None:
    """A glass filled up to `amount`; its bottom stands at the brush."""
    top = -0.3 * thing.amount
    brush.shadow((0.02, 0.01), (0.12, 0.035))
    brush.shape([(-0.1, -0.32), (0.1, -0.32), (0.085, 0), (-0.085, 0)], (225, 235, 240), opacity=0.45)
    wide = 0.085 - 0.015 * top / 0.32
    brush.shape([(-wide, top), (wide, top), (0.08, -0.01), (-0.08, -0.01)], look.drink, opacity=0.9, shade=0.2)
    brush.disc((0, top), (wide, 0.02), np.minimum(np.asarray(look.drink) * 1.25 + 15, 255), shade=0)
    for side in (-1, 1):
        brush.bar((0.1 * side, -0.32), (0.085 * side, 0), (0.006, 0.006), (240, 245, 248), opacity=0.85, shade=0)
    brush.disc((0, -0.32), (0.1, 0.022), (240, 245, 248), opacity=0.3, shade=0)


def _jug(brush: Brush, look: Look, thing: Thing, tick: int) -> None:
    """A jug that tilts towards its spout, on the side away from the hand."""
    side = thing.number
    jug = Brush(brush.picture, brush.lens, brush.x, brush.y, 1.0, thing.angle)
    paint = np.asarray(look.jug, np.float32)
    jug.bar((0.09 * side, -0.09), (0.16 * side, -0.03), (0.018, 0.018), paint * 0.8)
    jug.bar((0.16 * side, -0.03), (0.1 * side, 0.09), (0.018, 0.018), paint * 0.8)
    jug.shape([(-0.19 * side, -0.18), (-0.06 * side, -0.18), (-0.08 * side, -0.05)], paint * 0.9)
    jug.shape([(-0.1, -0.17), (0.1, -0.17), (0.12, 0.14), (-0.12, 0.14)], paint, shade=0.35)
    jug.disc((0, 0.14), (0.12, 0.03), paint * 0.75)
    jug.disc((0, -0.17), (0.1, 0.025), paint * 0.5, shade=0)


_PAINTERS = {
    "stream": _stream, "drink stream": _stream, "splash": _splash, "plate": _plate, "board": _board, "food": _food,
    "knife": _knife, "vessel": _vessel, "rim": _rim, "spoon": _spoon, "glass": _glass, "jug": _jug,
}  # fmt: skip
