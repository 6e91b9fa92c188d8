"""How a run trains and is judged: numbers, no machinery."""

from dataclasses import dataclass
from typing import Literal

Precision = Literal["float32", "bfloat16"]
Average = Literal["softmax", "logits"]
FUSED = "fused"
"""What the decision over all modalities is called, beside the name of each."""


@dataclass(frozen=True)
class Optim:
    """Stochastic gradient descent with momentum, and a learning rate that falls in steps (RNA authors' scripts)."""

    steps: int = 9000
    batch: int = 128
    """Clips of each domain in a step, over all processes."""
    lr: float = 0.01
    milestones: tuple[float, ...] = (1 / 3,)
    """Shares of the steps after which the learning rate is multiplied by `gamma`."""
    gamma: float = 0.1
    momentum: float = 0.9
    weight_decay: float = 1e-7

    def lr_at(self, step: int) -> float:
        """The learning rate of a step, counted from 1."""
        return self.lr * self.gamma ** sum(step > round(share * self.steps) for share in self.milestones)


@dataclass(frozen=True)
class Evaluation:
    """How clips are judged (facts of the paper's protocol: five windows, the last nine checkpoints)."""

    num_windows: int = 5
    """Windows of a clip, evenly spread."""
    average: Average = "softmax"
    """What is averaged over the windows: probabilities (MM-SADA) or logits (the RNA authors' later code)."""
    every: int = 50
    """Steps from one checkpoint to the next."""
    keep: int = 9
    """How many of the last checkpoints are kept and judged."""
