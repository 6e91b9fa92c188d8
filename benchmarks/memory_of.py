"""`python -m benchmarks.memory_of WHAT NUMBER`: measure one process's memory and print it as JSON; a fresh process each time."""

import csv
import json
import os
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor
from torch.autograd.graph import saved_tensors_hooks
from torch.utils.data import get_worker_info

from benchmarks.ours import CPU, LABELS, PAPER
from egonorm.core import Batch
from egonorm.data import Clips
from egonorm.data.loader import training_batches
from egonorm.data.manifest import COLUMNS, read_manifest
from egonorm.data.transforms import FeatureInput
from egonorm.methods import Rna
from egonorm.nets import BnInception, I3d, Net
from egonorm.training import Objective, Runtime, train_steps
from egonorm.training.optimizer import make_optimizer

MEGABYTE = 1 << 20
STEPS = 4
"""The heap is a little larger after each of the first steps."""


def step(clips: int) -> Mapping[str, float]:
    """Training at the paper's size: the process's peak in some steps, and the activations that autograd saved in the first."""
    net = Net({"rgb": I3d(), "audio": BnInception()}, len(LABELS))
    inputs = {
        "rgb": torch.randint(256, (clips, 16, 224, 224, 3), dtype=torch.uint8),
        "audio": torch.randn(clips, 1, 256, 256),
    }
    batch = Batch("D1", tuple(map(str, range(clips))), inputs, torch.arange(clips) % len(LABELS))
    own, saved, after = {x.data_ptr() for x in net.parameters()}, {}, []

    def note(x: Tensor) -> Tensor:
        storage = x.untyped_storage()
        if storage.data_ptr() not in own:
            saved[storage.data_ptr()] = storage.nbytes()
        return x

    with saved_tensors_hooks(note, lambda x: x):
        optimizer = make_optimizer(PAPER.optim, net)
        seen, hear = [(batch,)] * STEPS, lambda *_: after.append(sum(saved.values()))
        train_steps(Objective(net, Rna()), optimizer, PAPER.optim, seen, 1, 0, Runtime(CPU), hear)
    return {"peak": peak(os.getpid()), "activations": after[0] / MEGABYTE}


@dataclass(frozen=True)
class Reported:
    """A reader of nothing: its feature tells how much memory the process that reads shares with no other."""

    def __call__(self, media: str, windows: Sequence) -> Tensor:
        """The megabytes that are the reading process's own; read now and then, for it takes long."""
        known = -1.0
        if get_worker_info() is not None and int(media[1:]) % 50 == 0:
            known = unshared(os.getpid())
        return torch.full((len(windows), 1), known)

    def examine(self, media: str, thorough: bool = False) -> float:
        """As long as any clip."""
        return float("inf")


def manifest(rows: int) -> Mapping[str, float]:
    """What a training process keeps of a manifest of so many rows, and what each of two workers does not share with it."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "manifest.csv"
        _write(path, rows)
        clips = read_manifest(path)
    data = Clips(clips, {"rgb": Reported()}, {"rgb": FeatureInput(1)}, PAPER.net.span)
    batches = training_batches(data, ["D1"], 500, 1, 60, 2, CPU)
    seen = [float(batch.inputs["rgb"].max()) for (batch,) in batches]
    own = [x for x in seen[-20:] if x > 0]
    return {"process": resident(os.getpid()), "worker": max(own)}


def _write(path: Path, rows: int) -> None:
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(COLUMNS)
        for k in range(rows):
            writer.writerow((f"c{k}", f"v{k % 700}", k % 1000, k % 1000 + 2, LABELS[k % 8], "D1", "train"))


def unshared(process: int) -> float:
    """Megabytes of a process that no other one has in its memory."""
    return _rollup(process, "Private_Clean:") + _rollup(process, "Private_Dirty:")


def resident(process: int) -> float:
    """Megabytes of a process that are in memory."""
    return _rollup(process, "Rss:")


def peak(process: int) -> float:
    """Megabytes of a process that were in memory at most. `getrusage` would count those of the process that started it too."""
    return _line(Path(f"/proc/{process}/status"), "VmHWM:")


def _rollup(process: int, heading: str) -> float:
    return _line(Path(f"/proc/{process}/smaps_rollup"), heading)


def _line(path: Path, heading: str) -> float:
    """The megabytes of one line of such a file, which tells kilobytes."""
    return next(int(line.split()[1]) for line in path.read_text().splitlines() if line.startswith(heading)) / 1024


if __name__ == "__main__":
    torch.set_num_threads(2)
    print(json.dumps({"step": step, "manifest": manifest}[sys.argv[1]](int(sys.argv[2]))))
