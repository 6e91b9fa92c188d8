"""Where training runs: device, precision, processes and the heap. All that knows torch.distributed.

The one collective is a sum over processes, in both directions. Every process computes the same loss on the gathered batch, and
DistributedDataParallel averages the gradients; with the sum as the backward of a sum, each parameter then gets the gradient of
that one loss, as a single process would give it.
"""

import ctypes
import os
import sys
import warnings
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.nn.functional import batch_norm
from torch.nn.modules.batchnorm import _BatchNorm
from torch.nn.parallel import DistributedDataParallel

from egonorm.core import RunError
from egonorm.core.training import Precision
from egonorm.training.bfloat16 import warn_of_bfloat16


class _Sum(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x: Tensor) -> Tensor:
        total = x.clone(memory_format=torch.contiguous_format)
        dist.all_reduce(total)
        return total

    @staticmethod
    def backward(ctx, gradient: Tensor) -> Tensor:
        return _Sum.apply(gradient)


def num_processes() -> int:
    """How many processes train together."""
    return dist.get_world_size() if dist.is_initialized() else 1


def sum_over_processes(x: Tensor) -> Tensor:
    """The sum of every process's `x`, of one shape everywhere; gradients are summed too."""
    return _Sum.apply(x) if num_processes() > 1 else x


def gather(x: Tensor) -> Tensor:
    """Every process's rows, in the order of the processes; each brings the same number. Gradients flow to all of them."""
    if num_processes() == 1:
        return x
    rank, rows = dist.get_rank(), len(x)
    padding = x.new_zeros(rank * rows, *x.shape[1:]), x.new_zeros((num_processes() - 1 - rank) * rows, *x.shape[1:])
    return sum_over_processes(torch.cat([padding[0], x, padding[1]]))


def average_gradients(model: nn.Module) -> nn.Module:
    """The model, each of whose gradients becomes the mean over all processes before anybody sees it.

    That holds for every backward pass and for `torch.autograd.grad`, in which all processes must compute the same.
    """
    for parameter in model.parameters():
        if parameter.requires_grad:
            parameter.register_hook(lambda gradient: sum_over_processes(gradient) / num_processes())
    return model


class WholeBatchNorm(_BatchNorm):
    """Batch norm whose training statistics are those of every process's rows together."""

    def _check_input_dim(self, x: Tensor) -> None:
        if x.dim() < 2:
            raise ValueError(f"Batch norm needs a batch and channels; got the shape {tuple(x.shape)}.")

    def forward(self, x: Tensor) -> Tensor:
        """Normalise per channel; in evaluation by the running averages."""
        if not self.training:
            return super().forward(x)
        with torch.no_grad():
            mean, variance, count = _statistics(x)
            assert self.running_mean is not None and self.running_var is not None and self.momentum is not None
            assert self.num_batches_tracked is not None
            self.running_mean.lerp_(mean, self.momentum)
            self.running_var.lerp_(variance * count / (count - 1), self.momentum)
            self.num_batches_tracked += 1
        return _Normalise.apply(x, self.weight, self.bias, mean, variance, self.eps, count)


def _statistics(x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Per channel the mean and the variance over every process's rows, and how many values each is of."""
    own = x.new_tensor(float(x.numel() // x.shape[1]), dtype=torch.promote_types(x.dtype, torch.float32))
    variance, mean = torch.var_mean(x.to(own.dtype), _axes(x), correction=0)
    count = sum_over_processes(own)
    whole = sum_over_processes(mean * own) / count
    return whole, sum_over_processes((variance + (mean - whole).square()) * own) / count, count


class _Normalise(torch.autograd.Function):
    """Subtract the mean, divide by the deviation, scale and shift; the gradient knows that both are functions of all rows."""

    @staticmethod
    def forward(
        ctx, x: Tensor, weight: Tensor, bias: Tensor, mean: Tensor, variance: Tensor, eps: float, count: Tensor
    ):
        ctx.save_for_backward(x, weight, mean, torch.rsqrt(variance + eps), count)
        return batch_norm(x, mean, variance, weight, bias, training=False, eps=eps)

    @staticmethod
    def backward(ctx, gradient: Tensor):
        """With n the normalised x and g the gradient: weight / deviation * (g - mean(g) - n * mean(g * n))."""
        x, weight, mean, inverse, count = ctx.saved_tensors
        axes, shape = _axes(x), [1, -1] + [1] * (x.dim() - 2)
        wide, normal = gradient.to(mean.dtype), (x - mean.view(shape)).mul_(inverse.view(shape))
        of_bias, of_weight = wide.sum(axes), (wide * normal).sum(axes)
        of_mean, of_slope = sum_over_processes(torch.stack([of_bias, of_weight])) / count
        moved = (
            normal.mul_(-of_slope.view(shape)).add_(wide).sub_(of_mean.view(shape)).mul_((weight * inverse).view(shape))
        )
        return moved.to(x.dtype), of_weight, of_bias, None, None, None, None


def _axes(x: Tensor) -> list[int]:
    """All but the channels."""
    return [0, *range(2, x.dim())]


def share_batch_norm(module: nn.Module, device: torch.device) -> nn.Module:
    """The module with every batch norm replaced by one over all processes; parameters and names stay."""
    if device.type == "cuda":
        return nn.SyncBatchNorm.convert_sync_batchnorm(module)
    for name, child in module.named_children():
        if isinstance(child, _BatchNorm):
            shared = WholeBatchNorm(child.num_features, child.eps, child.momentum, affine=False)
            shared.weight, shared.bias = child.weight, child.bias
            for key, buffer in child.named_buffers():
                setattr(shared, key, buffer)
            module.add_module(name, shared.train(child.training))
        else:
            share_batch_norm(child, device)
    return module


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


_TRIM_THRESHOLD, _MMAP_THRESHOLD, _MMAP_MAX = -1, -3, -4
"""What glibc's `mallopt` calls by these numbers (`malloc.h`)."""
_USUAL = {_MMAP_MAX: 65536, _MMAP_THRESHOLD: 32 << 20, _TRIM_THRESHOLD: 64 << 20}
"""glibc's own limits, the last two as its thresholds are once large blocks have been freed."""


@contextmanager
def kept_heap(device: torch.device) -> Iterator[None]:
    """On a CPU with glibc, keep what is freed until the end; elsewhere do nothing.

    Every activation of a large batch is otherwise a mapping of its own, of which the system clears each page at the first touch:
    a fifth of the time of a forward pass. In training the gaps between tensors that live differently long would cost more memory
    than is worth the time (a sixth more for a tenth less), so only passes without gradients are put in here.
    """
    library = ctypes.CDLL(None) if sys.platform == "linux" and device.type == "cpu" else None
    if library is None or not hasattr(library, "mallopt"):
        yield
        return
    library.mallopt(_MMAP_MAX, 0)
    library.mallopt(_TRIM_THRESHOLD, 2**31 - 1)
    try:
        yield
    finally:
        for limit, value in _USUAL.items():
            library.mallopt(limit, value)
        library.malloc_trim(0)
