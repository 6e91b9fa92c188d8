"""Adversarial Only: a discriminator per modality learns to tell the target from the sources, the features to hide it."""

from dataclasses import dataclass
from functools import reduce
from math import exp
from operator import add
from typing import ClassVar

import torch
from torch.nn.functional import cross_entropy

from egonorm.core import Seen, SettingError, Terms
from egonorm.losses import reverse_gradient
from egonorm.methods.base import Method, num_labelled
from egonorm.nets.layers import binary_head
from egonorm.nets.net import Net


@dataclass(frozen=True)
class Grl(Method):
    """Adversarial Only (GRL): domain discriminators behind gradient reversal (arXiv 2106.01689, Table 2).

    The paper refers to Ganin and Lempitsky (ICML 2015) alone; the rest is MM-SADA's second stage (Munro and Damen, CVPR 2020,
    `submit_adversarial.sh`): a discriminator per modality, one mean over the clips of all domains, summed over modalities;
    weight 1 against 0.2 for the class loss (here 5 against 1), reversal 0.2 times `2 / (1 + exp(-10 p)) - 1`. `p` runs from 0 to
    1 in that stage, which begins after a third of the steps as there (3000 of 9000); until then the term is 0. MM-SADA lowers
    the learning rate there by its 0.2 once more; here the run's schedule stands. Several sources are one side, and the term
    counts as often as there are class losses, one a source.
    """

    target_use: ClassVar[frozenset[str]] = frozenset({"training"})
    target_needed: ClassVar[bool] = True

    discriminator: float = 5.0
    """Weight of the discriminators' loss, the class loss having 1."""
    reversal: float = 0.2
    """Factor on the reversed gradient, when it has come to its full strength."""
    begin: float = 1 / 3
    """Share of the training after which it begins."""

    def __post_init__(self):
        if not 0 <= self.begin < 1:
            raise SettingError(
                f"The method {self.name()} cannot begin then.",
                got=f"--begin {self.begin:g}",
                expected="a share of the training, from 0 to below 1",
                remedy="Correct --begin.",
            )

    def prepare(self, net: Net) -> None:
        """Add a discriminator for each modality."""
        for modality, size in net.num_features.items():
            net.extra[f"domain_{modality}"] = binary_head(size)

    def terms(self, seen: Seen, net: Net) -> Terms:
        """One term: the discriminators' loss, summed over the modalities."""
        progress = max(0.0, (seen.progress - self.begin) / (1 - self.begin))
        coefficient = self.reversal * (2 / (1 + exp(-10 * progress)) - 1)
        is_target = torch.cat([torch.full((len(v.logits),), v.labels is None) for v in seen.views]).long()
        losses = []
        for modality in net.num_features:
            features = torch.cat([view.features[modality] for view in seen.views])
            logits = net.extra[f"domain_{modality}"](reverse_gradient(features, coefficient))
            losses.append(cross_entropy(logits, is_target.to(logits.device)))
        weight = num_labelled(seen) * self.discriminator if progress > 0 else 0.0
        return {"adversarial": weight * reduce(add, losses)}
