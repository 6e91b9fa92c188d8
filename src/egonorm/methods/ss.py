"""SS: self-supervision by synchronisation, telling whether the modalities of a clip belong together."""

from dataclasses import dataclass
from functools import reduce
from operator import add
from typing import ClassVar, Literal

import torch
from torch.nn.functional import cross_entropy

from egonorm.core import RunError, Seen, Terms
from egonorm.losses import mix_up_half
from egonorm.methods.base import Method, num_labelled
from egonorm.nets.layers import binary_head
from egonorm.nets.net import Net


@dataclass(frozen=True)
class Ss(Method):
    """SS: a head on all features tells clips that keep their pair from clips that were given another's (arXiv 2106.01689).

    The paper takes it from MM-SADA (Munro and Damen, CVPR 2020): half of each domain's clips keep their pair, the other half get
    the second modality of another clip, and the class loss is that of the half that keeps its pair. MM-SADA mixes the inputs;
    here the features are mixed, which is the same, as a stream never sees the other. There one mean runs over the clips of all
    domains; so it does here. Its weight is 5 against 1 for the class loss, in its second stage 1 against 0.2; where several
    sources each have a class loss, which add up, it counts as often. With target clips
    in training (UDA) they take part, else the sources alone do (DG).
    """

    target_use: ClassVar[frozenset[str]] = frozenset({"training"})
    min_modalities: ClassVar[int] = 2

    weight: float = 5.0
    """Weight of the correspondence loss, the class loss having 1."""
    class_on: Literal["paired", "all"] = "paired"
    """Whose class loss counts: that of the clips which keep their pair (MM-SADA), or all of them, by their true pairs."""

    def prepare(self, net: Net) -> None:
        """Add the correspondence head."""
        net.extra["correspondence"] = binary_head(sum(net.num_features.values()))

    def terms(self, seen: Seen, net: Net) -> Terms:
        """The correspondence loss, and the class loss of the clips that keep their pair in place of the usual one."""
        if (fewest := min(len(view.logits) for view in seen.views)) < 3:
            raise RunError(
                "Too few clips to mix pairs.",
                got=f"a batch of {fewest}",
                expected="3 clips a domain or more",
                remedy="Correct --batch.",
            )
        mixed = [mix_up_half(view.features) for view in seen.views]
        logits = [net.extra["correspondence"](torch.cat(list(features.values()), dim=1)) for features, _ in mixed]
        loss = cross_entropy(torch.cat(logits), torch.cat([paired for _, paired in mixed]).long())
        terms = {"correspondence": num_labelled(seen) * self.weight * loss}
        if self.class_on == "paired":
            labelled = [
                (view.logits[paired], view.labels[paired])
                for view, (_, paired) in zip(seen.views, mixed, strict=True)
                if view.labels is not None
            ]
            terms["class"] = reduce(add, (cross_entropy(logits, labels) for logits, labels in labelled))
        return terms
