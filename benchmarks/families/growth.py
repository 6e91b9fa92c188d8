"""Growth: what a clip costs in training when there are more of them, and when two processes share the work."""

from collections.abc import Iterator, Sequence

from benchmarks.case import Bench, case
from benchmarks.processes import told_by
from benchmarks.record import Record, Spread, at_most

SIZES = (1_000, 10_000, 100_000)
MODULE = "benchmarks.growth_of"


def seconds(words: Sequence[object], threads: int) -> float:
    """A clip's seconds in processes of their own, each with so many threads."""
    return told_by(words, OMP_NUM_THREADS=str(threads))["seconds"]


@case()
def growth(bench: Bench) -> Iterator[Record]:
    """The demo's networks with the objective of RNA-Net, in a whole process for each number and repetition."""
    words = {size: ["-m", MODULE, size, "demo", 16] for size in SIZES}
    rounds = [{size: seconds(w, bench.threads) for size, w in words.items()} for _ in range(max(2, bench.repeats // 2))]
    middles = {size: 1e3 * Spread.of([found[size] for found in rounds]).middle for size in SIZES}
    detail = ", ".join(f"{size:.0e} clips {time:.2f} ms a clip" for size, time in middles.items())
    yield Record(
        "growth-clips",
        f"time per clip in training with {SIZES[-1]:.0e} clips over that with {SIZES[0]:.0e}",
        Spread.of([found[SIZES[-1]] / found[SIZES[0]] for found in rounds]),
        at_most(1.1),
        detail=detail,
    )


@case()
def growth_processes(bench: Bench) -> Iterator[Record]:
    """Two processes of one thread, sharing each batch and its statistics, against one process of two threads."""
    alone = ["-m", MODULE, SIZES[0], "small", 8]
    shared = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node", 2, *alone]
    rounds = [(seconds(alone, 2), seconds(shared, 1)) for _ in range(max(2, bench.repeats // 2))]
    one, two = (1e3 * Spread.of(times).middle for times in zip(*rounds, strict=True))
    yield Record(
        "growth-processes",
        "clips a second of two processes with a thread each, over one process with two threads",
        Spread.of([a / b for a, b in rounds]),
        detail=f"{one:.1f} ms and {two:.1f} ms a clip",
    )
