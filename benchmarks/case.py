"""What a case is: a function from the bench to records, listed here under its name by `@case`."""

import importlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from benchmarks.families import FAMILIES
from benchmarks.peers import Peers
from benchmarks.record import Record


@dataclass(frozen=True)
class Bench:
    """What every case is given."""

    peers: Peers
    work: Path
    """A folder for media, which are made once."""
    repeats: int = 5
    threads: int = 2
    """Threads of the networks and of the matrix product that is their limit."""


@dataclass(frozen=True)
class Case:
    """A case: its name, how to measure it, and when it is wanted."""

    name: str
    measure: Callable[[Bench], Iterable[Record]]
    quick: bool
    """Whether `make bench-check` measures it."""
    long: bool
    """Whether it takes minutes, and is measured only with `--long`."""


_FOUND: dict[str, Case] = {}


def case(*, quick: bool = False, long: bool = False) -> Callable:
    """List a function as a case; its name is the function's, with dashes."""

    def listed(measure: Callable[[Bench], Iterable[Record]]) -> Callable[[Bench], Iterable[Record]]:
        name = measure.__name__.replace("_", "-")
        _FOUND[name] = Case(name, measure, quick, long)
        return measure

    return listed


def all_cases() -> dict[str, Case]:
    """Every case of this folder by name, in the order of the families."""
    for family in FAMILIES:
        importlib.import_module(f"benchmarks.families.{family}")
    return dict(_FOUND)
