"""Which clips a batch shows, and the batches: read by other processes, brought to the device one ahead, prepared there."""

import gc
import signal
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from shutil import disk_usage
from typing import Any, cast

import numpy as np
import torch
from jaxtyping import Int64
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, get_worker_info

from egonorm.core import Batch, EgonormError, RunError
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
    if workers:
        _check_shared_memory(clips, keys, workers)
    prepare = lambda batches: tuple(clips.prepare(batch.to(device)) for batch in batches)  # noqa: E731
    found = map(_checked, _explained(read))
    return _ahead(found, prepare) if on_gpu else map(prepare, found)


SHARED = Path("/dev/shm")
"""Where Linux keeps the memory that processes share; elsewhere nothing is checked."""
AHEAD = 2
"""Batches that a reading process has ready, as torch's loader asks it to; one more is in the training process' hands."""
_MORE = "Read in the training process, --workers 0, or with fewer; or give more: docker run --shm-size or --ipc=host."


def _check_shared_memory(clips: Clips, keys: DomainBatchSampler | ClipSampler, workers: int) -> None:
    """Refuse to start where the batches that are read ahead do not fit the shared memory; one clip is read to know their size.

    Raises:
        RunError: says what is needed and what there is.
    """
    first = next(iter(cast("Iterable[list[Any]]", keys)), None)
    if not first or not SHARED.is_dir():
        return
    free = disk_usage(SHARED).free
    (one,) = clips.batches(first[:1])
    size = sum(x.nbytes for x in one.inputs.values()) * len(first)
    ahead = min(workers * AHEAD + 1, len(keys))
    needed = size * ahead
    if needed > free:
        raise RunError(
            "There is too little shared memory for the processes that read.",
            got=f"{free / 1e6:.0f} MB free in {SHARED}",
            expected=f"{needed / 1e6:.0f} MB: {ahead} batches of {size / 1e6:.1f} MB for {workers} processes",
            remedy=_MORE,
        )


def _explained(read: Iterable[Batches | EgonormError]) -> Iterator[Batches | EgonormError]:
    """The same; that a reading process has died is said in our words."""
    try:
        yield from _begun(read)
    except (RuntimeError, ConnectionError, EOFError) as error:
        told = str(error)
        lost = "DataLoader worker" in told or not isinstance(error, RuntimeError)  # the latter: with a batch on its way
        if told.startswith("Caught") or not lost:  # raised while reading, or by others
            raise
        raise RunError(
            "A process that reads clips ended too soon.",
            got=told.partition("\n")[0] or repr(error),
            expected="one that reads to the end, and memory for it",
            remedy="Free memory, or use fewer --workers (0 reads in the training process); the same command then goes on.",
        ) from None


def _begun(read: Iterable[Batches | EgonormError]) -> Iterator[Batches | EgonormError]:
    """The loader's iterator, without the signal handler that torch sets with it.

    The handler raises a reading process' death in whatever the training process is doing then: in the middle of a step, where
    nobody expects it. Who asks for the next batch is told all the same, since the loader looks every five seconds.
    """
    if not hasattr(signal, "SIGCHLD") or threading.current_thread() is not threading.main_thread():
        return iter(read)
    before = signal.getsignal(signal.SIGCHLD)
    begun = iter(read)
    signal.signal(signal.SIGCHLD, signal.SIG_DFL if before is None else before)
    return begun


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
            found = self.clips.batches(keys)
        except EgonormError as error:
            return error
        return found if get_worker_info() is None else _shared(found)


def _shared(found: Batches) -> Batches | EgonormError:
    """The batches in memory that the training process sees; put there here, for where torch does it nobody hears of a failure."""
    try:
        return tuple(
            replace(
                batch,
                inputs={name: _alone(x).share_memory_() for name, x in batch.inputs.items()},
                labels=None if batch.labels is None else _alone(batch.labels).share_memory_(),
            )
            for batch in found
        )
    except RuntimeError as error:
        return RunError(
            "A process that reads clips has no shared memory for a batch.",
            got=f"{error}; {disk_usage(SHARED).free / 1e6:.0f} MB free in {SHARED}" if SHARED.is_dir() else error,
            expected="room for the batches that are read ahead",
            remedy=_MORE,
        )


def _alone(x: Tensor) -> Tensor:
    """The tensor in memory of its own; what is part of a larger one would take all of that along."""
    return x if x.untyped_storage().nbytes() == x.nbytes else x.clone()


def _as_it_is(found: Any) -> Any:
    return found
