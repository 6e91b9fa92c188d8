"""Classes that tests name by their path."""

from dataclasses import dataclass
from typing import Literal


class Animal:
    """What the tests ask for."""


@dataclass(frozen=True)
class Cat(Animal):
    """Options of every simple type."""

    weight: float = 4.0
    legs: int = 4
    tame: bool = True
    name: str = "7"
    coat: Literal["short", "long"] = "short"
    tail: float | None = None
    whiskers: tuple[int, ...] = ()


class Open(Animal):
    """Takes any keyword."""

    def __init__(self, **options):
        self.options = options


class Bare(Animal):
    """Takes an option without a type."""

    def __init__(self, size=1):
        self.size = size


class Needy(Animal):
    """Cannot be made without its option."""

    def __init__(self, food: float):
        self.food = food


NUMBER = 3
