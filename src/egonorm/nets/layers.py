"""What several networks share: normalised pictures, widths, convolutions on a CPU, heads, feature norms, folded batch norm."""

import copy
import itertools
from collections.abc import Sequence
from typing import TypeVar

import torch
from jaxtyping import Float, UInt8
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.modules.batchnorm import _BatchNorm
from torch.nn.modules.conv import _ConvNd

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


class Standardise(nn.Module):
    """Features minus a mean, times a factor, column by column; as they are until both are set. Neither is learnt."""

    mean: Tensor
    factor: Tensor

    def __init__(self, size: int):
        super().__init__()
        self.register_buffer("mean", torch.zeros(size))
        self.register_buffer("factor", torch.ones(size))

    def set(self, mean: Float[Tensor, " column"], factor: Float[Tensor, " column"]) -> None:
        """From now on take this mean off, and multiply by this factor."""
        self.mean.copy_(mean)
        self.factor.copy_(factor)

    def forward(self, x: Float[Tensor, "clip column"]) -> Float[Tensor, "clip column"]:
        """Columns of a chosen spread around zero."""
        return (x - self.mean) * self.factor


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


Network = TypeVar("Network", bound=nn.Module)


def fuse_bn(net: Network) -> Network:
    """A copy of a network that gives the same features in evaluation with fewer operations, and cannot be trained.

    Folded is what is inside encoders that declare `norms_follow`: there every batch norm that is registered right behind a
    convolution normalises that convolution's output and nothing else. The copy has no such layers any more and its
    convolutions have a bias; all other modules are copied as they are. The network itself is not changed.
    """
    return fuse_bn_in_place(copy.deepcopy(net))


def fuse_bn_in_place(net: Network) -> Network:
    """The same without a copy: the network itself is changed and returned."""
    net.eval().requires_grad_(False)
    for encoder in [module for module in net.modules() if getattr(module, "norms_follow", False)]:
        for parent in encoder.modules():
            _fold_children(parent)
    return net


def _fold_children(parent: nn.Module) -> None:
    children = list(parent.named_children())
    for (_, conv), (name, norm) in itertools.pairwise(children):
        if isinstance(conv, _ConvNd) and isinstance(norm, _BatchNorm) and conv.out_channels == norm.num_features:
            _absorb(conv, norm)
            setattr(parent, name, nn.Identity())


def _absorb(conv: _ConvNd, norm: _BatchNorm) -> None:
    """Make the convolution give what the batch norm makes of its output by the running statistics."""
    scale, shift = _as_scale_and_shift(norm)
    bias = 0.0 if conv.bias is None else conv.bias.double()
    kernel = conv.weight.double() * scale.view(-1, *[1] * (conv.weight.dim() - 1))
    conv.weight = _constant(kernel, conv.weight)
    conv.bias = _constant(bias * scale + shift, conv.weight)


def _as_scale_and_shift(norm: _BatchNorm) -> tuple[Tensor, Tensor]:
    assert norm.running_mean is not None and norm.running_var is not None
    scale = norm.weight.double() * torch.rsqrt(norm.running_var.double() + norm.eps)
    return scale, norm.bias.double() - norm.running_mean.double() * scale


def _constant(values: Tensor, like: Tensor) -> nn.Parameter:
    return nn.Parameter(values.to(like.dtype), requires_grad=False)
