"""A projection as an encoder of features that were computed before: one layer and ReLU."""

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F


class Projection(nn.Module):
    """One trainable layer on a single vector a clip.

    Nothing in it normalises: a modality whose features are long stays long, which is what methods that look at norms are about.
    (A batch norm would make all modalities equally long at the start.) The layer starts from Kaiming's normal distribution
    (fan in, ReLU), so that lengths come out as they went in but for the ratio of the sizes.
    """

    name = "projection"
    reads = ("features",)
    memory_format = torch.contiguous_format

    def __init__(self, in_channels: int, width: float = 1.0):
        """Build with random weights for vectors of `in_channels` numbers; 1024 times `width` numbers leave it, at least 8."""
        super().__init__()
        self.num_features = max(8, round(1024 * width))
        self.linear = nn.Linear(in_channels, self.num_features)
        nn.init.kaiming_normal_(self.linear.weight, mode="fan_in", nonlinearity="relu")
        nn.init.zeros_(self.linear.bias)

    def forward(self, x: Float[Tensor, "clip channel"]) -> Float[Tensor, "clip feature"]:
        """The projected feature, whose norm RNA-Net aligns."""
        return F.relu(self.linear(x))


ENCODER = Projection
