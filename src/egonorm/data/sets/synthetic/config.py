"""What can be chosen about the procedural kitchens, and the description of what that choice amounts to."""

from dataclasses import asdict, dataclass
from typing import Any

from egonorm.core import DataError
from egonorm.data.sets.synthetic.looks import Look, draw_look
from egonorm.data.sets.synthetic.rooms import Room, draw_room
from egonorm.data.sets.synthetic.timeline import LEAST, counts
from egonorm.data.sets.synthetic.verbs import CLASSES

EDITION = 1
"""Raised by every change that alters pictures, sounds, flow or times, so that an old folder is not mixed with a new one."""
LEAST_CLIPS = sum(LEAST.values()) * len(CLASSES)
LEAST_SIZE = 32


@dataclass(frozen=True)
class KitchensConfig:
    """How many kitchens, how many clips in each, which ones (the seed), and how large the pictures are."""

    clips: int = 240
    """Clips per kitchen, a quarter of them for testing; at least 24: two to train on and one to test on of a verb."""
    kitchens: int = 3
    """How many kitchens: D1, D2, D3, ..."""
    seed: int = 0
    """Which kitchens: every random factor is drawn from (seed, kitchen, clip)."""
    size: tuple[int, int] = (240, 320)
    """Height and width of the pictures: even numbers, at least 32."""

    def __post_init__(self):
        if self.clips < LEAST_CLIPS:
            raise DataError("Too few clips per kitchen.", got=self.clips, expected=f"at least {LEAST_CLIPS}",
                            remedy="Two clips for training and one for testing are needed of each verb.")  # fmt: skip
        if self.kitchens < 1:
            raise DataError("Too few kitchens.", got=self.kitchens, expected="at least 1", remedy="Ask for one.")
        if self.seed < 0:
            raise DataError("The seed is negative.", got=self.seed, expected="0 or more", remedy="Choose another seed.")
        if len(self.size) != 2 or any(side < LEAST_SIZE or side % 2 for side in self.size):
            raise DataError("Pictures of this size cannot be rendered.", got=self.size,
                            expected=f"height and width, even numbers of at least {LEAST_SIZE}",
                            remedy="Choose another size, for example (240, 320).")  # fmt: skip


def describe(config: KitchensConfig) -> dict[str, Any]:
    """The content of kitchens.json: the configuration, the classes in EPIC's order, and every kitchen's factors."""
    return {
        "config": {"edition": EDITION, **asdict(config), "size": list(config.size)},
        "classes": list(CLASSES),
        "kitchens": {f"D{kitchen}": _kitchen(config, kitchen) for kitchen in range(1, config.kitchens + 1)},
    }


def _kitchen(config: KitchensConfig, kitchen: int) -> dict[str, Any]:
    look, room = draw_look(config.seed, kitchen), draw_room(config.seed, kitchen)
    return {
        "summary": _summary(look, room),
        "counts": {split: counts(kitchen, split, config.clips) for split in ("train", "test")},
        "look": _rounded(asdict(look)),
        "room": _rounded(asdict(room)),
    }


def _summary(look: Look, room: Room) -> str:
    hands = "gloved" if look.gloved else "bare"
    light = "dim" if look.brightness < 0.78 else "bright" if look.brightness > 0.96 else "evenly lit"
    tint = "warm" if look.warmth > 0.05 else "cold" if look.warmth < -0.05 else "neutral"
    return (
        f"A {light} kitchen in {tint} light: wall {_hex(look.wall)}, counter {_hex(look.counter)}, cupboards "
        f"{_hex(look.cupboard)}; {hands} hands {_hex(look.hand)}, the right one acts in {look.right_handed:.0%} of the "
        f"actions; {', '.join(look.utensils)} and a {look.vessel}. Reverberation {room.reverberation:.2f} s, hum at "
        f"{room.hum:.0f} Hz, a microphone from {room.microphone_low:.0f} to {room.microphone_high:.0f} Hz."
    )


def _hex(colour: tuple[float, float, float]) -> str:
    return "#" + "".join(f"{round(part):02x}" for part in colour)


def _rounded(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _rounded(part) for key, part in value.items()}
    if isinstance(value, list | tuple):
        return [_rounded(part) for part in value]
    return round(value, 5) if isinstance(value, float) else value
