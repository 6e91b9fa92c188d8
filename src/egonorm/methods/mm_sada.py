"""MM-SADA: self-supervised synchronisation and adversarial alignment together, in its two stages."""

from dataclasses import dataclass, field
from typing import ClassVar

from egonorm.core import Seen, Terms
from egonorm.methods.base import Method
from egonorm.methods.grl import Grl
from egonorm.methods.ss import Ss
from egonorm.nets.net import Net


@dataclass(frozen=True)
class MmSada(Method):
    """MM-SADA (Munro and Damen, CVPR 2020): `Ss` from the beginning, joined by `Grl` after a third of the training.

    Both stages are one run here: the first third of the steps is its first stage (3000 steps, learning rate 0.01), the rest its
    second (6000 steps, 0.001; momentum is kept, where the reference code starts anew). The paper has it in Table 2.
    """

    target_use: ClassVar[frozenset[str]] = frozenset({"training"})
    target_needed: ClassVar[bool] = True
    min_modalities: ClassVar[int] = 2

    ss: Ss = field(default_factory=Ss)
    """The synchronisation."""
    grl: Grl = field(default_factory=Grl)
    """The adversarial alignment."""

    def prepare(self, net: Net) -> None:
        """Add what both learn."""
        self.ss.prepare(net)
        self.grl.prepare(net)

    def terms(self, seen: Seen, net: Net) -> Terms:
        """The terms of both."""
        return self.ss.terms(seen, net) | self.grl.terms(seen, net)
