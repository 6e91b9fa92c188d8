"""BN-Inception as an encoder of spectrograms (or images): one feature vector a clip."""

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

from egonorm.core.errors import DataError
from egonorm.nets.layers import convolve, scaled

_BLOCKS = {
    "3a": (64, 64, 64, 64, 96, 96, 32),
    "3b": (64, 64, 96, 64, 96, 96, 64),
    "3c": (0, 128, 160, 64, 96, 96, 0),
    "4a": (224, 64, 96, 96, 128, 128, 128),
    "4b": (192, 96, 128, 96, 128, 128, 128),
    "4c": (160, 128, 160, 128, 160, 160, 128),
    "4d": (96, 128, 192, 160, 192, 192, 128),
    "4e": (0, 128, 192, 192, 256, 256, 0),
    "5a": (352, 192, 320, 160, 224, 224, 128),
    "5b": (352, 192, 320, 192, 224, 224, 128),
}
"""Channels of each block's seven convolutions, in the order of `_KERNELS`; 0 where a halving block has none."""

_KERNELS = {
    "1x1": 1,
    "3x3_reduce": 1,
    "3x3": 3,
    "double_3x3_reduce": 1,
    "double_3x3_1": 3,
    "double_3x3_2": 3,
    "pool_proj": 1,
}
_HALVING = ("3c", "4e")


class BnInception(nn.Module):
    """BN-Inception (Ioffe and Szegedy, ICML 2015) without its classifier; 256 x 256 gives 1024 numbers.

    Module names are those of the published PyTorch weights (github.com/Cadene/pretrained-models.pytorch), so these load
    as they are; the stem with one channel is Temporal Binding Network's. Convolutions have a bias, batch norm eps 1e-5
    and momentum 0.1. For training from scratch the convolutions start from Kaiming's normal distribution (fan in,
    ReLU), their biases from zero.
    """

    name = "bn-inception"
    reads = ("sound",)
    memory_format = torch.channels_last
    norms_follow = True

    def __init__(self, in_channels: int = 1, width: float = 1.0):
        """Build with random weights; `width` multiplies every number of channels (to a multiple of 4, at least 4)."""
        super().__init__()
        stem, middle = _scaled(64, width), _scaled(192, width)
        self._add("conv1_7x7_s2", in_channels, stem, 7, 2)
        self._add("conv2_3x3_reduce", stem, stem, 1)
        self._add("conv2_3x3", stem, middle, 3)
        channels = middle
        for block, plan in _BLOCKS.items():
            channels = self._add_block(block, channels, [_scaled(size, width) for size in plan])
        self.maps = nn.Identity()
        """What is averaged passes here: `clip channel frequency time`."""
        self.num_features = channels
        """Length of the feature vector: 1024 at width 1."""

    def forward(self, x: Float[Tensor, "clip channel frequency time"]) -> Float[Tensor, "clip feature"]:
        """The mean over frequency and time of the last block, the feature whose norm RNA-Net aligns."""
        _check_size(x)
        x = x.contiguous(memory_format=self.memory_format)
        x = F.max_pool2d(self._unit("conv1_7x7_s2", x), 3, 2, ceil_mode=True)
        x = self._unit("conv2_3x3", self._unit("conv2_3x3_reduce", x))
        x = F.max_pool2d(x, 3, 2, ceil_mode=True)
        for block in _BLOCKS:
            x = self._block(block, x)
        return self.maps(x).mean(dim=(2, 3))

    def _block(self, block: str, x: Tensor) -> Tensor:
        name = f"inception_{block}_"
        single = self._chain(x, name + "3x3_reduce", name + "3x3")
        double = self._chain(x, name + "double_3x3_reduce", name + "double_3x3_1", name + "double_3x3_2")
        if block in _HALVING:
            return torch.cat([single, double, F.max_pool2d(x, 3, 2, ceil_mode=True)], dim=1)
        pooled = F.max_pool2d(x, 3, 1, padding=1) if block == "5b" else F.avg_pool2d(x, 3, 1, padding=1)
        return torch.cat([self._unit(name + "1x1", x), single, double, self._unit(name + "pool_proj", pooled)], dim=1)

    def _chain(self, x: Tensor, *names: str) -> Tensor:
        for name in names:
            x = self._unit(name, x)
        return x

    def _unit(self, name: str, x: Tensor) -> Tensor:
        conv = getattr(self, name)
        x = convolve(x, conv, conv.padding)
        return F.relu(getattr(self, name + "_bn")(x), inplace=True)

    def _add_block(self, block: str, in_channels: int, sizes: list[int]) -> int:
        """Add a block's convolutions; the answer is how many channels leave it."""
        first, single_in, single, double_in, double_middle, double, pooled = sizes
        inputs = (in_channels, in_channels, single_in, in_channels, double_in, double_middle, in_channels)
        for (unit, kernel), inner, outer in zip(_KERNELS.items(), inputs, sizes, strict=True):
            if outer:
                stride = 2 if block in _HALVING and unit in ("3x3", "double_3x3_2") else 1
                self._add(f"inception_{block}_{unit}", inner, outer, kernel, stride)
        return first + single + double + (in_channels if block in _HALVING else pooled)

    def _add(self, name: str, in_channels: int, out_channels: int, kernel: int, stride: int = 1):
        conv = nn.Conv2d(in_channels, out_channels, kernel, stride, padding=kernel // 2)
        nn.init.kaiming_normal_(conv.weight, mode="fan_in", nonlinearity="relu")
        assert conv.bias is not None
        nn.init.zeros_(conv.bias)
        self.add_module(name, conv)
        self.add_module(name + "_bn", nn.BatchNorm2d(out_channels))


def _check_size(x: Tensor):
    """Refuse sizes that are odd in 3c or 4e, where convolutions round up and pools down, and cannot be joined."""
    if any((size + 1) // 8 % 4 or size < 31 for size in x.shape[-2:]):
        raise DataError(
            "the size of BnInception's input",
            got=f"{x.shape[-2]} x {x.shape[-1]}",
            expected="multiples of 32 (or up to 6 more, or 1 less)",
            remedy="change the spectrogram's num_fft or seconds, or pad or crop it",
        )


def _scaled(channels: int, width: float) -> int:
    return scaled(channels, width) if channels else 0


ENCODER = BnInception
