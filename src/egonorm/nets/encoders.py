"""Encoders by name: each module of this folder with an `ENCODER` is one, named like the module with dashes."""

import importlib
import pkgutil
from dataclasses import dataclass
from pathlib import Path

from torch import nn

from egonorm.core import WeightsError
from egonorm.nets.weights.load import load_weights


@dataclass(frozen=True)
class Encoder:
    """Which network makes a modality's features."""

    name: str
    """The network, one of `encoder_classes()`."""
    in_channels: int
    width: float = 1.0
    """Factor on every number of channels; 1 is the published network."""
    weights: str | None = None
    """A path or URL of published weights; without them training starts from random ones."""
    sha256: str | None = None
    """Checksum of that file."""

    def build(self, pretrained: bool = True) -> nn.Module:
        """The network, with its weights loaded if `pretrained`. WeightsError for an unknown name or weights that do not fit."""
        known = encoder_classes()
        if self.name not in known:
            raise WeightsError(
                f"There is no encoder {self.name!r}.",
                got=self.name,
                expected=", ".join(known),
                remedy="Choose one of these.",
            )
        encoder = known[self.name](in_channels=self.in_channels, width=self.width)
        if pretrained and self.weights is not None:
            load_weights(encoder, self.weights, self.sha256)
        return encoder


def encoder_classes() -> dict[str, type[nn.Module]]:
    """Every encoder by its name."""
    folder = [str(Path(__file__).parent)]
    modules = [importlib.import_module(f"egonorm.nets.{module.name}") for module in pkgutil.iter_modules(folder)]
    encoders = [module.ENCODER for module in modules if hasattr(module, "ENCODER")]
    return {encoder.name: encoder for encoder in encoders}
