"""The batches of training and judging: read by other processes, brought to the device one ahead, prepared there."""

import gc
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch.utils.data import DataLoader, Dataset

from egonorm.core import Batch, EgonormError
from egonorm.data.dataset import Clips, EvalKey, TrainKey
from egonorm.data.sampler import ClipSampler, DomainBatchSampler

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
        worker_init_fn=_leave_alone,
    )
    prepare = lambda batches: tuple(clips.prepare(batch.to(device)) for batch in batches)  # noqa: E731
    return _ahead(map(_checked, read), prepare) if on_gpu else (prepare(_checked(found)) for found in read)


def _leave_alone(worker: int) -> None:
    """Never look for garbage among what the training process had made: to look is to write, and so to copy its memory."""
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
