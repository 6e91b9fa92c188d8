"""An input and an encoder as users write them, in a module of their own."""

from dataclasses import dataclass
from random import Random
from typing import ClassVar

import torch
from torch import Tensor, nn

from egonorm.data import Span
from egonorm.nets.layers import to_unit_range


@dataclass(frozen=True)
class Every:
    """Every so many-th pixel of the pictures; nothing is varied."""

    reads: ClassVar[str] = "pictures"
    varies: ClassVar[bool] = False

    span: Span
    pixel: int = 2
    short_side: int = 32

    def augment(self, clip: Tensor, random: Random | None) -> Tensor:
        return clip[:, :, :: self.pixel, :: self.pixel]

    def to_inputs(self, batch: Tensor) -> Tensor:
        return batch


class Colours(nn.Module):
    """The mean colours of a clip's frames, through a layer; ImageNet's mean and deviation."""

    def __init__(self, size: int, activation: str = "relu", scale: float = 1.0):
        super().__init__()
        self.num_features, self.scale = size, scale
        self.layer = nn.Linear(3, size)
        self.activation = getattr(torch, activation)

    def forward(self, pictures: Tensor) -> Tensor:
        x = to_unit_range(pictures, (0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
        return self.activation(self.layer(self.scale * x.mean(dim=(2, 3, 4))))


class Sized(nn.Module):
    """Takes what the stream knows, and nothing else."""

    def __init__(self, in_channels: int, width: float = 1.0):
        super().__init__()
        self.in_channels, self.num_features = in_channels, round(8 * width)


class Shapeless(nn.Module):
    """Does not say how long its feature is."""


class NoInput:
    """Has nothing of an input."""

    reads = "pictures"
