"""What stands and lies in a kitchen, and the hands that move it."""

from itertools import pairwise
from math import cos, sin

import numpy as np

from egonorm.data.sets.synthetic.drawing import Brush, Lens, Number, capsule, ellipse
from egonorm.data.sets.synthetic.looks import Look
from egonorm.data.sets.synthetic.motions import DOOR_WIDTH, Hand, Thing


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
    "stream": _stream,
    "drink stream": _stream,
    "splash": _splash,
    "plate": _plate,
    "board": _board,
    "food": _food,
    "knife": _knife,
    "vessel": _vessel,
    "rim": _rim,
    "spoon": _spoon,
    "glass": _glass,
    "jug": _jug,
}


def paint_utensil(
    picture: np.ndarray, lens: Lens, look: Look, x: Number, y: Number, size: Number, angle: Number, number: int
) -> None:
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


FINGERS = ((-0.62, 0.8), (-0.22, 1.0), (0.16, 1.05), (0.52, 0.9))
"""Of four fingers: where they begin across the palm, and how long they are."""


def grasp_and_elbow(lens: Lens, x: Number, hand: Hand) -> tuple[np.ndarray, np.ndarray]:
    """The pixels where a hand grasps and where its elbow is."""
    grasp = np.array(lens.at(x + hand.x, hand.y))
    return grasp, np.array(lens.at(x + 0.45 * hand.x + 0.34 * hand.side, max(hand.y + 0.55, 1.4)))


def paint_hand(picture: np.ndarray, lens: Lens, look: Look, x: Number, hand: Hand) -> None:
    """Paint a hand whose fingers close around (x + hand.x, hand.y)."""
    size = look.hand_size * lens.scale
    grasp, elbow = grasp_and_elbow(lens, x, hand)
    along = (grasp - elbow) / np.hypot(*(grasp - elbow))
    across = np.array([-along[1], along[0]]) * hand.side  # towards the little finger
    palm, wrist = grasp - 0.055 * size * along, grasp - 0.13 * size * along
    _arm(picture, look, elbow, wrist, size)
    skin = np.asarray(look.hand, np.float32)
    angle = float(np.arctan2(along[1], along[0]))
    ellipse(picture, tuple(palm), (0.085 * size, 0.066 * size), skin * 0.94, angle, shade=0.3)
    for place, length in FINGERS:
        root = palm + (0.05 * along + 0.085 * place * across) * size
        far = 0.105 * length * (1 - 0.62 * hand.grip) * size
        tip = root + far * (along + 0.35 * place * (1 - hand.grip) * across)
        capsule(picture, tuple(root), tuple(tip), (0.02 * size, 0.016 * size), skin, shade=0.4)
    root = palm - 0.05 * across * size
    tip = root + (0.075 * along - (0.055 - 0.075 * hand.grip) * across) * size
    capsule(picture, tuple(root), tuple(tip), (0.026 * size, 0.018 * size), skin * 1.04, shade=0.4)


def _arm(picture: np.ndarray, look: Look, elbow: np.ndarray, wrist: np.ndarray, size: float) -> None:
    colour = np.asarray(look.hand, np.float32) * 0.88
    capsule(picture, tuple(elbow), tuple(wrist), (0.085 * size, 0.05 * size), colour, shade=0.35)
    if look.sleeve_length > 0.15:
        cuff = elbow + look.sleeve_length * (wrist - elbow)
        capsule(picture, tuple(elbow), tuple(cuff), (0.1 * size, 0.07 * size), look.sleeve, shade=0.35)
