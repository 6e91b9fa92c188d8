"""What several networks share: normalised pictures, widths, convolutions of few clips on a CPU, heads and feature norms."""

from collections.abc import Sequence

import torch
from jaxtyping import Float, UInt8
from torch import Tensor, nn
from torch.nn import functional as F

from egonorm.core import RunError


def scaled(channels: int, width: float) -> int:
    """`channels` times `width`, to a multiple of 4, at least 4."""
    return max(4, 4 * round(channels * width / 4))


ONEDNN_FROM = 16
"""From so many clips on torch always asks oneDNN."""


def convolve(x: Tensor, conv: nn.Conv2d | nn.Conv3d, padding: tuple[int, ...] | list[int]) -> Tensor:
    """The convolution with this padding.

    By rules of thumb torch hands small float32 convolutions on CPUs to routines of its own instead of oneDNN: those of one clip,
    and on one thread those of 1 x 1 kernels. They are slower, and so is what comes next, for they answer in another order of
    memory.
    """
    few = len(x) < ONEDNN_FROM and x.device.type == "cpu" and x.dtype == torch.float32
    if few and torch.backends.mkldnn.is_available() and not torch.is_autocast_enabled("cpu"):
        return torch.mkldnn_convolution(x, conv.weight, conv.bias, padding, conv.stride, conv.dilation, conv.groups)
    function = F.conv2d if x.dim() == 4 else F.conv3d
    return function(x, conv.weight, conv.bias, conv.stride, padding, conv.dilation, conv.groups)


HIDDEN = 100


def binary_head(num_features: int) -> nn.Sequential:
    """`num_features` -> 100 -> ReLU -> 2 logits, weights from a truncated normal of 0.1, no biases at the start.

    MM-SADA's domain classifiers and correspondence head (Munro and Damen, CVPR 2020, `arch.py`).
    """
    return nn.Sequential(_linear(num_features, HIDDEN), nn.ReLU(), _linear(HIDDEN, 2))


def _linear(num_inputs: int, num_outputs: int) -> nn.Linear:
    layer = nn.Linear(num_inputs, num_outputs)
    nn.init.trunc_normal_(layer.weight, std=0.1, a=-0.2, b=0.2)
    nn.init.zeros_(layer.bias)
    return layer


class FeatureNorm(nn.BatchNorm1d):
    """Batch norm on the features of one modality."""

    def forward(self, x: Tensor) -> Tensor:
        """Normalise. RunError for training on a single clip, whose features have no variance."""
        if self.training and len(x) == 1:
            raise RunError(
                "A batch of one clip cannot be normalised.",
                got="a batch of 1",
                expected="2 or more",
                remedy="Correct --batch.",
            )
        return super().forward(x)


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
