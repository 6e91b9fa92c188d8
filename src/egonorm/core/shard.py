"""A share of a work that several machines do together."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeVar

from egonorm.core.errors import RunError

Item = TypeVar("Item")


@dataclass(frozen=True)
class Shard:
    """Every `of`-th of the things in a row, from number `number` on (counted from 1)."""

    number: int = 1
    of: int = 1

    def __post_init__(self):
        if not 1 <= self.number <= self.of:
            raise RunError(
                "--shard cannot be used.",
                got=str(self),
                expected="I/N with I from 1 to N",
                remedy="Write for example --shard 1/4.",
            )

    def __str__(self) -> str:
        return f"{self.number}/{self.of}"

    @classmethod
    def parse(cls, text: str) -> "Shard":
        """Read `I/N`."""
        number, _, of = text.partition("/")
        if not number.isdecimal() or not of.isdecimal():
            raise RunError(
                "--shard cannot be read.",
                got=text,
                expected="I/N, two numbers",
                remedy="Write for example --shard 1/4.",
            )
        return cls(int(number), int(of))

    def of_these(self, things: Sequence[Item]) -> Sequence[Item]:
        """The things of a row that are this shard's."""
        return things[self.number - 1 :: self.of]

    def split(self, rank: int, num_ranks: int) -> "Shard":
        """The share of one of several processes that do this shard together."""
        return Shard((self.number - 1) * num_ranks + rank + 1, self.of * num_ranks)
