"""HNA: hard norm alignment, every modality's mean feature norm to one number given beforehand."""

from dataclasses import dataclass
from typing import ClassVar

from egonorm.core import Seen, SettingError, Terms
from egonorm.losses import hard_norm_alignment
from egonorm.methods.base import Method
from egonorm.nets.net import Net


@dataclass(frozen=True)
class Hna(Method):
    """HNA: pull each modality's mean norm to the constant R (arXiv 2106.01689, Table 3).

    The paper takes R half-way between the two norms that Source Only shows, and prints neither R nor the formula nor the weight.
    The formula is that of the hard variant of adaptive feature norm (`hard_norm_alignment`), and so is the weight. 11 is half-way
    between the norms 6.05 and 15.8 behind the paper's Figure 7. A sweep sets R by its own Source Only runs (`egonorm bench`).
    """

    target_use: ClassVar[frozenset[str]] = frozenset({"training"})
    min_modalities: ClassVar[int] = 2

    radius: float = 11.0
    """R, the norm that every modality shall have on average."""
    weight: float = 0.05
    """Weight of the alignment term (Xu et al., ICCV 2019)."""

    def prepare(self, net: Net) -> None:
        """Check that the radius can be a norm."""
        if not 0 < self.radius < float("inf"):
            raise SettingError(
                f"The method {self.name()} has no radius.",
                got=f"{self.radius:g}",
                expected="a norm above 0",
                remedy="Correct --radius.",
            )

    def terms(self, seen: Seen, net: Net) -> Terms:
        """One term: the sum over the domains and modalities."""
        return {"hna": self.weight * sum(hard_norm_alignment(view.features, self.radius) for view in seen.views)}
