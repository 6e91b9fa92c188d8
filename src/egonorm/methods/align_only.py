"""Align. Only: the modalities' features of a clip shall point the same way."""

from dataclasses import dataclass
from functools import reduce
from operator import add
from typing import ClassVar

from egonorm.core import Seen, Terms
from egonorm.losses import cosine_distance
from egonorm.methods.base import Method, need_equal_sizes
from egonorm.nets.net import Net


@dataclass(frozen=True)
class AlignOnly(Method):
    """Align. Only: `1 - cos(f_v, f_a)` on the sources' clips (arXiv 2106.01689, Table 1).

    The paper gives no weight and there is no public code of it; 1 here, as for RNA. With more modalities: the mean over pairs.
    """

    min_modalities: ClassVar[int] = 2

    weight: float = 1.0
    """Weight of the angle's term."""

    def prepare(self, net: Net) -> None:
        """Check that the features can be compared."""
        need_equal_sizes(self, net)

    def terms(self, seen: Seen, net: Net) -> Terms:
        """One term: the sum over the domains."""
        return {"alignment": self.weight * reduce(add, (cosine_distance(view.features) for view in seen.views))}
