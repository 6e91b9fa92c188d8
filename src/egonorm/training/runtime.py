"""Where training runs: device, precision and processes. With `gather.py`, all that knows torch.distributed."""

import os
import warnings
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from typing import Any

import torch
import torch.distributed as dist
from torch import nn
from torch.nn.parallel import DistributedDataParallel

from egonorm.core import RunError
from egonorm.core.training import Precision
from egonorm.training.bfloat16 import warn_of_bfloat16
from egonorm.training.gather import average_gradients
from egonorm.training.sync_batch_norm import share_batch_norm


@dataclass(frozen=True)
class Runtime:
    """One process on one device, alone or among the processes that torchrun started."""

    device: torch.device
    precision: Precision = "float32"
    rank: int = 0
    num_ranks: int = 1

    @property
    def is_first(self) -> bool:
        """Whether this process is the one that writes and speaks."""
        return self.rank == 0

    def wrap(self, objective: nn.Module) -> nn.Module:
        """The objective on the device, trained by all processes together, batch norm included.

        DistributedDataParallel averages gradients while they are computed, but those of the first backward pass of a step alone.
        Where a method has a backward pass of its own, each gradient is averaged when it is there, however it was asked for.
        """
        objective.to(self.device)
        if self.num_ranks == 1:
            return objective
        share_batch_norm(objective, self.device)
        if objective.changes_gradients:
            return average_gradients(objective)
        # the strides of a 1 x 1 kernel may be written in two ways for one order in memory; torch warns of it, and copies
        warnings.filterwarnings("ignore", "Grad strides do not match bucket view")
        ids = [self.device.index] if self.device.type == "cuda" else None
        return DistributedDataParallel(objective, device_ids=ids)

    @staticmethod
    def unwrap(model: nn.Module) -> Any:
        """The objective that `wrap` was given."""
        return model.module if isinstance(model, DistributedDataParallel) else model

    def seed(self, number: int) -> None:
        """Seed what this process draws from, on its device alone: torch.manual_seed spends 0.7 ms on absent ones."""
        torch.default_generator.manual_seed(number)
        if self.device.type == "cuda":
            torch.cuda.manual_seed(number)

    def autocast(self) -> AbstractContextManager:
        """The precision of the networks; losses leave it again."""
        return torch.autocast(self.device.type, torch.bfloat16, enabled=self.precision == "bfloat16")

    def share(self, batch: int, what: str = "batch") -> int:
        """How many rows of a batch, or of a micro-batch, are this process's. RunError when they cannot be equal."""
        if batch % self.num_ranks:
            raise RunError(
                f"The {what} cannot be shared evenly.",
                got=f"{what} {batch}, {self.num_ranks} processes",
                expected=f"a {what} that is a multiple of the number of processes",
                remedy=f"Change --{what} or the number of processes.",
            )
        return batch // self.num_ranks

    def collect(self, mine: object) -> list:
        """Every process's object, in the order of the processes."""
        everyone = [mine] * self.num_ranks
        if self.num_ranks > 1:
            dist.all_gather_object(everyone, mine)
        return everyone

    def agree(self, mine: int, what: str) -> int:
        """The number that all processes have. RunError when they differ: the machines do not see the same files."""
        everyone = set(self.collect(mine))
        if len(everyone) > 1:
            raise RunError(
                f"The processes disagree on {what}.",
                got=", ".join(map(str, sorted(everyone))),
                expected="one number",
                remedy="Give --out a folder that all machines share.",
            )
        return mine

    def wait(self) -> None:
        """Until every process is here."""
        if self.num_ranks > 1:
            dist.barrier()


@contextmanager
def start_runtime(device: str = "auto", precision: Precision = "float32") -> Iterator[Runtime]:
    """Join the processes that torchrun started, if it did, and leave them at the end.

    Args:
        device: "auto" takes a GPU where there is one; else a torch device such as "cpu" or "cuda:1".
    """
    local_rank = int(os.environ.get("LOCAL_RANK", 0))
    if device == "auto":
        device = "cuda" if torch.cuda.is_available() else "cpu"
    place = _device(f"cuda:{local_rank}" if device == "cuda" else device)
    if device.startswith("cuda:") and int(os.environ.get("WORLD_SIZE", 1)) > 1:
        raise RunError(
            "Several processes cannot share one GPU.",
            got=f"--device {device}",
            expected="auto or cuda",
            remedy="Leave the choice of the GPU to each process: --device cuda.",
        )
    if place.type == "cuda":
        torch.cuda.set_device(place)
    if precision == "bfloat16" and local_rank == 0:
        warn_of_bfloat16(place)
    if "RANK" not in os.environ:
        yield Runtime(place, precision)
        return
    dist.init_process_group("nccl" if place.type == "cuda" else "gloo")
    try:
        yield Runtime(place, precision, dist.get_rank(), dist.get_world_size())
    finally:
        dist.destroy_process_group()


def _device(text: str) -> torch.device:
    try:
        place = torch.device(text)
        torch.empty(0, device=place)
        torch.autocast(place.type, torch.bfloat16)
    except (RuntimeError, AssertionError) as error:
        reason = str(error).splitlines()[0]
        raise RunError(
            f"The device {text!r} cannot be used.",
            got=reason,
            expected="auto, cpu, or a GPU such as cuda:0",
            remedy="Correct --device, or install a torch that knows it.",
        ) from None
    return place
