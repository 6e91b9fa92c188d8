"""How a run trains and is judged: numbers, no machinery."""

from dataclasses import dataclass
from typing import Literal

from egonorm.core.errors import RunError

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
    micro_batch: int | None = None
    """Clips of each domain, over all processes, that pass the encoders at a time; the batch at once where None."""

    def __post_init__(self):
        if self.micro_batch is not None and (self.micro_batch < 2 or self.batch % self.micro_batch):
            raise RunError(
                "The batch cannot be taken in such pieces.",
                got=f"--micro-batch {self.micro_batch}, batch {self.batch}",
                expected="2 or more, for batch norm, and a number that divides the batch",
                remedy="Correct --micro-batch or --batch.",
            )

    @property
    def pieces(self) -> int:
        """In how many pieces a batch passes the encoders."""
        return self.batch // (self.micro_batch or self.batch)

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
