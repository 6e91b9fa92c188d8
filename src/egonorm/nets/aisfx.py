"""aiSFX's network as an encoder of log mel bands: one feature vector a clip."""

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

from egonorm.nets.layers import scaled

_CHANNELS = (64, 128, 256, 512)


class Aisfx(nn.Module):
    """The network of aiSFX (Ma and Lerch, ISMIR 2022), trained on sound effects, without its classifiers; it gives 512 numbers.

    Four blocks of two 3 x 3 convolutions, halved between them; the mean over frequency, then the maximum over time. Module
    names are those of the published weights (package aisfx), so these load as they are. They were trained on `LogMel`, laid
    out with time before frequency, which the encoder sees to. For training from scratch the convolutions start from
    Kaiming's normal distribution (fan in, ReLU).
    """

    name = "aisfx"
    reads = ("sound",)
    memory_format = torch.channels_last
    norms_follow = True

    def __init__(self, in_channels: int = 1, width: float = 1.0):
        """Build with random weights; `width` multiplies every number of channels (to a multiple of 4, at least 4)."""
        super().__init__()
        sizes = [in_channels, *(scaled(size, width) for size in _CHANNELS)]
        blocks = {f"conv_block{n}": _Block(*sizes[n - 1 : n + 1]) for n in range(1, len(sizes))}
        self.embedding_net = nn.ModuleDict(blocks)
        self.maps = nn.Identity()
        """What is averaged over frequency passes here: `clip channel frequency time`."""
        self.num_features = sizes[-1]
        """Length of the feature vector: 512 at width 1."""

    def forward(self, x: Float[Tensor, "clip channel frequency time"]) -> Float[Tensor, "clip feature"]:
        """The loudest moment of every channel of the last block."""
        first, *others = self.embedding_net.values()
        x = first(x.contiguous(memory_format=self.memory_format).transpose(2, 3))
        for block in others:
            x = block(F.max_pool2d(x, 2))
        return self.maps(x.transpose(2, 3)).mean(dim=2).amax(dim=2)


class _Block(nn.Module):
    """Two convolutions, each with batch norm and ReLU."""

    def __init__(self, in_channels: int, out_channels: int):
        super().__init__()
        self.conv1, self.bn1 = _conv(in_channels, out_channels), nn.BatchNorm2d(out_channels)
        self.conv2, self.bn2 = _conv(out_channels, out_channels), nn.BatchNorm2d(out_channels)

    def forward(self, x: Tensor) -> Tensor:
        x = F.relu(self.bn1(self.conv1(x)), inplace=True)
        return F.relu(self.bn2(self.conv2(x)), inplace=True)


def _conv(in_channels: int, out_channels: int) -> nn.Conv2d:
    conv = nn.Conv2d(in_channels, out_channels, 3, padding=1, bias=False)
    nn.init.kaiming_normal_(conv.weight, mode="fan_in", nonlinearity="relu")
    return conv


ENCODER = Aisfx
