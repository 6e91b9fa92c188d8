"""Which clips a batch shows, and the batches: read by other processes, brought to the device one ahead, prepared there."""

import gc
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any

import numpy as np
import torch
from jaxtyping import Int64
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from egonorm.core import Batch, EgonormError
from egonorm.core.processes import end_with_parent
from egonorm.data.dataset import Clips, EvalKey, TrainKey


@dataclass(frozen=True)
class DomainBatchSampler:
    """The clips of each training step, as a batch sampler.

    A domain's clips come in an endless row of epochs, each in an order of its own; a step takes the next `batch` of them. What
    an epoch has left that fills no batch is not shown, so that no clip is twice in one; a domain of fewer clips than a batch
    is shown whole, and again. Which clips those are follows from the seed and the step's number alone, so a run can go on at
    any step. With several processes each takes its consecutive share of the rows.
    """

    indices: Mapping[str, Int64[Tensor, " _"]]
    """Per domain, the numbers of its clips in the manifest."""
    batch: int
    first: int
    """The first step, counted from 1."""
    last: int
    seed: int
    rank: int = 0
    num_ranks: int = 1

    @property
    def share(self) -> int:
        """How many clips of a domain this process sees in a step."""
        return self.batch // self.num_ranks

    def __len__(self) -> int:
        return max(0, self.last - self.first + 1)

    def __iter__(self) -> Iterator[list[TrainKey]]:
        rows = [self._row(domain) for domain in self.indices]
        for _ in range(len(self)):
            yield [draw for row in rows for draw in islice(row, self.share)]

    def _row(self, domain: str) -> Iterator[TrainKey]:
        """What this process sees of a domain, step after step; of the orders only the present epoch's is kept."""
        clips, epoch, order = self.indices[domain], -1, np.empty(0, np.int64)
        count = len(clips)
        shown = count // self.batch * self.batch or count
        for step in range(self.first, self.last + 1):
            begin = (step - 1) * self.batch + self.rank * self.share
            for position in range(begin, begin + self.share):
                if position // shown != epoch:
                    epoch = position // shown
                    row = np.random.default_rng([self.seed, epoch, *domain.encode()]).permutation(count)
                    order = clips.numpy()[row]
                yield TrainKey(int(order[position % shown]), epoch)


@dataclass(frozen=True)
class ClipSampler:
    """The clips of each batch of a test, as a batch sampler: every clip that is this process's, about `batch` windows at once."""

    num_clips: int
    num_windows: int
    batch: int
    rank: int = 0
    num_ranks: int = 1

    def __len__(self) -> int:
        return len(self._starts)

    def __iter__(self) -> Iterator[list[EvalKey]]:
        for start in self._starts:
            yield [EvalKey(number, self.num_windows) for number in self._mine[start : start + self._starts.step]]

    @property
    def _mine(self) -> range:
        return range(self.rank, self.num_clips, self.num_ranks)

    @property
    def _starts(self) -> range:
        return range(0, len(self._mine), max(1, self.batch // self.num_windows))


Batches = tuple[Batch, ...]
"""What a step shows: a batch of each domain."""


def training_batches(
    clips: Clips,
    domains: Sequence[str],
    batch: int,
    first: int,
    last: int,
    workers: int,
    device: torch.device,
    rank: int = 0,
    num_ranks: int = 1,
) -> Iterator[Batches]:
    """The batches of steps `first` to `last`, on the device: one per domain, in the order of `domains`."""
    by_domain = {domain: clips.manifest.rows_of(domain) for domain in domains}
    steps = DomainBatchSampler(by_domain, batch, first, last, clips.seed, rank, num_ranks)
    return _load(clips, steps, workers, device)


def evaluation_batches(
    clips: Clips, num_windows: int, batch: int, workers: int, device: torch.device, rank: int = 0, num_ranks: int = 1
) -> Iterator[Batches]:
    """Every window of this process's clips, on the device: about `batch` windows of whole clips, those of a clip in a row."""
    return _load(clips, ClipSampler(len(clips), num_windows, batch, rank, num_ranks), workers, device)


def _load(
    clips: Clips, keys: DomainBatchSampler | ClipSampler, workers: int, device: torch.device
) -> Iterator[Batches]:
    """The batches of some keys. An error in a reading process is raised here, as it was there."""
    on_gpu = device.type == "cuda"
    read: DataLoader[Batches | EgonormError] = DataLoader(
        _Reported(clips),
        batch_size=None,
        sampler=keys,
        collate_fn=_as_it_is,
        num_workers=workers,
        pin_memory=on_gpu,
        worker_init_fn=_begin_reading,
    )
    prepare = lambda batches: tuple(clips.prepare(batch.to(device)) for batch in batches)  # noqa: E731
    return _ahead(map(_checked, read), prepare) if on_gpu else (prepare(_checked(found)) for found in read)


def _begin_reading(worker: int) -> None:
    """What a reading process does first.

    It ends at once with the training process, whose lock on the run's folder it inherits. And it never looks for garbage among
    what the training process had made: to look is to write, and so to copy its memory.
    """
    end_with_parent()
    gc.freeze()


def _ahead(read: Iterator[Batches], prepare: Callable[[Batches], Batches]) -> Iterator[Batches]:
    """Bring batches to the GPU and prepare them there on a stream of its own, one ahead of who computes with them."""
    side, waiting = torch.cuda.Stream(), None
    for batches in read:
        with torch.cuda.stream(side):
            coming = prepare(batches)
            done = side.record_event()
        if waiting is not None:
            yield _handed_over(*waiting)
        waiting = coming, done
    if waiting is not None:
        yield _handed_over(*waiting)


def _handed_over(batches: Batches, done: torch.cuda.Event) -> Batches:
    """Let the computing stream wait until the batches are there, and keep their memory until it has used them."""
    stream = torch.cuda.current_stream()
    stream.wait_event(done)
    for batch in batches:
        for x in (*batch.inputs.values(), *(() if batch.labels is None else (batch.labels,))):
            x.record_stream(stream)
    return batches


def _checked(found: Batches | EgonormError) -> Batches:
    if isinstance(found, EgonormError):
        raise found
    return found


@dataclass(frozen=True)
class _Reported(Dataset[Batches | EgonormError]):
    """The batches of a list of keys, errors being given back in their place: torch would raise them anew as errors of its own."""

    clips: Clips

    def __getitem__(self, keys: list[TrainKey | EvalKey]) -> Batches | EgonormError:
        try:
            return self.clips.batches(keys)
        except EgonormError as error:
            return error


def _as_it_is(found: Any) -> Any:
    return found
