"""The regression check: ratios measured anew against the stored ones, never seconds."""

from collections.abc import Sequence
from dataclasses import dataclass

from benchmarks.record import Record

TOLERANCE = 0.2
"""The share by which a ratio may be worse than the stored one: what two runs on a shared machine differ by."""


@dataclass(frozen=True)
class Fall:
    """A ratio that is worse than it was."""

    now: Record
    stored: Record

    def __str__(self) -> str:
        return f"{self.now.name}: {self.now.value.middle:.3g}, and {self.stored.value.middle:.3g} is stored ({self.now.detail})"


def fallen(now: Sequence[Record], stored: Sequence[Record], tolerance: float = TOLERANCE) -> list[Fall]:
    """The ratios that are worse than the stored ones by more than the tolerance; what is in one of the two alone is not asked."""
    before = {record.name: record for record in stored}
    pairs = [Fall(record, before[record.name]) for record in now if record.name in before]
    return [pair for pair in pairs if pair.now.is_ratio and _worse(pair, tolerance)]


def _worse(pair: Fall, tolerance: float) -> bool:
    now, stored = pair.now.value.middle, pair.stored.value.middle
    return now < stored * (1 - tolerance) if pair.stored.more_is_better else now > stored * (1 + tolerance)
