"""HNA: hard norm alignment, every modality's mean feature norm to one number given beforehand."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import reduce
from operator import add
from statistics import fmean
from typing import ClassVar

from egonorm.core import Seen, SettingError, Terms
from egonorm.losses import hard_norm_alignment
from egonorm.methods.base import Method, TrainedRun
from egonorm.methods.source_only import SourceOnly
from egonorm.nets.net import Net

LAST = 0.1
"""The share of Source Only's training, at its end, that R is taken from."""


@dataclass(frozen=True)
class Hna(Method):
    """HNA: pull each modality's mean norm to the constant R (arXiv 2106.01689, Table 3).

    The paper takes R half-way between the two norms that Source Only shows, and prints neither R nor the formula nor the weight.
    The formula is that of the hard variant of adaptive feature norm (`hard_norm_alignment`), and so is the weight. 11 is half-way
    between the norms 6.05 and 15.8 behind the paper's Figure 7. A sweep sets R by its own Source Only runs (`egonorm bench`).
    """

    target_use: ClassVar[frozenset[str]] = frozenset({"training"})
    min_modalities: ClassVar[int] = 2
    from_runs: ClassVar[Mapping[str, Method]] = {"radius": SourceOnly()}

    radius: float = 11.0
    """R, the norm that every modality shall have on average."""
    weight: float = 0.05
    """Weight of the alignment term (Xu et al., ICCV 2019)."""

    def __post_init__(self):
        if not 0 < self.radius < float("inf"):
            raise SettingError(
                f"The method {self.name()} has no radius.",
                got=f"{self.radius:g}",
                expected="a norm above 0",
                remedy="Correct --radius.",
            )

    def resolve(self, runs: Mapping[Method, TrainedRun]) -> "Hna":
        """R half-way between the norms that Source Only came to: the mean over the modalities, the sources and the last steps."""
        norms = runs[self.from_runs["radius"]].norms
        late = norms[-max(1, round(LAST * len(norms))) :]
        return replace(self, radius=round(fmean(norm for step in late for norm in step.values()), 2))

    def terms(self, seen: Seen, net: Net) -> Terms:
        """One term: the sum over the domains and modalities."""
        return {
            "hna": self.weight * reduce(add, (hard_norm_alignment(view.features, self.radius) for view in seen.views))
        }
