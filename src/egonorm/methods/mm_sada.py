"""MM-SADA: self-supervised synchronisation and adversarial alignment together, in its two stages."""

from dataclasses import dataclass, field
from typing import ClassVar, Literal

from egonorm.core import Seen, Terms
from egonorm.methods.base import Method, class_loss
from egonorm.methods.grl import Grl
from egonorm.methods.ss import Ss
from egonorm.nets.net import Net


@dataclass(frozen=True)
class MmSada(Method):
    """MM-SADA (Munro and Damen, CVPR 2020): `Ss` from the beginning, joined by `Grl` after a third of the training.

    Both stages are one run here: the first third of the steps is its first stage (3000 steps), the rest its second (6000;
    momentum is kept, where the reference code starts anew). The first is at 0.01. Of the second there are three readings, in
    rates of the class loss, the synchronisation and the discriminators, whose weights there are 0.2, 1 and 1:

    - its paper: 0.0002 for the class, which are the scripts' flags: 0.001 times the weights, so 0.0002, 0.001 and 0.001;
    - what ran: the flag never reaches the network, whose own 0.01 stays: 0.002, 0.01 and 0.01;
    - here, as the RNA authors' scripts train every method: 0.001 for the class, 0.005 and 0.005.

    `rates` chooses among them: a factor on all terms of the second stage, given a rate that falls from 0.01 to 0.001 after the
    first third, as that of the paper's preset does. The paper has MM-SADA in Table 2.
    """

    target_use: ClassVar[frozenset[str]] = frozenset({"training"})
    target_needed: ClassVar[bool] = True
    min_modalities: ClassVar[int] = 2

    ss: Ss = field(default_factory=Ss)
    """The synchronisation."""
    grl: Grl = field(default_factory=Grl)
    """The adversarial alignment."""
    rates: Literal["run", "flags", "released"] = "run"
    """The second stage's learning rates: the run's, those that MM-SADA's scripts and paper state, or those that its code had."""

    def prepare(self, net: Net) -> None:
        """Add what both learn."""
        self.ss.prepare(net)
        self.grl.prepare(net)

    def terms(self, seen: Seen, net: Net) -> Terms:
        """The terms of both."""
        terms = self.ss.terms(seen, net) | self.grl.terms(seen, net)
        factor = _FACTORS[self.rates] if seen.progress > self.grl.begin else 1.0
        if factor == 1.0:
            return terms
        if "class" not in terms:
            terms["class"] = class_loss(seen)
        return {name: factor * term for name, term in terms.items()}


_FACTORS = {"run": 1.0, "flags": 0.2, "released": 2.0}
