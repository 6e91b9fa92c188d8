"""The network: an encoder per modality, a neck on each feature, and a fusion that decides."""

from collections.abc import Mapping
from typing import cast

import torch
from jaxtyping import Float
from torch import Tensor, nn

from egonorm.core import View
from egonorm.nets.fusion import Features, Fusion, Logits, make_fusion


class Net(nn.Module):
    """Streams that share nothing but the decision (Planamente et al., Fig. 2).

    Attributes:
        encoders: per modality, from its input to a feature (`encoders.py` says what they get and what they have).
        necks: per modality, what the feature passes next; the identity unless a method puts something there.
        fusion: from features to logits.
        extra: what a method learns besides (discriminators, correspondence heads); empty unless it adds to it.
        always_in_evaluation: names of modules that stay in evaluation when the rest trains.
    """

    def __init__(
        self, encoders: Mapping[str, nn.Module], num_classes: int, fusion: Fusion = "sum", dropout: float = 0.5
    ):
        super().__init__()
        self.num_classes = num_classes
        self.encoders = nn.ModuleDict({m: _laid_out(encoder) for m, encoder in encoders.items()})
        self.necks = nn.ModuleDict({name: nn.Identity() for name in encoders})
        self.fusion = make_fusion(fusion, self.num_features, num_classes, dropout)
        self.extra = nn.ModuleDict()
        self.always_in_evaluation: tuple[str, ...] = ()

    def train(self, mode: bool = True) -> "Net":
        """Training, but for what is always in evaluation; or evaluation."""
        super().train(mode)
        for name in self.always_in_evaluation:
            self.get_submodule(name).eval()
        return self

    @property
    def num_features(self) -> dict[str, int]:
        """Per modality, the size of its feature."""
        return {name: cast(int, encoder.num_features) for name, encoder in self.encoders.items()}

    def features(self, inputs: Mapping[str, Tensor]) -> dict[str, Float[Tensor, "clip _"]]:
        """Per modality, the feature before dropout; float32 where the network computes in less."""
        return self.apply_necks({name: self.encode(name, inputs[name]) for name in self.encoders})

    def apply_necks(self, encoded: Features) -> dict[str, Float[Tensor, "clip _"]]:
        """The features, from what `encode` gave for each modality."""
        found = {name: self.necks[name](x) for name, x in encoded.items()}
        return {name: x.to(torch.promote_types(x.dtype, torch.float32)) for name, x in found.items()}

    def encode(self, name: str, x: Tensor) -> Float[Tensor, "clip feature"]:
        """What one modality's encoder makes of its input."""
        return self.encoders[name](x)

    def forward(self, inputs: Mapping[str, Tensor]) -> View:
        """Features, fused logits and each modality's own; in training each of these logits has dropout of its own."""
        features = self.features(inputs)
        return View("", features, self.classify(features), single_logits=self.classify_each(features))

    def classify(self, features: Features) -> Logits:
        """The fused logits."""
        return self.fusion(features)

    def classify_each(self, features: Features) -> dict[str, Logits]:
        """Per modality, the logits that it gives alone."""
        return self.fusion.classify_each(features)


def _laid_out(encoder: nn.Module) -> nn.Module:
    """The encoder with its weights in the order in memory that it declares, which decides its speed and nothing else."""
    order = getattr(encoder, "memory_format", None)
    return encoder if order is None else encoder.to(memory_format=order)  # type: ignore[call-overload]  # torch declares it for tensors alone
