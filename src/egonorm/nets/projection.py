"""A projection as an encoder of features that were computed before: one layer, batch norm, ReLU."""

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

from egonorm.core import RunError


class Projection(nn.Module):
    """What I3D and BN-Inception end in, a convolution with batch norm and ReLU, on a single vector a clip.

    Methods that look at batch norms or at the features' norms so keep their meaning. The layer starts from Kaiming's normal
    distribution (fan in, ReLU) and has no bias, which the batch norm would take away again.
    """

    memory_format = torch.contiguous_format

    def __init__(self, in_channels: int, width: float = 1.0):
        """Build with random weights for vectors of `in_channels` numbers; 1024 times `width` numbers leave it, at least 8."""
        super().__init__()
        self.num_features = max(8, round(1024 * width))
        self.linear = nn.Linear(in_channels, self.num_features, bias=False)
        self.bn = nn.BatchNorm1d(self.num_features)
        nn.init.kaiming_normal_(self.linear.weight, mode="fan_in", nonlinearity="relu")

    def forward(self, x: Float[Tensor, "clip channel"]) -> Float[Tensor, "clip feature"]:
        """The projected feature, whose norm RNA-Net aligns. RunError for training on a batch of one, which has no variance."""
        if self.training and len(x) == 1 and isinstance(self.bn, nn.BatchNorm1d):
            raise RunError("A batch of one feature cannot be normalised.", got="a batch of 1", expected="2 or more",
                           remedy="Correct --batch.")  # fmt: skip
        return F.relu(self.bn(self.linear(x)))


ENCODER = Projection
