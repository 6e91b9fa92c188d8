"""`python -m benchmarks.growth_of CLIPS PRESET BATCH`, alone or under torchrun: seconds a clip in training, as JSON."""

import json
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from benchmarks.ours import LABELS
from egonorm.core import Setting
from egonorm.data import Clip, Clips, Manifest
from egonorm.data.loader import training_batches
from egonorm.methods import Rna
from egonorm.runs.config import Run
from egonorm.runs.presets import PRESETS, Preset
from egonorm.training import Objective, start_runtime, train_steps
from egonorm.training.optimizer import make_optimizer

STEPS, LATER = 16, 5
"""Steps of a measurement, and the one after which time is taken."""


@dataclass(frozen=True)
class Constant:
    """A reader of random numbers of one shape: what the disk and the decoder need is measured elsewhere."""

    shown: Tensor

    def __call__(self, media: str, windows: Sequence) -> Tensor:
        """The same in every window."""
        return self.shown.expand(len(windows), *self.shown.shape)

    def examine(self, media: str, thorough: bool = False) -> float:
        """As long as any clip."""
        return float("inf")


def clips(number: int, preset: Preset) -> Clips:
    """So many clips, as a preset looks at them."""
    rows = (Clip(f"c{k}", "v", 0.0, 3.0, LABELS[k % 8], "D1", "train") for k in range(number))
    inputs = {name: stream.input for name, stream in preset.net.streams.items()}
    side = inputs["rgb"].short_side
    pictures = torch.randint(256, (preset.net.span.num_frames, side, 4 * side // 3, 3), dtype=torch.uint8)
    readers = {"rgb": Constant(pictures), "audio": Constant(torch.randn(inputs["audio"].spectrogram.num_samples) * 0.1)}
    return Clips(Manifest(tuple(rows), LABELS), readers, inputs, preset.net.span)


def say_seconds(data: Clips, preset: Preset, batch: int) -> None:
    """Train, and print what a clip took in the steps after `LATER`, over all processes."""
    run = Run("none:none", Setting("dg1", ("D1",), "D2"), preset.net, Rna())
    with start_runtime("cpu") as runtime:
        net, times = run.build_net(len(LABELS)), []
        model, optimizer = runtime.wrap(Objective(net, run.method)), make_optimizer(preset.optim, net)
        batches = training_batches(data, ["D1"], batch, 1, STEPS, 0, runtime.device, runtime.rank, runtime.num_ranks)
        train_steps(
            model, optimizer, preset.optim, batches, 1, 0, runtime, lambda *_: times.append(time.perf_counter())
        )
        if runtime.is_first:
            print(json.dumps({"seconds": (times[-1] - times[LATER - 1]) / ((STEPS - LATER) * batch)}))


if __name__ == "__main__":
    chosen = PRESETS[sys.argv[2]]()
    say_seconds(clips(int(sys.argv[1]), chosen), chosen, int(sys.argv[3]))
