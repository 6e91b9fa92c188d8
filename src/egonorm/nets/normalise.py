"""From bytes of pictures to the floats that a network was trained on; every encoder brings its own of these."""

from collections.abc import Sequence

import torch
from jaxtyping import Float, UInt8
from torch import Tensor

Pictures = UInt8[Tensor, "clip *frame height width channel"] | Float[Tensor, "clip channel *frame height width"]
"""Bytes as they are read, channels last; or floats that somebody has normalised before, channels first."""


def to_signed_range(pictures: Pictures) -> Float[Tensor, "clip channel *frame height width"]:
    """Bytes to [-1, 1], `(x / 255 - 0.5) * 2`; floats stay as they are.

    The channels come first, and stay last in memory, where convolutions want them.
    """
    return pictures if pictures.is_floating_point() else _channels_first(pictures).div_(127.5).sub_(1)


def to_unit_range(
    pictures: Pictures, mean: Sequence[float] = (0.0,), std: Sequence[float] = (1.0,)
) -> Float[Tensor, "clip channel *frame height width"]:
    """Bytes to [0, 1], minus a mean and over a standard deviation of each channel; floats stay as they are.

    The order in memory is that of `to_signed_range`. Networks trained on ImageNet by torchvision and timm usually want mean
    (0.485, 0.456, 0.406) and standard deviation (0.229, 0.224, 0.225).
    """
    if pictures.is_floating_point():
        return pictures
    x = _channels_first(pictures).div_(255)
    shape = (-1, *[1] * (x.dim() - 2))
    return x.sub_(torch.tensor(mean, device=x.device).view(shape)).div_(torch.tensor(std, device=x.device).view(shape))


def _channels_first(pictures: UInt8[Tensor, "clip *frame height width channel"]) -> Tensor:
    return pictures.movedim(-1, 1).float()
