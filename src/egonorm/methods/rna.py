"""RNA-Net: relative norm alignment between the modalities, in every domain that a step may see."""

from dataclasses import dataclass
from functools import reduce
from operator import add
from typing import ClassVar

from egonorm.core import Seen, Terms
from egonorm.losses import relative_norm_alignment
from egonorm.losses.norm import Form, Numerator
from egonorm.methods.base import Method
from egonorm.nets.net import Net


@dataclass(frozen=True)
class Rna(Method):
    """RNA-Net: balance the modalities' mean feature norms (arXiv 2106.01689, Eq. 3 to 6).

    The paper prints the ratio alone; the authors' code squares its distance from 1, divides the second modality's mean norm
    by the first's, and adds the term of each domain, never mixing them (Eq. 4: the target's unlabelled clips too, where a
    setting shows them in training). So does this code.
    """

    target_use: ClassVar[frozenset[str]] = frozenset({"training"})
    min_modalities: ClassVar[int] = 2

    weight: float = 1.0
    """Weight of the alignment term; 1 in the authors' scripts."""
    numerator: Numerator = "second"
    """Which norm of a pair is divided by the other: second over first (the authors' code) or first over second (Eq. 3)."""
    form: Form = "ratio_of_means"
    """Divide the batch's mean norms, or average the clips' own ratios."""

    def terms(self, seen: Seen, net: Net) -> Terms:
        """One term: the sum of the domains' misalignments."""
        losses = [relative_norm_alignment(view.features, self.numerator, self.form) for view in seen.views]
        return {"rna": self.weight * reduce(add, losses)}
