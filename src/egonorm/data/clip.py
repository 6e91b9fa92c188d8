"""One clip: which medium, from when to when, what is done there, in which domain and split."""

from dataclasses import dataclass

from egonorm.core import DataError

SPLITS = ("train", "test")
RESERVED = frozenset("/\\+:")
"""What settings and files put between or before domains."""


@dataclass(frozen=True)
class Clip:
    """One action. `start` and `stop` are seconds into the medium, half-open; `media` is a name that readers resolve."""

    uid: str
    media: str
    start: float
    stop: float
    label: str
    domain: str
    split: str

    def __post_init__(self):
        if not 0 <= self.start < self.stop < float("inf"):
            raise DataError(
                f"Clip {self.uid} of {self.media} has no duration.",
                got=f"start {self.start:g}, stop {self.stop:g}",
                expected="0 <= start < stop, in seconds",
                remedy="Correct its times, or remove the clip.",
            )
        if not RESERVED.isdisjoint(self.domain) or self.domain.startswith("."):
            raise DataError(
                f"Clip {self.uid} has a domain whose name cannot be used.",
                got=repr(self.domain),
                expected="a name without / \\ + and :, and no dot in front",
                remedy="Rename the domain: settings and files are named after it.",
            )
        if self.split not in SPLITS:
            raise DataError(
                f"Clip {self.uid} has an unknown split.",
                got=repr(self.split),
                expected=" or ".join(SPLITS),
                remedy="Correct the column split.",
            )
