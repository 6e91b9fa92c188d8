"""What a kitchen looks like: colours, textures, light, the camera on the head, the hands and the utensils."""

# ruff: noqa: RUF009 (a default says how a field is drawn)
from dataclasses import dataclass

from egonorm.data.sets.synthetic.factors import between, colour, draw_factors, generator, one_of, some_of

BAYS = ("counter", "sink", "counter", "hob", "cupboard", "board", "counter", "cupboard")
"""The places along the wall; a kitchen has each of these, in an order of its own."""
BAY_WIDTH = 1.6
"""From the middle of a place to that of the next, in heights of the picture."""
Colour = tuple[float, float, float]
ANY_HUE = (0.0, 1.0)


@dataclass(frozen=True)
class Look:
    """The visible factors of a kitchen; lengths are in heights of the picture, colours are red, green, blue, 0..255."""

    bays: tuple[str, ...]
    wall: Colour = colour(ANY_HUE, (0.03, 0.45), (0.35, 0.95))
    tile: float = between(0.08, 0.3)
    tile_shape: float = between(0.6, 2.2)  # width over height
    grout: float = between(-0.35, 0.3)  # darker or lighter than the tiles
    counter: Colour = colour(ANY_HUE, (0.03, 0.5), (0.25, 0.9))
    grain: float = between(0.003, 0.016)  # size of the counter's texture
    grain_stretch: float = between(1.0, 10.0)  # wood is stretched, stone is not
    grain_contrast: float = between(0.02, 0.12)
    cupboard: Colour = colour(ANY_HUE, (0.05, 0.7), (0.3, 0.92))
    hinge: int = one_of(-1, 1)  # the side of a cupboard on which its door hangs: 1 is the right
    metal: float = between(120.0, 215.0)  # grey of sink, tap and blades
    board: Colour = colour((0.05, 0.16), (0.05, 0.65), (0.45, 0.95))
    horizon: float = between(0.22, 0.42)  # where counter and wall meet: the height of the camera
    zoom: float = between(0.82, 1.22)  # field of view
    shake: float = between(0.004, 0.016)
    shake_rate: float = between(0.7, 2.4)  # Hz
    brightness: float = between(0.7, 1.12)
    warmth: float = between(-0.16, 0.16)  # red against blue
    light_angle: float = between(0.0, 6.283)
    light_slope: float = between(0.05, 0.4)  # how much brighter the lit side is
    vignette: float = between(0.0, 0.45)
    sensor_noise: float = between(1.0, 6.0)  # of 255
    skin: Colour = colour((0.035, 0.085), (0.25, 0.62), (0.38, 0.95))
    glove: Colour = colour(ANY_HUE, (0.35, 0.9), (0.45, 0.95))
    gloved: bool = one_of(True, False, False)
    sleeve: Colour = colour(ANY_HUE, (0.1, 0.8), (0.15, 0.9))
    sleeve_length: float = between(0.0, 0.85)  # part of the forearm it covers
    hand_size: float = between(0.85, 1.2)
    right_handed: float = between(0.1, 0.9)  # probability that the right hand acts
    utensils: tuple[str, ...] = some_of(3, "mug", "bottle", "jar", "bowl", "carton")
    utensil_colours: tuple[Colour, ...]  # type: ignore[misc]  # draw_look gives every one, whatever stands before it
    vessel: str = one_of("bowl", "pan")
    vessel_colour: Colour = colour(ANY_HUE, (0.0, 0.8), (0.2, 0.95))
    food: Colour = colour((0.0, 0.4), (0.55, 0.9), (0.5, 0.95))
    batter: Colour = colour((0.02, 0.18), (0.2, 0.8), (0.4, 0.97))
    drink: Colour = colour(ANY_HUE, (0.25, 0.95), (0.3, 0.95))
    jug: Colour = colour(ANY_HUE, (0.1, 0.8), (0.35, 0.95))
    water: Colour = colour((0.5, 0.6), (0.05, 0.3), (0.85, 1.0))

    @property
    def hand(self) -> Colour:
        """The colour of the hands: skin or gloves."""
        return self.glove if self.gloved else self.skin


@dataclass(frozen=True)
class _Paint:
    first: Colour = colour(ANY_HUE, (0.3, 0.95), (0.35, 0.95))
    second: Colour = colour(ANY_HUE, (0.0, 0.9), (0.3, 0.95))
    third: Colour = colour(ANY_HUE, (0.2, 0.9), (0.4, 0.95))


def draw_look(seed: int, kitchen: int) -> Look:
    """The look of a kitchen."""
    order = generator(seed, kitchen, 0, "bays").permutation(len(BAYS))
    paint = draw_factors(_Paint, seed, kitchen, 0)
    return draw_factors(
        Look,
        seed,
        kitchen,
        0,
        bays=tuple(BAYS[int(i)] for i in order),
        utensil_colours=(paint.first, paint.second, paint.third),
    )


def bay_centre(bay: int) -> float:
    """Where the middle of a place is along the wall."""
    return BAY_WIDTH * (bay + 0.5)
