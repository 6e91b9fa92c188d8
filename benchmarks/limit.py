"""The machine's limits, measured: matrix products, copies. What a network could do at best is its FLOPs over the first."""

from collections.abc import Callable
from copy import deepcopy
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from benchmarks.record import Skip
from benchmarks.timing import seconds
from egonorm.core.training import Precision
from egonorm.training.bfloat16 import gains_from_bfloat16, has_bfloat16


def precisions(device: torch.device) -> tuple[Precision, ...]:
    """What the device computes in, others would take minutes a clip; the quickest comes last."""
    if not has_bfloat16(device):
        return ("float32",)
    return ("float32", "bfloat16") if gains_from_bfloat16(device) else ("bfloat16", "float32")


DTYPES = {name: getattr(torch, name) for name in precisions(torch.device("cpu"))}
"""The precisions of this processor, the quickest last."""
SHAPES = ((2048, 2048, 2048), (3072, 3072, 3072), (16384, 1024, 1024), (25088, 1728, 192))
"""Rows, inner and columns of the products that are tried; the last is the shape of a convolution."""


def need_bfloat16() -> None:
    """Skip what follows where the processor cannot do it."""
    if "bfloat16" not in DTYPES:
        raise Skip("in bfloat16: this processor has no instructions for it")


@dataclass(frozen=True)
class Product:
    """A matrix product that can be called, and its FLOPs."""

    left: Tensor
    right: Tensor

    @property
    def flops(self) -> float:
        """A multiplication and an addition each."""
        return 2.0 * self.left.shape[0] * self.left.shape[1] * self.right.shape[1]

    def __call__(self) -> Tensor:
        """Multiply."""
        return self.left @ self.right


def best_product(dtype: torch.dtype, tries: int = 3) -> Product:
    """The product among `SHAPES` that runs at the highest rate in a precision, with the threads that are set."""
    products = [Product(torch.randn(m, k).to(dtype), torch.randn(k, n).to(dtype)) for m, k, n in SHAPES]
    return max(products, key=lambda product: rate(product, product.flops, tries))


def rate(action: Callable[[], object], amount: float, tries: int = 3) -> float:
    """How much of `amount` a second, at best, after one call to warm up."""
    action()
    return amount / min(seconds(action) for _ in range(tries))


def copy_rate(megabytes: int = 256) -> float:
    """Bytes a second that are copied in memory."""
    source = torch.zeros(megabytes << 20, dtype=torch.uint8)
    target = torch.empty_like(source)
    return rate(lambda: target.copy_(source), source.numel())


def flops_of_network(network: nn.Module, x: Tensor) -> float:
    """The FLOPs of a forward pass. Nothing is computed: on torch's device without numbers its counter sees every convolution."""
    network, x = deepcopy(network).to("meta"), x.to("meta")
    with torch.inference_mode():
        return flops_of(lambda: network(x))


def flops_of(action: Callable[[], object]) -> float:
    """The FLOPs of a call, as torch counts them: convolutions and matrix products."""
    with FlopCounterMode(display=False) as counter:
        action()
    return float(counter.get_total_flops())
