"""Which actions happen when: the counts of a kitchen, its videos, and the acts of a video with pauses between them."""

from dataclasses import dataclass

import numpy as np

from egonorm.data.manifest import Clip
from egonorm.data.sets.synthetic.factors import generator
from egonorm.data.sets.synthetic.looks import Look, draw_look
from egonorm.data.sets.synthetic.verbs import CLASSES, Act, draw_act

FRAME_RATE = 30
ACTIONS = 8
"""About how many actions a video holds."""
LEAST = {"train": 2, "test": 1}
"""How many clips of every class a split holds at least."""
EPIC_COUNTS = {
    "train": (
        (421, 383, 231, 128, 223, 71, 42, 44),
        (715, 692, 245, 214, 298, 89, 113, 129),
        (919, 1121, 450, 367, 808, 110, 53, 69),
    ),
    "test": (
        (124, 104, 52, 34, 66, 13, 20, 22),
        (208, 217, 68, 56, 136, 14, 26, 25),
        (241, 280, 102, 71, 245, 29, 1, 5),
    ),
}
"""Actions of every class in EPIC's D1, D2 and D3, whose proportions are kept; further kitchens begin again with D1."""


@dataclass(frozen=True)
class KitchenVideo:
    """One video to be rendered: acts[i] begins at frame starts[i]; the last frame is number `frames` - 1."""

    name: str
    kitchen: int
    split: str
    look: Look
    address: tuple[int, int, int]  # seed, kitchen, video
    acts: tuple[Act, ...]
    starts: tuple[int, ...]
    frames: int

    @property
    def media(self) -> str:
        """The file's name below the root."""
        return f"D{self.kitchen}/{self.name}.mp4"

    def stops(self) -> tuple[int, ...]:
        """The frame after the last of every act."""
        return tuple(start + round(act.seconds * FRAME_RATE) for start, act in zip(self.starts, self.acts, strict=True))

    def clips(self) -> list[Clip]:
        """The lines of the manifest."""
        return [
            Clip(
                f"{self.name}_{number}",
                self.media,
                start / FRAME_RATE,
                stop / FRAME_RATE,
                act.verb,
                f"D{self.kitchen}",
                self.split,
            )
            for number, (act, start, stop) in enumerate(zip(self.acts, self.starts, self.stops(), strict=True))
        ]


def counts(kitchen: int, split: str, clips: int) -> dict[str, int]:
    """How many clips of every class a split of a kitchen has, of `clips` in both splits together."""
    test = max(round(clips / 4), LEAST["test"] * len(CLASSES))
    total = test if split == "test" else clips - test
    rows = EPIC_COUNTS[split]
    row = np.array(rows[(kitchen - 1) % len(rows)])
    share = total * row / row.sum()
    numbers = np.maximum(np.floor(share), LEAST[split]).astype(int)
    while (missing := total - int(numbers.sum())) != 0:
        step = 1 if missing > 0 else -1
        numbers[np.argmax(np.where(numbers + step >= LEAST[split], step * (share - numbers), -np.inf))] += step
    return {name: int(number) for name, number in zip(CLASSES, numbers, strict=True)}


def plan_videos(seed: int, kitchen: int, clips: int) -> list[KitchenVideo]:
    """The videos of a kitchen, those for training first."""
    look, first = draw_look(seed, kitchen), 1
    videos: list[KitchenVideo] = []
    for split in ("train", "test"):
        verbs = [verb for verb, number in counts(kitchen, split, clips).items() for _ in range(number)]
        order = generator(seed, kitchen, 0, f"order of {split}").permutation(len(verbs))
        for number, part in enumerate(np.array_split(order, -(-len(verbs) // ACTIONS))):
            name = f"D{kitchen}_{split}_{number:02d}"
            verbs_here = [verbs[int(index)] for index in part]
            videos.append(_video(name, split, look, (seed, kitchen, len(videos)), verbs_here, first))
            first += len(part)
    return videos


def _video(
    name: str, split: str, look: Look, address: tuple[int, int, int], verbs: list[str], first: int
) -> KitchenVideo:
    rng = generator(*address, "pauses")
    starts, frame, bay = [], _pause(rng, 0), -1
    acts: list[Act] = []
    for clip, verb in enumerate(verbs, first):
        act = draw_act(verb, look, (*address[:2], clip), bay)
        frame += _pause(rng, abs(act.bay - bay)) if acts else 0
        acts.append(act)
        starts.append(frame)
        frame, bay = frame + round(act.seconds * FRAME_RATE), act.bay
    frames = frame + _pause(rng, 0)
    return KitchenVideo(name, address[1], split, look, address, tuple(acts), tuple(starts), frames)


def _pause(rng: np.random.Generator, bays: int) -> int:
    """Frames of an idle stretch in which the camera passes that many places."""
    return round(FRAME_RATE * (float(rng.uniform(0.3, 0.6)) + 0.07 * bays))
