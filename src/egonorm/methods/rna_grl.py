"""RNA-Net+GRL: relative norm alignment between the modalities and adversarial alignment between the domains."""

from dataclasses import dataclass, field
from typing import ClassVar

from egonorm.core import Seen, Terms
from egonorm.methods.base import Method
from egonorm.methods.grl import Grl
from egonorm.methods.rna import Rna
from egonorm.nets.net import Net


@dataclass(frozen=True)
class RnaGrl(Method):
    """RNA-Net+GRL: the paper's best system in UDA (arXiv 2106.01689, Table 2, last row).

    The paper adds the adversarial loss to RNA-Net and says no more; here `Rna` and `Grl` side by side, each as it is alone.
    """

    target_use: ClassVar[frozenset[str]] = frozenset({"training"})
    target_needed: ClassVar[bool] = True
    min_modalities: ClassVar[int] = 2

    rna: Rna = field(default_factory=Rna)
    """The alignment of norms."""
    grl: Grl = field(default_factory=Grl)
    """The adversarial alignment."""

    def prepare(self, net: Net) -> None:
        """Add the discriminators."""
        self.grl.prepare(net)

    def terms(self, seen: Seen, net: Net) -> Terms:
        """The terms of both."""
        return self.rna.terms(seen, net) | self.grl.terms(seen, net)
