"""How the modalities' features become one decision: summed logits (late) or concatenated features (mid-level)."""

from collections.abc import Mapping
from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor, nn

Fusion = Literal["sum", "concat"]
Features = Mapping[str, Float[Tensor, "clip _"]]
Logits = Float[Tensor, "clip label"]


class SumFusion(nn.Module):
    """One linear classifier per modality; the logits are summed (RNA-Net, Section 5.1, late fusion)."""

    def __init__(self, num_features: Mapping[str, int], num_classes: int, dropout: float):
        super().__init__()
        self.dropout = nn.Dropout(dropout)
        self.classifiers = nn.ModuleDict({m: _linear(size, num_classes) for m, size in num_features.items()})

    def forward(self, features: Features) -> Logits:
        """The fused logits."""
        return torch.stack(list(self.classify_each(features).values())).sum(dim=0)

    def classify_each(self, features: Features) -> dict[str, Logits]:
        """Each modality's own logits."""
        return {m: classifier(self.dropout(features[m])) for m, classifier in self.classifiers.items()}


class ConcatFusion(nn.Module):
    """The features side by side through a hidden layer of 512 (Temporal Binding Network's fusion; the paper's mid-level).

    A single modality is judged with the others' features set to zero.
    """

    def __init__(self, num_features: Mapping[str, int], num_classes: int, dropout: float, hidden: int = 512):
        super().__init__()
        self.hidden = _linear(sum(num_features.values()), hidden)
        self.dropout = nn.Dropout(dropout)
        self.classifier = _linear(hidden, num_classes)

    def forward(self, features: Features) -> Logits:
        """The fused logits."""
        return self.classifier(self.dropout(self.hidden(torch.cat(list(features.values()), dim=1)).relu()))

    def classify_each(self, features: Features) -> dict[str, Logits]:
        """The logits that each modality gives alone."""
        return {m: self({k: x if k == m else torch.zeros_like(x) for k, x in features.items()}) for m in features}


def make_fusion(
    fusion: Fusion, num_features: Mapping[str, int], num_classes: int, dropout: float
) -> SumFusion | ConcatFusion:
    """The fusion of a name."""
    kind = SumFusion if fusion == "sum" else ConcatFusion
    return kind(num_features, num_classes, dropout)


def _linear(num_inputs: int, num_outputs: int) -> nn.Linear:
    """A layer of truncated normal weights, standard deviation 1/sqrt(inputs): 1/32 at 1024, as the authors' I3D head."""
    layer = nn.Linear(num_inputs, num_outputs)
    std = num_inputs**-0.5
    nn.init.trunc_normal_(layer.weight, std=std, a=-2 * std, b=2 * std)
    nn.init.zeros_(layer.bias)
    return layer
