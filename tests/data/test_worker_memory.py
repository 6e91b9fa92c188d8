"""What a reading process does not share with the one that trains stays the same, however many clips the manifest has."""

import gc
import sys
from pathlib import Path

import pytest
import torch
from torch.utils.data import DataLoader

from egonorm.data.dataset import Clips
from egonorm.data.loader import DomainBatchSampler, evaluation_batches
from egonorm.data.manifest import Clip, Manifest
from egonorm.data.transforms import FeatureInput
from egonorm.data.windows import Span

pytestmark = pytest.mark.slow

BOUND = 12.0
"""Megabytes. 200 000 clips as objects come to 57 in a forked process, 140 in a fresh one."""


class Nothing:
    """A reader of media that are not there."""

    def __call__(self, media, windows):
        return torch.zeros(len(windows), 1)

    def examine(self, media, thorough=False):
        return 1.0


def own_megabytes(_samples) -> float:
    """What this process shares with no other, once Python has looked at all of its objects."""
    gc.collect()
    lines = Path("/proc/self/smaps_rollup").read_text().splitlines()
    return sum(int(line.split()[1]) for line in lines if line.startswith(("Private_Clean", "Private_Dirty"))) / 1024


def of_a_worker(num_clips: int, start: str) -> float:
    made = (
        Clip(f"clip-{k}", f"video-{k // 10}", float(k), k + 2.0, "cut", f"D{k % 2}", "train") for k in range(num_clips)
    )
    clips = Clips(Manifest(tuple(made), ("cut",)), {"rgb": Nothing()}, {"rgb": FeatureInput(1)}, Span())
    steps = DomainBatchSampler({d: clips.manifest.rows_of(d) for d in ("D0", "D1")}, batch=500, first=1, last=4, seed=0)
    loader = DataLoader(
        clips, batch_sampler=steps, collate_fn=own_megabytes, num_workers=1, multiprocessing_context=start
    )
    return list(loader)[-1]


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads /proc")
@pytest.mark.parametrize("start", ["fork", "forkserver"])
def test_a_worker_costs_no_more_with_a_hundred_times_the_clips(start):
    few, many = of_a_worker(2_000, start), of_a_worker(200_000, start)
    assert many - few < BOUND


class Frozen(Nothing):
    """Tells how many objects its process never looks for garbage among."""

    def __call__(self, media, windows):
        return torch.full((len(windows), 1), float(gc.get_freeze_count()))


def test_workers_leave_alone_what_the_training_process_made():
    manifest = Manifest((Clip("a", "v", 0.0, 2.0, "cut", "D1", "train"),), ("cut",))
    clips = Clips(manifest, {"rgb": Frozen()}, {"rgb": FeatureInput(1)}, Span())
    frozen = [
        next(evaluation_batches(clips, 1, 1, workers, torch.device("cpu")))[0].inputs["rgb"] for workers in (0, 1)
    ]
    assert frozen[0] < 10_000 < frozen[1]
