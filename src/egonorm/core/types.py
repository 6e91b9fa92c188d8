"""The nouns that travel from data to loss: Setting, Batch, View, Seen and Terms. Frozen, and checked once, when they are made.

A setting is written `FAMILY:SOURCES:TARGET`, the sources joined with `+`: `dgn:D1+D2:D3`. The family is for people and
tables; code asks `target_visible` instead.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from itertools import permutations
from typing import Literal

from jaxtyping import Float, Int
from torch import Tensor

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


@dataclass(frozen=True)
class Shift:
    """From the domains that runs were trained on to one that they are judged on."""

    family: str
    """Of the setting."""
    sources: tuple[str, ...]
    target: str
    """Whose unlabelled clips were shown; where none were, the domain they are judged in."""
    domain: str
    """Where they are judged."""

    @classmethod
    def of(cls, setting: Setting, domain: str) -> "Shift":
        """The shift of runs of a setting that were judged on a domain, perhaps another than the target.

        Runs that never see their target are trained alike for every target: what they give in a domain that they did not
        learn from is one shift, whichever target they were made for.
        """
        unseen = setting.target_visible == "never" and not {domain, setting.target} & set(setting.sources)
        return cls(setting.family, setting.sources, domain if unseen else setting.target, domain)

    @property
    def title(self) -> str:
        """As a person writes it: `D1+D2 → D3`."""
        seen = f" (target {self.target})" if self.domain != self.target and self.is_unseen else ""
        return f"{'+'.join(self.sources)} → {self.domain}{seen}"

    @property
    def is_unseen(self) -> bool:
        """Whether the domain is another than those that labels were learnt in."""
        return self.domain not in self.sources

    @property
    def is_official(self) -> bool:
        """Whether the domain is the one that the setting is about; another may have been judged besides."""
        return self.domain == self.target and self.is_compared

    @property
    def is_compared(self) -> bool:
        """Whether methods are compared here: on a domain without training labels, or, when supervised, on the target."""
        return self.is_unseen or (self.family == "supervised" and self.domain == self.target)


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


Terms = dict[str, Float[Tensor, ""]]
"""Named, weighted scalars; their sum is what training descends."""


def _check_lengths(noun: str, lengths: Mapping[str, int]) -> None:
    if len(set(lengths.values())) != 1:
        raise ValueError(f"A {noun} needs one length for all its parts; got {dict(lengths)}.")


@dataclass(frozen=True)
class Batch:
    """Clips of one domain. `labels is None` means that this setting does not let you see them."""

    domain: str
    uids: tuple[str, ...]
    inputs: Mapping[str, Tensor]
    """Per modality, one row a clip: `clip ...`."""
    labels: Int[Tensor, " clip"] | None

    def __post_init__(self):
        lengths = {"uids": len(self.uids)} | {name: len(x) for name, x in self.inputs.items()}
        if self.labels is not None:
            lengths["labels"] = len(self.labels)
        _check_lengths("Batch", lengths)

    def __len__(self) -> int:
        return len(self.uids)

    def to(self, device) -> "Batch":
        """The same clips on another device."""
        move = lambda x: x.to(device, non_blocking=True)  # noqa: E731
        labels = None if self.labels is None else move(self.labels)
        return Batch(self.domain, self.uids, {name: move(x) for name, x in self.inputs.items()}, labels)

    def pin_memory(self) -> "Batch":
        """The same clips in memory that a GPU reads by itself."""
        labels = None if self.labels is None else self.labels.pin_memory()
        return Batch(self.domain, self.uids, {name: x.pin_memory() for name, x in self.inputs.items()}, labels)

    def unlabelled(self) -> "Batch":
        """The same clips without their labels."""
        return replace(self, labels=None)

    def rows(self, start: int, stop: int) -> "Batch":
        """The clips from `start` up to `stop`."""
        labels = None if self.labels is None else self.labels[start:stop]
        return Batch(self.domain, self.uids[start:stop], {m: x[start:stop] for m, x in self.inputs.items()}, labels)


@dataclass(frozen=True)
class View:
    """What the network makes of one domain's clips: the global batch, gathered from every process."""

    domain: str
    features: Mapping[str, Float[Tensor, "clip feature"]]
    """Per modality, before dropout: what the norms are measured on."""
    logits: Float[Tensor, "clip label"]
    """Fused over the modalities."""
    labels: Int[Tensor, " clip"] | None = None
    single_logits: Mapping[str, Float[Tensor, "clip label"]] | None = None
    """Per modality, what it decides alone; training does not ask for them."""

    def __post_init__(self):
        lengths = {"logits": len(self.logits)} | {name: len(x) for name, x in self.features.items()}
        if self.labels is not None:
            lengths["labels"] = len(self.labels)
        _check_lengths("View", lengths)


@dataclass(frozen=True)
class Seen:
    """All that one training step may look at: one view per domain, and how far the training has come (0 to 1)."""

    views: tuple[View, ...]
    progress: float
