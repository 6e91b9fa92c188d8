"""What the camera on the head sees: at every moment of a video where it looks and what is before it, and the pictures."""

from collections.abc import Iterator
from dataclasses import dataclass
from math import pi

import numpy as np

from egonorm.data.sets.synthetic.drawing import Lens, Number
from egonorm.data.sets.synthetic.factors import between, draw_factors, generator
from egonorm.data.sets.synthetic.kitchen_wall import WALL_MARGIN, extent, panorama
from egonorm.data.sets.synthetic.looks import Look, bay_centre
from egonorm.data.sets.synthetic.motions import Hand, Thing, pose, rest, smooth
from egonorm.data.sets.synthetic.props import paint_hand, paint_thing
from egonorm.data.sets.synthetic.timeline import KitchenVideo


@dataclass(frozen=True)
class Mood:
    """What a video adds to its kitchen's look: the time of the day, and how the head moves."""

    brightness: float = between(0.88, 1.08)
    warmth: float = between(-0.04, 0.04)
    phase: float = between(0.0, 100.0)  # of the head's movements


def draw_mood(video: KitchenVideo) -> Mood:
    """The mood of a video."""
    return draw_factors(Mood, *video.address)


@dataclass(frozen=True)
class ScenePart:
    """A hand or a thing before the camera, on the wall's place `x`; `owner` is the number of its act, -1 for hands."""

    owner: int
    x: Number
    what: Hand | Thing

    @property
    def name(self) -> tuple[int, str | int]:
        """What it is called as long as it is seen."""
        return self.owner, self.what.kind if isinstance(self.what, Thing) else self.what.side

    def paint(self, picture: np.ndarray, lens: Lens, look: Look, tick: int) -> None:
        """Paint it, as it looks at a frame."""
        if isinstance(self.what, Thing):
            paint_thing(picture, lens, look, self.x, self.what, tick)
        else:
            paint_hand(picture, lens, look, self.x, self.what)


@dataclass(frozen=True)
class Sight:
    """What is seen in one frame: the part of the panorama from its pixel (left, top) on, and before it the parts."""

    left: int
    top: int
    lens: Lens
    parts: tuple[ScenePart, ...]
    """From back to front."""


def frames(video: KitchenVideo, size: tuple[int, int]) -> Iterator[np.ndarray]:
    """Every frame of a video: uint8, height x width x (red, green, blue)."""
    look, mood = video.look, draw_mood(video)
    wall = panorama(look, size[0], video.address[:2])
    light, noise = _light(look, mood, size), _noise(look, size, video)
    for tick in range(video.frames):
        sight = see(video, mood, size, tick)
        picture = wall[:, sight.top : sight.top + size[0], sight.left : sight.left + size[1]].copy()
        for part in sight.parts:
            part.paint(picture, sight.lens, look, tick)
        picture *= light
        row, column = tick * 37 % 64, tick * 101 % 64
        picture += noise[:, row : row + size[0], column : column + size[1]]
        yield np.ascontiguousarray(np.clip(picture, 0, 255).astype(np.uint8).transpose(1, 2, 0))


def see(video: KitchenVideo, mood: Mood, size: tuple[int, int], tick: int) -> Sight:
    """What is seen at a frame; before the first and after the last as if the video were longer."""
    x, y = _head(video, mood, tick)
    scale, wall = size[0] * video.look.zoom, extent(video.look, size[0])
    left, top = round(scale * (x + WALL_MARGIN) - size[1] / 2), round(scale * (0.5 + y + WALL_MARGIN / 4) - size[0] / 2)
    left, top = max(min(left, wall[1] - size[1]), 0), max(min(top, wall[0] - size[0]), 0)
    return Sight(
        left, top, Lens(scale, scale * WALL_MARGIN - left, scale * WALL_MARGIN / 4 - top), tuple(_parts(video, x, tick))
    )


def _head(video: KitchenVideo, mood: Mood, tick: int) -> tuple[float, float]:
    """Where the camera looks: at the place of the act, on the way to the next between two acts, never quite still."""
    before, share, after = _between(video, tick)
    x = bay_centre(before) + share * (bay_centre(after) - bay_centre(before))
    time = 2 * pi * video.look.shake_rate * tick / 30 + mood.phase
    sideways = video.look.shake * (np.sin(time) + 0.7 * np.sin(2.3 * time)) + 0.03 * np.sin(0.21 * time)
    up = video.look.shake * (np.cos(0.8 * time) + 0.6 * np.sin(3 * time)) + 0.03 * np.sin(0.17 * time + 1)
    return float(x + sideways), float(up)


def _between(video: KitchenVideo, tick: int) -> tuple[int, float, int]:
    """The place of the act before, how far the head has turned from it, and the place of the act after."""
    starts, stops, acts = video.starts, video.stops(), video.acts
    number = int(np.searchsorted(stops, tick, side="right"))
    if number == 0 or number == len(acts) or tick >= starts[number]:
        bay = acts[min(number, len(acts) - 1)].bay
        return bay, 0.0, bay
    return acts[number - 1].bay, smooth(tick, stops[number - 1], starts[number]), acts[number].bay


def _parts(video: KitchenVideo, x: float, tick: int) -> Iterator[ScenePart]:
    """The things of the acts in sight, and the hands: at work, or waiting before the camera at `x`."""
    busy, numbers = _in_sight(video, tick)
    for number in numbers:
        act, start, stop = video.acts[number], video.starts[number], video.stops()[number]
        for what in pose(act, min(max((tick - start) / (stop - start), 0.0), 1.0)):
            if busy or isinstance(what, Thing):
                yield ScenePart(number if isinstance(what, Thing) else -1, bay_centre(act.bay), what)
    if not busy:
        for side in (-1, 1):
            wobble = 0.02 * float(np.sin(0.11 * tick + side))
            yield ScenePart(-1, x, Hand(rest(side)[0], rest(side)[1] + wobble, side, 0.3))


def _in_sight(video: KitchenVideo, tick: int) -> tuple[bool, list[int]]:
    """Whether an act goes on, and whose things stand about: its own; in a pause, those of the acts before and after."""
    number = int(np.searchsorted(video.stops(), tick, side="right"))
    if number < len(video.acts) and tick >= video.starts[number]:
        return True, [number]
    numbers = [index for index in (number - 1, number) if 0 <= index < len(video.acts)]
    if len(numbers) == 2 and video.acts[number].bay == video.acts[number - 1].bay:
        numbers.pop()  # two sets of things cannot stand at one place
    return False, numbers


def _light(look: Look, mood: Mood, size: tuple[int, int]) -> np.ndarray:
    """How bright every pixel is lit, per colour: a slope towards the window, darker corners, warm or cold."""
    height, width = size
    y, x = np.mgrid[-1 : 1 : height * 1j, -1 : 1 : width * 1j]
    slope = 1 + look.light_slope * (x * np.cos(look.light_angle) + y * np.sin(look.light_angle))
    warm = look.warmth + mood.warmth
    plane = look.brightness * mood.brightness * slope * (1 - look.vignette * (x * x + y * y) / 2)
    return (plane * np.array([1 + warm, 1.0, 1 - warm])[:, None, None]).astype(np.float32)


def _noise(look: Look, size: tuple[int, int], video: KitchenVideo) -> np.ndarray:
    rng = generator(*video.address, "sensor")
    return look.sensor_noise * rng.standard_normal((1, size[0] + 64, size[1] + 64), np.float32)
