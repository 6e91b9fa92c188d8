"""The global batch, differentiably: the one collective is a sum over processes, in both directions.

Every process computes the same loss on the gathered batch, and DistributedDataParallel averages the gradients; with the
sum as the backward of a sum, each parameter then gets the gradient of that one loss, as a single process would give it.
"""

import torch
import torch.distributed as dist
from torch import Tensor, nn


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
