"""How each verb moves: a pure function from an act and a phase in 0..1 to a pose, which is what stands where.

Places are (x, y) in heights of the picture: x from the middle of the act's place, y from the top of the picture (0) to
its bottom (1). A pose lists things from back to front.
"""

from dataclasses import dataclass
from math import cos, pi, sin

from egonorm.data.sets.synthetic.drawing import Number, Point
from egonorm.data.sets.synthetic.verbs import WORK, Act

DOOR_WIDTH = 0.88


@dataclass(frozen=True)
class Hand:
    """A hand where it grasps; `side` is 1 for the right one, `grip` goes from 0 (flat) to 1 (fist)."""

    x: Number
    y: Number
    side: int
    grip: Number


@dataclass(frozen=True)
class Thing:
    """A thing that the painter knows by its kind; what `amount` means is the kind's own affair."""

    kind: str
    x: Number
    y: Number
    size: Number = 1.0
    angle: Number = 0.0
    amount: Number = 0.0
    number: int = 0


Pose = tuple[Hand | Thing, ...]


def pose(act: Act, phase: Number) -> Pose:
    """What stands where at a phase of an act."""
    return _MOTIONS[act.verb](act, act.progress(phase))


def rest(side: int) -> Point:
    """Where a hand waits: only its fingers are seen."""
    return side * 0.36, 1.03


def smooth(progress: Number, start: Number, stop: Number) -> Number:
    """From 0 at `start` to 1 at `stop`, without a jerk."""
    share = min(max((progress - start) / (stop - start), 0.0), 1.0)
    return share * share * (3 - 2 * share)


def blend(start: Point, stop: Point, share: Number) -> Point:
    """A point on the way between two places."""
    return start[0] + share * (stop[0] - start[0]), start[1] + share * (stop[1] - start[1])


def _visit(side: int, place: Point, progress: Number) -> Point:
    """Where a hand is that comes from its rest, works at a place and goes back."""
    return blend(rest(side), place, smooth(progress, 0, WORK[0]) - smooth(progress, WORK[1], 1))


def _idle(side: int) -> Hand:
    return Hand(*rest(side), side, 0.3)


def _take(act: Act, progress: Number) -> Pose:
    grasp, carry = smooth(progress, 0.36, 0.46), smooth(progress, 0.45, 1)
    stand, away = (act.x, act.y), (act.side * 0.1, 1.34)
    hand = blend(rest(act.side), stand, smooth(progress, 0, 0.4)) if carry == 0 else blend(stand, away, carry)
    hand = hand[0], hand[1] - 0.12 * act.amplitude * sin(pi * carry)
    thing = stand if carry == 0 else hand
    held = Thing("utensil", *thing, 1 + 0.35 * carry, act.lean * carry, number=act.utensil)
    holding = Hand(hand[0] + 0.04 * act.side, hand[1] - 0.02, act.side, grasp)
    return _idle(-act.side), held, holding


def _put(act: Act, progress: Number) -> Pose:
    return _take(act, 1 - progress)


def swing(act: Act, progress: Number) -> Number:
    """How far a door is open: 0 shut, 1 wide open."""
    return smooth(progress, 0.22, 0.86) if act.verb == "open" else 1 - smooth(progress, 0.12, 0.8) ** 1.5


def _door(act: Act, progress: Number) -> Pose:
    opened = swing(act, progress)
    angle = 1.75 * opened
    hinge = 0.5 * DOOR_WIDTH * act.hinge
    edge = hinge - 0.9 * DOOR_WIDTH * act.hinge * cos(angle), 0.52
    start, stop = (0.2, 0.86) if act.verb == "open" else (0.12, 0.82)
    share = smooth(progress, 0, start) - smooth(progress, stop, 1)
    hand = blend(rest(act.side), edge, share)
    inside = (Thing("inside", hinge, 0.5, number=act.hinge),) if angle > 0.02 else ()
    return (
        *inside,
        Thing("door", hinge, 0.5, angle=angle, number=act.hinge),
        _idle(-act.side),
        Hand(*hand, act.side, 0.85 * share),
    )


def running(progress: Number) -> Number:
    """How far the tap is turned on."""
    return smooth(progress, 0.06, 0.14) - smooth(progress, 0.9, 0.97)


def _wash(act: Act, progress: Number) -> Pose:
    turn = 2 * pi * act.cycle(progress)
    rub = 0.075 * act.amplitude * sin(turn)
    flow = running(progress)
    right = _visit(1, (0.065 + 0.4 * rub, 0.6 + rub), progress)
    left = _visit(-1, (-0.065 - 0.4 * rub, 0.6 - rub), progress)
    plate = (Thing("plate", 0.5 * (left[0] + right[0]), 0.5 * (left[1] + right[1]) - 0.02, angle=rub),)
    water = (Thing("stream", 0, 0.27, size=0.5, amount=flow),) if flow else ()
    splash = (Thing("splash", 0, 0.58, amount=flow),) if flow else ()
    return *(plate if act.utensil else ()), *water, Hand(*left, -1, 0.5), Hand(*right, 1, 0.5), *splash


def _cut(act: Act, progress: Number) -> Pose:
    lift = 0.13 * act.amplitude * abs(sin(pi * act.cycle(progress)))
    done = act.cycle(progress) / act.cycles
    where = act.side * (0.17 - 0.26 * done), 0.66
    holder = _visit(-act.side, (where[0] - 0.15 * act.side, 0.63), progress)
    hand = _visit(act.side, (where[0] + 0.04 * act.side, where[1] + 0.2 - lift), progress)
    working = smooth(progress, 0, WORK[0]) - smooth(progress, WORK[1], 1)
    knife = Thing("knife", *hand, angle=0.25 * act.side * lift / 0.13, amount=working)
    return (
        Thing("board", 0, 0.68),
        Thing("food", 0, 0.66, amount=done, number=act.side),
        Hand(*holder, -act.side, 0.6),
        knife,
        Hand(*hand, act.side, 0.9),
    )


def _mix(act: Act, progress: Number) -> Pose:
    turn = 2 * pi * act.turn * act.cycle(progress)
    middle = 0.5 * act.x, 0.68
    tip = middle[0] + 0.16 * act.amplitude * cos(turn), middle[1] + 0.065 * act.amplitude * sin(turn)
    hand = _visit(act.side, (tip[0] + 0.13 * act.side, tip[1] - 0.13), progress)
    holder = _visit(-act.side, (middle[0] - 0.27 * act.side, middle[1] + 0.02), progress)
    working = smooth(progress, 0, WORK[0]) - smooth(progress, WORK[1], 1)
    tip = blend((hand[0] - 0.13 * act.side, hand[1] + 0.13), tip, working)
    spoon = Thing("spoon", *hand, angle=tip[0] - hand[0], amount=tip[1] - hand[1])
    return (
        Thing("vessel", *middle, angle=turn, number=act.side),
        Hand(*holder, -act.side, 0.7),
        spoon,
        Thing("rim", *middle),
        Hand(*hand, act.side, 0.9),
    )


def filling(progress: Number) -> Number:
    """How full the glass is."""
    return min(max((progress - 0.28) / 0.52, 0.0), 1.0)


def _pour(act: Act, progress: Number) -> Pose:
    glass = act.x - 0.1 * act.side, 0.8
    tilt = act.side * -1.15 * (smooth(progress, 0.1, 0.28) - smooth(progress, 0.8, 0.94))
    above = glass[0] + 0.2 * act.side, 0.36
    away = glass[0] + 0.3 * act.side, 0.66
    jug = blend(away, above, smooth(progress, 0.02, 0.2) - smooth(progress, 0.86, 1))
    level = filling(progress)
    flow = 0.28 < progress < 0.8
    stream = (Thing("drink stream", glass[0], 0.4, size=0.36 - 0.24 * level, amount=1.0),) if flow else ()
    hand = Hand(jug[0] + 0.11 * act.side, jug[1] + 0.02, act.side, 0.9)
    return (
        _idle(-act.side),
        *stream,
        Thing("glass", *glass, amount=0.06 + 0.86 * level),
        Thing("jug", *jug, angle=tilt, amount=1 - 0.6 * level, number=act.side),
        hand,
    )


_MOTIONS = {
    "take": _take,
    "put": _put,
    "open": _door,
    "close": _door,
    "wash": _wash,
    "cut": _cut,
    "mix": _mix,
    "pour": _pour,
}
