"""MMD: each modality's features of the sources and of the target shall be distributed alike."""

from dataclasses import dataclass
from functools import reduce
from operator import add
from typing import ClassVar

from egonorm.core import Seen, Terms
from egonorm.losses import squared_mmd
from egonorm.methods.base import Method
from egonorm.nets.net import Net


@dataclass(frozen=True)
class Mmd(Method):
    """MMD: the squared maximum mean discrepancy between source and target features (arXiv 2106.01689, Table 2).

    The paper names it and no more; twelve Gaussian kernels, the biased estimate, the sum over modalities, the weight (0.2 against
    0.2 for the class loss, here 1 against 1) and the begin after a third of the steps are MM-SADA's (Munro and Damen, CVPR
    2020, `model.py`). Each source is compared with the target on its own; the terms are summed.
    """

    target_use: ClassVar[frozenset[str]] = frozenset({"training"})
    target_needed: ClassVar[bool] = True

    weight: float = 1.0
    """Weight of the discrepancy."""
    begin: float = 1 / 3
    """Share of the training after which it begins; until then the term is 0."""

    def terms(self, seen: Seen, net: Net) -> Terms:
        """One term: the sum over the modalities and the pairs of a source and the target."""
        sources = [view.features for view in seen.views if view.labels is not None]
        targets = [view.features for view in seen.views if view.labels is None]
        losses = [squared_mmd(s[m], t[m]) for s in sources for t in targets for m in s]
        return {"mmd": (self.weight if seen.progress > self.begin else 0.0) * reduce(add, losses)}
