"""What methods add to a network: two layers that tell two things apart, and a batch norm on features."""

from torch import Tensor, nn

from egonorm.core import RunError

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
            raise RunError("A batch of one clip cannot be normalised.", got="a batch of 1", expected="2 or more",
                           remedy="Correct --batch.")  # fmt: skip
        return super().forward(x)
