"""Steps of training as they are taken on a GPU: their networks, clips, seconds, memory, and share of the limit."""

import statistics
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from itertools import pairwise

import torch

from benchmarks.limit import flops_of_network, precisions
from benchmarks.ours import LABELS, PAPER
from egonorm.core import Batch
from egonorm.core.training import Optim, Precision
from egonorm.methods import Rna
from egonorm.nets import Net
from egonorm.training import Objective, Runtime, train_steps
from egonorm.training.optimizer import make_optimizer


@dataclass(frozen=True)
class Sizes:
    """How much is measured."""

    width: float = 1.0
    batches: tuple[int, ...] = (32, 128)
    micro: int = 32
    steps: int = 8
    product: int = 8192
    """Rows and columns of the matrix product that is the limit."""
    side: int = 224
    """Of the pictures."""


TINY = Sizes(0.0625, (4,), 2, 2, 128, 64)


@dataclass(frozen=True)
class Way:
    """How a step is taken: so many domains, clips of each, at once or in pieces."""

    precision: Precision
    batch: int
    micro: int | None
    domains: int

    @property
    def optim(self) -> Optim:
        """The paper's, with this batch."""
        return replace(PAPER.optim, batch=self.batch, micro_batch=self.micro)


def measure_steps(device: torch.device, sizes: Sizes) -> Iterator[str]:
    """Tables of the seconds, memory and share of the limit of every way to take a step."""
    limits = {p: _product_rate(device, p, sizes.product) for p in precisions(device)}
    told = ", ".join(f"{rate / 1e12:.3g} TFLOP/s in {p}" for p, rate in limits.items())
    yield f"The limit, a matrix product of {sizes.product} x {sizes.product}: {told}."
    flops, rows = 3 * _flops(sizes), []
    for way in _ways(device, sizes):
        clips, row = way.batch * way.domains, [way.precision, way.batch, way.domains, way.micro or "whole"]
        try:
            seconds, memory = measure(device, sizes, way)
        except torch.OutOfMemoryError:
            rows.append([*row, "does not fit", "", "", ""])
            continue
        share = clips * flops / seconds / limits[way.precision]
        rows.append([*row, f"{seconds:.3f}", f"{clips / seconds:.1f}", f"{share:.0%}", memory])
    heads = ["precision", "batch", "domains", "at a time", "s a step", "clips a second", "of the limit", "GB at most"]
    yield table("Steps (forward and backward are counted once; a second pass of pieces is not)", heads, rows)


def _ways(device: torch.device, sizes: Sizes) -> Iterator[Way]:
    for precision in precisions(device):
        for batch in sizes.batches:
            for domains in (1, 2):
                yield from (Way(precision, batch, micro, domains) for micro in (None, sizes.micro) if micro != batch)


def measure(device: torch.device, sizes: Sizes, way: Way) -> tuple[float, str]:
    """The median seconds of a step, and the most gigabytes that torch held."""
    if device.type == "cuda":
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats(device)
    seconds = times(device, sizes, way, [make_batch(sizes, way.batch, way.domains, device)] * sizes.steps)
    memory = f"{torch.cuda.max_memory_allocated(device) / 1e9:.1f}" if device.type == "cuda" else "-"
    return statistics.median(seconds), memory


def times(device: torch.device, sizes: Sizes, way: Way, batches: Iterable) -> list[float]:
    """The seconds between the ends of steps; the first is left out, and each waits for its own gradients."""
    runtime, net, ends = Runtime(device, way.precision), make_net(sizes).to(device), []
    objective = Objective(net, Rna(), way.optim.pieces)
    hear = lambda *_: ends.append(time.perf_counter())  # noqa: E731
    train_steps(objective, make_optimizer(way.optim, net), way.optim, batches, 1, 0, runtime, hear)
    return [later - sooner for sooner, later in pairwise(ends)]


def make_net(sizes: Sizes) -> Net:
    torch.manual_seed(0)
    streams = PAPER.net.widen(sizes.width).streams
    return Net({name: stream.encoder.build() for name, stream in streams.items()}, len(LABELS))


def make_batch(sizes: Sizes, clips: int, domains: int, device: torch.device) -> tuple[Batch, ...]:
    """Clips of each domain as they come from the loader; those of a second have no labels."""
    draw = torch.Generator().manual_seed(0)
    rgb = torch.randint(256, (clips, 16, sizes.side, sizes.side, 3), dtype=torch.uint8, generator=draw)
    sound, labels = torch.randn(clips, 1, 256, 256, generator=draw), torch.arange(clips) % len(LABELS)
    uids = tuple(map(str, range(clips)))
    seen = Batch("D1", uids, {"rgb": rgb, "audio": sound}, labels).to(device)
    return (seen, replace(seen, domain="D2", labels=None))[:domains]


def _flops(sizes: Sizes) -> float:
    """Of one clip's forward pass."""
    net, (batch,) = make_net(sizes).eval(), make_batch(sizes, 1, 1, torch.device("cpu"))
    return sum(flops_of_network(net.encoders[name], x) for name, x in batch.inputs.items())


def _product_rate(device: torch.device, precision: Precision, size: int) -> float:
    """FLOPs a second of a square matrix product, at best of five times ten; in float32 by TF32, as torch's convolutions."""
    torch.backends.cuda.matmul.allow_tf32 = True
    left = torch.randn(size, size, device=device, dtype=getattr(torch, precision))
    wait: Callable[[], object] = torch.cuda.synchronize if device.type == "cuda" else lambda: None
    rates = []
    for _ in range(5):
        wait()
        start = time.perf_counter()
        for _ in range(10):
            left @ left
        wait()
        rates.append(10 * 2 * size**3 / (time.perf_counter() - start))
    torch.backends.cuda.matmul.allow_tf32 = False
    return max(rates)


def table(title: str, heads: list, rows: list[list]) -> str:
    lines = [heads, ["---"] * len(heads), *rows]
    return f"## {title}\n\n" + "\n".join(f"| {' | '.join(map(str, line))} |" for line in lines)
