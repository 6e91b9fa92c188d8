"""Whether a device gains from bfloat16: some have no instructions for it, on others they are slower than float32's."""

import sys
import time
from functools import cache

import torch

from egonorm.core.text import say


def has_bfloat16(device: torch.device) -> bool:
    """Whether a device has instructions for bfloat16; without them it takes a hundred times as long as float32."""
    if device.type == "cuda":
        return torch.cuda.is_bf16_supported(including_emulation=False)
    return device.type != "cpu" or (
        torch.backends.mkldnn.is_available() and torch.ops.mkldnn._is_mkldnn_bf16_supported()
    )


@cache
def gain_of_bfloat16() -> float:
    """How much faster this processor multiplies matrices in bfloat16 than in float32, measured in a few milliseconds.

    Instructions alone do not tell: with avx512_bf16 the products were 2.2 times as fast on an AMD EPYC, half as fast on an Intel
    Xeon whose matrix unit (AMX) was hidden.
    """
    fastest = {}
    for dtype in (torch.float32, torch.bfloat16):
        matrix = torch.ones(512, 512, dtype=dtype)
        fastest[dtype] = min(_seconds_of_product(matrix) for _ in range(8))
    return fastest[torch.float32] / fastest[torch.bfloat16]


def gains_from_bfloat16(device: torch.device) -> bool:
    """Whether a device computes faster in bfloat16 than in float32; of GPUs that have it, this is taken for granted."""
    return has_bfloat16(device) and (device.type != "cpu" or gain_of_bfloat16() > 1)


@cache
def warn_of_bfloat16(device: torch.device) -> None:
    """Say so once a process where it does not pay: some machines only seem to hang."""
    if not has_bfloat16(device):
        say(
            f"note: {device} has no instructions for bfloat16 and is very slow in it; --precision float32 is not",
            to=sys.stderr,
        )
    elif not gains_from_bfloat16(device):
        say(
            f"note: {device} multiplies matrices in bfloat16 at {gain_of_bfloat16():.1f} times its rate in float32; "
            "--precision float32 is faster",
            to=sys.stderr,
        )


def _seconds_of_product(matrix: torch.Tensor) -> float:
    start = time.perf_counter()
    matrix @ matrix
    return time.perf_counter() - start
