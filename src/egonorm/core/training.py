"""What a run is beside its data and network: numbers of training and judging, and the seeds of all that is drawn."""

import hashlib
from collections.abc import Collection
from dataclasses import dataclass, field, replace
from functools import cached_property
from math import cos, inf, pi
from typing import Literal

from egonorm.core.errors import RunError

Precision = Literal["float32", "bfloat16"]
WindowAverage = Literal["softmax", "logits"]
OptimizerName = Literal["sgd", "adamw"]
Schedule = Literal["steps", "cosine"]
FUSED = "fused"
"""What the decision over all modalities is called, beside the name of each."""


@dataclass(frozen=True)
class Optim:
    """How the weights descend: an optimiser, a learning rate that follows a schedule, and blocks that learn slower or not at all.

    The defaults are the RNA authors' scripts: stochastic gradient descent with momentum, one fall of the learning rate. A block
    is named as a user names it, `rgb.encoder.mixed_4` (`nets/net.py`); where blocks lie in each other, the smallest decides.
    """

    steps: int = 9000
    batch: int = 128
    """Clips of each domain in a step, over all processes."""
    lr: float = 0.01
    milestones: tuple[float, ...] = (1 / 3,)
    """Shares of the steps after which the learning rate is multiplied by `gamma`, in the schedule of steps."""
    gamma: float = 0.1
    momentum: float = 0.9
    """Of SGD."""
    weight_decay: float = 1e-7
    micro_batch: int | None = None
    """Clips of each domain, over all processes, that pass the encoders at a time; the batch at once where None."""
    optimizer: OptimizerName = "sgd"
    betas: tuple[float, float] = (0.9, 0.999)
    """Of AdamW: how much of the running means of the gradient and of its square a step keeps."""
    schedule: Schedule = "steps"
    warm_up: float = 0.0
    """Steps in which the learning rate rises evenly to the schedule's, or their share of all steps where below 1."""
    lr_factors: dict[str, float] = field(default_factory=dict)
    """By block, what its learning rate is multiplied by."""
    frozen: tuple[str, ...] = ()
    """Blocks that stay as they are, the statistics of their batch norms too."""

    def __post_init__(self):
        # one spelling and one order, so that equal runs have one name
        factors = {name.lower(): float(factor) for name, factor in self.lr_factors.items()}
        if len(factors) < len(self.lr_factors):
            raise _unusable("lr_factor", ", ".join(self.lr_factors), "each block once, whatever its case")
        object.__setattr__(self, "lr_factors", dict(sorted(factors.items())))
        object.__setattr__(self, "frozen", tuple(sorted({name.lower() for name in self.frozen})))
        object.__setattr__(self, "betas", tuple(map(float, self.betas)))
        object.__setattr__(self, "warm_up", float(self.warm_up))
        self._check_numbers()
        self._check_sense()

    def _check_numbers(self) -> None:
        positive = dict.fromkeys(("steps", "batch", "lr"), "more than 0")
        for name, expected in (positive | {"weight_decay": "0 or more"}).items():
            value = getattr(self, name)
            if not (0 < value < inf or (value == 0 and name not in positive)):
                raise _unusable(name, value, expected)
        for name, values in {"momentum": (self.momentum,), "betas": self.betas}.items():
            if not all(0 <= value < 1 for value in values):
                raise _unusable(name, " ".join(map(str, values)), "from 0 to below 1")
        for name, factor in self.lr_factors.items():
            if not 0 < factor < inf:
                raise RunError(
                    "--lr-factor cannot be used.",
                    got=f"{name}={factor}",
                    expected="a factor above 0",
                    remedy=f"Correct it; what shall stay as it is takes --freeze {name}.",
                )
        is_share = 0 <= self.warm_up < 1
        is_number = 1 <= self.warm_up < self.steps and self.warm_up == int(self.warm_up)
        if not (is_share or is_number) or self.warm_up_steps >= self.steps:
            expected = f"a share of the steps, from 0 to below 1, or a whole number of steps below {self.steps}"
            raise _unusable("warm_up", self.warm_up, expected)

    def _check_sense(self) -> None:
        if self.micro_batch is not None and (self.micro_batch < 2 or self.batch % self.micro_batch):
            raise RunError(
                "The batch cannot be taken in such pieces.",
                got=f"--micro-batch {self.micro_batch}, batch {self.batch}",
                expected="2 or more, for batch norm, and a number that divides the batch",
                remedy="Correct --micro-batch or --batch.",
            )
        foreign = {"sgd": "betas", "adamw": "momentum"}[self.optimizer]
        if getattr(self, foreign) != getattr(type(self), foreign):
            raise RunError(
                f"--{foreign} is of no use.",
                got=f"--optimizer {self.optimizer}",
                expected="--momentum with sgd, --betas with adamw",
                remedy=f"Leave out --{foreign}, or choose the other optimizer.",
            )
        if both := sorted(set(self.frozen) & set(self.lr_factors)):
            raise RunError(
                "A block cannot be frozen and learn.",
                got=f"--freeze and --lr-factor for {', '.join(both)}",
                expected="one of the two",
                remedy="Leave out one of them.",
            )

    @property
    def pieces(self) -> int:
        """In how many pieces a batch passes the encoders."""
        return self.batch // (self.micro_batch or self.batch)

    @property
    def warm_up_steps(self) -> int:
        """In how many steps the learning rate rises to the schedule's."""
        return round(self.warm_up * self.steps) if self.warm_up < 1 else int(self.warm_up)

    @property
    def blocks(self) -> tuple[str, ...]:
        """The blocks that have a factor or are frozen."""
        return (*self.lr_factors, *self.frozen)

    def lr_at(self, step: int) -> float:
        """The learning rate of a step, counted from 1, of blocks without a factor.

        At step k of W of the warm-up it is k / W of what the schedule has. The schedule of steps counts from the beginning. The
        cosine is half a wave from the full rate, at the step after the warm-up, towards 0, which the step after the last would
        have (Loshchilov and Hutter, ICLR 2017, Eq. 5, without restarts).
        """
        warm_up = self.warm_up_steps
        if self.schedule == "steps":
            lr = self.lr * self.gamma ** sum(step > round(share * self.steps) for share in self.milestones)
        else:
            progress = max(0, step - 1 - warm_up) / (self.steps - warm_up)
            lr = self.lr * (1 + cos(pi * progress)) / 2
        return lr * step / warm_up if step < warm_up else lr

    def without(self, modalities: Collection[str]) -> "Optim":
        """The same without what concerns the blocks of these modalities: for a network that does not have them."""
        gone = {name.lower() for name in modalities}
        stays = lambda block: block.partition(".")[0] not in gone  # noqa: E731
        factors = {name: factor for name, factor in self.lr_factors.items() if stays(name)}
        return replace(self, lr_factors=factors, frozen=tuple(filter(stays, self.frozen)))

    @cached_property
    def words(self) -> dict[str, str]:
        """What one says of it, by the names here, but for the size and the learning rate that a preset gives."""
        return {
            "optimizer": self.optimizer,
            "momentum": f"momentum {self.momentum:g}",
            "betas": f"betas {self.betas[0]:g} {self.betas[1]:g}",
            "weight_decay": f"weight decay {self.weight_decay:g}",
            "schedule": self.schedule,
            "warm_up": f"warm-up {self.warm_up:g}",
            "lr_factors": ", ".join(f"lr of {name} times {factor:g}" for name, factor in self.lr_factors.items()),
            "frozen": f"frozen {', '.join(self.frozen)}",
        }

    @cached_property
    def unusual(self) -> tuple[str, ...]:
        """In words, what is not as by default."""
        usual = Optim()
        return tuple(text for name, text in self.words.items() if getattr(self, name) != getattr(usual, name))


@dataclass(frozen=True)
class Evaluation:
    """How clips are judged (facts of the paper's protocol: five windows, the last nine checkpoints)."""

    num_windows: int = 5
    """Windows of a clip, evenly spread."""
    average: WindowAverage = "softmax"
    """What is averaged over the windows: probabilities (MM-SADA) or logits (the RNA authors' later code)."""
    every: int = 50
    """Steps from one checkpoint to the next."""
    keep: int = 9
    """How many of the last checkpoints are kept and judged."""


def _unusable(name: str, got: object, expected: str) -> RunError:
    option = f"--{name.replace('_', '-')}"
    return RunError(f"{option} cannot be used.", got=got, expected=expected, remedy=f"Correct {option}.")


def seed_for(*parts: object) -> int:
    """A seed of 63 bits for a named place in the experiment."""
    return int.from_bytes(hashlib.sha256("/".join(map(str, parts)).encode()).digest()[:8], "big") >> 1
