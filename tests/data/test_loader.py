"""Reading processes: what they need of shared memory is checked, and one that gets none or dies is told, not waited for."""

import os
import time
from collections import namedtuple
from dataclasses import dataclass

import pytest
import torch

from egonorm.core import RunError
from egonorm.data import loader
from egonorm.data.dataset import Clips
from egonorm.data.loader import evaluation_batches, training_batches
from egonorm.data.manifest import Clip, Manifest
from egonorm.data.transforms import FeatureInput
from egonorm.data.windows import Span

CPU = torch.device("cpu")
Usage = namedtuple("Usage", "total used free")


@dataclass
class Ones:
    """A reader of a thousand numbers, which are part of a larger tensor; it kills its process at one medium."""

    deadly: str = ""

    def __call__(self, media, windows):
        if media == self.deadly:
            time.sleep(0.3)  # what was read before has arrived
            os.kill(os.getpid(), 9)
        return torch.ones(100 * len(windows), 1000)[: len(windows)]

    def examine(self, media, thorough=False):
        return 10.0


class AsTheyAre(FeatureInput):
    """An input that the network gets in the very memory in which it came."""

    def to_inputs(self, features):
        return features


def clips(deadly=""):
    made = tuple(Clip(f"c{k}", f"{k}.mp4", 0.0, 2.0, "cut", "D1", "train") for k in range(8))
    return Clips(Manifest(made), {"rgb": Ones(deadly)}, {"rgb": AsTheyAre(1000)}, Span())


def test_what_is_read_ahead_must_fit_the_shared_memory(monkeypatch):
    monkeypatch.setattr(loader, "disk_usage", lambda path: Usage(10**5, 0, 10**5))
    with pytest.raises(
        RunError, match=r"got: +0 MB free in /dev/shm\n +expected: 0 MB: 5 batches of 0.0 MB for 2 processes"
    ):
        next(iter(training_batches(clips(), ["D1"], 8, 1, 100, 2, CPU)))
    with pytest.raises(RunError, match=r"--workers 0(.|\n)*--shm-size"):
        next(iter(evaluation_batches(clips(), 4, 16, 2, CPU)))
    assert len(list(evaluation_batches(clips(), 4, 16, 0, CPU))) == 2
    monkeypatch.setattr(loader, "disk_usage", lambda path: Usage(10**9, 0, 10**9))
    assert len(list(evaluation_batches(clips(), 4, 16, 2, CPU))) == 2


def test_a_batch_that_gets_no_shared_memory_is_told(monkeypatch):
    def none_left(x):
        raise RuntimeError("unable to allocate shared memory: No space left on device (28)")

    monkeypatch.setattr(torch.Tensor, "share_memory_", none_left)
    with pytest.raises(RunError, match=r"has no shared memory for a batch(.|\n)*No space left(.|\n)*--workers 0"):
        next(iter(evaluation_batches(clips(), 1, 4, 1, CPU)))


KILLED = r"ended too soon(.|\n)*--workers"


def test_a_process_that_is_killed_is_told_within_seconds():
    began = time.monotonic()
    with pytest.raises(RunError, match=KILLED):
        list(evaluation_batches(clips("5.mp4"), 1, 2, 2, CPU))
    assert time.monotonic() - began < 20


def test_who_works_with_a_batch_is_not_disturbed_by_a_process_that_is_killed():
    batches = evaluation_batches(clips("2.mp4"), 1, 2, 1, CPU)
    next(batches)
    time.sleep(1)  # the process dies on the next batch meanwhile
    with pytest.raises(RunError, match=KILLED):
        next(batches)


@pytest.mark.parametrize(
    "gone", [ConnectionResetError(104, "Connection reset by peer"), ConnectionRefusedError(111, "refused"), EOFError()]
)
def test_a_batch_whose_process_is_gone_is_told_as_one_that_died(monkeypatch, gone):
    def broken(*_, **__):
        raise gone
        yield

    monkeypatch.setattr(loader, "DataLoader", broken)
    with pytest.raises(RunError, match=KILLED):
        next(evaluation_batches(clips(), 1, 2, 0, CPU))


def test_a_batch_takes_its_own_memory_alone():
    (batch,), *_ = evaluation_batches(clips(), 1, 4, 1, CPU)
    assert batch.inputs["rgb"].is_shared() and batch.inputs["rgb"].untyped_storage().nbytes() == 4 * 1000 * 4
