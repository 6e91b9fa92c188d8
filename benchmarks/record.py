"""What a benchmark says: one number with its spread, what it is of, and the goal it is held against."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from statistics import median


@dataclass(frozen=True)
class Spread:
    """The median of what was measured several times, and the extremes."""

    middle: float
    low: float
    high: float

    @staticmethod
    def of(values: Sequence[float]) -> "Spread":
        """The spread of some measurements."""
        return Spread(median(values), min(values), max(values))


@dataclass(frozen=True)
class Goal:
    """A number to reach: from above, or from below where less is better."""

    number: float
    at_least: bool = True

    def met_by(self, value: float) -> bool:
        """Whether a value reaches the goal."""
        return value >= self.number if self.at_least else value <= self.number


def at_least(number: float) -> Goal:
    """More is better."""
    return Goal(number)


def at_most(number: float) -> Goal:
    """Less is better."""
    return Goal(number, at_least=False)


SECONDS, MINUTES, TIMES = "s", "min", "times"


@dataclass(frozen=True)
class Record:
    """One measured number."""

    name: str
    """In lower case with dashes; the same in every run, so that two runs can be compared."""
    what: str
    """The comparison in words: ours against what."""
    value: Spread
    goal: Goal | None = None
    unit: str = TIMES
    """Only `times` mean the same on another machine of the kind."""
    detail: str = ""
    """The absolute numbers behind it."""
    when: str = field(default_factory=lambda: datetime.now(UTC).strftime("%Y-%m-%d %H:%M"))

    @property
    def is_ratio(self) -> bool:
        """Whether the number means the same on another machine of the kind."""
        return self.unit == TIMES

    @property
    def more_is_better(self) -> bool:
        """The direction of what is good."""
        return self.goal is None or self.goal.at_least

    @property
    def met(self) -> bool | None:
        """Whether the goal is met; None where there is none."""
        return None if self.goal is None else self.goal.met_by(self.value.middle)


@dataclass(frozen=True)
class Skipped:
    """A case, or a part of one, that could not be measured."""

    name: str
    why: str


class Skip(Exception):
    """Raised by a case that cannot be measured here; its text says why."""
