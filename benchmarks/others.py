"""Whether the machine was ours alone while something was timed: what other processes used of its processors."""

import os
from dataclasses import dataclass, field
from pathlib import Path

LOUD = 0.1
"""From this share on it is told."""
_STAT = Path("/proc/stat")


@dataclass(frozen=True)
class Usage:
    """Seconds of all processors so far, since the machine started or this program did."""

    passed: float = 0.0
    used: float = 0.0
    """By anyone."""
    ours: float = 0.0
    """By this process and the children it has waited for."""

    @staticmethod
    def now() -> "Usage":
        """What the system tells, or nothing where it does not."""
        if not _STAT.exists():
            return Usage()
        ticks = [int(x) for x in _STAT.read_text().splitlines()[0].split()[1:9]]
        idle = ticks[3] + ticks[4]
        per_second = os.sysconf("SC_CLK_TCK")
        return Usage(sum(ticks) / per_second, (sum(ticks) - idle) / per_second, sum(os.times()[:4]))


@dataclass(frozen=True)
class Watch:
    """From its making on."""

    start: Usage = field(default_factory=Usage.now)

    def others(self) -> float:
        """The share of all processors that others have used since."""
        now = Usage.now()
        passed = now.passed - self.start.passed
        used = (now.used - self.start.used) - (now.ours - self.start.ours)
        return max(0.0, used / passed) if passed > 0 else 0.0

    def told(self) -> str:
        """What to add to a number's detail: nothing on a quiet machine."""
        share = self.others()
        return f"; meanwhile others used {share:.0%} of the processors" if share >= LOUD else ""
