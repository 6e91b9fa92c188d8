"""Memory that is kept for the next pass of a network, where the C library would give it back and ask for it anew."""

import ctypes
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import torch

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
