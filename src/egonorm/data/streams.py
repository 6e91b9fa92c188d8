"""What a training step may see: one batch from each visible domain, and which clips are in it."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from torch.utils.data import DataLoader

from egonorm.core import Batch, EgonormError
from egonorm.data.dataset import Clips, Draw, Glance, Sample, collate


@dataclass(frozen=True)
class Steps:
    """The clips of each training step, as a batch sampler.

    A domain's clips come in an endless row of epochs, each in an order of its own; a step takes the next `batch` of them.
    Which clips those are follows from the seed and the step's number alone, so a run can go on at any step. With several
    processes each takes its consecutive share of the rows.
    """

    indices: dict[str, tuple[int, ...]]
    """Per domain, the numbers of its clips in the manifest."""
    batch: int
    first: int
    """The first step, counted from 1."""
    last: int
    seed: int
    rank: int = 0
    num_ranks: int = 1

    def __len__(self) -> int:
        return max(0, self.last - self.first + 1)

    def __iter__(self) -> Iterator[list[Draw]]:
        for step in range(self.first, self.last + 1):
            yield [draw for domain in self.indices for draw in self._rows(domain, step)]

    def _rows(self, domain: str, step: int) -> Iterator[Draw]:
        share = self.batch // self.num_ranks
        begin = (step - 1) * self.batch + self.rank * share
        count = len(self.indices[domain])
        for position in range(begin, begin + share):
            epoch, place = divmod(position, count)
            yield Draw(self.indices[domain][_order(self.seed, domain, epoch, count)[place]], epoch)


@lru_cache(maxsize=64)
def _order(seed: int, domain: str, epoch: int, count: int) -> tuple[int, ...]:
    address = [seed, epoch, *domain.encode()]
    return tuple(np.random.default_rng(address).permutation(count).tolist())


def training_batches(
    clips: Clips, domains: Sequence[str], batch: int, first: int, last: int, workers: int, rank: int, num_ranks: int
) -> Iterator[tuple[Batch, ...]]:
    """The batches of steps `first` to `last`: one per domain, in the order of `domains`."""
    by_domain = {d: tuple(i for i, c in enumerate(clips.manifest.clips) if c.domain == d) for d in domains}
    steps = Steps(by_domain, batch, first, last, clips.seed, rank, num_ranks)
    return _load(clips, steps, workers)


def evaluation_batches(
    clips: Clips, num_windows: int, batch: int, workers: int, rank: int = 0, num_ranks: int = 1
) -> Iterator[tuple[Batch, ...]]:
    """Every window of this process's clips, whole clips at a time: about `batch` windows, those of a clip in a row."""
    mine = range(rank, len(clips), num_ranks)
    size = max(1, batch // num_windows)
    groups = [mine[k : k + size] for k in range(0, len(mine), size)]
    keys = [
        [Glance(index, number, num_windows) for index in group for number in range(num_windows)] for group in groups
    ]
    return _load(clips, keys, workers)


def _load(clips: Clips, keys: Iterable[list[Draw | Glance]], workers: int) -> Iterator[tuple[Batch, ...]]:
    """The batches of some keys. An error in a reading process is raised here, as it was there."""
    for found in DataLoader(_Reported(clips), batch_sampler=keys, collate_fn=_collate, num_workers=workers):
        if isinstance(found, EgonormError):
            raise found
        yield found


@dataclass(frozen=True)
class _Reported:
    """The same clips, errors being given back in place of samples: torch would raise them anew as errors of its own."""

    clips: Clips

    def __getitem__(self, key: Draw | Glance) -> Sample | EgonormError:
        try:
            return self.clips[key]
        except EgonormError as error:
            return error


def _collate(samples: list[Sample | EgonormError]) -> tuple[Batch, ...] | EgonormError:
    broken = [sample for sample in samples if isinstance(sample, EgonormError)]
    return broken[0] if broken else collate(samples)
