"""The small networks that methods add: two layers that tell two things apart."""

from torch import nn

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
