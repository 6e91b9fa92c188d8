"""Memory, each number from fresh processes: a training step over its activations, and what manifests cost."""

import sys
from collections.abc import Iterator

from benchmarks.case import Bench, case
from benchmarks.processes import told_by
from benchmarks.record import Record, Skip, Spread, at_most

CLIPS = 8
SMALL, LARGE = 2_000, 2_000_000


def need_linux() -> None:
    """Skip where memory cannot be asked for in this way."""
    if not sys.platform.startswith("linux"):
        raise Skip("it reads /proc, which only Linux has")


@case(quick=True)
def memory_of_a_step(bench: Bench) -> Iterator[Record]:
    """The peak of a whole process at the paper's size of a clip, over what autograd saves for the backward pass."""
    need_linux()
    found = [told_by(["-m", "benchmarks.memory_of", "step", CLIPS]) for _ in range(2)]
    detail = (
        f"peak {found[0]['peak']:.0f} MB, saved activations {found[0]['activations']:.0f} MB, {CLIPS} clips, float32"
    )
    yield Record(
        "memory-step",
        "peak memory of a training process over the activations that torch reports",
        Spread.of([x["peak"] / x["activations"] for x in found]),
        at_most(1.5),
        detail=detail,
    )


@case()
def memory_of_manifests(bench: Bench) -> Iterator[Record]:
    """What a large manifest costs a worker beside a small one, and what a row of it costs the process."""
    need_linux()
    few, many = (told_by(["-m", "benchmarks.memory_of", "manifest", rows]) for rows in (SMALL, LARGE))
    yield Record(
        "memory-workers",
        f"a worker's own memory with {LARGE:.0e} rows of a manifest over that with {SMALL:.0e}",
        Spread.of([many["worker"] / few["worker"]]),
        at_most(1.2),
        detail=f"{many['worker']:.0f} MB and {few['worker']:.0f} MB that a worker shares with no other",
    )
    each = (many["process"] - few["process"]) * (1 << 20) / LARGE
    yield Record(
        "memory-rows",
        "bytes of the training process that a row of a manifest costs",
        Spread.of([each]),
        unit="bytes",
        detail=f"{many['process']:.0f} MB with {LARGE:.0e} rows, {few['process']:.0f} MB with {SMALL:.0e}",
    )
