"""Gradient reversal: what one part of a network learns to tell, the part before it learns to hide."""

import torch
from torch import Tensor

from egonorm.losses.arguments import check_number


class _Reverse(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x: Tensor, coefficient: float) -> Tensor:
        ctx.coefficient = coefficient
        return x.view_as(x)

    @staticmethod
    def backward(ctx, gradient: Tensor) -> tuple[Tensor, None]:
        return -ctx.coefficient * gradient, None


def reverse_gradient(x: Tensor, coefficient: float) -> Tensor:
    """`x` itself; its gradient comes back times `-coefficient` (Ganin and Lempitsky, ICML 2015).

    Raises:
        ArgumentError: for a coefficient that is no finite number from 0 on.
    """
    check_number("coefficient", coefficient)
    return _Reverse.apply(x, coefficient)
