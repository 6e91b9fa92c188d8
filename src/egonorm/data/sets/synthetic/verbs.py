"""The eight verbs with EPIC's ids, and an act: one verb as it is done once, with everything about it that varies."""

from dataclasses import dataclass
from typing import Any

from egonorm.data.sets.synthetic.factors import between, draw_factors, generator, one_of
from egonorm.data.sets.synthetic.looks import Look

CLASSES = ("take", "put", "open", "close", "wash", "cut", "mix", "pour")
PLACES = {"open": ("cupboard",), "close": ("cupboard",), "wash": ("sink",), "cut": ("board",), "mix": ("hob",)}
"""Where a verb is done; the others are done at any counter."""
WORK = (0.15, 0.9)
"""The part of a repeated action, as progress, in which the hands have arrived and not yet left."""
RATES = {"wash": (1.8, 3.2), "cut": (2.8, 5.0), "mix": (1.3, 2.4)}
"""Rubs, strokes and turns a second."""


@dataclass(frozen=True)
class Act:
    """One action of a video. Lengths are in heights of the picture.

    A phase runs from 0 to 1 over the action; its progress, which says how far the action has come, is the phase warped
    by `timing`, so that no two actions have their events at the same phase.
    """

    verb: str
    bay: int  # its place, a number into the kitchen's bays
    side: int  # 1: the right hand acts, -1: the left
    seconds: float
    cycles: int  # how often a repeated motion is repeated
    hinge: int  # the side on which the kitchen's doors hang
    address: tuple[int, int, int]  # seed, kitchen, clip
    timing: float = between(0.8, 1.25)  # below 1 the beginning is hurried, above 1 the end
    x: float = between(-0.16, 0.16)  # from the middle of the place
    y: float = between(0.52, 0.68)  # where things stand
    amplitude: float = between(0.8, 1.25)
    lean: float = between(-0.35, 0.35)  # tilt of what is held, radians
    turn: int = one_of(-1, 1)  # sense of stirring
    utensil: int = one_of(0, 1, 2)  # which of the kitchen's
    level: float = between(0.7, 1.3)  # loudness
    pitch: float = between(0.9, 1.1)  # of its resonances
    clink: float = between(0.0, 1.0)  # taking and putting clink if it is above 0.6

    @property
    def contacts(self) -> tuple[float, ...]:
        """The progress at which a repeated motion touches: the knife the board, the spoon the rim."""
        start, stop = WORK
        return tuple(start + (stop - start) * count / self.cycles for count in range(1, self.cycles + 1))

    def cycle(self, progress: float | int) -> float:
        """How many repetitions have been done."""
        start, stop = WORK
        return self.cycles * min(max((progress - start) / (stop - start), 0.0), 1.0)

    def progress(self, phase: Any) -> Any:
        """How far the action has come at a phase, or at an array of phases."""
        return phase**self.timing

    def phase(self, progress: float) -> float:
        """The phase at which the action has come so far."""
        return progress ** (1 / self.timing)


def draw_act(verb: str, look: Look, address: tuple[int, int, int], previous_bay: int) -> Act:
    """An act of a clip; it avoids the place of the act before it where it can."""
    rng = generator(*address, "act")
    places = PLACES.get(verb, ("counter",))
    bays = [bay for bay, kind in enumerate(look.bays) if kind in places]
    bays = [bay for bay in bays if bay != previous_bay] or bays
    bay = bays[int(rng.integers(len(bays)))]
    side = 1 if rng.random() < look.right_handed else -1
    seconds = round(30 * float(min(max(1.7 * rng.lognormal(0, 0.32), 1.2), 3.5))) / 30
    cycles = max(round(seconds * (WORK[1] - WORK[0]) * float(rng.uniform(*RATES.get(verb, (1, 1))))), 2)
    return draw_factors(
        Act, *address, verb=verb, bay=bay, side=side, seconds=seconds, cycles=cycles, hinge=look.hinge, address=address
    )
