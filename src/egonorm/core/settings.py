"""Which domains a run learns from, which one judges it, and when the judge's clips may be seen without their labels.

A setting is written `FAMILY:SOURCES:TARGET`, the sources joined with `+`: `dgn:D1+D2:D3`. The family is for people and
tables; code asks `target_visible` instead.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import permutations
from typing import Literal

from egonorm.core.errors import SettingError

Visibility = Literal["never", "training", "test"]

FAMILIES: dict[str, Visibility] = {
    "supervised": "never",
    "dg1": "never",
    "dgn": "never",
    "uda": "training",
    "tta": "test",
}
"""Each family, and when its unlabelled target clips may be seen."""


@dataclass(frozen=True)
class Setting:
    """Train on `sources`, judge on `target`. Equal in every field means the same experiment.

    Raises:
        SettingError: for an unknown family, no or repeated sources, a wrong number of them, or a target among the
            sources (or, when supervised, one that differs from them).
    """

    family: str
    sources: tuple[str, ...]
    target: str

    def __post_init__(self):
        if self.family not in FAMILIES:
            self._refuse(f"the family {self.family!r}", f"one of {', '.join(FAMILIES)}", "Correct the family.")
        if not self.target or not self.sources or not all(self.sources):
            self._refuse(
                f"sources {self.sources}, target {self.target!r}",
                "at least one source and a target",
                "Write FAMILY:SOURCES:TARGET, for example dg1:D1:D2.",
            )
        if len(set(self.sources)) != len(self.sources):
            self._refuse(f"sources {'+'.join(self.sources)}", "each source once", "Remove the repeated source.")
        if self.family == "supervised" and self.sources != (self.target,):
            self._refuse(
                f"sources {'+'.join(self.sources)} and target {self.target}",
                "one domain, in both places",
                f"Write supervised:{self.target}:{self.target}.",
            )
        if self.family != "supervised" and self.target in self.sources:
            self._refuse(
                f"the target {self.target} is also a source",
                "a target that training never saw labelled",
                f"Leave {self.target} out of the sources, or use the family supervised.",
            )
        if self.family == "dg1" and len(self.sources) != 1:
            self._refuse(f"{len(self.sources)} sources", "one source for dg1", "Use the family dgn.")
        if self.family == "dgn" and len(self.sources) < 2:
            self._refuse(f"{len(self.sources)} source", "two or more sources for dgn", "Use the family dg1.")

    def _refuse(self, got: str, expected: str, remedy: str):
        raise SettingError(f"The setting {self} cannot be used.", got=got, expected=expected, remedy=remedy)

    @classmethod
    def parse(cls, text: str) -> "Setting":
        """Read `FAMILY:SOURCES:TARGET`."""
        parts = text.split(":")
        if len(parts) != 3:
            raise SettingError(
                f"The setting {text!r} cannot be read.",
                got=f"{len(parts)} parts between colons",
                expected="three: FAMILY:SOURCES:TARGET",
                remedy="Write for example dg1:D1:D2 or dgn:D1+D2:D3.",
            )
        return cls(parts[0], tuple(parts[1].split("+")), parts[2])

    def __str__(self) -> str:
        return f"{self.family}:{'+'.join(self.sources)}:{self.target}"

    @property
    def domains(self) -> tuple[str, ...]:
        """Every domain that the setting names, each once, sources first."""
        return tuple(dict.fromkeys((*self.sources, self.target)))

    @property
    def target_visible(self) -> Visibility:
        """When unlabelled clips of the target may be seen: never, during training, or at test."""
        return FAMILIES[self.family]

    def check_domains(self, known: Iterable[str]) -> None:
        """Refuse domains that the data does not have."""
        known = tuple(known)
        unknown = [domain for domain in self.domains if domain not in known]
        if unknown:
            self._refuse(
                f"unknown domain {', '.join(unknown)}",
                f"one of {', '.join(known)}",
                "Correct the setting, or add clips of that domain to the data.",
            )


def supervised(domains: Iterable[str]) -> tuple[Setting, ...]:
    """Train and test in the same kitchen (Table 3, the upper bound)."""
    return tuple(Setting("supervised", (d,), d) for d in domains)


def single_source(domains: Iterable[str]) -> tuple[Setting, ...]:
    """Train in one kitchen, test in another (Table 1, left)."""
    return tuple(Setting("dg1", (s,), t) for s, t in permutations(domains, 2))


def multi_source(domains: Iterable[str]) -> tuple[Setting, ...]:
    """Train in all kitchens but one, test in that one (Table 1, right)."""
    domains = tuple(domains)
    return tuple(Setting("dgn", tuple(d for d in domains if d != t), t) for t in domains)


def uda(domains: Iterable[str]) -> tuple[Setting, ...]:
    """Train in one kitchen with unlabelled clips of the other at hand (Table 2)."""
    return tuple(Setting("uda", (s,), t) for s, t in permutations(domains, 2))


def tta(domains: Iterable[str]) -> tuple[Setting, ...]:
    """Train in one kitchen, adapt on the unlabelled clips that are being judged."""
    return tuple(Setting("tta", (s,), t) for s, t in permutations(domains, 2))
