"""Convolutions of few clips on a CPU, by the routine that many take."""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

MANY = 16
"""From so many clips on torch always asks oneDNN."""


def convolve(x: Tensor, conv: nn.Conv2d | nn.Conv3d, padding: tuple[int, ...] | list[int]) -> Tensor:
    """The convolution with this padding.

    By rules of thumb torch hands small float32 convolutions on CPUs to routines of its own instead of oneDNN: those of one clip,
    and on one thread those of 1 x 1 kernels. They are slower, and so is what comes next, for they answer in another order of
    memory.
    """
    few = len(x) < MANY and x.device.type == "cpu" and x.dtype == torch.float32
    if few and torch.backends.mkldnn.is_available() and not torch.is_autocast_enabled("cpu"):
        return torch.mkldnn_convolution(x, conv.weight, conv.bias, padding, conv.stride, conv.dilation, conv.groups)
    function = F.conv2d if x.dim() == 4 else F.conv3d
    return function(x, conv.weight, conv.bias, conv.stride, padding, conv.dilation, conv.groups)
