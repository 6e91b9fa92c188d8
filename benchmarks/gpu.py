"""`python -m benchmarks.gpu`: parity, steps, memory, loader and kernels of training on a GPU; writes GPU.md beside this file."""

import sys
import tempfile
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import torch
import tyro
from torch import Tensor
from torch.profiler import ProfilerActivity, profile

from benchmarks.gpu_media import small_recording
from benchmarks.gpu_steps import (
    TINY,
    Sizes,
    Way,
    make_batch,
    make_net,
    measure,
    measure_steps,
    table,
    times,
)
from benchmarks.limit import precisions
from benchmarks.ours import clips_of, frame_reader, manifest, sound_reader
from egonorm.core import Batch
from egonorm.core.training import Precision
from egonorm.data.loader import training_batches
from egonorm.nets import Net
from egonorm.training import Runtime

HERE = Path(__file__).parent
KERNELS = 10


@dataclass(frozen=True)
class Command:
    """Measure training on a GPU with the paper's networks and inputs."""

    device: str = "cuda"
    """cuda, or cpu to try the program."""
    tiny: bool = False
    """Narrow networks and few clips: whether the program works, not how fast anything is."""
    workers: tuple[int, ...] = (1, 2, 4, 8)
    """Numbers of reading processes to try."""
    out: Path = HERE / "GPU.md"
    """What is written."""


def main(words: list[str] | None = None) -> int:
    """Measure and write; without a GPU, say so and leave everything as it was."""
    command = tyro.cli(Command, args=words)
    if command.device == "cuda" and not torch.cuda.is_available():
        print("There is no GPU here, so nothing was measured and nothing was written.")
        return 0
    device, sizes = torch.device(command.device), TINY if command.tiny else Sizes()
    sections = [_machine(device), _parity(device, sizes), *measure_steps(device, sizes)]
    with tempfile.TemporaryDirectory() as folder:
        sections.append(_loader(device, sizes, command.workers, Path(folder)))
    command.out.write_text("\n\n".join([*sections, _kernels(device, sizes)]) + "\n")
    print(f"Written: {command.out}")
    return 0


def _machine(device: torch.device) -> str:
    name, memory = str(device), ""
    if device.type == "cuda":
        about = torch.cuda.get_device_properties(device)
        name, memory = about.name, f", {about.total_memory / 1e9:.0f} GB"
    when = f"{datetime.now(UTC):%Y-%m-%d}"
    return f"# Training on a GPU\n\n{name}{memory}; torch {torch.__version__}; {when}; `python -m benchmarks.gpu`."


def _parity(device: torch.device, sizes: Sizes) -> str:
    """Features of the same clips and weights, against float32 on the CPU."""
    net, batch = make_net(sizes).eval(), make_batch(sizes, sizes.batches[0], 1, torch.device("cpu"))[0]
    expected = _features(net, batch, "float32")
    net.to(device)
    rows = []
    for precision, exact in (("float32", True), *((p, False) for p in precisions(device))):
        torch.backends.cudnn.allow_tf32 = not exact  # torch's default allows it
        found = _features(net, batch.to(device), precision)
        name = f"{precision}, TF32 {'off' if exact else 'as torch has it'}"
        rows.append([name, *(f"{_difference(found[m], expected[m]):.1e}" for m in expected)])
    return table("Features against the CPU's in float32 (length of the difference over length)", ["", *expected], rows)


def _features(net: Net, batch: Batch, precision: Precision) -> dict[str, Tensor]:
    device = next(net.parameters()).device
    with torch.inference_mode(), Runtime(device, precision).autocast():
        return {name: x.float().cpu() for name, x in net.features(batch.inputs).items()}


def _difference(found: Tensor, expected: Tensor) -> float:
    return float((found - expected).norm() / expected.norm())


def _loader(device: torch.device, sizes: Sizes, workers: tuple[int, ...], folder: Path) -> str:
    """Clips a second that are read, alone and under training, against those of the step alone."""
    recording, seconds = small_recording(folder)
    clips = clips_of(manifest(seconds), frame_reader(recording.folder), sound_reader(recording))
    way = Way(precisions(device)[-1], sizes.batches[-1], sizes.micro, 1)
    alone, rows = way.batch / measure(device, sizes, way)[0], []
    for number in workers:
        ahead = 2 * max(1, number)  # so many batches wait when the first one comes: they are not counted
        begin = lambda: training_batches(clips, ["D1"], way.batch, 1, 3 * ahead, number, device)  # noqa: B023, E731
        read = [time.perf_counter() for _ in begin()][ahead:]
        rate = way.batch * (len(read) - 1) / (read[-1] - read[0])
        later = times(device, sizes, way, begin())[ahead:]
        together = way.batch * len(later) / sum(later)
        verdict = "keeps up" if together > 0.95 * alone else f"the step waits {1 - together / alone:.0%} of the time"
        rows.append([number, f"{rate:.1f}", f"{alone:.1f}", f"{together:.1f}", verdict])
    heads = ["workers", "read alone", "step alone", "together", ""]
    return table(f"Clips a second, 16 JPEG pictures and sound each, {way.precision}, batch {way.batch}", heads, rows)


def _kernels(device: torch.device, sizes: Sizes) -> str:
    """What takes longest in one step of the last way."""
    way = Way(precisions(device)[-1], sizes.batches[-1], sizes.micro, 1)
    kinds = [ProfilerActivity.CPU] + [ProfilerActivity.CUDA] * (device.type == "cuda")
    batches = [make_batch(sizes, way.batch, 1, device)]
    times(device, sizes, way, batches)  # what a first call chooses and compiles is left out
    with profile(activities=kinds) as watched:
        times(device, sizes, way, batches)
    taken = "self_device_time_total" if device.type == "cuda" else "self_cpu_time_total"
    found = [(getattr(x, taken), x.count, x.key) for x in watched.key_averages()]
    total = sum(t for t, _, _ in found) or 1.0
    rows = [
        [f"{t / total:.1%}", f"{t / 1e3:.1f}", n, f"`{key[:90]}`"] for t, n, key in sorted(found)[: -KERNELS - 1 : -1]
    ]
    return table(f"The {KERNELS} slowest kernels of a step in {way.precision}", ["share", "ms", "calls", ""], rows)


if __name__ == "__main__":
    sys.exit(main())
