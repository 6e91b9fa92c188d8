"""The heap: what is freed inside is used again without the system's help, and given back at the end."""

import os
import platform
import sys
from pathlib import Path

import pytest
import torch

from egonorm.training import runtime
from egonorm.training.runtime import kept_heap
from programs import program

CPU, MEGABYTES = torch.device("cpu"), 400
resource = pytest.importorskip("resource")
only_glibc = pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="the C library is not glibc")


def touch() -> int:
    """Use and free a large block: how many pages the system had to clear for it."""
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    torch.ones(MEGABYTES << 18)
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before


def resident() -> float:
    return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize() / (1 << 20)


@pytest.mark.slow
@only_glibc
def test_what_is_freed_is_kept_until_the_end():
    """In a process of its own: what other tests have left in the heap is not what is measured.

    An aligned block leaves a small piece behind it. Of pieces of one size glibc keeps up to seven apart (`tcache_count`), and
    while it so keeps the one at a block's end, the block cannot be had again whole: it may be the eighth that is used again.
    """
    program(dict(os.environ), "-c", f"import sys; sys.path[:0] = {PATHS!r}\n{MEASURED}")


PATHS = [str(Path(__file__).parent), str(Path(__file__).parents[1])]
MEASURED = """
from test_malloc import CPU, MEGABYTES, kept_heap, resident, touch
touch()
at_first = resident()
with kept_heap(CPU):
    touch()
    assert min(touch() for _ in range(9)) < 1000
    assert resident() > at_first + MEGABYTES / 2
assert resident() < at_first + MEGABYTES / 2
"""


@only_glibc
def test_afterwards_large_blocks_are_mapped_again_even_after_an_error():
    with pytest.raises(ValueError, match="lost"), kept_heap(CPU):
        raise ValueError("lost")
    touch()
    at_first = resident()
    touch()
    assert resident() < at_first + MEGABYTES / 2


def test_elsewhere_nothing_is_asked_of_the_library(monkeypatch):
    monkeypatch.setattr(runtime.ctypes, "CDLL", lambda name: pytest.fail("it was opened"))
    with kept_heap(torch.device("cuda")):
        pass
    monkeypatch.setattr(sys, "platform", "darwin")
    with kept_heap(CPU):
        pass


@pytest.mark.skipif(sys.platform != "linux", reason="other systems are not asked")
def test_another_c_library_is_left_alone(monkeypatch):
    monkeypatch.setattr(runtime.ctypes, "CDLL", lambda name: object())
    with kept_heap(CPU):
        pass
